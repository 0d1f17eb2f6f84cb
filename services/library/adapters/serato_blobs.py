"""Serato's tags out of files that mutagen has opened: MP3, AIFF and WAV (ID3), FLAC and MP4.

Those of Ogg have another format, which is not read.
"""

from collections.abc import Mapping
from typing import Any

import mutagen
import structlog
from mutagen.flac import FLAC
from mutagen.id3 import ID3Tags
from mutagen.mp4 import MP4

from services.library.core.serato_envelope import unwrap_envelope
from services.library.core.serato_tags import AUTOTAGS, BEAT_GRID, MARKERS, MARKERS2, facts_from_serato_tags
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import DJFacts

log = structlog.get_logger(__name__)

_NAMES = (AUTOTAGS, BEAT_GRID, MARKERS, MARKERS2)
_FLAC_NAMES = {AUTOTAGS: "serato_autogain", BEAT_GRID: "serato_beatgrid", MARKERS2: "serato_markers_v2"}
_MP4_PREFIX = "----:com.serato.dj:"
_MP4_NAMES = {
    AUTOTAGS: f"{_MP4_PREFIX}autgain",
    BEAT_GRID: f"{_MP4_PREFIX}beatgrid",
    MARKERS: f"{_MP4_PREFIX}markers",
    MARKERS2: f"{_MP4_PREFIX}markersv2",
}


def serato_facts(path: str, audio: mutagen.FileType) -> tuple[DJFacts, ...]:
    """One value, or none if Serato has written nothing; damage goes to the log."""
    blobs = serato_blobs(audio)
    facts, warnings = facts_from_serato_tags(blobs) if blobs else (None, ())
    if warnings:
        log.warning("tags of Serato are damaged", path=path, warnings=warnings)
    return () if facts is None else (facts,)


def serato_blobs(audio: mutagen.FileType) -> Mapping[str, bytes]:
    """The tags that `facts_from_serato_tags` reads, by the names that they have in ID3."""
    tags: Any = audio.tags
    if isinstance(tags, ID3Tags):
        return {name: tags[key].data for name in _NAMES if (key := f"GEOB:{name}") in tags}
    if isinstance(audio, FLAC):
        return _unwrapped(tags, _FLAC_NAMES)
    return _unwrapped(tags, _MP4_NAMES) if isinstance(audio, MP4) else {}


def _unwrapped(tags: Any, names: Mapping[str, str]) -> Mapping[str, bytes]:
    """The data of the fields that are there."""
    fields = {name: tags[field][0] for name, field in names.items() if tags and tags.get(field)}
    return dict(_named(name, text) for name, text in fields.items())


def _named(name: str, text: str | bytes) -> tuple[str, bytes]:
    """The data under its own name; what is no envelope is left as it is, for the tag's reader to say so."""
    try:
        return unwrap_envelope(text)
    except LibraryRejected:
        return name, text.encode() if isinstance(text, str) else text
