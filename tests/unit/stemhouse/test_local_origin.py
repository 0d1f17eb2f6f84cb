"""Whether a running stack is the one that would be started now."""

import os
from pathlib import Path

import pytest

from stemhouse.local.home import Home
from stemhouse.local.layout import stack_specs
from stemhouse.local.origin import StackOrigin, difference, present_origin

NO_HOME = Home(Path("/nowhere"))
MIRROR = {"STEMHOUSE_MODELS__MIRROR": "/music/models"}


def test_equal_origins_have_nothing_to_say() -> None:
    """Here and now."""
    assert difference(present_origin(NO_HOME, MIRROR), present_origin(NO_HOME, MIRROR)) == ""


@pytest.mark.parametrize("now", [{}, {"STEMHOUSE_MODELS__MIRROR": "/other"}])
def test_setting_that_is_new_other_or_gone_is_named(now: dict[str, str]) -> None:
    """Both ways, with the commands; not its value, nor anything it can be told from."""
    before, after = present_origin(NO_HOME, MIRROR), present_origin(NO_HOME, now)
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
    assert present_origin(NO_HOME, {"STEMHOUSE_SERVER": "x", "STEMHOUSE_HOME": "x", "PATH": "x"}).settings == {}
    assert list(present_origin(NO_HOME, {"STEMHOUSE_IDLE_S": "9", "STEMHOUSE_STORELESS": "x"}).settings) == [
        "STEMHOUSE_IDLE_S",
        "STEMHOUSE_STORELESS",
    ]


def test_every_variable_that_the_stack_sets_is_known_as_such(tmp_path: Path) -> None:
    """A new one fails this test until it is."""
    home = Home(tmp_path)
    home.make_dirs()
    own = {name: "" for spec in stack_specs(home) for name in spec.environment if name not in os.environ}
    assert "STEMHOUSE_LISTEN" in own
    assert present_origin(home, own).settings == {}


def test_changed_policy_is_told(tmp_path: Path) -> None:
    """That of the home, or the one that is named; the router reads it once, when it starts."""
    home, named = Home(tmp_path), tmp_path / "mine.toml"
    without = present_origin(home, {})
    home.policy_file.write_text("[retry]")
    assert "(policy.toml)" in difference(without, present_origin(home, {}))
    named.write_text("[retry]")
    before = present_origin(home, {"STEMHOUSE_POLICY": str(named)})
    named.write_text("[speeds]")
    assert "(mine.toml)" in difference(before, present_origin(home, {"STEMHOUSE_POLICY": str(named)}))
