"""Where the files that a DJ library names may lie on this machine: paths as text, nothing is looked up.

All paths have `/` as separator. A drive path begins with a letter and a colon, a share of a network with `//`.
"""

import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from stemhouse.tracks import LibraryKind

_DRIVE = re.compile(r"[A-Za-z]:(?=/|$)")
_FILE_URI = re.compile(r"file:(//(localhost)?)?", re.IGNORECASE)
_SCHEME = re.compile(r"/?[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters or more, which no drive has: `tidal:tracks:1`, `https://..`."""
_VOLUMES = re.compile(r"/Volumes/[^/]+(/.+)")
_SHARE = "//"


@dataclass(frozen=True)
class PathMap:
    """Says that what a library calls `from_prefix` is the folder `to_prefix` of this machine.

    Prefixes are whole folders. Drives and shares of Windows are compared without regard to case.
    """

    from_prefix: str
    to_prefix: str

    def apply(self, path: str) -> str | None:
        """The path on this machine; None if it does not lie in the folder that the map speaks of."""
        prefix, parts = _parts(self.from_prefix), _parts(path)
        is_inside = _comparable(prefix) == _comparable(parts[: len(prefix)])
        return posixpath.join(self.to_prefix, *parts[len(prefix) :]) if is_inside else None


def location_from_uri(uri: str) -> str:
    """The path that a `file:` URI or a plain text names; empty if it names no file, as those of streaming services.

    rekordbox writes `file://localhost/` and the percent-encoded path, and leaves out the last slash at times.
    """
    head = _FILE_URI.match(uri)
    path = unquote(uri[head.end() :], errors="replace") if head else uri
    drive_path = path.lstrip("/").replace("\\", "/")
    if _DRIVE.match(drive_path):
        return drive_path if is_path(drive_path) else ""
    if _SCHEME.match(path) or not is_path(path):
        return ""
    is_server = head is not None and not path.startswith("/")
    return f"{_SHARE}{path}" if is_server else path


def is_path(location: str) -> bool:
    """Whether a text can be a path at all."""
    return bool(location.strip("/")) and "\0" not in location


def is_absolute(location: str) -> bool:
    """Whether it begins at a root, a drive or a share."""
    return location.startswith("/") or _DRIVE.match(location) is not None


def candidate_paths(
    location: str, kind: LibraryKind, folder: str, path_maps: Sequence[PathMap] = (), *, has_drives: bool = False
) -> tuple[str, ...]:
    """The absolute paths to try for a location, the likeliest first; none if it is no path.

    `folder` is the volume's root that holds `_Serato_`, or the folder that a playlist lies in; other kinds have no use
    for it. What a path map gives comes first. Drives and shares are tried only where the system has them; elsewhere the
    two slashes of a share count as one, which some converters write twice.
    """
    if not is_path(location):
        return ()
    forms = [normalized(form) for form in _forms(location, kind, folder, path_maps) if is_absolute(form)]
    mapped = [target for form in forms for path_map in path_maps if (target := path_map.apply(form))]
    own = [form for form in forms if has_drives or not _DRIVE.match(form)]
    if not has_drives:
        own = [form.replace(_SHARE, "/", 1) if form.startswith(_SHARE) else form for form in own]
    return tuple(dict.fromkeys([normalized(path) for path in mapped] + own))


def normalized(path: str) -> str:
    """An absolute path without empty, `.` and `..` parts; `..` at the root stays there."""
    drive = _DRIVE.match(path)
    head = drive.group() if drive else ""
    return head + posixpath.normpath(path[len(head) :] or "/")


def path_key(path: str, *, is_case_sensitive: bool) -> str:
    """Equal for two paths that a volume takes for the same; macOS may write accents apart from their letters."""
    composed = unicodedata.normalize("NFC", path)
    return composed if is_case_sensitive else unicodedata.normalize("NFC", composed.casefold())


def _forms(location: str, kind: LibraryKind, folder: str, path_maps: Sequence[PathMap]) -> Iterator[str]:
    """What a location may mean as an absolute path of the machine that the library is of."""
    if kind is LibraryKind.SERATO:
        yield from _serato_forms(location.lstrip("/"), folder, path_maps)
        return
    yield location if is_absolute(location) else posixpath.join(folder, location)
    if kind is LibraryKind.M3U and is_path(plain := unquote(location, errors="replace")):
        yield plain if is_absolute(plain) else posixpath.join(folder, plain)  # as some players write it
    on_volume = _VOLUMES.fullmatch(location)
    if kind is LibraryKind.TRAKTOR and on_volume:
        yield on_volume[1]  # the boot volume, whose name is no part of its paths


def _serato_forms(location: str, folder: str, path_maps: Sequence[PathMap]) -> Iterator[str]:
    """Below the folder with `_Serato_`, or below one further out.

    On an internal drive `_Serato_` lies in the user's music folder, and paths begin at the drive's root all the same;
    that root is `/`, or a mount of another machine's drive. Which drive of Windows it was only a path map can say.
    """
    yield posixpath.join(folder, location)
    while (outer := posixpath.dirname(folder)) != folder and outer:
        yield posixpath.join(outer, location)
        folder = outer
    drives = [_DRIVE.match(_slashed(path_map.from_prefix)) for path_map in path_maps]
    for drive in dict.fromkeys(found.group() for found in drives if found):
        yield f"{drive}/{location}"


def _parts(path: str) -> list[str]:
    """What stands between the slashes, behind the root: `/`, `//` or a drive."""
    path = _slashed(path)
    drive = _DRIVE.match(path)
    root = drive.group() if drive else _SHARE if path.startswith(_SHARE) else "/"
    return [root, *(part for part in path.removeprefix(root).split("/") if part)]


def _comparable(parts: list[str]) -> list[str]:
    return [path_key(part, is_case_sensitive=parts[0] == "/") for part in parts]


def _slashed(path: str) -> str:
    return path.replace("\\", "/") if _DRIVE.match(path.replace("\\", "/")) or path.startswith("\\") else path
