"""The tags that name a track, by mutagen. A file with unreadable tags is a file without tags."""

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
_OTHER_NAMES = {"artist": ("TPE1", "Author"), "title": ("TIT2", "Title")}
"""In plain ID3 frames, and in ASF."""
_MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class NameTags:
    """Empty strings stand for tags that the file does not have."""

    artist: str = ""
    title: str = ""


def read_name_tags(path: Path, container: str, codec: str, readers: dict[str, Any] = _READERS) -> NameTags:
    """Artist and title of a file of that container; never an error, since the audio is as good without."""
    reader = _OGG_READERS.get(codec) if container == "ogg" else readers.get(container)
    if reader is None:
        return NameTags()
    try:
        tags = reader(path).tags
        return NameTags(_first(tags, "artist"), _first(tags, "title"))
    except Exception as error:  # noqa: BLE001  # through gaps of its checks mutagen raises anything on foreign bytes
        log.info("tags are unreadable", container=container, error=repr(error))
        return NameTags()


def _first(tags: Any, name: str) -> str:
    """The first value under the first name that there is."""
    found = [tags[each] for each in (name, *_OTHER_NAMES[name]) if each in tags] if tags is not None else []
    return plain_text(str(found[0][0])) if found and found[0] else ""


def plain_text(text: str) -> str:
    """What messages and databases can hold of a tag: no zeros, no halves of characters, no books."""
    return text.partition("\0")[0].encode("utf-8", "replace").decode()[:_MOST_CHARACTERS].strip()
