"""Names that Windows, macOS and Linux can hold."""

import re
import unicodedata

LONGEST_SEGMENT_BYTES = 200
"""In UTF-8. File systems take 255 bytes or UTF-16 units; the rest is for what copies append to a name."""

UNTITLED = "Untitled"

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\ud800-\udfff]')
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"}
)


def segment_name(name: str, suffix: str, longest_bytes: int = LONGEST_SEGMENT_BYTES) -> str:
    """`{name}{suffix}`: one path segment of at most `longest_bytes` bytes, neither hidden nor empty."""
    room_bytes = longest_bytes - len(suffix.encode()) - 1  # 1: room for the mark of unreserved
    return unreserved((cut(safe(name).lstrip(". ") or UNTITLED, room_bytes) + suffix).rstrip(". "))


def safe(text: str) -> str:
    """The text in NFC, without what a file system refuses or a terminal acts on."""
    plain = _BLANKS.sub(" ", unicodedata.normalize("NFC", text))
    return _FORBIDDEN.sub("_", plain).strip()


def cut(text: str, longest_bytes: int) -> str:
    """The longest beginning of whole characters that fits; a cut leaves no blank or emoji joiner at the end."""
    octets = text.encode()
    return text if len(octets) <= longest_bytes else octets[:longest_bytes].decode(errors="ignore").rstrip(" \u200d")


def unreserved(segment: str) -> str:
    """Windows takes `AUX`, `aux.wav` and `Aux. - Song` for the device, so such a name gets a `_` in front."""
    device = segment.partition(".")[0].rstrip(" ").upper()
    return f"_{segment}" if device in _RESERVED else segment
