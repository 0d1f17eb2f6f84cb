"""ID3v2 tags in front of audio: any size, any number, one behind another. Layout: id3.org/id3v2.4.0-structure."""

from services.separator.core.layouts import Bytes

_HEADER_BYTES = 10


def id3v2_bytes(head: bytes) -> int:
    """Size of the ID3v2 tag that `head` (>= 10 bytes) begins with; 0 if there is none."""
    if len(head) < _HEADER_BYTES or not head.startswith(b"ID3"):
        return 0
    has_footer = bool(head[5] & 0x10)
    size = (head[6] & 0x7F) << 21 | (head[7] & 0x7F) << 14 | (head[8] & 0x7F) << 7 | head[9] & 0x7F
    return _HEADER_BYTES * (1 + has_footer) + size


def end_of_tags(data: Bytes) -> int:
    """Where the first byte behind all leading ID3v2 tags is; within the data."""
    position = 0
    while size_bytes := id3v2_bytes(data[position : position + _HEADER_BYTES]):
        position += size_bytes
    return min(position, len(data))
