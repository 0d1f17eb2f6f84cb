"""Tags by music_tag; BPM, key and length by mutagen, since music_tag has no BPM and no key."""

import math
import struct
from typing import Any

import music_tag
import mutagen
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
    named = music_tag.load_file(audio)
    return Track(
        path=found.path,
        size_bytes=found.stamp.size_bytes,
        artist=text_from_tag(str(named["artist"])),
        title=text_from_tag(str(named["title"])),
        album=text_from_tag(str(named["album"])),
        genre=text_from_tag(str(named["genre"])),
        key=text_from_tag(_first(audio.tags, "TKEY", "initialkey", "key")),
        bpm=bpm_from_tag(_first(audio.tags, "TBPM", "bpm")),
        duration_s=_duration_s(audio.info),
    )


def _first(tags: Any, id3_frame: str, *vorbis_names: str) -> str:
    """The first value of a tag, or an empty text."""
    if isinstance(tags, ID3Tags):
        values = [text for frame in tags.getall(id3_frame) for text in frame.text]
    else:
        values = [text for name in vorbis_names for text in tags.get(name, ())]
    return str(values[0]) if values else ""


def _duration_s(info: Any) -> float:
    length_s = float(info.length)
    return length_s if math.isfinite(length_s) and length_s > 0.0 else 0.0
