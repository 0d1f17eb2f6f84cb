"""The two tags in which Serato keeps cues, loops and the track's colour.

Serato Markers2 has all of them, with names. The older Serato Markers_ has 5 cues and 9 loops in fixed places, without
names. Positions are those that Serato writes, in milliseconds of its own decoder. Layouts: github.com/Holzhaus/
serato-tags, docs/serato_markers2.md and docs/serato_markers_.md.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from services.library.core.serato_envelope import decode_base64
from services.library.core.serato_values import color_from_rgb, is_position_ms, track_color_from_rgb
from services.library.core.tags import text_from_tag
from stemhouse.tracks import Cue, CueKind

Slot: TypeAlias = tuple[CueKind, int]
"""Cues and loops are counted apart, from 0."""

_MARKERS2_VERSION, _MARKERS_VERSION = b"\x01\x01", b"\x02\x05"
_VERSION_BYTES = 2
_CUE_HEAD_BYTES, _LOOP_HEAD_BYTES, _COLOR_BYTES = 12, 20, 4
_HEADER_BYTES = 6
_CUE_COUNT, _SLOT_COUNT = 5, 14
_ROW_BYTES, _RAW_ROW_BYTES = 22, 19
_PACKED_BYTES = _HEADER_BYTES + _SLOT_COUNT * _ROW_BYTES + _COLOR_BYTES
_RAW_BYTES = _HEADER_BYTES + _SLOT_COUNT * _RAW_ROW_BYTES + _COLOR_BYTES
_HIGHEST_PACKED = 0x7F
_IS_NONE, _IS_CUE, _IS_LOOP = 0, 1, 3
_UNSET_MS = 0x7FFFFFFF


@dataclass(frozen=True)
class SeratoMarks:
    """What one of the tags says; a slot without a mark is None, a slot that it does not speak of is not there."""

    marks: Mapping[Slot, Cue | None] = field(default_factory=dict)
    color: str | None = None
    is_grid_locked: bool = False
    warnings: tuple[str, ...] = ()


def parse_markers2(data: bytes) -> SeratoMarks:
    """The entries that can be read; of two for the same slot the later one. Flips and unknown ones are passed over."""
    inner, is_whole = decode_base64(data[_VERSION_BYTES:])
    if not data.startswith(_MARKERS2_VERSION) or not inner.startswith(_MARKERS2_VERSION):
        return SeratoMarks(warnings=("Serato Markers2 is damaged or of an unknown version",))
    marks: dict[Slot, Cue | None] = {}
    color, is_locked, lost_count = None, False, int(not is_whole)
    for kind, body in _entries(inner):
        mark = _mark(kind, body)
        if mark is not None:
            marks[mark.kind, mark.slot or 0] = mark
        elif kind == b"COLOR" and len(body) == _COLOR_BYTES:
            color = track_color_from_rgb(body[1:])
        elif kind == b"BPMLOCK" and body:
            is_locked = body[0] != 0
        else:
            lost_count += kind in {b"", b"CUE", b"LOOP", b"COLOR", b"BPMLOCK"}
    return SeratoMarks(marks, color, is_locked, _losses("Serato Markers2", lost_count))


def parse_markers(data: bytes) -> SeratoMarks:
    """The 14 slots as far as they are there, and the colour behind them.

    MP4 files have raw bytes. All others have 7 bits in each byte, so that no byte is above 127; an empty slot of the
    raw kind is full of 255, which tells cut ones apart.
    """
    if not data.startswith(_MARKERS_VERSION) or len(data) < _HEADER_BYTES:
        return SeratoMarks(warnings=("Serato Markers_ is damaged or of an unknown version",))
    is_packed = len(data) == _PACKED_BYTES or (len(data) != _RAW_BYTES and _is_packed(data))
    row_bytes = _ROW_BYTES if is_packed else _RAW_ROW_BYTES
    marks = dict(_marks_from_rows(data, row_bytes, is_packed=is_packed))
    footer = data[_HEADER_BYTES + _SLOT_COUNT * row_bytes :][:_COLOR_BYTES]
    color = _unpacked_bytes(footer, 4)[1:] if is_packed else footer[1:]
    is_whole = len(footer) == _COLOR_BYTES and int.from_bytes(data[2:_HEADER_BYTES]) == _SLOT_COUNT
    return SeratoMarks(
        marks,
        track_color_from_rgb(color) if is_whole else None,
        warnings=() if is_whole and len(marks) == _SLOT_COUNT else ("Serato Markers_ is damaged or cut",),
    )


def _entries(inner: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each entry up to the closing zero, which may be missing; no kind for what is cut off."""
    position = _VERSION_BYTES
    while position < len(inner) and inner[position]:
        end_of_kind = inner.find(b"\0", position)
        body = end_of_kind + 5
        end = body + int.from_bytes(inner[end_of_kind + 1 : body])
        if end_of_kind < 0 or end > len(inner):
            yield b"", b""
            return
        yield inner[position:end_of_kind], inner[body:end]
        position = end


def _mark(kind: bytes, body: bytes) -> Cue | None:
    """The mark of an entry; None if it is of another kind, or damaged."""
    if kind == b"CUE" and len(body) >= _CUE_HEAD_BYTES:
        slot, start_ms, rgb = struct.unpack_from(">xBIx3s", body)
        return _cue((CueKind.CUE, slot), start_ms, None, rgb, name=_name(body[_CUE_HEAD_BYTES:]))
    if kind == b"LOOP" and len(body) >= _LOOP_HEAD_BYTES:
        slot, start_ms, end_ms, rgb, is_locked = struct.unpack_from(">xBII4xx3sx?", body)
        name = _name(body[_LOOP_HEAD_BYTES:])
        return _cue((CueKind.LOOP, slot), start_ms, end_ms, rgb, name=name, is_locked=is_locked)
    return None


def _marks_from_rows(data: bytes, row_bytes: int, *, is_packed: bool) -> Iterator[tuple[Slot, Cue | None]]:
    """The slots whose rows are whole and can be true."""
    for index in range(min(_SLOT_COUNT, (len(data) - _HEADER_BYTES) // row_bytes)):
        row = data[_HEADER_BYTES + index * row_bytes :][:row_bytes]
        if is_packed and not _is_packed(row):
            continue
        slot = (CueKind.CUE, index) if index < _CUE_COUNT else (CueKind.LOOP, index - _CUE_COUNT)
        start_ms, end_ms, rgb, kind, is_locked = struct.unpack(">II6x3sB?", _unpacked(row) if is_packed else row)
        is_loop = slot[0] is CueKind.LOOP
        mark = _cue(slot, start_ms, end_ms if is_loop else None, rgb, is_locked=is_loop and is_locked)
        if mark and kind == (_IS_LOOP if is_loop else _IS_CUE):
            yield slot, mark
        elif kind == _IS_NONE or (kind in {_IS_CUE, _IS_LOOP} and start_ms >= _UNSET_MS):
            yield slot, None


def _cue(  # noqa: PLR0913  # the fields of an entry
    slot: Slot, start_ms: int, end_ms: int | None, rgb: bytes, *, name: str = "", is_locked: bool = False
) -> Cue | None:
    """The mark, or None if its times are not set or cannot be true."""
    if not is_position_ms(start_ms) or (end_ms is not None and not (start_ms < end_ms and is_position_ms(end_ms))):
        return None
    end_s = None if end_ms is None else end_ms / 1000.0
    return Cue(slot[0], start_ms / 1000.0, end_s, slot[1], name, color_from_rgb(rgb), is_locked=is_locked)


def _is_packed(data: bytes) -> bool:
    return max(data) <= _HIGHEST_PACKED


def _unpacked(row: bytes) -> bytes:
    """A row of the usual kind as the raw one: two times, six bytes nobody knows, colour, kind, lock."""
    start, end, color = row[:5], row[5:10], row[16:20]
    return _unpacked_bytes(start, 4) + _unpacked_bytes(end, 4) + bytes(6) + _unpacked_bytes(color, 3) + row[20:]


def _unpacked_bytes(packed: bytes, size: int) -> bytes:
    """The lowest `size` bytes of a number of which each byte holds 7 bits."""
    number = 0
    for byte in packed:
        number = number << 7 | byte
    return (number & ((1 << 8 * size) - 1)).to_bytes(size)


def _name(raw: bytes) -> str:
    return text_from_tag(raw.split(b"\0", 1)[0].decode(errors="replace"))


def _losses(tag: str, count: int) -> tuple[str, ...]:
    return (f"{tag} is damaged: {count} of its entries or more are lost",) if count else ()
