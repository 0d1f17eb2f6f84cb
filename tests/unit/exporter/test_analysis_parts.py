"""Sections, corners and genres on their own."""

import numpy as np
import pytest

from services.exporter.core.analysis.drifting import drifting_grid
from services.exporter.core.analysis.genres import Tempi
from services.exporter.core.analysis.keys import chroma_of, find_key
from services.exporter.core.analysis.onsets import COARSE_HZ
from services.exporter.core.analysis.pulse import find_pulse
from services.exporter.core.analysis.sections import find_sections
from services.exporter.core.analysis.signals import RATE_HZ, Signal
from stemhouse.analysis import AnalysisHints, BeatGrid, GridMarker

_BAR_S = 2.0
_GRID = BeatGrid(120.0, (GridMarker(0.5, 0.0),), 120.0)


def _parts(*levels: tuple[float, float]) -> Signal:
    """Eight bars each of a low and a high tone at these levels, behind half a second of silence."""
    time_s = np.arange(round(8 * _BAR_S * RATE_HZ)) / RATE_HZ
    tones = [np.sin(2 * np.pi * hertz * time_s) for hertz in (110.0, 3000.0)]
    sound = np.concatenate([low * tones[0] + high * tones[1] for low, high in levels])
    noisy = sound + np.random.default_rng(5).normal(0, 0.01, len(sound))
    return np.concatenate([np.zeros(RATE_HZ // 2), noisy]).astype(np.float32)


def test_parts_begin_on_bars_and_return_under_their_label() -> None:
    """A, B, A: where the sound changes, without gaps from the beginning to the end."""
    signal = _parts((0.5, 0.0), (0.1, 0.3), (0.5, 0.0))
    sections = find_sections(signal, chroma_of(signal), _GRID)
    assert [section.label for section in sections] == ["A", "B", "A"]
    edges_s = [section.start_s for section in sections] + [sections[-1].end_s]
    assert edges_s == pytest.approx([0.0, 16.5, 32.5, 48.5])


def test_one_sound_throughout_has_no_parts() -> None:
    """Nothing begins, so nothing is told."""
    signal = _parts((0.5, 0.1), (0.5, 0.1), (0.5, 0.1))
    assert find_sections(signal, chroma_of(signal), _GRID) == ()


def test_markers_are_where_the_tempo_turns_and_bpm_is_that_of_most_of_the_time() -> None:
    """Forty bars at 120 and ten at 100 need three markers, and two milliseconds of scatter no more."""
    bars_s = np.cumsum([1.0] + [2.0] * 40 + [2.4] * 10)
    scattered_s = bars_s + np.where(np.arange(len(bars_s)) % 2, 0.002, -0.002)
    grid = drifting_grid(scattered_s, 4)
    assert grid is not None
    assert [marker.beat for marker in grid.markers] == [0.0, 160.0, 200.0]
    assert (grid.bpm, grid.end_bpm) == pytest.approx((120.0, 100.0), rel=1e-3)


def test_genre_names_what_is_counted_and_a_tag_goes_before_it() -> None:
    """Half of a drum & bass tempo is unlikely, unless the track is tagged with it."""
    tempi = np.array([87.0, 174.0])
    by_genre = Tempi.of_genre("Liquid Drum & Bass").likelihood(tempi)
    by_tag = Tempi.of_tag(87.0).likelihood(tempi)
    assert by_genre[1] > 10 * by_genre[0]
    assert by_tag[0] > 10 * by_tag[1]


@pytest.mark.parametrize("genre", ["", "House", "Hip-Hop", "Drum & Bass", "Trance", "Ballad"])
@pytest.mark.parametrize("bpm", [87.0, 93.7, 128.0, 174.0])
def test_genre_halves_and_doubles_a_tempo_and_no_more(bpm: float, genre: str) -> None:
    """Beats with quieter ones between: whatever it is called, or tagged with, it gets no two thirds of its tempo."""
    frames = np.arange(round(60 * COARSE_HZ))
    curve = np.zeros(len(frames))
    for share, height in ((0.0, 1.0), (0.5, 0.4), (0.25, 0.15), (0.75, 0.15)):
        phases = (frames / COARSE_HZ * bpm / 60 - share + 0.5) % 1.0 - 0.5
        curve += height * np.exp(-0.5 * (phases / 0.03) ** 2)
    for tag_bpm in (0.0, bpm * 2 / 3, bpm * 4 / 3):
        octaves = np.log2(find_pulse(curve, AnalysisHints(tag_bpm, genre)).bpm / bpm)
        assert octaves == pytest.approx(round(octaves), abs=0.02)


def test_noise_is_in_no_key() -> None:
    """All pitch classes sound alike in it, and chance must not name one."""
    noise = np.random.default_rng(1).normal(0, 0.1, 10 * RATE_HZ).astype(np.float32)
    assert find_key(chroma_of(noise)) is None
