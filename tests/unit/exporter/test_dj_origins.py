"""Grids that count the silence which an MP3 encoder puts before the music."""

from io import BytesIO

import av
import numpy as np
import pytest
from hypothesis import given, strategies as st

from services.exporter.adapters.soxr_downmixer import SoxrDownmixer
from services.exporter.core.analysis.signals import AnalysisAudio
from services.exporter.core.analysis.tracks import TrackAnalyzer
from services.exporter.core.dj.origins import Disagreement, disagreement, moved
from services.exporter.core.keys import key_from_text
from stemhouse.analysis import AnalysisHints, BeatGrid, GridMarker
from stemhouse.dj import DJTrack
from stemhouse.tracks import BeatMarker, Cue, CueKind
from tests.sources import by_ffmpeg, mp3_by_lameenc

RATE_HZ, HEARD_HZ = 44_100, 22_050
BPM, FIRST_S, DURATION_S = 128.0, 0.31, 14.0
BEAT_S = 60.0 / BPM


def drums() -> np.ndarray:
    """Kicks on the beat and hats between, shape (2, frames)."""
    generator = np.random.default_rng(3)
    samples = np.zeros(round(DURATION_S * RATE_HZ), np.float32)
    fall = np.exp(-np.arange(3000) / 400.0)
    kick = np.sin(2 * np.pi * 60 * np.arange(3000) / RATE_HZ + np.pi / 2) * fall
    for beat in range(int((DURATION_S - FIRST_S) / BEAT_S)):
        start = round((FIRST_S + beat * BEAT_S) * RATE_HZ)
        samples[start : start + 3000] += 0.6 * kick[: len(samples) - start]
        samples[start + 10_335 : start + 10_735] += 0.1 * generator.standard_normal(400) * fall[:400]
    return np.stack([samples, samples])


def decoded(mp3: bytes) -> np.ndarray:
    """As a decoder gives it that leaves the encoder's silence out where it is told."""
    with av.open(BytesIO(mp3), "r") as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1).T


def first_kick_frame(samples: np.ndarray) -> int:
    """Where the first loud sample is."""
    return int(np.argmax(np.abs(samples[:, 0]) > 0.2))


def test_26_ms_trap_is_found_and_corrected() -> None:
    """A LAME file whose grid was made where nothing is trimmed: off by LAME's 1105 samples, and then by nothing."""
    mp3 = by_ffmpeg(drums(), "libmp3lame", "mp3", RATE_HZ, options={"b": "320000"})
    # Without its header nobody can know what to trim, which is how the other programs play it.
    late_s = (first_kick_frame(decoded(mp3_by_lameenc(drums()))) - first_kick_frame(decoded(mp3))) / RATE_HZ
    assert late_s == pytest.approx(1105 / RATE_HZ, abs=0.002)
    mono = SoxrDownmixer().mono([decoded(mp3)], RATE_HZ, HEARD_HZ)
    heard = TrackAnalyzer().analyze(AnalysisAudio(HEARD_HZ, mono, mono), AnalysisHints()).grid
    program = DJTrack(
        "a", bpm=BPM, grid=(BeatMarker(FIRST_S + late_s, BPM, 1),), cues=(Cue(CueKind.CUE, 4.06 + late_s),)
    )
    found = disagreement(program.grid, heard, DURATION_S)
    assert found
    assert found.is_of_an_origin
    corrected = moved(program, -found.origin_s(1105 / RATE_HZ))
    assert corrected.grid[0].position_s == pytest.approx(FIRST_S, abs=0.001)
    assert corrected.cues[0].start_s == pytest.approx(4.06, abs=0.001)
    again = disagreement(corrected.grid, heard, DURATION_S)
    assert again
    assert not again.is_of_an_origin


def test_what_was_cut_off_is_what_a_grid_is_moved_by() -> None:
    """Not what was measured, which is as good as the hearing; but where nothing was cut, or something else, it is."""
    cut_s = 1105 / RATE_HZ
    assert Disagreement(0.021).origin_s(cut_s) == cut_s
    assert [Disagreement(late_s).origin_s(cut_s) for late_s in (0.034, -0.025)] == [0.034, -0.025]
    assert Disagreement(0.021).origin_s(0.0) == 0.021


HEARD = BeatGrid(120.0, (GridMarker(0.2, 0.0),), 120.0)


@given(st.sampled_from([60.0, 120.0, 240.0]), st.floats(-0.05, 0.05), st.integers(0, 40))
def test_constant_distance_is_told_at_any_multiple_of_the_tempo(bpm: float, late_s: float, beat: int) -> None:
    """Wherever the grid begins."""
    found = disagreement((BeatMarker(0.2 + late_s + 0.5 * beat, bpm, 1),), HEARD, 60.0)
    assert found
    assert found.late_s == pytest.approx(late_s, abs=1e-6)


def test_grid_that_is_no_other_origin_is_left_alone() -> None:
    """One of another tempo, one that drifts away, one of a few beats; and where no beat was heard."""
    assert disagreement((BeatMarker(0.225, 121.3),), HEARD, 60.0) is None
    assert disagreement((BeatMarker(0.225, 120.0), BeatMarker(30.3, 120.0)), HEARD, 60.0) is None
    assert disagreement((BeatMarker(0.225, 120.0),), HEARD, 5.0) is None
    assert disagreement((BeatMarker(0.225, 120.0),), None, 60.0) is None


def test_nothing_is_moved_before_the_beginning() -> None:
    """A grid begins a beat later then, with the beat of the bar that it has there; cues lie at the beginning."""
    track = DJTrack("a", grid=(BeatMarker(0.01, 120.0, 4),), cues=(Cue(CueKind.LOOP, 0.01, 0.51),))
    early = moved(track, -0.025)
    [marker], [cue] = early.grid, early.cues
    assert (marker.position_s, cue.end_s) == pytest.approx((0.485, 0.485))
    assert (marker.bar_beat, cue.start_s) == (1, 0.0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Fm", "Fm"),
        ("4A", "Fm"),
        ("8b", "C"),
        ("1m", "Am"),
        ("A minor", "Am"),
        ("Ab maj", "Ab"),
        ("H", None),
        ("", None),
    ],
)
def test_key_is_read_in_every_notation(text: str, name: str | None) -> None:
    """Of musicians and of DJs."""
    key = key_from_text(text)
    assert (key.name if key else None) == name
