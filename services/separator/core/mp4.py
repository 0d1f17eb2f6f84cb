"""MP4, M4A and QuickTime: boxes, of which the audio track's tell where the music lies in the decoded frames.

Encoder delay is told by an edit list (in units of the track, and its duration in units of the movie, often too coarse
for a frame) or by iTunes' tag iTunSMPB (delay, padding and length in frames). The table of sample durations (stts)
ends the music, too, where a muxer shortened the last sample. Layout: ISO/IEC 14496-12. iTunSMPB is hexadecimal
numbers, of which the second is the delay, the third the padding and the fourth the length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise

from services.separator.core.layouts import PROTECTED, Bytes, Refusal, SourceLayout

_TOP_BOXES = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"styp", b"sidx", b"uuid", b"udta"}
    | {b"meta", b"mfra", b"pdin", b"prft", b"emsg", b"ssix"}
)
_PROTECTED = frozenset({b"drms", b"enca"})
_AAC = b"mp4a"
_SMPB_NUMBERS = 4
_BOX_HEADER_BYTES, _LARGE_BOX_HEADER_BYTES = 8, 16
_SAMPLE_TABLE = (b"mdia", b"minf", b"stbl")
_MOST_PIECES = 1 << 18
"""Boxes of a file: fragmented ones have two for each piece, and pieces of a second."""
_MOST_BOXES = 1000
"""Within another box."""
_MOST_EDITS = 1000
_MOST_DURATIONS = 1 << 20
"""One for each frame of twelve hours, where no two that follow each other last equally long."""

NO_DELAY_NOTE = (
    "the file does not tell the encoder's delay: players differ in what they cut off (0, 1024 or 2112 samples)"
)
DISAGREEING_NOTE = "its edit list and its iTunSMPB tag tell different delays: the edit list was followed"
PIECES_NOTE = "its edit list plays pieces that do not follow each other: it was decoded from the first one on"


@dataclass(frozen=True)
class Box:
    """One box: its name, and where its contents begin and end."""

    name: bytes
    begin: int
    end: int


@dataclass(frozen=True)
class _Edit:
    """A piece that is played; `is_exact`: the movie's units tell its length to the frame."""

    begin_s: Fraction
    length_s: Fraction
    is_exact: bool


@dataclass(frozen=True)
class _Track:
    """What the boxes of the audio track say."""

    codec: bytes
    table_s: Fraction | None
    edits: tuple[_Edit, ...]
    smpb: tuple[Fraction, Fraction] | None


def mp4_layout(data: Bytes) -> SourceLayout | Refusal | None:
    """Of a file that is MP4; None if it is not, a Refusal if it has no audio that may be decoded."""
    if data[4:8] not in _TOP_BOXES:
        return None
    tops = list(islice(_top_boxes(data), _MOST_PIECES))
    movie = next((box for box in tops if box.name == b"moov"), None)
    if movie is None or movie.end > len(data):
        return Refusal("is cut: the table that says what is where in it is missing")
    box = next((trak for trak in _children(data, movie) if trak.name == b"trak" and _is_sound(data, trak)), None)
    if box is None:
        return Refusal("holds no audio")
    track = _track(data, movie, box)
    if track.codec in _PROTECTED:
        return Refusal(PROTECTED, is_unsupported=True)
    is_cut = any(top.end > len(data) for top in tops if top.name in {b"mdat", b"moof"})
    return SourceLayout(
        "mp4",
        0,
        min(tops[-1].end, len(data)) if len(tops) < _MOST_PIECES else len(data),
        "mov",
        lead_s=_lead_s(track),
        end_s=_end_s(track),
        damage="the file is damaged: its end is missing" if is_cut else "",
        timing_note=_timing_note(track),
    )


def _lead_s(track: _Track) -> Fraction | None:
    """An edit list that begins at 0 tells nothing: muxers that do not know the delay write such, too."""
    if track.edits and track.edits[0].begin_s:
        return track.edits[0].begin_s
    return track.smpb[0] if track.smpb else None


def _end_s(track: _Track) -> Fraction | None:
    """The earliest of all ends that are told exactly."""
    ends = [track.table_s] if track.table_s else []
    if track.smpb:
        ends.append(track.smpb[1])
    if track.edits and _is_one_piece(track.edits) and all(edit.is_exact for edit in track.edits):
        ends.append(track.edits[0].begin_s + sum(edit.length_s for edit in track.edits))
    return min(ends, default=None)


def _is_one_piece(edits: tuple[_Edit, ...]) -> bool:
    return all(after.begin_s == before.begin_s + before.length_s for before, after in pairwise(edits))


def _timing_note(track: _Track) -> str:
    if not _is_one_piece(track.edits):
        return PIECES_NOTE
    if track.smpb and _lead_s(track) != track.smpb[0]:
        return DISAGREEING_NOTE
    return NO_DELAY_NOTE if track.codec == _AAC and _lead_s(track) is None else ""


def _track(data: Bytes, movie: Box, trak: Box) -> _Track:
    units_per_s = _units_per_s(data, _descendant(data, trak, b"mdia", b"mdhd")) or 1
    movie_units_per_s = _units_per_s(data, _descendant(data, movie, b"mvhd")) or 1
    table = _table_units(data, _descendant(data, trak, *_SAMPLE_TABLE, b"stts"))
    edits = _edits(data, _descendant(data, trak, b"edts", b"elst"), units_per_s, movie_units_per_s)
    smpb = _smpb(data, movie)
    # Only numbers that fit the track are of this track.
    fits = smpb is not None and (not table or smpb[0] + smpb[1] <= table)
    return _Track(
        codec=_codec(data, _descendant(data, trak, *_SAMPLE_TABLE, b"stsd")),
        table_s=Fraction(table, units_per_s) if table else None,
        edits=edits,
        smpb=(Fraction(smpb[0], units_per_s), Fraction(smpb[0] + smpb[1], units_per_s)) if smpb and fits else None,
    )


def _boxes(data: Bytes, begin: int, end: int) -> Iterator[Box]:
    """The boxes one behind another; the last may end outside."""
    position = begin
    while position + _BOX_HEADER_BYTES <= end:
        size, name = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        header_bytes = _BOX_HEADER_BYTES
        if size == 1:
            header_bytes = _LARGE_BOX_HEADER_BYTES
            size = int.from_bytes(data[position + 8 : position + 16])
        elif size == 0:
            size = end - position
        if size < header_bytes:
            return
        yield Box(name, position + header_bytes, position + size)
        position += size


def _top_boxes(data: Bytes) -> Iterator[Box]:
    """Of the file; what comes behind a box of an unknown name is junk."""
    for box in _boxes(data, 0, len(data)):
        if box.name not in _TOP_BOXES:
            return
        yield box


def _children(data: Bytes, box: Box, header_bytes: int = 0) -> Iterator[Box]:
    boxes = islice(_boxes(data, box.begin + header_bytes, box.end), _MOST_BOXES)
    return (child for child in boxes if child.end <= box.end)


def _descendant(data: Bytes, box: Box, *names: bytes) -> Box | None:
    found: Box | None = box
    for name in names:
        found = next((child for child in _children(data, found) if child.name == name), None) if found else None
    return found


def _number(data: Bytes, begin: int, size: int = 4) -> int:
    return int.from_bytes(data[begin : begin + size])


def _is_sound(data: Bytes, trak: Box) -> bool:
    handler = _descendant(data, trak, b"mdia", b"hdlr")
    return handler is not None and data[handler.begin + 8 : handler.begin + 12] == b"soun"


def _codec(data: Bytes, descriptions: Box | None) -> bytes:
    return data[descriptions.begin + 12 : descriptions.begin + 16] if descriptions else b""


def _units_per_s(data: Bytes, header: Box | None) -> int:
    """Of mvhd or mdhd, whose dates are longer from version 1 on."""
    return _number(data, header.begin + (20 if _number(data, header.begin, 1) else 12)) if header else 0


def _table_units(data: Bytes, table: Box | None) -> int:
    """How long all samples of a track last together; 0 if there are too many to tell."""
    entries = _entries(data, table, 8) if table else range(0)
    if len(entries) > _MOST_DURATIONS:
        return 0
    return sum(_number(data, entry) * _number(data, entry + 4) for entry in entries)


def _edits(data: Bytes, table: Box | None, units_per_s: int, movie_units_per_s: int) -> tuple[_Edit, ...]:
    """All but the empty edits, which only delay the track against a picture. A length of 0 lasts to the end.

    Of more than anybody edits, the first ones, and no end.
    """
    if table is None:
        return ()
    size = 8 if _number(data, table.begin, 1) else 4
    entries = _entries(data, table, 2 * size + 4)
    is_fine = movie_units_per_s >= units_per_s and len(entries) <= _MOST_EDITS
    edits = []
    for entry in entries[:_MOST_EDITS]:
        length, begin = _number(data, entry, size), _number(data, entry + size, size)
        if begin >> (8 * size - 1):
            continue
        length_s = Fraction(round(Fraction(length, movie_units_per_s) * units_per_s), units_per_s)
        edits.append(_Edit(Fraction(begin, units_per_s), length_s, bool(length) and is_fine))
    return tuple(edits)


def _entries(data: Bytes, table: Box, entry_bytes: int) -> range:
    """Where the entries of a table begin that are within its box."""
    begin = table.begin + 8
    count = min(_number(data, table.begin + 4), (table.end - begin) // entry_bytes)
    return range(begin, begin + entry_bytes * count, entry_bytes)


def _smpb(data: Bytes, movie: Box) -> tuple[int, int] | None:
    """Delay and length from iTunes' tag, wherever in the movie it is."""
    name = data.find(b"iTunSMPB", movie.begin, movie.end)
    begin = data.find(b"data", name, name + 64) if name >= 0 else -1
    if begin < 0:
        return None
    size = _number(data, begin - 4) - 16
    words = data[begin + 12 : begin + 12 + max(0, min(size, 256))].decode("ascii", "replace").split()
    try:
        _, delay, _, length = (int(word, 16) for word in words[:_SMPB_NUMBERS])
    except ValueError:
        return None
    return (delay, length) if length else None
