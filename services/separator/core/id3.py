"""Tags around audio: ID3v2, ID3v1 and APE, any size, any number, one behind another.

Layouts: id3.org/id3v2.4.0-structure, id3.org/ID3v1, wiki.hydrogenaud.io, "APEv2 specification".
"""

from services.separator.core.layouts import Bytes

_HEADER_BYTES = 10
_ID3V1_BYTES = 128
_APE_HEADER_BYTES = 32
_APE_FLAGS_OFFSET_BYTES = 20
_IS_APE_HEADER, _HAS_APE_HEADER = 1 << 29, 1 << 31
_MOST_TAGS = 1000
"""Nobody writes more; but a damaged file may hold millions of beginnings."""


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
    for _ in range(_MOST_TAGS):
        size_bytes = _within(data, position, id3v2_bytes(data[position : position + _HEADER_BYTES]))
        if not size_bytes:
            break
        position += size_bytes
    return position


def end_of_any_tags(data: Bytes, begin: int) -> int:
    """Where the first byte behind all tags is that follow each other from `begin` on; within the data."""
    position = begin
    for _ in range(_MOST_TAGS):
        size_bytes = _tag_bytes(data, position)
        if not size_bytes:
            break
        position += size_bytes
    return position


def begin_of_end_tag(data: Bytes) -> int:
    """Where the ID3v1 tag begins that ends the data, and an APE tag in front of it; the end if there is neither."""
    end = len(data)
    if end >= _ID3V1_BYTES and data[end - _ID3V1_BYTES : end - _ID3V1_BYTES + 3] == b"TAG":
        end -= _ID3V1_BYTES
    footer = data[max(0, end - _APE_HEADER_BYTES) : end]
    if not footer.startswith(b"APETAGEX"):
        return end
    has_header = int.from_bytes(footer[_APE_FLAGS_OFFSET_BYTES:24], "little") & _HAS_APE_HEADER
    size = int.from_bytes(footer[12:16], "little") + (_APE_HEADER_BYTES if has_header else 0)
    return end - size if size <= end else end


def _tag_bytes(data: Bytes, position: int) -> int:
    """Size of the tag that begins there; 0 if none does."""
    head = data[position : position + _APE_HEADER_BYTES]
    if head.startswith(b"TAG"):
        return min(_ID3V1_BYTES, len(data) - position)
    if head.startswith(b"APETAGEX"):
        size = int.from_bytes(head[12:16], "little")
        is_header = int.from_bytes(head[_APE_FLAGS_OFFSET_BYTES:24], "little") & _IS_APE_HEADER
        return _within(data, position, _APE_HEADER_BYTES + size if is_header else _APE_HEADER_BYTES)
    return _within(data, position, id3v2_bytes(head))


def _within(data: Bytes, position: int, size_bytes: int) -> int:
    """Only the header of a tag whose size cannot be true: it must not hide what comes behind."""
    return size_bytes if position + size_bytes <= len(data) else min(_HEADER_BYTES, len(data) - position)
