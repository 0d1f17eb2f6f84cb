"""The text that Serato wraps a tag into where a container has no binary ones (FLAC, MP4).

Base64 without padding, broken into lines, of `application/octet-stream`, a file name that is always empty, the tag's
name, each ended by a zero, and the data. Layout: github.com/Holzhaus/serato-tags.
"""

import base64
import re

from stemhouse.errors import LibraryRejected

_MEDIA_TYPE = b"application/octet-stream"
_BLANKS = re.compile(rb"\s+")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")


def unwrap_envelope(text: str | bytes) -> tuple[str, bytes]:
    """The name of the tag (as `Serato BeatGrid`) and its data, up to the first damage: its reader says what it misses.

    Raises LibraryRejected if the text is no envelope.
    """
    encoded = text.encode("ascii", errors="replace") if isinstance(text, str) else text
    parts = decode_base64(encoded)[0].split(b"\0", 3)
    if len(parts) <= 3 or parts[0] != _MEDIA_TYPE:  # noqa: PLR2004  # type, file name, name, data
        raise LibraryRejected("no envelope of a Serato tag")
    return parts[2].decode("ascii", errors="replace"), parts[3]


def decode_base64(text: bytes) -> tuple[bytes, bool]:
    """What the text stands for up to its first foreign character, and whether it has none. A zero ends the text.

    Serato sometimes writes one character more than bytes need. It holds nothing: at most a closing zero is lost.
    """
    characters = _BLANKS.sub(b"", text.split(b"\0", 1)[0]).rstrip(b"=")
    foreign = _FOREIGN.search(characters)
    readable = characters[: foreign.start()] if foreign else characters
    if len(readable) % 4 == 1:
        readable = readable[:-1]
    return base64.b64decode(readable + b"=" * (-len(readable) % 4)), foreign is None
