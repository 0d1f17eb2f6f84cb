"""Tags that name a track or tell its tempo and genre, by mutagen. One with unreadable tags has none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from mutagen.aiff import AIFF
from mutagen.asf import ASF
from mutagen.easymp4 import EasyMP4
from mutagen.flac import FLAC
from mutagen.id3 import ID3FileType
from mutagen.mp3 import EasyMP3
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

log = structlog.get_logger(__name__)

_READERS: dict[str, Any] = {
    "aac": ID3FileType,
    "aiff": AIFF,
    "asf": ASF,
    "flac": FLAC,
    "mp3": EasyMP3,
    "mp4": EasyMP4,
    "wav": WAVE,
}
"""By container; of Ogg by codec. CAF has no tags that a program writes."""
_OGG_READERS: dict[str, Any] = {"flac": OggFLAC, "opus": OggOpus, "vorbis": OggVorbis}
_OTHER_NAMES = {
    "artist": ("TPE1", "Author"),
    "title": ("TIT2", "Title"),
    "genre": ("TCON", "WM/Genre"),
    "bpm": ("TBPM", "WM/BeatsPerMinute"),
}
"""In plain ID3 frames, and in ASF."""
_HIGHEST_BPM = 999.0
_MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class NameTags:
    """Empty strings, and a tempo of 0, stand for tags that the file does not have."""

    artist: str = ""
    title: str = ""
    genre: str = ""
    bpm: float = 0.0


def read_name_tags(path: Path, container: str, codec: str, readers: dict[str, Any] = _READERS) -> NameTags:
    """Those of a file of that container; never an error, since the audio is as good without."""
    reader = _OGG_READERS.get(codec) if container == "ogg" else readers.get(container)
    if reader is None:
        return NameTags()
    try:
        tags = reader(path).tags
        artist, title, genre, bpm = (_first(tags, name) for name in _OTHER_NAMES)
        return NameTags(artist, title, genre, _bpm(bpm))
    except Exception as error:  # noqa: BLE001  # through gaps of its checks mutagen raises anything on foreign bytes
        log.info("tags are unreadable", container=container, error=repr(error))
        return NameTags()


def _first(tags: Any, name: str) -> str:
    """The first value under the first name that there is."""
    found = [tags[each] for each in (name, *_OTHER_NAMES[name]) if each in tags] if tags is not None else []
    return plain_text(str(found[0][0])) if found and found[0] else ""


def _bpm(text: str) -> float:
    """The number, with a decimal point or comma, or 0."""
    try:
        bpm = float(text.replace(",", "."))
    except ValueError:
        return 0.0
    return bpm if 0.0 < bpm <= _HIGHEST_BPM else 0.0


def plain_text(text: str) -> str:
    """What messages and databases can hold of a tag: no zeros, no halves of characters, no books."""
    return text.partition("\0")[0].encode("utf-8", "replace").decode()[:_MOST_CHARACTERS].strip()
