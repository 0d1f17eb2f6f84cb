"""Tags that name a track; whatever is wrong with them, the audio is taken."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import structlog
from mutagen import MutagenError
from mutagen.aiff import AIFF
from mutagen.id3 import ID3, TBPM, TCON

from services.separator.adapters.tags import NameTags, plain_text, read_name_tags


class OddTags:
    """A reader, and the tags that it finds, of which one method or another raises."""

    def __init__(self, *, read: Exception | None = None, get: Exception | None = None, value: Any = ()) -> None:
        self._read = read
        self._get = get
        self._value = value

    def __call__(self, _path: Path) -> "OddTags":
        """As mutagen's classes are called."""
        if self._read:
            raise self._read
        return self

    @property
    def tags(self) -> "OddTags":
        """Of the file."""
        return self

    def __contains__(self, name: str) -> bool:
        return name in {"artist", "title"}

    def __getitem__(self, _name: str) -> Any:
        if self._get:
            raise self._get
        return self._value


@pytest.mark.parametrize(
    "error",
    [
        MutagenError("bad"),
        TypeError("bad"),
        KeyError("bad"),
        AttributeError("bad"),
        AssertionError("bad"),
        NotImplementedError("bad"),
        RecursionError("bad"),
        EOFError("bad"),
        MemoryError("bad"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("moment", ["read", "get"])
def test_any_error_leaves_a_track_without_tags(error: Exception, moment: str) -> None:
    """Of the parser, or of a value that is fetched from it; the log has it."""
    odd = OddTags(**{moment: error})
    with structlog.testing.capture_logs() as lines:
        assert read_name_tags(Path("track"), "mp3", "", {"mp3": odd}) == NameTags()
    assert [(line["event"], line["error"]) for line in lines] == [("tags are unreadable", repr(error))]


@pytest.mark.parametrize(
    ("value", "text"),
    [((), ""), ([], ""), (["a", "b"], "a"), ([7], "7"), ([None], "None"), (5, ""), (["x\0y"], "x"), (" z", "")],
)
def test_odd_values_do_no_harm(value: Any, text: str) -> None:
    """The first text counts; what is no list is none."""
    assert read_name_tags(Path("track"), "mp3", "", {"mp3": OddTags(value=value)}) == NameTags(text, text)


@pytest.mark.parametrize(
    ("text", "bpm"), [("128", 128.0), ("127,5", 127.5), ("fast", 0.0), ("nan", 0.0), ("-1", 0.0), ("1e9", 0.0)]
)
def test_tempo_is_a_number_that_music_has(text: str, bpm: float, tmp_path: Path) -> None:
    """With a point or a comma; anything else is no tempo."""
    path = tmp_path / "track.aiff"
    soundfile.write(path, np.zeros((100, 1)), 44_100)
    aiff = AIFF(path)
    aiff.add_tags()
    for frame in (TBPM(text=text), TCON(text="House")):
        cast("ID3", aiff.tags).add(frame)
    aiff.save()
    assert read_name_tags(path, "aiff", "") == NameTags(genre="House", bpm=bpm)


def test_text_is_what_messages_can_hold() -> None:
    """Nothing behind a zero, no half of a character, and no book."""
    assert plain_text(" Ünï\0more") == "Ünï"
    assert plain_text("a\ud800b") == "a?b"
    assert plain_text("夜" * 3000) == "夜" * 1000
