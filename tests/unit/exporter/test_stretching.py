"""Stems that are made longer or shorter, together."""

from collections.abc import Iterator

import numpy as np
import pytest

from services.exporter.adapters.signalsmith import SignalsmithStretcher
from services.exporter.core.ports import BLOCK_FRAMES
from services.exporter.core.remix import stretching
from services.exporter.core.remix.ports import FloatBlock
from services.exporter.core.remix.stretching import StemRemixer
from stemhouse.errors import InvalidRequest

RATE_HZ = 44_100
REMIXER = StemRemixer(SignalsmithStretcher())


def noise(frame_count: int, seed: int = 0, channel_count: int = 2) -> FloatBlock:
    """At a tenth of full scale."""
    return np.random.default_rng(seed).normal(0.0, 0.1, (frame_count, channel_count)).astype(np.float32)


def blocks(samples: FloatBlock) -> Iterator[FloatBlock]:
    """As everywhere in the exporter."""
    for start in range(0, len(samples), BLOCK_FRAMES):
        yield samples[start : start + BLOCK_FRAMES]


@pytest.mark.parametrize("ratio", [0.5, 0.77, 1.0, 1.25, 2.0])
@pytest.mark.parametrize(("frame_count", "channel_count"), [(1, 1), (30_011, 2)])
def test_length_is_exact(ratio: float, frame_count: int, channel_count: int) -> None:
    """To the frame, from one frame on."""
    stretched = REMIXER.time_stretch_stem(noise(frame_count, 0, channel_count), RATE_HZ, ratio)
    assert stretched.shape == (round(frame_count * ratio), channel_count)
    assert np.isfinite(stretched).all()


@pytest.mark.parametrize("ratio", [0.77, 1.25])
def test_clicks_come_at_their_time(ratio: float) -> None:
    """Within 2 ms of the ratio times the time at which they were."""
    times_s = np.array([0.5, 1.0, 2.25, 3.4])
    samples = np.zeros((4 * RATE_HZ, 1), np.float32)
    samples[(times_s * RATE_HZ).astype(int)] = 0.9
    loud = np.abs(REMIXER.time_stretch_stem(samples, RATE_HZ, ratio)[:, 0])
    for time_s in times_s * ratio:
        near = slice(round((time_s - 0.1) * RATE_HZ), round((time_s + 0.1) * RATE_HZ))
        assert abs(np.argmax(loud[near]) / RATE_HZ - 0.1) <= 0.002


@pytest.mark.parametrize("piece_samples", [stretching.PIECE_SAMPLES, 2**18])
def test_stems_still_sum(monkeypatch: pytest.MonkeyPatch, piece_samples: int) -> None:
    """To what their sum has become, also where the track is stretched in pieces."""
    monkeypatch.setattr(stretching, "PIECE_SAMPLES", piece_samples)
    monkeypatch.setattr(stretching, "SHORTEST_PIECE_S", 4.0)
    one, other = noise(9 * RATE_HZ, 1), noise(9 * RATE_HZ, 2)
    streams = {"one": blocks(one), "other": blocks(other), "mix": blocks(one + other)}
    given = list(REMIXER.stretch_stems(streams, RATE_HZ, 1.25))
    stems = {name: np.concatenate([part[name] for part in given]) for name in streams}
    assert len(stems["mix"]) == round(9 * RATE_HZ * 1.25)
    error = stems["one"] + stems["other"] - stems["mix"]
    assert 20 * np.log10(np.sqrt(np.mean(error**2) / np.mean(stems["mix"] ** 2))) <= -100.0


def test_nothing_happens_at_a_ratio_of_one() -> None:
    """Nor to silence at any other."""
    samples = noise(100_000)
    assert np.array_equal(REMIXER.time_stretch_stem(samples, RATE_HZ, 1.0), samples)
    assert not REMIXER.time_stretch_stem(np.zeros((5000, 2), np.float32), RATE_HZ, 1.5).any()


@pytest.mark.parametrize("ratio", [0.49, 2.01, float("nan"), float("inf"), -1.0])
def test_ratio_must_be_within_bounds(ratio: float) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidRequest, match="ratio"):
        REMIXER.time_stretch_stem(noise(100), RATE_HZ, ratio)
