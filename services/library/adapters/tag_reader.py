"""Tags by music_tag; BPM, key and length by mutagen, since music_tag has no BPM and no key."""

import math
import struct
from typing import Any

import music_tag
import mutagen
from mutagen.aac import AAC
from mutagen.asf import ASF
from mutagen.id3 import ID3Tags

from services.library.core.ports import FoundFile
from services.library.core.tags import bpm_from_tag, text_from_tag
from stemhouse.tracks import ScanProblem, Track

# For damage mutagen raises MutagenError: 50,000 files damaged at random brought out nothing else. The others are what
# a parser raises through a gap of its checks, and music_tag for a type it does not know; none may end a scan.
_DAMAGE = (
    mutagen.MutagenError,
    ArithmeticError,
    LookupError,
    NotImplementedError,
    OSError,
    ValueError,
    struct.error,
)

_ASF_NAMES = {"artist": "Author", "title": "Title", "album": "WM/AlbumTitle", "genre": "WM/Genre"}
_ITUNES = "----:com.apple.iTunes:"
# In Vorbis comments, in M4A, and in WMA.
_KEYS = ("initialkey", "key", f"{_ITUNES}initialkey", f"{_ITUNES}KEY", "WM/InitialKey")
_BPMS = ("bpm", f"{_ITUNES}BPM", "tmpo", "WM/BeatsPerMinute")


class MutagenTagReader:
    """TagReader by mutagen; opens files for reading only."""

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """See TagReader.read."""
        try:
            audio = mutagen.File(found.path)
            if audio is None:
                return ScanProblem(found.path, "no audio of a known format")
            return _track(found, audio)
        except _DAMAGE as error:
            return ScanProblem(found.path, text_from_tag(f"{type(error).__name__}: {error}"))


def _track(found: FoundFile, audio: mutagen.FileType) -> Track:
    names = _asf_names(audio.tags) if isinstance(audio, ASF) else _names(audio)
    return Track(
        path=found.path,
        size_bytes=found.stamp.size_bytes,
        key=text_from_tag(_first(audio.tags, "TKEY", *_KEYS)),
        bpm=bpm_from_tag(_first(audio.tags, "TBPM", *_BPMS)),
        duration_s=_duration_s(audio.info),
        **{name: text_from_tag(text) for name, text in names.items()},
    )


def _names(audio: mutagen.FileType) -> dict[str, str]:
    """What music_tag calls the track; plain AAC streams have no tags that mutagen reads."""
    if isinstance(audio, AAC):
        return {}
    named = music_tag.load_file(audio)
    return {name: str(named[name]) for name in _ASF_NAMES}


def _asf_names(tags: Any) -> dict[str, str]:
    """The same of WMA, which music_tag does not read."""
    return {name: ", ".join(map(str, tags.get(asf_name, ()))) for name, asf_name in _ASF_NAMES.items()}


def _first(tags: Any, id3_frame: str, *other_names: str) -> str:
    """The first value of a tag, or an empty text."""
    if tags is None:
        return ""
    if isinstance(tags, ID3Tags):
        values = [text for frame in tags.getall(id3_frame) for text in frame.text]
    else:
        values = [value for name in other_names for value in tags.get(name, ())]
    first = values[0] if values else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _duration_s(info: Any) -> float:
    length_s = float(info.length)
    return length_s if math.isfinite(length_s) and length_s > 0.0 else 0.0
