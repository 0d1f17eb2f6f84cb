"""Names of delivered folders and files: safe on Windows, macOS and Linux, and as near to the tags as that allows."""

import re
import unicodedata

from stemhouse.audio import SourceFacts, SourceRef
from stemhouse.delivery import FileFormat
from stemhouse.errors import InvalidRequest

LONGEST_SEGMENT_BYTES = 200
"""In UTF-8. File systems take 255 bytes or UTF-16 units; the rest is for what copies append to a name."""

UNKNOWN_ARTIST = "Unknown Artist"
UNTITLED = "Untitled"

_HASH_DIGITS = 8
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\ud800-\udfff]')
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"}
)
_STEM_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class StemFileManager:
    """Names what is delivered. The same source always gets the same folder, two sources never share one."""

    def folder_name(self, source: SourceRef, facts: SourceFacts) -> str:
        """`{Artist} - {Title}_{Hash}`: one path segment of at most 200 bytes; Hash = first 8 hex of the source's MD5.

        A missing tag is taken from a file name of the form `Artist - Title.ext`, else the artist is
        `Unknown Artist` and the title the file's name.
        """
        named_artist, named_title = _artist_and_title(source.file_name)
        artist = _safe(facts.artist).lstrip(". ") or _safe(named_artist).lstrip(". ") or UNKNOWN_ARTIST
        title = _safe(facts.title) or _safe(named_title) or UNTITLED
        suffix = f"_{source.md5[:_HASH_DIGITS]}"
        room_bytes = LONGEST_SEGMENT_BYTES - len(suffix)
        name = f"{artist} - {title}"
        if len(name.encode()) > room_bytes:
            name = f"{_cut(artist, room_bytes // 2)} - {title}"
        return _unreserved(_cut(name, room_bytes - 1) + suffix)  # 1: room for the mark of _unreserved

    def file_name(self, stem: str, file_format: FileFormat) -> str:
        """`{stem}.{extension}`; raises InvalidRequest for a stem that is no plain name."""
        if not _STEM_NAME.fullmatch(stem):
            message = f"stem {stem!r} must match {_STEM_NAME.pattern}"
            raise InvalidRequest(message, {"stem": message})
        return _unreserved(f"{stem}.{file_format.value}")


def _artist_and_title(file_name: str) -> tuple[str, str]:
    """Artist (may be empty) and title, as the base name tells them."""
    base_name = re.split(r"[/\\]", file_name)[-1]
    stem = base_name.rpartition(".")[0] or base_name
    artist, dash, title = stem.partition(" - ")
    return (artist, title) if dash and artist.strip() and title.strip() else ("", stem)


def _safe(text: str) -> str:
    """The text in NFC, without what a file system refuses or a terminal acts on."""
    plain = _BLANKS.sub(" ", unicodedata.normalize("NFC", text))
    return _FORBIDDEN.sub("_", plain).strip()


def _cut(text: str, longest_bytes: int) -> str:
    """The longest beginning of whole characters that fits; a cut leaves no blank or emoji joiner at the end."""
    octets = text.encode()
    return text if len(octets) <= longest_bytes else octets[:longest_bytes].decode(errors="ignore").rstrip(" \u200d")


def _unreserved(segment: str) -> str:
    """Windows takes `AUX`, `aux.wav` and `Aux. - Song` for the device, so such a name gets a `_` in front."""
    device = segment.partition(".")[0].rstrip(" ").upper()
    return f"_{segment}" if device in _RESERVED else segment
