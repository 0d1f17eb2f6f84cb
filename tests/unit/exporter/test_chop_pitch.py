"""The pitch of a chop is named where it is clear, and nowhere else."""

import numpy as np
import pytest

from services.exporter.core.remix.pitch import clear_pitch
from tests.rendered_sounds import Samples, hat, kick, pad, snare, voice
from tests.unit.exporter.sung import RATE_HZ

RANDOM = np.random.default_rng(11)


def tone(frequency_hz: float) -> Samples:
    """With overtones, and out of tune with nothing."""
    phase = frequency_hz * np.arange(RATE_HZ // 2) / RATE_HZ % 1.0
    return (0.5 * (2 * phase - 1)).astype(np.float32)


@pytest.mark.parametrize("length_s", [0.12, 0.5])
def test_notes_of_voices_are_named(length_s: float) -> None:
    """From a low bass to a high soprano; C4 is middle C."""
    for note in range(38, 83, 4):
        pitch = clear_pitch(voice(note, length_s, RATE_HZ, RANDOM)[:, np.newaxis], RATE_HZ)
        assert pitch is not None
        assert pitch.midi_note == note
        assert abs(pitch.cents) < 25
    middle_c = clear_pitch(tone(261.6)[:, np.newaxis], RATE_HZ)
    assert middle_c is not None
    assert middle_c.name == "C4"


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(kick(RATE_HZ, RANDOM), id="kick"),
        pytest.param(snare(RATE_HZ, RANDOM), id="snare"),
        pytest.param(hat(RATE_HZ, RANDOM), id="hat"),
        pytest.param(pad([48, 52, 55, 59], 0.8, RATE_HZ, 0.6, RANDOM), id="seventh chord"),
        pytest.param(pad([60, 64, 67], 0.6, RATE_HZ, 0.5, RANDOM), id="triad, which repeats two octaves lower"),
        pytest.param(voice(57, 0.6, RATE_HZ, RANDOM) + voice(64, 0.6, RATE_HZ, RANDOM), id="two voices a fifth apart"),
        pytest.param(tone(50.0), id="below all voices"),
        pytest.param(tone(1500.0), id="above all voices"),
        pytest.param(RANDOM.normal(0, 0.1, RATE_HZ // 2).astype(np.float32), id="noise"),
        pytest.param(np.zeros(RATE_HZ // 2, dtype=np.float32), id="silence"),
        pytest.param(tone(200.0)[:2000], id="too short to tell"),
    ],
)
def test_other_sounds_have_no_pitch(sound: Samples) -> None:
    """Rather none than a wrong one."""
    assert clear_pitch(sound[:, np.newaxis], RATE_HZ) is None
