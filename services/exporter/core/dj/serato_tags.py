"""What Serato keeps in the tags of audio files: the beat grid, cues, loops, colour, the grid's lock, the tempo.

Overview and offsets are never written: they belong to one file's audio. Layouts: github.com/Holzhaus/serato-tags.
"""

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from stemhouse.dj import DJTrack
from stemhouse.tracks import BeatMarker, Cue, CueKind

BEAT_GRID, MARKERS2, MARKERS, AUTOTAGS = "Serato BeatGrid", "Serato Markers2", "Serato Markers_", "Serato Autotags"

_GRID_VERSION, _GRID_FOOTER = b"\x01\x00", b"\x00"
_VERSION = b"\x01\x01"
_MARKERS2_BYTES = 470
"""Serato fills up shorter ones with zeros."""
_LINE_CHARS = 72
_PADS = 8
_MARKERS_VERSION = b"\x02\x05"
_MARKERS_CUES, _MARKERS_LOOPS = 5, 9
_UNSET = b"\xff" * 4
_IS_CUE, _IS_LOOP = 1, 3
_NO_COLOR = b"\xff\xff\xff"
_CUE_COLOR, _LOOP_COLOR = bytes.fromhex("CC0000"), bytes.fromhex("27AAE1")
"""What Serato gives marks by itself."""
_MEDIA_TYPE = b"application/octet-stream"


def serato_tags(track: DJTrack, *, is_mp4: bool = False) -> Mapping[str, bytes]:
    """The data of the tags by their names.

    MP4 files have the older Serato Markers_ beside Serato Markers2, since cues 1 to 5 and loops count there only if
    both tell them; in others it would win over the newer one and is left out.
    """
    tags = {MARKERS2: _markers2(track), AUTOTAGS: _autotags(track)}
    if track.grid:
        tags[BEAT_GRID] = _beat_grid(track.grid)
    if is_mp4:
        tags[MARKERS] = _markers(track)
    return tags


def envelope(name: str, data: bytes) -> str:
    """The text that carries a tag where a container has no binary ones (FLAC, MP4): base64 lines without padding."""
    return _lines(b"\0".join([_MEDIA_TYPE, b"", name.encode(), data]))


def _beat_grid(markers: Sequence[BeatMarker]) -> bytes:
    """All but the last say how many beats there are to the next one."""
    rows = b"".join(
        struct.pack(">fI", marker.position_s, _beats_between(marker, following))
        for marker, following in pairwise(markers)
    )
    last = struct.pack(">ff", markers[-1].position_s, markers[-1].bpm)
    return _GRID_VERSION + len(markers).to_bytes(4) + rows + last + _GRID_FOOTER


def _beats_between(marker: BeatMarker, following: BeatMarker) -> int:
    return max(1, round((following.position_s - marker.position_s) * marker.bpm / 60.0))


def _autotags(track: DJTrack) -> bytes:
    """Tempo, the gain that Serato finds for a file (here that of all files of a track), and the one that a DJ adds."""
    numbers = (f"{track.bpm:.2f}", f"{track.gain_db or 0.0:.3f}", "0.000")
    return _VERSION + b"".join(number.encode() + b"\0" for number in numbers)


def _markers2(track: DJTrack) -> bytes:
    inner = _VERSION + b"".join(_entry(name, body) for name, body in _entries(track)) + b"\0"
    return (_VERSION + _lines(inner).encode()).ljust(_MARKERS2_BYTES, b"\0")


def _entries(track: DJTrack) -> Iterator[tuple[bytes, bytes]]:
    yield b"COLOR", b"\0" + (_rgb(track.color) or _NO_COLOR)
    for slot, cue in _on_pads(track.cues, CueKind.CUE, _PADS).items():
        color = _rgb(cue.color) or _CUE_COLOR
        yield b"CUE", struct.pack(">xBIx3sxx", slot, _ms(cue.start_s), color) + _name(cue)
    for slot, loop in _on_pads(track.cues, CueKind.LOOP, _PADS).items():
        color = b"\0" + (_rgb(loop.color) or _LOOP_COLOR)
        times = struct.pack(">xBII", slot, _ms(loop.start_s), _ms(loop.end_s or loop.start_s))
        yield b"LOOP", times + _UNSET + color + struct.pack(">x?", loop.is_locked) + _name(loop)
    yield b"BPMLOCK", struct.pack(">?", track.is_grid_locked)


def _entry(name: bytes, body: bytes) -> bytes:
    return name + b"\0" + len(body).to_bytes(4) + body


def _markers(track: DJTrack) -> bytes:
    """The older tag as MP4 files have it: rows of 19 plain bytes."""
    cues = _on_pads(track.cues, CueKind.CUE, _MARKERS_CUES)
    loops = _on_pads(track.cues, CueKind.LOOP, _MARKERS_LOOPS)
    rows = [_row(cues.get(slot), _IS_CUE) for slot in range(_MARKERS_CUES)]
    rows += [_row(loops.get(slot), _IS_LOOP) for slot in range(_MARKERS_LOOPS)]
    color = b"\0" + (_rgb(track.color) or _NO_COLOR)
    return _MARKERS_VERSION + len(rows).to_bytes(4) + b"".join(rows) + color


def _row(cue: Cue | None, kind: int) -> bytes:
    if cue is None:
        return _UNSET + _UNSET + b"\0" + _UNSET + b"\0" + bytes(3) + bytes([0 if kind == _IS_CUE else kind, 0])
    end = _UNSET if cue.end_s is None else _ms(cue.end_s).to_bytes(4)
    color = _rgb(cue.color) or (_CUE_COLOR if kind == _IS_CUE else _LOOP_COLOR)
    return _ms(cue.start_s).to_bytes(4) + end + b"\0" + _UNSET + b"\0" + color + bytes([kind, cue.is_locked])


def _on_pads(cues: Sequence[Cue], kind: CueKind, count: int) -> Mapping[int, Cue]:
    """By pad; of two on one the first. Memory cues take the pads that are left, in order: Serato has nothing else."""
    wanted = [cue for cue in cues if cue.kind is kind and cue.start_s >= 0.0]
    pads: dict[int, Cue] = {}
    for cue in wanted:
        if cue.slot is not None and cue.slot < count:
            pads.setdefault(cue.slot, cue)
    free = iter([slot for slot in range(count) if slot not in pads])
    placed_s = {round(cue.start_s, 3) for cue in pads.values()}
    for cue in wanted:
        if cue.slot is None and round(cue.start_s, 3) not in placed_s and (slot := next(free, None)) is not None:
            pads[slot] = cue
    return dict(sorted(pads.items()))


def _lines(data: bytes) -> str:
    text = base64.b64encode(data).decode().rstrip("=")
    return "\n".join(text[start : start + _LINE_CHARS] for start in range(0, len(text), _LINE_CHARS))


def _rgb(color: str) -> bytes:
    return bytes.fromhex(color.removeprefix("#"))


def _name(cue: Cue) -> bytes:
    return cue.name.replace("\0", "").encode(errors="replace") + b"\0"


def _ms(time_s: float) -> int:
    return round(time_s * 1000.0)
