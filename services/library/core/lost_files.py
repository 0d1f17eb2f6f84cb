"""Files that are not where they were, or where a library says: what they have in common."""

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from services.library.core.locations import is_absolute
from services.library.core.ports import NamedFile
from stemhouse.tracks import ScanProblem

_FEWEST_FILES = 2
"""Of a place that is missing as a whole; a single file is missing by itself."""
_PLACE = re.compile(r"[A-Za-z]:/|//[^/]+/[^/]+/|/(Volumes|media|mnt)/[^/]+/|/[^/]+/")
"""A drive, a share, a volume, or what else lies at the root."""


def folders_of(paths: Iterable[str], prefix: str) -> set[str]:
    """All folders above the paths, the prefix being the outermost; with the separator."""
    folders: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path) + "/"
        while folder.startswith(prefix) and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder.rstrip("/")).rstrip("/") + "/"
    return folders


def map_hints(named: Sequence[NamedFile], paths: Sequence[str]) -> Iterator[ScanProblem]:
    """What to try where all files of a drive or volume are missing, as on another machine than the DJ program's."""
    missing: dict[str, set[str]] = {}
    found: set[str] = set()
    for file, path in zip(named, paths, strict=True):
        place = _PLACE.match(file.location) if is_absolute(file.location) else None
        if place and path:
            found.add(place[0])
        elif place:
            missing.setdefault(place[0], set()).add(file.location)
    for root, locations in missing.items():
        if root not in found and len(locations) >= _FEWEST_FILES:
            folder = posixpath.commonpath(map(posixpath.dirname, locations))
            option = f"--map {shlex.quote(folder)}=FOLDER"
            reason = f"all {len(locations)} files below it are missing; {option} says where they are here"
            yield ScanProblem(folder, reason)
