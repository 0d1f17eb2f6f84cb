"""Where a stem is cut: before attacks, between phrases, or on the lines of its grid."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from services.exporter.core.analysis.signals import heard
from services.exporter.core.remix.attacks import attack_times_s
from services.exporter.core.remix.gridded import cells, lines, phrases_on_lines
from services.exporter.core.remix.ports import FloatBlock
from services.exporter.core.remix.sounding import Span, in_mono
from services.exporter.core.remix.stem import CutStem
from stemhouse.analysis import BeatGrid
from stemhouse.production import ChopGrid, ChopOptions

_FURTHEST_LEAD_S, _NEAREST_LEAD_S, _LEVEL_S = 0.03, 0.005, 0.006
"""Before an attack: there the last sound is quietest, and the attack is not touched."""
_AS_QUIET = 1.4
"""As power. Where all is about equally quiet, the cut is next to the attack."""
_EARLIEST = 0.5
"""A piece that is too long is not cut before this share of the longest."""


def chop_spans(samples: FloatBlock, rate_hz: int, options: ChopOptions, grid: BeatGrid | None) -> list[Span]:
    """The frames of each chop, in order, without overlaps: of what sounds, none shorter or longer than is allowed.

    On a grid each begins at a line, even if the stem comes in later. Attacks that are soft, as of a note that slides
    into the next one, are not found. Raises ValueError for a grid that is wished for and not there.
    """
    if not len(samples):
        return []
    stem = CutStem.of(samples, rate_hz)
    if options.is_by_phrase:
        stem = stem.by_phrase()
    if not stem.spans:
        return []
    if options.grid is ChopGrid.FREE:
        pieces = _phrases(stem) if options.is_by_phrase else _syllables(stem)
        return list(_in_limits(pieces, stem, options))
    if grid is None:
        message = "there is no grid"
        raise ValueError(message)
    all_lines = lines(stem, options, grid)
    return phrases_on_lines(stem, options, all_lines) if options.is_by_phrase else cells(stem, options, all_lines)


def _phrases(stem: CutStem) -> Iterator[Span]:
    for start, end in stem.spans:
        yield stem.crossing(start), end


def _syllables(stem: CutStem) -> Iterator[Span]:
    """From attack to attack, within what sounds."""
    attacks = _attacks(stem)
    for start, end in stem.spans:
        inside = attacks[(attacks > start) & (attacks < end)]
        first = stem.crossing(start)
        cuts = [first, *(cut for cut in (_before(stem, int(attack)) for attack in inside) if cut > first)]
        yield from zip(cuts, [*cuts[1:], end], strict=True)


def _attacks(stem: CutStem) -> npt.NDArray[np.int64]:
    """In frames."""
    times_s = attack_times_s(heard(in_mono(stem.samples), stem.rate_hz))
    return np.round(times_s * stem.rate_hz).astype(np.int64)


def _before(stem: CutStem, attack: int) -> int:
    """The quietest place shortly before an attack."""
    width = stem.frames(_LEVEL_S)
    latest = max(0, attack - stem.frames(_NEAREST_LEAD_S))
    earliest = max(0, attack - stem.frames(_FURTHEST_LEAD_S))
    around = stem.samples[max(0, earliest - width // 2) : latest + width // 2]
    power = np.convolve(np.square(around, dtype=np.float64).mean(axis=1), np.ones(width), "same")
    levels = power[min(earliest, width // 2) :][: latest - earliest + 1]
    if not len(levels):
        return latest
    quiet = np.flatnonzero(levels <= _AS_QUIET * max(levels.min(), 1e-12))
    return stem.crossing(earliest + int(quiet[-1]))


def _in_limits(pieces: Iterable[Span], stem: CutStem, options: ChopOptions) -> Iterator[Span]:
    """What follows too soon belongs to the piece before; what is too short gets some of the silence behind it.

    The long ones are cut where they are quietest. What still is too short, at the end of the stem, is left out.
    """
    shortest, longest = stem.frames(options.shortest_s), stem.frames(options.longest_s)
    for first, end in _apart(pieces, shortest):
        start = first
        while end - start > longest:
            latest = max(start + shortest, min(start + longest, end - shortest))
            earliest = min(latest, start + max(shortest, round(_EARLIEST * longest)))
            cut = max(earliest, stem.crossing(stem.curve.quietest(earliest, latest)))
            yield start, cut
            start = cut
        if start + shortest <= len(stem.samples):
            yield start, max(end, start + shortest)


def _apart(pieces: Iterable[Span], shortest: int) -> list[Span]:
    """None begins so soon after another one that this would be too short."""
    apart: list[Span] = []
    for start, end in pieces:
        if apart and start - apart[-1][0] < shortest:
            apart[-1] = apart[-1][0], end
        else:
            apart.append((start, end))
    return apart
