"""Whole analyses of short rendered tracks."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from services.exporter.core.analysis.signals import AnalysisAudio, Signal
from services.exporter.core.analysis.tracks import LONGEST_ANALYSED_S, TrackAnalyzer
from stemhouse.analysis import AnalysisHints, BeatGrid, GridMarker, GridSource, TrackAnalysis
from tests.rendered_tracks import RenderedTrack, Score, render

_RATE_HZ = 22_050
_HOUSE = Score("house", 1, 127.98, "four", lead_in_s=0.4, duration_s=24.0, has_voice=False)
_BREAK = Score("break", 2, 133.0, "break", lead_in_s=0.7, has_pickup=True, duration_s=24.0)
_DRUMMER = Score("drummer", 4, 110.0, "rock", drift="ramp", duration_s=36.0, has_voice=False)


@cache
def _track(score: Score) -> RenderedTrack:
    return render(score)


def _analysis(score: Score, hints: AnalysisHints, *, with_drums: bool = True) -> TrackAnalysis:
    track = _track(score)
    audio = AnalysisAudio(score.sample_rate_hz, track.mix, track.drums if with_drums else None)
    return TrackAnalyzer().analyze(audio, hints)


def _phase_error_s(grid: BeatGrid, track: RenderedTrack) -> float:
    """The median distance of the score's beats from the grid's, which must count them alike."""
    beats_s = [grid.time_at(float(beat)) for beat in range(len(track.beats_s))]
    return float(np.median(np.abs(beats_s - track.beats_s)))


@pytest.mark.parametrize("score", [_HOUSE, _BREAK])
def test_constant_tempo_is_found_to_the_millisecond(score: Score) -> None:
    """Attacks that are minutes apart pin a tempo down, and beat 0 is the first downbeat behind a pickup too."""
    grid = _analysis(score, AnalysisHints()).grid
    assert grid is not None
    assert grid.is_constant
    assert grid.source is GridSource.AUDIO
    assert grid.bpm == pytest.approx(score.bpm, rel=2e-4)
    assert _phase_error_s(grid, _track(score)) < 0.004


def test_drifting_tempo_gets_few_markers_on_downbeats() -> None:
    """A tempo that rises by 8 % is followed within milliseconds, with fewer markers than bars."""
    grid, track = _analysis(_DRUMMER, AnalysisHints()).grid, _track(_DRUMMER)
    assert grid is not None
    assert 3 <= len(grid.markers) < len(track.downbeats_s)
    assert {marker.beat % 4 for marker in grid.markers} == {0.0}
    assert _phase_error_s(grid, track) < 0.008


def test_tempo_that_steps_is_followed_on_both_sides() -> None:
    """A line through the attacks of one half would be off by beats at the end of the other."""
    score = replace(_BREAK, drift="step", has_pickup=False, duration_s=48.0)
    grid, track = _analysis(score, AnalysisHints()).grid, _track(score)
    assert grid is not None
    assert 2 <= len(grid.markers) < len(track.downbeats_s)
    assert _phase_error_s(grid, track) < 0.008
    halves = np.array_split(track.beats_s, 2)
    near = [np.abs([grid.time_at(round(grid.beat_at(beat))) - beat for beat in half]) < 0.03 for half in halves]
    assert min(float(np.mean(part)) for part in near) > 0.7


def test_beats_are_found_in_a_mixture_and_in_any_rate() -> None:
    """Without drums apart, at 44.1 kHz, the beats are the same within milliseconds."""
    score = replace(_HOUSE, sample_rate_hz=44_100, duration_s=16.0)
    grid = _analysis(score, AnalysisHints(), with_drums=False).grid
    assert grid is not None
    assert _phase_error_s(grid, _track(score)) < 0.005


@pytest.mark.parametrize(("hints", "bpm"), [(AnalysisHints(bpm=66.5), 66.5), (AnalysisHints(genre="Techno"), 133.0)])
def test_tag_or_genre_decides_between_a_tempo_and_its_half(hints: AnalysisHints, bpm: float) -> None:
    """The attacks fit both; who tagged the track knows which one is counted."""
    grid = _analysis(_BREAK, hints).grid
    assert grid is not None
    assert grid.bpm == pytest.approx(bpm, rel=2e-4)


def test_tag_is_taken_exactly_where_it_fits_and_does_not_spoil_a_better_fit() -> None:
    """A tag that says what is heard is right; one that is a tenth of a BPM off is not taken for it."""
    right, wrong = (_analysis(_HOUSE, AnalysisHints(bpm=bpm)).grid for bpm in (127.98, 128.1))
    assert right is not None
    assert wrong is not None
    assert (right.bpm, right.source) == (127.98, GridSource.TAG)
    assert wrong.source is GridSource.AUDIO
    assert wrong.bpm == pytest.approx(127.98, rel=2e-4)


def test_grid_of_a_program_wins_while_the_attacks_agree() -> None:
    """Its beats and bars are kept as they are; one between the beats, or of a tempo near by, is passed over."""
    start_s = float(_track(_HOUSE).beats_s[1])
    theirs = BeatGrid(127.98, (GridMarker(start_s, 0.0),), 127.98, source=GridSource.DJ_PROGRAM)
    astray = replace(theirs, markers=(GridMarker(start_s + 0.15, 0.0),))
    assert _analysis(_HOUSE, AnalysisHints(grid=theirs)).grid == theirs
    drifting_away = replace(theirs, bpm=128.15, end_bpm=128.15)
    heard = [_analysis(_HOUSE, AnalysisHints(grid=grid)).grid for grid in (astray, drifting_away)]
    assert [grid and grid.source for grid in heard] == [GridSource.AUDIO] * 2


def test_key_is_named_as_musicians_and_djs_do() -> None:
    """A minor is 8A; a semitone up it is Bb minor, 3A."""
    keys = [_analysis(replace(_HOUSE, tonic=tonic, duration_s=12.0), AnalysisHints()).key for tonic in (9, 10)]
    assert [(key.name, key.camelot) for key in keys if key] == [("Am", "8A"), ("Bbm", "3A")]
    assert all(key and 0 < key.confidence <= 1 for key in keys)


def _noise(seconds: float) -> Signal:
    return np.random.default_rng(3).normal(0, 0.1, round(seconds * _RATE_HZ)).astype(np.float32)


def _clicks(*places: int) -> Signal:
    signal = np.zeros(10 * _RATE_HZ, np.float32)
    signal[list(places)] = 1.0
    return signal


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (lambda: np.zeros(10 * _RATE_HZ, np.float32), "silent"),
        (lambda: np.full(10 * _RATE_HZ, np.nan, np.float32), "silent"),
        (lambda: np.zeros(0, np.float32), "shorter than 6 s"),
        (lambda: _noise(3.0), "shorter than 6 s"),
        (lambda: np.broadcast_to(np.float32(0), round(LONGEST_ANALYSED_S + 1) * _RATE_HZ), "longer than 30 minutes"),
        (lambda: _noise(12.0), "no beat"),
        (lambda: _clicks(1000), "no beat"),
        (lambda: _clicks(0, 40_000, -1), "no beat"),
        (lambda: np.full(10 * _RATE_HZ, 0.5, np.float32), "no beat"),
        (lambda: np.sin(np.arange(10 * _RATE_HZ) / 16).astype(np.float32), "no beat"),
    ],
    ids=["silence", "nan", "empty", "short", "long", "noise", "click", "clicks", "constant", "tone"],
)
def test_what_has_no_beat_gets_no_grid_and_a_note(make: Callable[[], Signal], note: str) -> None:
    """Never an error, never a guess."""
    analysis = TrackAnalyzer().analyze(AnalysisAudio(_RATE_HZ, make()), AnalysisHints(bpm=120.0))
    assert analysis.grid is None
    assert analysis.sections == ()
    assert note in analysis.note


def test_silent_drums_leave_the_mixture() -> None:
    """A drum stem without drums says nothing of the beat."""
    track = _track(_HOUSE)
    silent = AnalysisAudio(_RATE_HZ, track.mix, np.zeros_like(track.mix))
    assert TrackAnalyzer().analyze(silent, AnalysisHints()).grid is not None
