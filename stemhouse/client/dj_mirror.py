"""Folders below an output folder as the library has its own: safe segments, and short enough for Windows."""

import hashlib
import re
from pathlib import Path

from stemhouse.client.receiving import candidates
from stemhouse.dj import FoundTrack
from stemhouse.production import TREE_RECORD, name_key

LONGEST_MIRROR_CHARS = 80
"""Of all mirrored folders together: with a track's folder and its files they stay within some 260 characters."""

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DIGEST_CHARS = 6
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def mirrored_folder(output_dir: Path, found: FoundTrack | None) -> Path:
    """Where the folder of a track goes; a track that the library does not know stays at the top."""
    segments = [_safe(segment) for segment in found.folder.split("/") if segment] if found else []
    folder = output_dir
    for segment in _short(segments):
        folder = _subfolder(folder, segment)
    return folder


def _subfolder(folder: Path, segment: str) -> Path:
    """The one that a drive would take it for, if it is there; a track's own folder is none."""
    there = {name_key(entry.name): entry for entry in folder.iterdir()} if folder.is_dir() else {}
    for candidate in candidates(folder, segment):
        found = there.get(name_key(candidate.name), candidate)
        if not found.exists() or (found.is_dir() and not (found / TREE_RECORD).exists()):
            return found
    raise AssertionError  # there is no last candidate


def _safe(segment: str) -> str:
    """One visible segment that leads nowhere else, on every system; what was changed is told apart by a digest."""
    plain = _UNSAFE.sub("_", segment).strip().rstrip(".").lstrip(".")
    if plain == segment and not _DEVICES.fullmatch(plain):
        return segment
    return f"{plain}~{_digest(segment)}"


def _short(segments: list[str]) -> list[str]:
    """Long segments are cut, and if that is not enough, the outer ones become one digest."""
    if _chars(segments) <= LONGEST_MIRROR_CHARS:
        return segments
    share = max(2 * _DIGEST_CHARS, LONGEST_MIRROR_CHARS // len(segments) - 1)
    cut = [_cut(segment, share) for segment in segments]
    kept = list(cut)
    while _chars(kept) > LONGEST_MIRROR_CHARS - _DIGEST_CHARS - 1:
        kept = kept[1:]
    return kept if len(kept) == len(cut) else [_digest("/".join(segments[: len(segments) - len(kept)])), *kept]


def _cut(segment: str, chars: int) -> str:
    if len(segment) <= chars:
        return segment
    return f"{segment[: chars - _DIGEST_CHARS - 1].rstrip('. ')}~{_digest(segment)}"


def _chars(segments: list[str]) -> int:
    """In UTF-16, as Windows counts, with separators."""
    return sum(len(segment.encode("utf-16-le")) // 2 + 1 for segment in segments)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_DIGEST_CHARS]
