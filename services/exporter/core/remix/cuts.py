"""Where a stem is cut: before attacks, between phrases, or on the lines of its grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from services.exporter.core.analysis.onsets import find_onsets
from services.exporter.core.analysis.signals import heard
from services.exporter.core.remix.ports import FloatBlock
from services.exporter.core.remix.sounding import LevelCurve, Span, in_mono, level_curve, phrase_spans, sounding_spans
from stemhouse.analysis import BeatGrid
from stemhouse.production import ChopGrid, ChopOptions

_FURTHEST_LEAD_S, _NEAREST_LEAD_S = 0.03, 0.004
"""Before an attack: there the last sound is quietest, and the attack is not touched."""
_CROSSING_S = 0.003
_WEAKEST = 0.45
"""Of an attack, against the strong ones of the stem: consonants, and not ripples of a vowel."""
_STRONG_PERCENTILE = 90
_LEAST_SOUND_S = 0.03
_STEPS = {ChopGrid.SIXTEENTH: 0.25, ChopGrid.EIGHTH: 0.5, ChopGrid.QUARTER: 1.0}
"""In beats; that of a bar depends on the grid."""
_EARLIEST = 0.5
"""A piece that is too long is not cut before this share of the longest."""


@dataclass(frozen=True)
class _Stem:
    """A stem, how loud it is when, and where it sounds."""

    samples: FloatBlock
    rate_hz: int
    curve: LevelCurve
    spans: Sequence[Span]

    def frames(self, seconds: float) -> int:
        return round(seconds * self.rate_hz)


def chop_spans(samples: FloatBlock, rate_hz: int, options: ChopOptions, grid: BeatGrid | None) -> list[Span]:
    """The frames of each chop, in order, without overlaps: of what sounds, none shorter or longer than is allowed.

    On a grid each begins at a line, even if the stem comes in later. Attacks that are soft, as a note that slides into
    the next one, are not found. Raises ValueError for a grid that is wished for and not there.
    """
    curve = level_curve(samples, rate_hz)
    stem = _Stem(samples, rate_hz, curve, sounding_spans(curve, rate_hz, len(samples)))
    if options.is_by_phrase:
        stem = replace(stem, spans=phrase_spans(stem.spans, rate_hz))
    if not stem.spans:
        return []
    if options.grid is ChopGrid.FREE:
        pieces = _phrases(stem) if options.is_by_phrase else _syllables(stem, options)
        return list(_in_limits(pieces, stem, options))
    if grid is None:
        message = "there is no grid"
        raise ValueError(message)
    lines = _lines(stem, options, grid)
    return _phrases_on_lines(stem, options, lines) if options.is_by_phrase else _cells(stem, options, lines)


def _phrases(stem: _Stem) -> Iterator[Span]:
    for start, end in stem.spans:
        yield _crossing(stem, start), end


def _syllables(stem: _Stem, options: ChopOptions) -> Iterator[Span]:
    """From attack to attack, within what sounds; one that follows too soon belongs to the one before."""
    attacks, shortest = _attacks(stem), stem.frames(options.shortest_s)
    for start, end in stem.spans:
        cuts = [_crossing(stem, start)]
        for attack in attacks[(attacks > start) & (attacks < end)]:
            cut = _before(stem, int(attack))
            if cut - cuts[-1] >= shortest and end - cut >= shortest:
                cuts.append(cut)
        yield from zip(cuts, [*cuts[1:], end], strict=True)


def _attacks(stem: _Stem) -> npt.NDArray[np.int64]:
    """In frames."""
    onsets = find_onsets(heard(in_mono(stem.samples), stem.rate_hz))
    times = np.round(onsets.times_s * stem.rate_hz).astype(np.int64)
    is_within = np.zeros(len(times), dtype=bool)
    for start, end in stem.spans:
        is_within |= (times >= start) & (times < end)
    if not is_within.any():
        return times[:0]
    strong = float(np.percentile(onsets.strengths[is_within], _STRONG_PERCENTILE))
    return times[is_within & (onsets.strengths >= _WEAKEST * strong)]


def _before(stem: _Stem, attack: int) -> int:
    """The quietest place shortly before an attack."""
    earliest = max(0, attack - stem.frames(_FURTHEST_LEAD_S))
    return _crossing(stem, stem.curve.quietest(earliest, max(earliest, attack - stem.frames(_NEAREST_LEAD_S))))


def _crossing(stem: _Stem, frame: int) -> int:
    """Where all channels are next to zero, at most a few milliseconds earlier."""
    start = max(0, frame - stem.frames(_CROSSING_S))
    near = np.abs(stem.samples[start : frame + 1]).max(axis=1, initial=0.0)
    return start + int(np.argmin(near)) if len(near) else frame


def _in_limits(pieces: Iterator[Span], stem: _Stem, options: ChopOptions) -> Iterator[Span]:
    """Without the short ones; long ones are cut where they are quietest."""
    shortest, longest = stem.frames(options.shortest_s), stem.frames(options.longest_s)
    for first, end in pieces:
        start = first
        while end - start > longest:
            latest = max(start + shortest, min(start + longest, end - shortest))
            earliest = min(latest, start + max(shortest, round(_EARLIEST * longest)))
            cut = max(earliest, _crossing(stem, stem.curve.quietest(earliest, latest)))
            yield start, cut
            start = cut
        if end - start >= shortest:
            yield start, end


def _lines(stem: _Stem, options: ChopOptions, grid: BeatGrid) -> list[int]:
    """Frames of the lines within the stem, and its end; beginnings before the first line count as one."""
    step = _step(options, grid)
    end_s = len(stem.samples) / stem.rate_hz
    first, last = int(np.ceil(grid.beat_at(0.0) / step)), int(np.floor(grid.beat_at(end_s) / step))
    lines = [stem.frames(grid.time_at(number * step)) for number in range(first, last + 1)]
    return sorted({0, *(min(max(line, 0), len(stem.samples)) for line in lines), len(stem.samples)})


def _step(options: ChopOptions, grid: BeatGrid) -> float:
    """In beats; doubled or halved where its length is out of limits, so that all cuts stay on lines."""
    step, beat_s = _STEPS.get(options.grid, float(grid.beats_per_bar)), 60.0 / grid.bpm
    while step * beat_s < options.shortest_s:
        step *= 2
    while step * beat_s > options.longest_s and step * beat_s / 2 >= options.shortest_s:
        step /= 2
    return step


def _cells(stem: _Stem, options: ChopOptions, lines: Sequence[int]) -> list[Span]:
    cells = ((start, end) for start, end in pairwise(lines))
    return [span for cell in cells for span in _sounding_part(stem, options, *cell)]


def _phrases_on_lines(stem: _Stem, options: ChopOptions, lines: Sequence[int]) -> list[Span]:
    """Each from the line before it on; what is too long goes on at a later line."""
    spans: list[Span] = []
    free_from = 0
    for begin, end in stem.spans:
        start = max(free_from, *(line for line in lines if line <= begin))
        while start < end:
            longest = start + stem.frames(options.longest_s)
            cut = max((line for line in lines if start < line <= longest), default=longest) if end > longest else end
            spans += _sounding_part(stem, options, start, cut)
            start = cut
        free_from = next(line for line in lines if line >= end)
    return spans


def _sounding_part(stem: _Stem, options: ChopOptions, start: int, end: int) -> Iterator[Span]:
    """From a line to where the sound ends; nothing if there is next to none, or if it would be too short."""
    inside = [(max(first, start), min(last, end)) for first, last in stem.spans if first < end and last > start]
    if sum(last - first for first, last in inside) < stem.frames(_LEAST_SOUND_S):
        return
    last = min(end, max(inside[-1][1], start + stem.frames(options.shortest_s)))
    if last - start >= stem.frames(options.shortest_s):
        yield start, min(last, start + stem.frames(options.longest_s))
