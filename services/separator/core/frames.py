"""Walking over streams that are nothing but frames, each with its own header: MPEG audio and ADTS.

Sync words also come about by chance, in cover art for example. A place counts as a frame's beginning only if several
frames of the same kind follow each other from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from services.separator.core.layouts import Bytes

HEAD_BYTES = 8
"""What a parser gets to see of a frame."""

_SURE_HEADS = 3
_SEARCHED_BYTES = 1 << 20
"""How much junk may stand before the first frame."""
_TAGS = (b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")


class FrameHead(NamedTuple):
    """`kind` is what all frames of a stream share: a decoder would have to start anew where it changes."""

    kind: tuple[int, ...]
    size_bytes: int
    frame_count: int


ParseHead = Callable[[bytes], FrameHead | None]


@dataclass(frozen=True)
class FrameWalk:
    """All `count` whole frames of one kind from `begin` to `end`, of which the first has the head `first`.

    `skipped_bytes` of junk are between them. `is_cut`: a last frame is not all there. `is_changed`: frames of another
    kind follow.
    """

    first: FrameHead
    begin: int
    end: int
    count: int
    skipped_bytes: int
    is_cut: bool
    is_changed: bool


def walk_frames(data: Bytes, begin: int, parse: ParseHead) -> FrameWalk | None:
    """From the first frame at or behind `begin`; None if there are no frames."""
    found = _next_stream(data, begin, min(begin + _SEARCHED_BYTES, len(data)), parse)
    first = None if found is None else _head(data, found, parse)
    if found is None or first is None:
        return None
    resumed: int | None = found
    end, count, skipped_bytes, is_changed = found, 0, 0, False
    while resumed is not None:
        skipped_bytes += resumed - end
        end, run_count = _run(data, resumed, parse, first.kind)
        count += run_count
        resumed = None if _is_cut(data, end, parse, first.kind) else _next_stream(data, end, len(data), parse)
        following = None if resumed is None else _head(data, resumed, parse)
        if following is not None and following.kind != first.kind:
            is_changed, resumed = True, None
    return FrameWalk(first, found, end, count, skipped_bytes, _is_cut(data, end, parse, first.kind), is_changed)


def _head(data: Bytes, position: int, parse: ParseHead) -> FrameHead | None:
    return parse(data[position : position + HEAD_BYTES])


def _run(data: Bytes, position: int, parse: ParseHead, kind: tuple[int, ...]) -> tuple[int, int]:
    """Where the frames of that kind end that follow each other, and how many they are."""
    count = 0
    while (head := _head(data, position, parse)) and head.kind == kind and position + head.size_bytes <= len(data):
        position += head.size_bytes
        count += 1
    return position, count


def _is_cut(data: Bytes, position: int, parse: ParseHead, kind: tuple[int, ...]) -> bool:
    head = _head(data, position, parse)
    return head is not None and head.kind == kind and position + head.size_bytes > len(data)


def _next_stream(data: Bytes, begin: int, end: int, parse: ParseHead) -> int | None:
    """The first place within `begin` to `end` where surely a frame begins."""
    position = data.find(b"\xff", begin, end)
    while position >= 0:
        if _is_sure(data, position, parse):
            return position
        position = data.find(b"\xff", position + 1, end)
    return None


def _is_sure(data: Bytes, position: int, parse: ParseHead) -> bool:
    """Whether several frames of one kind begin here, or fewer that end with the file or at a tag."""
    head = _head(data, position, parse)
    kind = head.kind if head else None
    for _ in range(_SURE_HEADS - 1):
        if head is None or head.kind != kind or position + head.size_bytes > len(data):
            return False
        position += head.size_bytes
        if position == len(data) or data[position : position + 11].startswith(_TAGS):
            return True
        head = _head(data, position, parse)
    return head is not None and head.kind == kind
