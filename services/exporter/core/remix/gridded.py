"""Cuts on the lines of a grid of beats."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from services.exporter.core.remix.sounding import Span
from services.exporter.core.remix.stem import CutStem
from stemhouse.analysis import BeatGrid
from stemhouse.production import ChopGrid, ChopOptions

_LEAST_SOUND_S = 0.03
"""In a cell: what is less came early for the next one."""
_STEPS = {ChopGrid.SIXTEENTH: 0.25, ChopGrid.EIGHTH: 0.5, ChopGrid.QUARTER: 1.0}
"""In beats; that of a bar depends on the grid."""


def lines(stem: CutStem, options: ChopOptions, grid: BeatGrid) -> list[int]:
    """Frames of the lines within the stem, its first frame, and its end.

    They are twice or half as far apart as was asked for, and so on, where that keeps the limits.
    """
    step = _STEPS.get(options.grid, float(grid.beats_per_bar))
    apart_s = _apart_s(stem, grid, step)
    while max(apart_s) < options.shortest_s:
        step *= 2
        apart_s = [2 * length_s for length_s in apart_s]
    while max(apart_s) > options.longest_s and min(apart_s) / 2 >= options.shortest_s:
        step /= 2
        apart_s = [length_s / 2 for length_s in apart_s]
    frames = (stem.frames(grid.time_at(number * step)) for number in _numbers(stem, grid, step))
    return sorted({0, *(min(max(frame, 0), len(stem.samples)) for frame in frames), len(stem.samples)})


def cells(stem: CutStem, options: ChopOptions, all_lines: Sequence[int]) -> list[Span]:
    """What sounds between lines. A cell that is too short, as a grid drifts, goes on to the line after the next.

    What comes sooner before the first line is left out: the first chop would begin off the grid with it.
    """
    spans: list[Span] = []
    start, shortest = all_lines[0], stem.frames(options.shortest_s)
    for end in all_lines[1:]:
        if start == all_lines[0] or end - start >= shortest or not _sounds(stem, start, end):
            spans += _sounding_part(stem, options, start, end)
            start = end
    return spans


def phrases_on_lines(stem: CutStem, options: ChopOptions, all_lines: Sequence[int]) -> list[Span]:
    """Each from the line before it on; what is too long goes on at a later line."""
    spans: list[Span] = []
    for first, end in _joined_where_no_line_is(stem.spans, all_lines):
        start, last = first, next(line for line in all_lines if line >= end)
        while start < end:
            longest = start + stem.frames(options.longest_s)
            cut = max((line for line in all_lines if start < line <= longest), default=longest)
            cut = last if end <= longest else cut
            spans += _sounding_part(stem, options, start, cut)
            start = cut
    return spans


def _joined_where_no_line_is(phrases: Sequence[Span], all_lines: Sequence[int]) -> list[Span]:
    """Phrases from the lines before them on, those as one that would overlap."""
    joined: list[Span] = []
    for begin, end in phrases:
        line = max(line for line in all_lines if line <= begin)
        if joined and line < joined[-1][1]:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((line, end))
    return joined


def _apart_s(stem: CutStem, grid: BeatGrid, step: float) -> list[float]:
    """How far neighbouring lines are from each other."""
    times_s = [grid.time_at(number * step) for number in _numbers(stem, grid, step)]
    return [after - before for before, after in pairwise(times_s)]


def _numbers(stem: CutStem, grid: BeatGrid, step: float) -> range:
    """Of the lines around the stem, counted from beat 0."""
    end_s = len(stem.samples) / stem.rate_hz
    return range(int(grid.beat_at(0.0) // step), int(grid.beat_at(end_s) // step) + 2)


def _sounds(stem: CutStem, start: int, end: int) -> bool:
    return sum(last - first for first, last in _inside(stem, start, end)) >= stem.frames(_LEAST_SOUND_S)


def _inside(stem: CutStem, start: int, end: int) -> list[Span]:
    return [(max(first, start), min(last, end)) for first, last in stem.spans if first < end and last > start]


def _sounding_part(stem: CutStem, options: ChopOptions, start: int, end: int) -> Iterator[Span]:
    """From a line to where the sound ends; nothing if there is next to none, or if it would be too short."""
    if not _sounds(stem, start, end):
        return
    shortest, longest = stem.frames(options.shortest_s), stem.frames(options.longest_s)
    last = min(end, max(_inside(stem, start, end)[-1][1], start + shortest))
    if last - start >= shortest:
        yield start, min(last, start + longest)
