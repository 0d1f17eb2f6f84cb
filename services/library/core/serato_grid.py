"""The tag Serato BeatGrid: beats that the grid is pinned to.

All markers but the last say how many beats there are to the next one, the last says its tempo. Layout:
github.com/Holzhaus/serato-tags, docs/serato_beatgrid.md.
"""

import struct
from collections.abc import Iterator

from services.library.core.serato_values import LONGEST_S, is_bpm
from stemhouse.tracks import BeatMarker

_VERSION = b"\x01\x00"
_HEADER_BYTES, _MARKER_BYTES = 6, 8


def parse_beat_grid(data: bytes) -> tuple[tuple[BeatMarker, ...], tuple[str, ...]]:
    """The markers that can be read, in order, and what is wrong with the others, one sentence each.

    Positions and tempos are the stored single-precision numbers, not rounded.
    """
    if not data.startswith(_VERSION) or len(data) < _HEADER_BYTES:
        return (), ("Serato BeatGrid is damaged or of an unknown version",)
    count = int.from_bytes(data[2:_HEADER_BYTES])
    markers = tuple(marker for marker in _markers(data, count) if _is_possible(marker))
    lost_count = count - len(markers)
    return markers, (f"Serato BeatGrid is damaged: {lost_count} of {count} markers are lost",) if lost_count else ()


def _markers(data: bytes, count: int) -> Iterator[BeatMarker]:
    whole_count = min(count, (len(data) - _HEADER_BYTES) // _MARKER_BYTES)
    for index in range(whole_count):
        begin = _HEADER_BYTES + index * _MARKER_BYTES
        if index == count - 1:
            yield BeatMarker(*struct.unpack_from(">ff", data, begin))
        elif index < whole_count - 1:
            position_s, beats, next_s = struct.unpack_from(">fIf", data, begin)
            yield BeatMarker(position_s, beats * 60.0 / (next_s - position_s) if next_s > position_s else 0.0)


def _is_possible(marker: BeatMarker) -> bool:
    return abs(marker.position_s) <= LONGEST_S and is_bpm(marker.bpm)
