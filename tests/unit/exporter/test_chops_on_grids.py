"""Stems cut on the lines of a grid, so that the pieces play in time."""

from itertools import pairwise

import numpy as np
import pytest

from services.exporter.core.remix.chops import Chop, create_vocal_chops
from stemhouse.analysis import BeatGrid, GridMarker
from stemhouse.production import ChopGrid, ChopOptions
from tests.rendered_sounds import hat, voice
from tests.unit.exporter.sung import NOTES, RATE_HZ, placed, sung

GRID = BeatGrid(120.0, (GridMarker(0.1, 0.0),), 120.0)
DRIFTING = BeatGrid(120.0, (GridMarker(0.1, 0.0), GridMarker(2.2, 4.0)), 126.0)


def chopped(beats: BeatGrid = GRID, **options: object) -> tuple[Chop, ...]:
    """Of what is sung."""
    return create_vocal_chops(sung(), RATE_HZ, ChopOptions(**options), beats)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("beats", [GRID, DRIFTING], ids=["steady", "drifting"])
@pytest.mark.parametrize(
    ("grid", "step"),
    [(ChopGrid.SIXTEENTH, 0.25), (ChopGrid.EIGHTH, 0.5), (ChopGrid.QUARTER, 1.0), (ChopGrid.BAR, 4.0)],
)
def test_chops_on_a_grid_begin_at_its_lines(grid: ChopGrid, step: float, beats: BeatGrid) -> None:
    """To the frame, and only where something sounds; what comes 30 ms early at most counts to its line."""
    samples = sung()
    chops = chopped(beats, grid=grid)
    for chop in chops:
        assert chop.position
        assert chop.start_frame == round(beats.time_at(round(chop.position.start_beat / step) * step) * RATE_HZ)
        middle = len(chop.samples) // 2
        assert np.array_equal(chop.samples[middle], samples[chop.start_frame + middle])
        assert np.abs(chop.samples).max() > 0.001
    assert all(any(chop.start_s <= start_s + 0.03 < chop.end_s for chop in chops) for start_s, _, _ in NOTES)
    assert not any(chop.end_s > 1.7 and chop.start_s < 1.9 for chop in chops)


def test_positions_are_told_in_bars_beats_and_sixteenths() -> None:
    """From 1; a pickup lies in bar 0, and an attack a moment before a bar, with its lead, in that bar."""
    assert chopped(grid=ChopGrid.SIXTEENTH)[0].name == "001 bar 1.1.2"
    late = BeatGrid(120.0, (GridMarker(1.1, 0.0),), 120.0)
    assert chopped(late, grid=ChopGrid.QUARTER)[0].name.startswith("001 bar 0.3.1")
    on_the_bar = BeatGrid(120.0, (GridMarker(NOTES[0][0] - 2.0, 0.0),), 120.0)
    first = chopped(on_the_bar)[0]
    assert first.name.startswith("001 bar 2.1.1 A3")
    assert first.position
    assert 3.97 < first.position.start_beat < 4.0


@pytest.mark.parametrize("grid", [ChopGrid.SIXTEENTH, ChopGrid.QUARTER, ChopGrid.BAR])
def test_what_comes_just_before_the_first_line_moves_no_chop(grid: ChopGrid) -> None:
    """The first one would be late by that wherever it is dropped."""
    samples = placed({0.0: voice(57, 3.0, RATE_HZ, np.random.default_rng(1))}, 3.4)
    near = BeatGrid(120.0, (GridMarker(0.05, 0.0),), 120.0)
    first = create_vocal_chops(samples, RATE_HZ, ChopOptions(grid=grid), near)[0]
    assert first.start_frame == round(0.05 * RATE_HZ)


def test_phrases_on_a_grid_begin_at_the_line_before_them() -> None:
    """So that they are in time wherever they are dropped."""
    chops = chopped(grid=ChopGrid.QUARTER, is_by_phrase=True)
    assert [chop.start_frame for chop in chops] == [round(0.1 * RATE_HZ), round(2.1 * RATE_HZ)]


def test_phrases_without_a_line_between_them_are_one() -> None:
    """The second one would begin in the middle otherwise."""
    bars = BeatGrid(60.0, (GridMarker(0.1, 0.0),), 60.0)
    chops = chopped(bars, grid=ChopGrid.BAR, is_by_phrase=True)
    assert [(chop.start_frame, round(chop.end_s, 1)) for chop in chops] == [(round(0.1 * RATE_HZ), 3.3)]


def test_steps_are_doubled_or_halved_to_keep_the_limits() -> None:
    """All cuts stay on lines: 1/16 is 0.125 s here, a bar two seconds."""
    vowel = voice(57, 3.0, RATE_HZ, np.random.default_rng(1))
    samples = placed({0.24: vowel}, 3.4)
    doubled = ChopOptions(grid=ChopGrid.SIXTEENTH, shortest_s=0.2)
    halved = ChopOptions(grid=ChopGrid.BAR, longest_s=0.6)
    for options, step_s in ((doubled, 0.25), (halved, 0.5)):
        starts_s = [chop.start_s for chop in create_vocal_chops(samples, RATE_HZ, options, GRID)]
        assert starts_s[0] == pytest.approx(0.1, abs=1e-4)
        assert [after - before for before, after in pairwise(starts_s)] == pytest.approx([step_s] * (len(starts_s) - 1))


def test_cells_that_a_drift_made_too_short_go_on_to_the_next_line() -> None:
    """Beats of the second bar are 0.25 s apart here, too near to each other; none of its hits is lost."""
    grid = BeatGrid(120.0, (GridMarker(0.1, 0.0), GridMarker(2.1, 4.0), GridMarker(3.1, 8.0)), 120.0)
    hits_s = [grid.time_at(beat) + 0.05 for beat in range(10)]
    samples = placed({hit_s: hat(RATE_HZ, np.random.default_rng(2)) for hit_s in hits_s}, 4.5)
    options = ChopOptions(grid=ChopGrid.QUARTER, shortest_s=0.3)
    chops = create_vocal_chops(samples, RATE_HZ, options, grid)
    assert [chop.position.start_beat for chop in chops if chop.position] == [0, 1, 2, 3, 4, 6, 8, 9]
    assert all(any(chop.start_s <= hit_s < chop.end_s for chop in chops) for hit_s in hits_s)
