"""Vocals, and other stems, cut into playable pieces."""

from dataclasses import dataclass

import numpy as np

from services.exporter.core.remix.cuts import chop_spans
from services.exporter.core.remix.pitch import Pitch, clear_pitch
from services.exporter.core.remix.ports import FloatBlock
from services.exporter.core.remix.sounding import Span
from stemhouse.analysis import BeatGrid
from stemhouse.production import ChopGrid, ChopOptions

_FADE_IN_S, _FADE_IN_ON_LINE_S, _FADE_OUT_S = 0.003, 0.001, 0.005
"""On a line an attack may come at once."""
_BEAT_DIGITS = 3
"""A line lies between two frames; a chop that begins at it is on the beat."""
_STEPS_PER_BEAT = 4


@dataclass(frozen=True)
class Position:
    """On a grid: the nearest bar, beat and sixteenth, all from 1, as Live counts them; a pickup lies in bar 0.

    `start_beat` is exact and from the first downbeat on, which is beat 0.
    """

    start_beat: float
    bar: int
    beat: int
    sixteenth: int


@dataclass(frozen=True)
class Chop:
    """A piece of a stem. `name` is a file's without its ending.

    `samples` are those of the stem from `start_frame` on, faded at both ends; peak and RMS are of full scale.
    """

    name: str
    samples: FloatBlock
    start_frame: int
    start_s: float
    end_s: float
    position: Position | None
    pitch: Pitch | None
    peak: float
    rms: float


def create_vocal_chops(
    samples: FloatBlock, sample_rate_hz: int, options: ChopOptions, grid: BeatGrid | None
) -> tuple[Chop, ...]:
    """The chops of a stem of shape (frames, channels), in order; none of a silent one.

    Names tell number, position and, where it is clear, pitch. Raises ValueError for a grid that is wished for and not
    there.
    """
    finite = samples if np.isfinite(samples).all() else np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    spans = chop_spans(finite, sample_rate_hz, options, grid)
    digits = max(3, len(str(len(spans))))
    fade_in_s = _FADE_IN_S if options.grid is ChopGrid.FREE else _FADE_IN_ON_LINE_S
    return tuple(
        _chop(f"{number:0{digits}}", finite, sample_rate_hz, span, fade_in_s, grid)
        for number, span in enumerate(spans, 1)
    )


def _chop(  # noqa: PLR0913, PLR0917  what a piece is made of
    number: str, samples: FloatBlock, rate_hz: int, span: Span, fade_in_s: float, grid: BeatGrid | None
) -> Chop:
    start, end = span
    piece = _faded(samples[start:end], round(fade_in_s * rate_hz), round(_FADE_OUT_S * rate_hz))
    position = _position(start / rate_hz, grid) if grid else None
    pitch = clear_pitch(piece, rate_hz)
    place = _bars_text(position) if position else _time_text(start / rate_hz)
    return Chop(
        name=" ".join(filter(None, (number, place, pitch.name if pitch else ""))),
        samples=piece,
        start_frame=start,
        start_s=start / rate_hz,
        end_s=end / rate_hz,
        position=position,
        pitch=pitch,
        peak=float(np.abs(piece).max()),
        rms=float(np.sqrt(np.square(piece, dtype=np.float64).mean())),
    )


def _position(start_s: float, grid: BeatGrid) -> Position:
    """A chop that begins a moment before a bar, to have its attack, counts to that bar."""
    start_beat = round(grid.beat_at(start_s), _BEAT_DIGITS) + 0.0  # which is no -0.0
    bar, steps = divmod(round(start_beat * _STEPS_PER_BEAT), grid.beats_per_bar * _STEPS_PER_BEAT)
    return Position(start_beat, bar + 1, steps // _STEPS_PER_BEAT + 1, steps % _STEPS_PER_BEAT + 1)


def _bars_text(position: Position) -> str:
    return f"bar {position.bar}.{position.beat}.{position.sixteenth}"


def _time_text(start_s: float) -> str:
    minutes, seconds = divmod(round(start_s, 3), 60)
    return f"{minutes:.0f}m{seconds:06.3f}s"


def _faded(piece: FloatBlock, fade_in: int, fade_out: int) -> FloatBlock:
    """Both ends begin and end with silence, whatever the stem is like there."""
    faded = piece.copy()
    half = len(piece) // 2
    for length, part in ((min(fade_in, half), faded), (min(fade_out, half), faded[::-1])):
        rising = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(1, length))
        part[:length] *= rising[:, np.newaxis].astype(np.float32)
    return faded
