"""Every error has a remedy."""

import pytest

from services.library.core.remedies import job_error_of, remedy_for
from stemhouse.errors import NotFound, StemhouseError, UnreadableAudio, WorkerDied, error_types


@pytest.mark.parametrize("error_type", error_types())
def test_every_error_has_a_remedy_with_the_command(error_type: type[StemhouseError]) -> None:
    """A job may end with any of them."""
    remedy = remedy_for(job_error_of(error_type("x")), "batch1")
    assert "`stemhouse batch retry batch1`" in remedy
    assert remedy.endswith(".")


def test_remedies_differ_by_who_is_at_fault() -> None:
    """A damaged file is to be replaced, a lost object or process is not the file's fault."""
    assert "get it anew" in remedy_for(job_error_of(UnreadableAudio("x")), "b")
    assert "Put the file back" in remedy_for(job_error_of(NotFound("x", {"file": "x"})), "b")
    for error in (NotFound("x", {"object_key": "x"}), NotFound("x", {"sha256": "x"}), WorkerDied("x")):
        assert "Nothing is wrong with the file" in remedy_for(job_error_of(error), "b")
