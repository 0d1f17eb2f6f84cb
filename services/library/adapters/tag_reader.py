"""Tags by music_tag; BPM, key and length by mutagen, since music_tag has no BPM and no key."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import music_tag
import mutagen
import structlog
from mutagen.aac import AAC
from mutagen.asf import ASF
from mutagen.id3 import ID3Tags
from mutagen.wave import WAVE

from services.library.adapters.serato_blobs import serato_facts
from services.library.adapters.wave_info import wave_info
from services.library.core.ports import FoundFile
from services.library.core.tags import bpm_from_tag, text_from_tag
from stemhouse.errors import StemhouseError
from stemhouse.tracks import ScanProblem, Track

log = structlog.get_logger(__name__)

_DAMAGE = (mutagen.MutagenError, NotImplementedError)
"""What mutagen raises for damage, and music_tag for a type that it does not know."""

_ASF_NAMES = {"artist": "Author", "title": "Title", "album": "WM/AlbumTitle", "genre": "WM/Genre"}
_ITUNES = "----:com.apple.iTunes:"
# The last ones are what some taggers write beside the frames of ID3.
_ID3_KEYS = ("TKEY", "TXXX:INITIALKEY", "TXXX:initialkey")
_ID3_BPMS = ("TBPM", "TXXX:BPM")
# In Vorbis comments, in M4A, and in WMA.
_KEYS = ("initialkey", "key", f"{_ITUNES}initialkey", f"{_ITUNES}KEY", "WM/InitialKey")
_BPMS = ("bpm", f"{_ITUNES}BPM", "tmpo", "WM/BeatsPerMinute")


class MutagenTagReader:
    """TagReader by mutagen; opens files for reading only, and each once."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._logged: set[FoundFile] = set()

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """See TagReader.read."""
        try:
            with Path(found.path).open("rb") as file:
                return self.read_from(file, found)
        except OSError as error:
            return _problem(found, error)

    def read_from(self, file: BinaryIO, found: FoundFile) -> Track | ScanProblem:
        """The same of a file that is open; it has to have a name that tells its format, as `found.path` does."""
        if not found.stamp.size_bytes:
            return ScanProblem(found.path, "the file is empty")
        try:
            audio = mutagen.File(file)
            if audio is None:
                return ScanProblem(found.path, "no audio of a known format")
            return _track(found, audio, file)
        except StemhouseError:  # of the store that the file is read from
            raise
        except OSError as error:
            return _problem(found, error)
        except _DAMAGE as error:
            return _unreadable(found, error)
        except Exception as error:  # a foreign parser over foreign bytes raises anything; logged, and told
            if found not in self._logged:  # a library that is watched is scanned every half minute
                self._logged.add(found)
                log.warning("a tag parser has lost its way", path=found.path, exc_info=True)
            return _unreadable(found, error)


def _problem(found: FoundFile, error: OSError) -> ScanProblem:
    return ScanProblem(found.path, text_from_tag(f"cannot be read: {error.strerror or error}"))


def _unreadable(found: FoundFile, error: Exception) -> ScanProblem:
    """In the parser's words, but for those about its own code: of junk it tells that some codec has failed."""
    words = str(error).replace(repr(found.path), "it").strip("'\"")
    if not isinstance(error, _DAMAGE):
        words = f"{type(error).__name__}: {words}"
    told = "the content is not what the name of the file says" if "codec" in words else words
    return ScanProblem(found.path, text_from_tag(f"its tags cannot be read: {told}"))


def _track(found: FoundFile, audio: mutagen.FileType, file: BinaryIO) -> Track:
    names = _names(audio, file)
    return Track(
        path=found.path,
        size_bytes=found.stamp.size_bytes,
        artist=text_from_tag(names.get("artist", "")),
        title=text_from_tag(names.get("title", "")),
        album=text_from_tag(names.get("album", "")),
        genre=text_from_tag(names.get("genre", "")),
        key=text_from_tag(_first(audio.tags, _ID3_KEYS, _KEYS)),
        bpm=bpm_from_tag(_first(audio.tags, _ID3_BPMS, _BPMS)),
        duration_s=_duration_s(audio.info),
        dj_facts=serato_facts(found.path, audio),
    )


def _names(audio: mutagen.FileType, file: BinaryIO) -> dict[str, str]:
    """What music_tag calls the track, and what its RIFF chunk adds; mutagen reads no tags in plain AAC streams."""
    if isinstance(audio, AAC):
        return {}
    if isinstance(audio, ASF):
        return _asf_names(audio.tags)
    named = music_tag.load_file(audio)
    names = {name: str(named[name]) for name in _ASF_NAMES}
    if isinstance(audio, WAVE) and not all(names.values()):
        names |= {name: text for name, text in wave_info(file).items() if not names[name]}
    return names


def _asf_names(tags: Any) -> dict[str, str]:
    """The same of WMA, which music_tag does not read."""
    return {name: ", ".join(map(str, tags.get(asf_name, ()))) for name, asf_name in _ASF_NAMES.items()}


def _first(tags: Any, id3_frames: Sequence[str], names: Sequence[str]) -> str:
    """The first value of a tag, or an empty text."""
    if tags is None:
        return ""
    if isinstance(tags, ID3Tags):
        values = (text for frame_id in id3_frames for frame in tags.getall(frame_id) for text in frame.text)
    else:
        values = (value for name in names for value in tags.get(name, ()))
    first = next(values, "")
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _duration_s(info: Any) -> float:
    length_s = float(info.length)
    return length_s if math.isfinite(length_s) and length_s > 0.0 else 0.0
