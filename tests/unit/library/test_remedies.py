"""Every error has a remedy."""

import pytest

from services.library.core.remedies import job_error_of, remedy_for
from stemhouse.batches import BatchSpec
from stemhouse.errors import NotFound, StemhouseError, UnreadableAudio, UnsupportedAudio, WorkerDied, error_types

SPEC = BatchSpec("/my music", "/out")


@pytest.mark.parametrize("error_type", error_types())
def test_every_error_has_a_remedy_with_the_command(error_type: type[StemhouseError]) -> None:
    """A job may end with any of them."""
    remedy = remedy_for(job_error_of(error_type("x")), "batch1", SPEC)
    assert "`stemhouse batch retry batch1`" in remedy
    assert remedy.endswith(".")


def test_remedies_differ_by_who_is_at_fault() -> None:
    """A damaged file is to be replaced, a lost object or process is not the file's fault."""
    assert "get it anew" in remedy_for(job_error_of(UnreadableAudio("x")), "b", SPEC)
    assert "Put the file back" in remedy_for(job_error_of(NotFound("x", {"file": "x"})), "b", SPEC)
    for error in (NotFound("x", {"object_key": "x"}), NotFound("x", {"sha256": "x"}), WorkerDied("x")):
        assert "Nothing is wrong with the file" in remedy_for(job_error_of(error), "b", SPEC)


def test_file_that_has_another_path_now_needs_a_look_at_the_library() -> None:
    """A retry would look for it where it was for ever."""
    for error in (NotFound("x", {"file": "x"}), UnsupportedAudio("x")):
        assert "`stemhouse batch '/my music' --output /out`" in remedy_for(job_error_of(error), "b", SPEC)
