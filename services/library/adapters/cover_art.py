"""The front cover out of files that mutagen opens: ID3, FLAC, Vorbis comments and MP4."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mutagen
import structlog
from mutagen.flac import FLAC, Picture
from mutagen.id3 import ID3Tags
from mutagen.mp4 import MP4

from stemhouse.dj import LARGEST_COVER_BYTES

log = structlog.get_logger(__name__)

_FRONT = 3
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def cover_art(path: Path) -> bytes:
    """A JPEG or PNG of at most LARGEST_COVER_BYTES, a front cover first; nothing if there is none to be read."""
    try:
        pictures = list(_pictures(mutagen.File(path)))
    except Exception:  # a foreign parser over foreign bytes raises anything; logged, and stems go without a picture
        log.warning("the cover of a file cannot be read", path=str(path), exc_info=True)
        return b""
    fitting = [(kind, data) for kind, data in pictures if data.startswith(_STARTS) and len(data) <= LARGEST_COVER_BYTES]
    return next((data for kind, data in sorted(fitting, key=lambda found: found[0] != _FRONT)), b"")


def _pictures(audio: Any) -> Iterator[tuple[int, bytes]]:
    """Kinds, as ID3 numbers them, and bytes."""
    tags = getattr(audio, "tags", None)
    if isinstance(tags, ID3Tags):
        yield from ((frame.type, frame.data) for frame in tags.getall("APIC"))
    elif isinstance(audio, FLAC):
        yield from ((picture.type, picture.data) for picture in audio.pictures)
    elif isinstance(audio, MP4):
        yield from ((_FRONT, bytes(cover)) for cover in (tags or {}).get("covr", ()))
    elif isinstance(tags, Mapping):
        yield from _vorbis_pictures(tags)


def _vorbis_pictures(tags: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    for text in tags.get("metadata_block_picture", ()):
        try:
            picture = Picture(base64.b64decode(text))
        except (binascii.Error, ValueError, mutagen.MutagenError):
            continue
        yield picture.type, picture.data
