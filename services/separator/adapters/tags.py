"""The tags that name a track, by mutagen. A file with unreadable tags is a file without tags."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from mutagen import MutagenError
from mutagen.aiff import AIFF
from mutagen.flac import FLAC
from mutagen.mp3 import EasyMP3
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

log = structlog.get_logger(__name__)

_READERS: dict[str, Any] = {"aiff": AIFF, "flac": FLAC, "mp3": EasyMP3, "ogg": OggVorbis, "wav": WAVE}
_ID3_FRAMES = {"artist": "TPE1", "title": "TIT2"}


@dataclass(frozen=True)
class NameTags:
    """Empty strings stand for tags that the file does not have."""

    artist: str = ""
    title: str = ""


def read_name_tags(path: Path, container: str) -> NameTags:
    """Artist and title of a file of that container."""
    try:
        tags = _READERS[container](path).tags
    except MutagenError as error:
        log.info("tags are unreadable", container=container, error=str(error))
        return NameTags()
    return NameTags(_first(tags, "artist"), _first(tags, "title"))


def _first(tags: Any, name: str) -> str:
    """The first value; WAV and AIFF carry plain ID3 frames, the others named lists."""
    found = (tags.get(name) or tags.get(_ID3_FRAMES[name])) if tags is not None else None
    return str(found[0]).strip() if found else ""
