"""Folders of Live projects, and the language of outlines."""

import pytest
from lxml import etree

from services.exporter.core.ableton.elements import ElementFactory, Value, attribute_text
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11
from services.exporter.core.ableton.project import plan_project, sample_path


def test_project_has_a_set_for_each_version() -> None:
    """And an empty folder, by which Live knows that it is one."""
    project = plan_project("Björk - Jóga")
    assert project.folder == "Björk - Jóga Project"
    assert project.set_names == {LIVE_11: "Björk - Jóga.als", LIVE_10: "Björk - Jóga (Live 10).als"}
    assert sample_path("vocals.wav") == "Samples/Imported/vocals.wav"
    assert project.empty_folders == ("Ableton Project Info",)


@pytest.mark.parametrize(
    ("song", "folder"),
    [
        ("AC/DC: <Live>?", "AC_DC_ _Live__ Project"),
        ("../..", "_ Project"),
        ("\0\ud83c", "_ Project"),
        ("...", "Untitled Project"),
        ("aux", "_aux Project"),
        ("é" * 100, "é" * 39 + " Project"),
        ("Why..", "Why Project"),
    ],
)
def test_project_is_safe_on_every_system(song: str, folder: str) -> None:
    """Short enough for Windows, too, which counts the whole path."""
    assert plan_project(song).folder == folder


def test_number_of_songs_is_not_cut_off() -> None:
    """The first song's name is."""
    assert plan_project("x" * 200, " and 3 more").folder == "x" * 68 + " and 3 more Project"


OUTLINE = """
First 0
10: Ten "two words" Name=$name
    Inside
11: Eleven
Pan: choice -1 new
Things
    $things
"""


@pytest.mark.parametrize(
    ("version", "member"),
    [(10, b'<Ten Value="two words" Name="&lt;$"><Inside/></Ten>'), (11, b"<Eleven/>")],
)
def test_outline_grows_into_elements(version: int, member: bytes) -> None:
    """Lines of one version, shapes, values and elements."""
    parent = etree.Element("P")
    ElementFactory(version).fill(parent, OUTLINE, {"name": "<$", "things": [etree.Element("T")]})
    choice = (
        b'<LomId Value="0"/><Manual Value="-1"/><AutomationTarget Id="1"><LockEnvelope Value="0"/></AutomationTarget>'
    )
    first, last = b'<P><First Value="0"/>', b"<Pan>" + choice + b"</Pan><Things><T/></Things></P>"
    assert etree.tostring(parent) == first + member + last


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (7, "7"), (128.0, "128"), (-0.0, "0"), (2.5e-7, "0.00000025"), (0.1 + 0.2, "0.30000000000000004")],
)
def test_numbers_are_exact_and_plain(value: Value, text: str) -> None:
    """Live writes no exponents."""
    assert attribute_text(value) == text


def test_values_and_elements_are_not_confused() -> None:
    """A mistake in an outline is told."""
    with pytest.raises(TypeError, match="where a value belongs"):
        ElementFactory(10).fill(etree.Element("P"), "A $a", {"a": ()})
    with pytest.raises(TypeError, match="where elements belong"):
        ElementFactory(10).fill(etree.Element("P"), "$a", {"a": 1})
