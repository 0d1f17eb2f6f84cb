"""Playlists of lines: M3U, which has no encoding of its own, and M3U8, which is UTF-8."""

import codecs
import re

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.locations import is_path, location_from_uri
from services.library.core.tags import text_from_tag
from stemhouse.errors import LibraryRejected

_HEADER = b"#EXTM3U"
_NAME = "#PLAYLIST:"
_BYTE_ORDER_MARK = "\ufeff"
_ENCODINGS = ("utf-8", "cp1252")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ADDRESS = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://", re.IGNORECASE)
_WINDOWS = re.compile(r"[A-Za-z]:\\|\\\\")


def is_m3u(data: bytes) -> bool:
    """Whether the file begins as extended playlists do."""
    return _narrow(data).removeprefix(codecs.BOM_UTF8).lstrip().startswith(_HEADER)


def is_text(data: bytes) -> bool:
    """Whether it may be lines of text: without zeros, or UTF-16 that says so."""
    return data.startswith(_WIDE) or b"\0" not in data


def read_m3u(data: bytes, file_name: str, *, is_utf8: bool) -> DJLibrary:
    """The files of a playlist in order, as one crate that is named by the playlist, or else by its file.

    Locations are absolute, or relative to the playlist's folder. What artist and title the lines tell is left to the
    tags. Addresses are left out. Raises LibraryRejected if it is no text.
    """
    if not (is_text(data) or is_m3u(data)):
        raise LibraryRejected("no playlist: it is no text")
    lines, broken_count = _lines(_narrow(data))
    places = [line for line in lines if not line.startswith("#")]
    locations = [location for location in map(_location, places) if location]
    warnings = []
    if len(locations) < len(places):
        warnings.append(
            f"{len(places) - len(locations)} lines are left out: they are addresses of a network, or no paths"
        )
    if is_utf8 and broken_count:
        warnings.append(f"{broken_count} lines are not UTF-8, and are read as Western European")
    crate = CrateListing((_name(lines) or _without_extension(file_name),), tuple(locations))
    return DJLibrary(tuple(map(LibraryEntry, dict.fromkeys(locations))), (crate,), tuple(warnings))


def _narrow(data: bytes) -> bytes:
    """What says that it is UTF-16 as UTF-8; all else as it is."""
    return data.decode("utf-16", errors="replace").encode() if data.startswith(_WIDE) else data


def _lines(data: bytes) -> tuple[list[str], int]:
    """The lines that hold something, and how many of them are not UTF-8."""
    raw_lines = [line for line in data.splitlines() if line.strip()]
    decoded = [_decoded(line) for line in raw_lines]
    texts = [text.removeprefix(_BYTE_ORDER_MARK).strip() for text, _ in decoded]
    return [text for text in texts if text], sum(not is_utf8 for _, is_utf8 in decoded)


def _decoded(line: bytes) -> tuple[str, bool]:
    """The text, and whether it was UTF-8; programs of Windows write the encoding of their country, mostly 1252."""
    for encoding in _ENCODINGS:
        try:
            return line.decode(encoding), encoding == _ENCODINGS[0]
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1"), False


def _location(line: str) -> str:
    """The path that a line names; empty if it is an address."""
    if _ADDRESS.match(line):
        return ""
    if line.lower().startswith("file:"):
        return location_from_uri(line)
    if _WINDOWS.match(line) or ("\\" in line and "/" not in line):
        line = line.replace("\\", "/")
    return line if is_path(line) else ""


def _name(lines: list[str]) -> str:
    names = (text_from_tag(line[len(_NAME) :]) for line in lines if line.upper().startswith(_NAME))
    return next(names, "")


def _without_extension(file_name: str) -> str:
    return re.sub(r"\.m3u8?$", "", file_name, flags=re.IGNORECASE)
