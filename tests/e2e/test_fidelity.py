"""The fidelity contract (ARCHITECTURE.md, docs/adr/0005) through the whole stack, measured on delivered files.

A few cells only: tests/fidelity has every engine and format, without servers.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from stemhouse.delivery import DeliveryOptions, FileFormat
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import Job, SeparationRequest, SeparationResult
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, INSTRUMENTAL, VOCALS
from tests.e2e.conftest import Stack
from tests.fidelity.figures import NULL_DB, lag_frames, level_db
from tests.fidelity.readers import TAG_PCM, Audio, by_ffmpeg, by_wave, wav_tag
from tests.fidelity.sources import KINDS, Kind
from tests.signals import song

pytestmark = pytest.mark.stack

CASES = [
    ("WAV 24", 22_050, 1),
    ("WAV 24", 44_100, 1),
    ("WAV 24", 44_100, 2),
    ("WAV 24", 96_000, 2),
    ("WAV 16", 96_000, 1),
    ("FLAC 24", 48_000, 2),
    ("AIFF 24", 48_000, 1),
    ("ALAC 16", 22_050, 2),
    ("MP3 CBR", 44_100, 2),
    ("MP3 VBR", 22_050, 1),
    ("AAC", 44_100, 1),
    ("AAC", 48_000, 2),
]
"""No two with the same samples: the second would be answered from the cache."""

LOSSLESS = CASES[:4]


@dataclass(frozen=True)
class Delivery:
    """Delivered stems (channels, frames), their gain against the source, and the job that made them."""

    job: Job
    stems: Mapping[str, Audio]
    gain: float


def kind_named(name: str) -> Kind:
    """A kind of source."""
    return next(kind for kind in KINDS if kind.name == name)


def separate(stack: Stack, source: Path, *, force: bool = False) -> Job:
    """Upload and separate by the starter."""
    client = stack.client
    request = SeparationRequest(client.upload(source), engine="starter", force=force)
    *_, job = client.watch(client.submit(request, uuid.uuid4().hex).job_id)
    return job


def result_of(job: Job) -> SeparationResult:
    """What a job must have."""
    assert job.result is not None, job.error
    return job.result


def separate_and_deliver(stack: Stack, source: Path, output: Path, *, force: bool = False) -> Delivery:
    """As 24-bit WAV of tag 1, instrumental included."""
    job = separate(stack, source, force=force)
    options = DeliveryOptions(stems=(*BASE_STEMS, INSTRUMENTAL))
    folder = stack.client.deliver(result_of(job), options, output).folder
    files = {name: (folder / f"{name}.wav").read_bytes() for name in options.stems}
    assert {wav_tag(data) for data in files.values()} == {TAG_PCM}
    gain = json.loads((folder / "metadata.json").read_text())["delivery"]["gain"]
    return Delivery(job, {name: by_wave(data) for name, data in files.items()}, gain)


def total(stems: Mapping[str, Audio]) -> Audio:
    """The sum of the base stems."""
    first, *others = (stems[name] for name in BASE_STEMS)
    return sum(others, start=first)


@pytest.mark.parametrize(("kind_name", "rate_hz", "channel_count"), CASES)
def test_stems_have_the_shape_of_the_source_and_sum_to_it(
    kind_name: str, rate_hz: int, channel_count: int, stack: Stack, tmp_path: Path, fidelity: list[str]
) -> None:
    """Frames, rate and channels of the source, lag 0, the sum nulls, instrumental = mix - vocals."""
    kind = kind_named(kind_name)
    samples = kind.samples(rate_hz, channel_count)
    source = tmp_path / f"song.{kind.extension}"
    source.write_bytes(kind.encode(samples, rate_hz))
    decoded = kind.decoded(source.read_bytes(), samples)
    delivery = separate_and_deliver(stack, source, tmp_path)
    mixture = delivery.gain * decoded  # some decoded MP3s are above full scale
    stem_set, stems = result_of(delivery.job).stem_set, delivery.stems
    assert {name: stem.shape for name, stem in stems.items()} == dict.fromkeys(stems, samples.shape)
    assert stem_set.audio.format.sample_rate_hz == rate_hz
    null_db = level_db(total(stems) - mixture, mixture)
    instrumental_db = level_db(stems[INSTRUMENTAL] + stems[VOCALS] - mixture, mixture)
    lags = {name: lag_frames(stems[name], mixture) for name in (DRUMS, BASS)}
    fidelity.append(
        f"{kind_name:<8}{rate_hz:>6} Hz  {channel_count} ch  {mixture.shape[1]:>7} frames in and out  "
        f"lag {lags[DRUMS]}, {lags[BASS]}  null {null_db:7.1f} dB  recorded {stem_set.null_depth_db:7.1f} dB"
    )
    assert lags == {DRUMS: 0, BASS: 0}
    assert max(null_db, instrumental_db, stem_set.null_depth_db) <= NULL_DB


@pytest.mark.parametrize(("kind_name", "rate_hz", "channel_count"), LOSSLESS)
def test_half_the_level_in_is_half_the_level_out(
    kind_name: str, rate_hz: int, channel_count: int, stack: Stack, tmp_path: Path
) -> None:
    """No normalisation anywhere; against the level of the mixture."""
    kind = kind_named(kind_name)
    whole, half = tmp_path / "whole.wav", tmp_path / "half.wav"
    mixture = kind.samples(rate_hz, channel_count)
    whole.write_bytes(kind.encode(mixture, rate_hz))
    half.write_bytes(kind.encode(mixture / 2, rate_hz))
    loud = separate_and_deliver(stack, whole, tmp_path).stems
    quiet = separate_and_deliver(stack, half, tmp_path).stems
    for name in BASE_STEMS:
        assert level_db(2 * quiet[name] - loud[name], mixture) <= NULL_DB, name


@pytest.mark.parametrize(("file_format", "kind_name"), [("aiff", "WAV 24"), ("mp3", "MP3 CBR"), ("m4a", "AAC")])
def test_other_formats_hold_the_same_frames(file_format: str, kind_name: str, stack: Stack, tmp_path: Path) -> None:
    """By a decoder that did not write them, at the place and level of the 24-bit WAV."""
    kind = kind_named(kind_name)
    source = tmp_path / f"song.{kind.extension}"
    source.write_bytes(kind.encode(kind.samples(44_100, 2), 44_100))
    delivery = separate_and_deliver(stack, source, tmp_path)
    options = DeliveryOptions(FileFormat(file_format), stems=(DRUMS, BASS))
    folder = stack.client.deliver(result_of(delivery.job), options, tmp_path / file_format).folder
    for name in options.stems:
        found = by_ffmpeg((folder / f"{name}.{file_format}").read_bytes())
        assert found.shape == delivery.stems[name].shape
        assert lag_frames(found, delivery.stems[name]) == 0
        limit_db = -20.0 if options.file_format.is_lossy else NULL_DB
        assert level_db(found - delivery.stems[name], delivery.stems[name]) <= limit_db


def test_rate_that_a_format_lacks_is_refused(stack: Stack, tmp_path: Path) -> None:
    """With the rate and the formats that have it, and nothing written."""
    kind = kind_named("WAV 24")
    source = tmp_path / "song.wav"
    source.write_bytes(kind.encode(kind.samples(96_000, 2), 96_000))
    result = result_of(separate(stack, source))
    with pytest.raises(InvalidRequest, match=r"mp3 .*96000 Hz.* wav, flac, aiff, m4a can"):
        stack.client.deliver(result, DeliveryOptions(FileFormat.MP3), tmp_path / "stems")
    assert not list((tmp_path / "stems").glob("**/*.mp3"))


@pytest.mark.parametrize("channel_count", [1, 2])
def test_same_samples_give_the_same_stems(channel_count: int, stack: Stack, tmp_path: Path) -> None:
    """A forced second separation differs by less than -120 dB."""
    kind = kind_named("WAV 24")
    source = tmp_path / "again.wav"
    source.write_bytes(kind.encode(kind.samples(44_100, channel_count), 44_100))
    first = separate_and_deliver(stack, source, tmp_path / "first")
    again = separate_and_deliver(stack, source, tmp_path / "again", force=True)
    assert result_of(again.job).cache_hit.value == "none"
    for name in BASE_STEMS:
        assert level_db(again.stems[name] - first.stems[name], first.stems[name]) <= -120.0, name


def test_source_above_full_scale_is_not_clipped(stack: Stack, tmp_path: Path) -> None:
    """Float samples up to 1.6 come out in proportion: one common gain, recorded, and the sum still nulls."""
    source = tmp_path / "loud.wav"
    samples = song(3 * 44_100, 44_100) * (1.6 / 0.9)
    soundfile.write(source, samples.T, 44_100, subtype="FLOAT")
    delivery = separate_and_deliver(stack, source, tmp_path)
    mixture = delivery.gain * samples.astype(float)
    assert delivery.gain < 1.0
    assert level_db(total(delivery.stems) - mixture, mixture) <= NULL_DB
    assert max(abs(stem).max() for stem in delivery.stems.values()) < 1.0
