"""The fidelity contract (ARCHITECTURE.md, docs/adr/0005) through the whole stack, measured on delivered files."""

import json
import struct
import uuid
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from scipy.signal import correlate

from stemhouse.delivery import DeliveryOptions
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, INSTRUMENTAL, VOCALS
from tests.e2e.conftest import Stack
from tests.signals import song

Audio = npt.NDArray[np.float64]

pytestmark = pytest.mark.stack

ALL_RATES_HZ = (22_050, 44_100, 48_000, 96_000)
RATES_HZ = {"WAV": ALL_RATES_HZ, "FLAC": ALL_RATES_HZ, "MP3": ALL_RATES_HZ[:3]}
CASES = [(kind, rate_hz, channels) for kind, rates in RATES_HZ.items() for rate_hz in rates for channels in (1, 2)]
LOSSLESS = [("WAV", 22_050, 1), ("WAV", 44_100, 1), ("WAV", 44_100, 2), ("WAV", 96_000, 2)]

_PCM_TAG = 1
_NULL_DB = -90.0
_LARGEST_LAG_FRAMES = 2000


@dataclass(frozen=True)
class Delivery:
    """Delivered stems as float64 (channels, frames), their gain against the source, and the job that made them."""

    job: Job
    stems: dict[str, Audio]
    gain: float


def write_source(path: Path, kind: str, rate_hz: int, channel_count: int, level: float = 1.0) -> Audio:
    """Write a short song, of its own for each kind of file, and give what libsndfile reads back."""
    samples = level * song(2 * rate_hz + 345, rate_hz, channel_count, seed=sum(kind.encode()))
    subtype = "MPEG_LAYER_III" if kind == "MP3" else "PCM_24"
    soundfile.write(path, samples.T, rate_hz, format=kind, subtype=subtype)
    return np.ascontiguousarray(soundfile.read(path, always_2d=True)[0].T)


def separate(stack: Stack, source: Path, output: Path, *, force: bool = False) -> Delivery:
    """Upload, separate, deliver as 24-bit WAV, instrumental included."""
    client = stack.client
    request = SeparationRequest(client.upload(source), engine="starter", force=force)
    *_, job = client.watch(client.submit(request, uuid.uuid4().hex).job_id)
    assert job.result is not None, job.error
    options = DeliveryOptions(stems=(*BASE_STEMS, INSTRUMENTAL))
    folder = client.deliver(job.result, options, output).folder
    gain = json.loads((folder / "metadata.json").read_text())["delivery"]["gain"]
    return Delivery(job, {name: read_pcm24(folder / f"{name}.wav") for name in options.stems}, gain)


def read_pcm24(path: Path) -> Audio:
    """A 24-bit WAV by Python's own reader, which takes nothing but plain PCM."""
    assert struct.unpack_from("<H", path.read_bytes(), 20) == (_PCM_TAG,)
    with wave.open(str(path)) as reader:
        assert reader.getsampwidth() == 3
        raw = np.frombuffer(reader.readframes(reader.getnframes()), np.uint8).reshape(-1, reader.getnchannels(), 3)
    wide = np.zeros((*raw.shape[:2], 4), np.uint8)
    wide[..., 1:] = raw
    return (wide.view("<i4")[..., 0] / 2.0**31).T


def level_db(difference: Audio, reference: Audio) -> float:
    """20 log10 of rms(difference) / rms(reference), floored at -200."""
    return float(20 * np.log10(max(np.sqrt(np.mean(difference**2) / np.mean(reference**2)), 1e-10)))


def lag_frames(stem: Audio, mixture: Audio) -> int:
    """Where the stem correlates best with the mixture, in frames."""
    length = stem.shape[1]
    correlation = correlate(stem.mean(axis=0), mixture.mean(axis=0), method="fft")
    around_zero = correlation[length - 1 - _LARGEST_LAG_FRAMES : length + _LARGEST_LAG_FRAMES]
    return int(np.argmax(around_zero)) - _LARGEST_LAG_FRAMES


@pytest.mark.parametrize(("kind", "rate_hz", "channel_count"), CASES)
def test_stems_have_the_shape_of_the_source_and_sum_to_it(
    kind: str, rate_hz: int, channel_count: int, stack: Stack, tmp_path: Path, fidelity: list[str]
) -> None:
    """Frames, rate and channels of the source, lag 0, the sum nulls, instrumental = mix - vocals."""
    source = tmp_path / f"{rate_hz}-{channel_count}.{kind.lower()}"
    decoded = write_source(source, kind, rate_hz, channel_count)
    delivery = separate(stack, source, tmp_path)
    mixture = delivery.gain * decoded  # some decoded MP3s are above full scale
    result, stems = delivery.job.result, delivery.stems
    assert result is not None
    shapes = {name: stem.shape for name, stem in stems.items()}
    assert shapes == dict.fromkeys(stems, mixture.shape)
    assert result.stem_set.audio.format.sample_rate_hz == rate_hz
    null_db = level_db(sum(stems[name] for name in BASE_STEMS) - mixture, mixture)
    instrumental_db = level_db(stems[INSTRUMENTAL] + stems[VOCALS] - mixture, mixture)
    lags = {name: lag_frames(stems[name], mixture) for name in (DRUMS, BASS)}
    fidelity.append(
        f"{kind:<5}{rate_hz:>6} Hz  {channel_count} ch  {mixture.shape[1]:>7} frames in and out  "
        f"lag {lags[DRUMS]}, {lags[BASS]}  null {null_db:7.1f} dB  recorded {result.stem_set.null_depth_db:7.1f} dB"
    )
    assert lags == {DRUMS: 0, BASS: 0}
    assert null_db <= _NULL_DB
    assert instrumental_db <= _NULL_DB
    assert result.stem_set.null_depth_db <= _NULL_DB


@pytest.mark.parametrize(("kind", "rate_hz", "channel_count"), LOSSLESS)
def test_half_the_level_in_is_half_the_level_out(
    kind: str, rate_hz: int, channel_count: int, stack: Stack, tmp_path: Path
) -> None:
    """No normalisation anywhere; a lossy encoder would make other samples, so lossless sources only.

    Against the level of the mixture: the half source is rounded to 24 bits of its own, which in a stem that is nearly
    silent is more than -90 dB of that stem.
    """
    whole, half = tmp_path / "whole.wav", tmp_path / "half.wav"
    mixture = write_source(whole, kind, rate_hz, channel_count, 0.8)
    write_source(half, kind, rate_hz, channel_count, 0.4)
    loud = separate(stack, whole, tmp_path).stems
    quiet = separate(stack, half, tmp_path).stems
    for name in BASE_STEMS:
        assert level_db(2 * quiet[name] - loud[name], mixture) <= _NULL_DB, name


@pytest.mark.parametrize("channel_count", [1, 2])
def test_same_samples_give_the_same_stems(channel_count: int, stack: Stack, tmp_path: Path) -> None:
    """A forced second separation differs by less than -120 dB."""
    source = tmp_path / "again.wav"
    write_source(source, "WAV", 44_100, channel_count, 0.7)
    first = separate(stack, source, tmp_path / "first")
    again = separate(stack, source, tmp_path / "again", force=True)
    assert again.job.result is not None
    assert again.job.result.cache_hit.value == "none"
    for name in BASE_STEMS:
        assert level_db(again.stems[name] - first.stems[name], first.stems[name]) <= -120.0, name


def test_source_above_full_scale_is_not_clipped(stack: Stack, tmp_path: Path) -> None:
    """Float samples up to 1.6 come out in proportion: one common gain, recorded, and the sum still nulls."""
    source = tmp_path / "loud.wav"
    samples = (song(3 * 44_100, 44_100) * (1.6 / 0.9)).T
    soundfile.write(source, samples, 44_100, subtype="FLOAT")
    delivery = separate(stack, source, tmp_path)
    mixture = delivery.gain * samples.T.astype(np.float64)
    assert delivery.gain < 1.0
    assert level_db(sum(delivery.stems[name] for name in BASE_STEMS) - mixture, mixture) <= _NULL_DB
    assert max(np.max(np.abs(stem)) for stem in delivery.stems.values()) < 1.0
