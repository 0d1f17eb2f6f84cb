"""Whether a running stack is the one that would be started now."""

import os
from pathlib import Path

import pytest

from stemhouse.local.home import Home
from stemhouse.local.layout import stack_specs
from stemhouse.local.origin import StackOrigin, difference, present_origin

MIRROR = {"STEMHOUSE_MODELS__MIRROR": "/music/models"}


def test_equal_origins_have_nothing_to_say() -> None:
    """Here and now."""
    assert difference(present_origin(MIRROR), present_origin(MIRROR)) == ""


@pytest.mark.parametrize("now", [{}, {"STEMHOUSE_MODELS__MIRROR": "/other"}])
def test_setting_that_is_new_other_or_gone_is_named(now: dict[str, str]) -> None:
    """Both ways, with the commands; not its value, nor anything it can be told from."""
    before, after = present_origin(MIRROR), present_origin(now)
    for note in (difference(before, after), difference(after, before)):
        assert "(STEMHOUSE_MODELS__MIRROR): `stemhouse down`, then `stemhouse up`" in note
    assert "/music" not in repr(before)


def test_other_version_is_told_with_both() -> None:
    """Of a stack that did not write one down, too."""
    note = difference(StackOrigin("0.0.1"), StackOrigin("0.2.0"))
    assert "is of version 0.0.1, this is 0.2.0: `stemhouse down`" in note
    assert "of version unknown, this is 0.2.0" in difference(StackOrigin(), StackOrigin("0.2.0"))


def test_variables_that_change_nothing_do_not_count() -> None:
    """Those of the client, of others, and those that the stack sets itself."""
    assert present_origin({"STEMHOUSE_SERVER": "x", "STEMHOUSE_HOME": "x", "PATH": "x"}).settings == {}
    assert list(present_origin({"STEMHOUSE_IDLE_S": "9", "STEMHOUSE_STORELESS": "x"}).settings) == [
        "STEMHOUSE_IDLE_S",
        "STEMHOUSE_STORELESS",
    ]


def test_every_variable_that_the_stack_sets_is_known_as_such(tmp_path: Path) -> None:
    """A new one fails this test until it is."""
    home = Home(tmp_path)
    home.make_dirs()
    own = {name: "" for spec in stack_specs(home) for name in spec.environment if name not in os.environ}
    assert "STEMHOUSE_LISTEN" in own
    assert present_origin(own).settings == {}
