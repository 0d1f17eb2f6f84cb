"""Names of delivered folders and files on every system."""

import unicodedata
from dataclasses import replace

import pytest

from services.exporter.core.files import StemFileManager
from services.exporter.core.names import LONGEST_SEGMENT_BYTES
from stemhouse.delivery import FileFormat
from stemhouse.errors import InvalidRequest
from tests.unit.exporter.results import FACTS, SOURCE

HASH = "_01234567"


def folder(artist: str = "", title: str = "", file_name: str = "x.wav") -> str:
    """The folder's name for these tags and this file name."""
    facts = replace(FACTS, artist=artist, title=title)
    return StemFileManager().folder_name(replace(SOURCE, file_name=file_name), facts)


@pytest.mark.parametrize(
    ("artist", "title", "name"),
    [
        ("Björk", "Jóga", "Björk - Jóga"),
        ("宇多田ヒカル", "桜流し", "宇多田ヒカル - 桜流し"),
        ("🎧👩‍🎤", "❤️", "🎧👩‍🎤 - ❤️"),
        ("Bjo\u0308rk", "Jo\u0301ga", "Björk - Jóga"),
        ("AC/DC", 'What? "No": <a|b>*\\', "AC_DC - What_ _No__ _a_b___"),
        ("R.E.M.", "...Baby", "R.E.M. - ...Baby"),
        (".38 Special", " Hold  On\tLoosely\n", "38 Special - Hold On Loosely"),
        ("a\0b", "c\x1b[31md\x9b", "a b - c [31md"),
        ("a\u202eb", "\ud83cx", "a b - _x"),
        ("Con", "Nul", "Con - Nul"),
        ("AUX.", "One", "_AUX. - One"),
        ("con .x", "One", "_con .x - One"),
        ("LPT¹.", "One", "_LPT¹. - One"),
        ("../..", "../etc/passwd", "_.. - .._etc_passwd"),
    ],
)
def test_folder_keeps_what_every_system_can_hold(artist: str, title: str, name: str) -> None:
    """Unicode stays; separators, controls, devices and hidden names do not."""
    assert folder(artist, title) == name + HASH


@pytest.mark.parametrize(
    ("artist", "title", "file_name", "name"),
    [
        ("", "", "Björk - Jóga.mp3", "Björk - Jóga"),
        ("", "", "Björk - Jóga - Live.mp3", "Björk - Jóga - Live"),
        ("", "", "jóga.final.mp3", "Unknown Artist - jóga.final"),
        ("", "Tag", "Björk - Jóga.mp3", "Björk - Tag"),
        ("Tag", "", "Björk - Jóga.mp3", "Tag - Jóga"),
        ("Tag", "", "01 jóga.mp3", "Tag - 01 jóga"),
        ("", "", "C:\\Music\\a\\Björk - Jóga.mp3", "Björk - Jóga"),
        ("", "", "/music/no extension", "Unknown Artist - no extension"),
        ("", "", ".mp3", "Unknown Artist - .mp3"),
        ("", "", " - Jóga.mp3", "Unknown Artist - - Jóga"),
        ("...", " ", "\n.wav", "Unknown Artist - Untitled"),
    ],
)
def test_missing_tags_come_from_the_file_name(artist: str, title: str, file_name: str, name: str) -> None:
    """Each for itself; the folder always has both."""
    assert folder(artist, title, file_name) == name + HASH


@pytest.mark.parametrize("letter", ["a", "é", "日", "🎧", "👩‍🎤", "❤️", ". "])
@pytest.mark.parametrize("artist_length", [1, 95, 300])
@pytest.mark.parametrize("title_length", [1, 94, 300])
def test_long_names_are_cut_between_characters(letter: str, artist_length: int, title_length: int) -> None:
    """The hash stays, and so does a part of artist and title."""
    name = folder("A" + letter * artist_length, "T" + letter * title_length)
    assert len(name.encode()) <= LONGEST_SEGMENT_BYTES
    assert name.startswith("A")
    assert " - T" in name
    assert name.endswith(HASH)
    before = name.removesuffix(HASH)
    assert before == before.rstrip() == unicodedata.normalize("NFC", before)
    assert not before.endswith("\u200d")


def test_folders_of_different_sources_differ() -> None:
    """Two files with the same tags do not overwrite each other."""
    other = replace(SOURCE, md5="f" * 32)
    assert StemFileManager().folder_name(SOURCE, FACTS) != StemFileManager().folder_name(other, FACTS)


@pytest.mark.parametrize(
    ("stem", "name"), [("vocals", "vocals.flac"), ("synth_2-b", "synth_2-b.flac"), ("aux", "_aux.flac")]
)
def test_file_is_named_by_its_stem(stem: str, name: str) -> None:
    """With the format as extension."""
    assert StemFileManager().file_name(stem, FileFormat.FLAC) == name


@pytest.mark.parametrize("stem", ["", "../vocals", "a/b", "Vocals", "a.b", "vocals\n", "x" * 65])
def test_stem_that_is_no_plain_name_is_refused(stem: str) -> None:
    """A result may come from anywhere, and a client writes files by these names."""
    with pytest.raises(InvalidRequest):
        StemFileManager().file_name(stem, FileFormat.WAV)
