"""Walking over streams that are nothing but frames, each with its own header: MPEG audio and ADTS.

Sync words also come about by chance, in cover art for example. A place counts as a frame's beginning only if several
frames of the same kind follow each other from there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from services.separator.core.id3 import end_of_any_tags
from services.separator.core.layouts import Bytes, Watch, unwatched

HEAD_BYTES = 8
"""What a parser gets to see of a frame."""

_SURE_HEADS = 3
_SEARCHED_BYTES = 1 << 20
"""How much junk may stand before the first frame."""
_MOST_TRIES = 1 << 18
"""At how many places in sum, behind which no frame is; random junk has that many in 500 MiB."""
_WATCHED_BYTES, _WATCHED_COUNT = 1 << 24, 1 << 14
"""How far the watch lies apart, in what is searched, and in frames and tries."""
_SYNC = re.compile(rb"\xff[\xe2-\xff][^\xff]", re.DOTALL)
"""What the heads of all kinds begin with, and long runs of one byte do not."""
_SYNC_BYTES = 3
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
    kind follow. `is_joined`: tags are between them, as where files were joined. `gaps`: from where to where there are
    none, be it tags or junk.
    """

    first: FrameHead
    begin: int
    end: int
    count: int
    skipped_bytes: int
    is_cut: bool
    is_changed: bool
    is_joined: bool
    gaps: tuple[tuple[int, int], ...]


def walk_frames(data: Bytes, begin: int, parse: ParseHead, watch: Watch = unwatched) -> FrameWalk | None:
    """From the first frame at or behind `begin`; None if there are no frames. Raises what `watch` does."""
    search = _Search(data, parse, watch)
    found = search.next_stream(begin, begin + _SEARCHED_BYTES)
    first = None if found is None else _head(data, found, parse)
    if found is None or first is None:
        return None
    end, count = _run(data, found, parse, first.kind, watch)
    skipped_bytes, is_changed, is_joined, gaps = 0, False, False, list[tuple[int, int]]()
    while not (is_cut := _is_cut(data, end, parse, first.kind)):
        searched = end_of_any_tags(data, end)
        resumed = search.next_stream(searched, len(data))
        following = None if resumed is None else _head(data, resumed, parse)
        is_changed = following is not None and following.kind != first.kind
        if resumed is None or is_changed:
            break
        skipped_bytes += resumed - searched
        is_joined |= searched > end
        gaps.append((end, resumed))
        end, run_count = _run(data, resumed, parse, first.kind, watch)
        count += run_count
    return FrameWalk(first, found, end, count, skipped_bytes, is_cut, is_changed, is_joined, tuple(gaps))


class _Search:
    """For the frames of one file, until too many places only looked like one: all behind counts as junk."""

    def __init__(self, data: Bytes, parse: ParseHead, watch: Watch) -> None:
        self._data = data
        self._parse = parse
        self._watch = watch
        self._tries_left = _MOST_TRIES

    def next_stream(self, begin: int, end: int) -> int | None:
        """The first place within `begin` to `end` where surely a frame begins."""
        position = self._next_sync(begin, end)
        while position is not None and not _is_sure(self._data, position, self._parse):
            self._tries_left -= 1
            if self._tries_left <= 0:
                return None
            if self._tries_left % _WATCHED_COUNT == 0:
                self._watch()
            position = self._next_sync(position + 1, end)
        return position

    def _next_sync(self, begin: int, end: int) -> int | None:
        for begin_of_window in range(begin, min(end, len(self._data)), _WATCHED_BYTES):
            if begin_of_window > begin:
                self._watch()
            end_of_window = min(begin_of_window + _WATCHED_BYTES + _SYNC_BYTES - 1, end)
            if found := _SYNC.search(self._data, begin_of_window, end_of_window):
                return found.start()
        return None


def _head(data: Bytes, position: int, parse: ParseHead) -> FrameHead | None:
    return parse(data[position : position + HEAD_BYTES])


def _run(data: Bytes, position: int, parse: ParseHead, kind: tuple[int, ...], watch: Watch) -> tuple[int, int]:
    """Where the frames of that kind end that follow each other, and how many they are."""
    count = 0
    while (head := _head(data, position, parse)) and head.kind == kind and position + head.size_bytes <= len(data):
        position += head.size_bytes
        count += 1
        if count % _WATCHED_COUNT == 0:
            watch()
    return position, count


def _is_cut(data: Bytes, position: int, parse: ParseHead, kind: tuple[int, ...]) -> bool:
    head = _head(data, position, parse)
    return head is not None and head.kind == kind and position + head.size_bytes > len(data)


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
