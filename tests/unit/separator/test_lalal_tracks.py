"""Tracks that come back late, short, or at another rate: they are paid for, and used if they can be."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.separator.adapters.lalal.tracks import ReturnedTracks, most_bytes
from services.separator.core.ports import Block, PcmBlock, Span
from stemhouse.audio import AudioFormat, AudioRef
from stemhouse.errors import UnreadableAudio

RATE_HZ = 16_000
SHARES = {"vocals": 0.25, "other": 0.75}


def tones(rate_hz: int, begin_s: float = 0.0) -> Block:
    """A second of chirping stereo that every rate here can hold, silent at its ends."""
    time_s = np.arange(rate_hz) / rate_hz - begin_s
    chirp = (
        0.5
        * np.sin(2 * np.pi * (300 * time_s + 700 * time_s**2))
        * np.sin(np.pi * np.clip(1.25 * time_s - 0.125, 0, 1))
    )
    return np.stack([chirp, 0.8 * chirp]).astype(np.float32)


class StoredTones:
    """StoredPcm of what was sent, at half of its level."""

    def __init__(self, samples: Block) -> None:
        self._pcm: PcmBlock = np.round(samples * 2**22).astype(np.int32)

    def blocks(self) -> Iterator[PcmBlock]:
        """See PcmFile.blocks."""
        yield self._pcm[:, :5000]
        yield self._pcm[:, 5000:]

    def excerpts(self, spans: Sequence[Span]) -> Iterator[PcmBlock]:
        """See StoredPcm.excerpts."""
        return (self._pcm[:, first:end] for first, end in spans)


def returned(folder: Path, samples: Block, rate_hz: int) -> ReturnedTracks:
    """Stems of those samples, at half of their level as they were sent."""
    paths = {stem: folder / stem for stem in SHARES}
    for stem, path in paths.items():
        soundfile.write(path, 0.5 * SHARES[stem] * samples.T, rate_hz, "FLOAT", format="WAV")
    audio = AudioRef("audio/tones.flac", "a" * 64, AudioFormat(RATE_HZ, 2), RATE_HZ, gain=0.5)
    return ReturnedTracks(paths, audio, StoredTones(tones(RATE_HZ)))


@pytest.mark.parametrize(
    ("rate_hz", "lag_s"), [(RATE_HZ, 0.0), (RATE_HZ, 0.02), (RATE_HZ, -0.02), (44_100, 0.0), (11_025, 0.0)]
)
def test_stems_are_in_their_place_at_our_rate(tmp_path: Path, rate_hz: int, lag_s: float) -> None:
    """As many frames as the source has, at its own level."""
    tracks = returned(tmp_path, tones(rate_hz, lag_s), rate_hz)
    vocals = np.concatenate([block["vocals"] for block in tracks.blocks()], axis=1)
    assert vocals.shape == (2, RATE_HZ)
    assert np.abs(vocals - 0.25 * tones(RATE_HZ)).max() < 1e-4


@pytest.mark.parametrize(
    ("samples", "rate_hz", "text"),
    [
        (tones(RATE_HZ)[:1], RATE_HZ, "1 channels"),
        (tones(RATE_HZ), 100, "at 100 Hz"),
        (tones(RATE_HZ)[:, :12_000], RATE_HZ, "0.2 s too short"),
        (tones(44_100)[:, :33_000], 44_100, "0.3 s too short"),
        (tones(RATE_HZ)[:, ::-1], RATE_HZ, "not in the track"),
    ],
)
def test_what_is_not_the_track_is_not_taken(tmp_path: Path, samples: Block, rate_hz: int, text: str) -> None:
    """By its shape, or by its sound."""
    with pytest.raises(UnreadableAudio, match=text):
        returned(tmp_path, samples, rate_hz)


def test_stems_of_a_slow_source_may_come_at_a_usual_rate() -> None:
    """The limit of a download leaves room for it."""
    audio = AudioRef("audio/tones.flac", "a" * 64, AudioFormat(8000, 1), 60 * 8000)
    assert most_bytes(audio) > 60 * 48_000 * 2 * 4
