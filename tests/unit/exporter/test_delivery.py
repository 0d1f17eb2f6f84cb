"""StemDelivery over stored integers in memory: every sample, every part, metadata.json."""

import hashlib
import io
import json
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from services.exporter.core.delivery import Part, StemDelivery
from services.exporter.core.parts import FileEnd, FileStart
from services.exporter.core.ports import BLOCK_FRAMES, GridBlock
from services.exporter.core.wav import WavEncoder
from stemhouse.audio import AudioRef, StemQuality
from stemhouse.delivery import DeliveryOptions, DeliveryPlan, FileFormat, SampleFormat
from stemhouse.errors import Cancelled, InvalidRequest
from stemhouse.jobs import SeparationResult
from stemhouse.vocab import BASE_STEMS
from tests.unit.exporter.results import FULL_SCALE, PCM_SHA256, Separated, Units, separated


@dataclass
class MemoryStoredAudio:
    """StoredAudio over arrays; `open_keys` are the streams being read."""

    objects: dict[str, Units]
    open_keys: list[str] = field(default_factory=list)

    def blocks(self, object_key: str, audio: AudioRef) -> Iterator[GridBlock]:
        """See StoredAudio.blocks."""
        samples = self.objects[object_key]
        assert samples.shape == (audio.frame_count, audio.format.channel_count)
        self.open_keys.append(object_key)
        try:
            for start in range(0, len(samples), BLOCK_FRAMES):
                yield samples[start : start + BLOCK_FRAMES].astype(np.int32)
        finally:
            self.open_keys.remove(object_key)


def parts_of(track: Separated, result: SeparationResult | None = None, **options: Any) -> Iterator[Part]:
    """The delivery of a track as WAV."""
    stored = MemoryStoredAudio(track.objects())
    delivery = StemDelivery(stored, {FileFormat.WAV: WavEncoder()}, {"stemhouse": "0.1.0"})
    return delivery.deliver(result or track.result(), DeliveryOptions(**options), lambda: True)


def files_of(parts: Iterator[Part]) -> dict[str, bytes]:
    """Files by name, their sizes and digests checked."""
    assert isinstance(next(parts), DeliveryPlan)
    files = {}
    for start in parts:
        assert isinstance(start, FileStart)
        data = b""
        while isinstance(part := next(parts), bytes):
            assert 0 < len(part) <= 1024 * 1024
            data += part
        assert part == FileEnd(hashlib.sha256(data).hexdigest())
        assert len(data) == start.size_bytes
        files[start.name] = data
    return files


def units_of(wav: bytes, bits: int = 24) -> Units:
    """Integer samples, shape (frames, channels)."""
    samples: npt.NDArray[np.int32] = soundfile.read(io.BytesIO(wav), dtype="int32", always_2d=True)[0]
    return samples.astype(np.int64) >> (32 - bits)


@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize("frame_count", [1, BLOCK_FRAMES, BLOCK_FRAMES + 1])
def test_24_bit_stems_are_the_stored_integers_and_sum_to_the_mix(frame_count: int, channel_count: int) -> None:
    """Sample for sample, across blocks."""
    track = separated(frame_count, channel_count)
    files = files_of(parts_of(track))
    delivered = {stem: units_of(files[f"{stem}.wav"]) for stem in BASE_STEMS}
    assert all((delivered[stem] == track.stems[stem]).all() for stem in BASE_STEMS)
    assert (np.sum(list(delivered.values()), axis=0) == track.mix).all()


@pytest.mark.parametrize(("stem_gain", "mix_gain"), [(1.0, 1.0), (0.25, 0.5), (1.0, 0.25)])
def test_instrumental_and_vocals_are_the_mix(stem_gain: float, mix_gain: float) -> None:
    """Exactly, whatever the gains of the store, since everything fits 24 bits here."""
    track = separated(grid=4, stem_gain=stem_gain, mix_gain=mix_gain)
    files = files_of(parts_of(track, stems=("acapella", "vocals", "instrumental")))
    assert files["acapella.wav"] == files["vocals.wav"]
    assert (units_of(files["instrumental.wav"]) + units_of(files["vocals.wav"]) == track.mix).all()


def test_loud_set_is_delivered_at_one_gain() -> None:
    """Recorded in metadata.json; nothing clips, and no stem is off by more than its own rounding."""
    track = separated(largest=3 * FULL_SCALE, grid=16, stem_gain=0.25, mix_gain=0.0625)
    files = files_of(parts_of(track, stems=(*BASE_STEMS, "instrumental")))
    gain = json.loads(files["metadata.json"])["delivery"]["gain"]
    delivered = {name.removesuffix(".wav"): units_of(data) for name, data in files.items() if name.endswith(".wav")}
    expected = {**track.stems, "instrumental": track.mix - track.stems["vocals"]}
    assert max(np.max(np.abs(units)) for units in delivered.values()) == FULL_SCALE - 1
    for name, units in delivered.items():
        assert np.max(np.abs(units - expected[name] * gain)) <= 0.5


def test_float_is_delivered_at_the_source_scale() -> None:
    """Above full scale, where the store had to lower the set."""
    track = separated(largest=3 * FULL_SCALE, grid=4, stem_gain=0.25, mix_gain=0.0625)
    files = files_of(parts_of(track, sample_format=SampleFormat.FLOAT32))
    for stem in BASE_STEMS:
        samples, _ = soundfile.read(io.BytesIO(files[f"{stem}.wav"]), dtype="float64", always_2d=True)
        assert (samples * FULL_SCALE == track.stems[stem]).all()


def test_16_bits_are_half_a_step_away_at_most() -> None:
    """Rounded, without dither."""
    track = separated()
    files = files_of(parts_of(track, sample_format=SampleFormat.PCM16))
    for stem in BASE_STEMS:
        with wave.open(io.BytesIO(files[f"{stem}.wav"])) as reader:
            samples = np.frombuffer(reader.readframes(1000), "<i2").reshape(-1, 2)
        assert np.max(np.abs(samples * 256.0 - track.stems[stem])) <= 128


def test_equal_requests_give_equal_bytes() -> None:
    """No clock, no chance: what is equal can be told to be equal."""
    track = separated()
    assert list(parts_of(track)) == list(parts_of(track))


def test_plan_comes_first_and_names_the_files_in_order() -> None:
    """Without metadata.json, which comes last."""
    parts = list(parts_of(separated()))
    plan = parts[0]
    assert isinstance(plan, DeliveryPlan)
    started = [part.name for part in parts if isinstance(part, FileStart)]
    assert started == [*plan.file_names, "metadata.json"]


def test_metadata_tells_all() -> None:
    """Every section, with the files as they were sent."""
    files = files_of(parts_of(separated()))
    text = files.pop("metadata.json").decode()
    told = json.loads(text)
    assert text.endswith("}\n")
    assert "Björk" in text
    assert told["schema"] == 1
    assert told["source"] == {
        "sha256": "a" * 64,
        "md5": "0123456789abcdef" * 2,
        "size_bytes": 5_000_000_000,
        "file_name": "Somebody - Something.wav",
        "container": "wav",
        "codec": "pcm_s16le",
        "bits_per_sample": 16,
        "decoder": "libsndfile 1.2.2",
        "trimmed_lead_frames": 0,
        "artist": "Björk",
        "title": "Jóga",
        "damage": "",
        "trimmed_tail_frames": 0,
        "timing_note": "",
        "bpm": 124.0,
        "genre": "Pop",
    }
    assert told["separation"] == {
        "engine": "starter",
        "model": "tiny",
        "engine_id": "starter-tiny-00000000",
        "device": "cpu",
        "batch_segments": 2,
        "processing_s": 1.25,
        "cache_hit": "pcm",
        "decision_reasons": ["no model is present", "so the starter it is"],
        "fallback_engine_ids": ["demucs-1"],
        "cloud_minutes": 0.0,
    }
    (attempt,) = told["attempts"]
    assert (attempt["engine"], attempt["is_accepted"], attempt["note"]) == ("demucs", False, "It bled.")
    assert attempt["quality"]["stems"][0]["estimated_si_sdr_db"] == 3.5
    assert told["quality"]["method"] == "si_sdr"
    assert told["quality"]["stems"] == [asdict(StemQuality("vocals", "measured", 7.5, 8.0))]
    assert told["fidelity"]["frame_count"] == 1000
    assert told["fidelity"]["null_depth_db"] == -144.5
    assert told["objects"]["stems"]["bass"] == f"results/{PCM_SHA256}/starter-tiny-00000000/bass.flac"
    assert told["tool_versions"] == {"separator": {"torch": "2.13.0"}, "exporter": {"stemhouse": "0.1.0"}}
    assert told["delivery"]["sample_format"] == "24"
    assert told["files"] == [
        {
            "name": name,
            "stem": name.removesuffix(".wav"),
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for name, data in files.items()
    ]


def test_codec_without_bits_has_null() -> None:
    """0 bits per sample would be a lie."""
    track = separated()
    result = track.result()
    files = files_of(parts_of(track, replace(result, facts=replace(result.facts, bits_per_sample=0))))
    assert json.loads(files["metadata.json"])["source"]["bits_per_sample"] is None


@pytest.mark.parametrize("place", ["null_depth_db", "processing_s", "quality"])
def test_figure_that_is_not_finite_is_refused_before_the_plan(place: str) -> None:
    """No reader of JSON takes NaN, and the client shall not learn it after gigabytes."""
    track = separated()
    result = track.result()
    if place == "quality":
        scores = (StemQuality("vocals", "measured", float("inf")),)
        result = replace(result, quality=replace(result.quality, stems=scores))
    else:
        result = track.result(**{place: float("nan")})
    with pytest.raises(InvalidRequest, match="not finite"):
        next(parts_of(track, result))


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("vocals", {"object_key": f"sources/{'a' * 64}"}),
        ("vocals", {"object_key": f"results/{'d' * 64}/starter-tiny-00000000/vocals.flac"}),
        ("vocals", {"object_key": f"results/{PCM_SHA256}/other-engine/vocals.flac"}),
        ("vocals", {"object_key": f"results/{PCM_SHA256}/starter-tiny-00000000/bass.flac"}),
        ("bass", {"name": "vocals"}),
        ("audio", {"object_key": f"audio/{'d' * 64}.flac"}),
        ("audio", {"pcm_sha256": "d" * 64}),
    ],
)
def test_objects_of_others_are_refused_before_the_plan(place: str, changes: dict[str, Any]) -> None:
    """A result comes from a client: it names where separators write its own objects, or nothing is read."""
    track = separated()
    stem_set = track.result().stem_set
    stems = tuple(replace(stem, **changes) if stem.name == place else stem for stem in stem_set.stems)
    audio = replace(stem_set.audio, **changes) if place == "audio" else stem_set.audio
    with pytest.raises(InvalidRequest, match=r"stem_set\.\w+ is"):
        next(parts_of(track, track.result(stems=stems, audio=audio)))


def test_delivery_stops_within_a_block_when_nobody_listens() -> None:
    """The stored stream is closed as well."""
    track = separated(4 * BLOCK_FRAMES, 1)
    stored = MemoryStoredAudio(track.objects())
    delivery = StemDelivery(stored, {FileFormat.WAV: WavEncoder()}, {})
    calls = count()
    received: list[Part] = []
    with pytest.raises(Cancelled):
        received.extend(delivery.deliver(track.result(), DeliveryOptions(), lambda: next(calls) < 2))
    assert next(calls) == 3
    assert stored.open_keys == []


def test_abandoned_delivery_closes_what_it_reads() -> None:
    """A client may stop after the plan, or in the middle of a file."""
    track = separated(2 * BLOCK_FRAMES, 1)
    stored = MemoryStoredAudio(track.objects())
    delivery = StemDelivery(stored, {FileFormat.WAV: WavEncoder()}, {})
    parts = delivery.deliver(track.result(), DeliveryOptions(stems=("instrumental",)), lambda: True)
    for _ in range(4):
        next(parts)
    stem_set = track.result().stem_set
    assert stored.open_keys == [stem_set.audio.object_key, stem_set.stems[0].object_key]
    del parts
    assert stored.open_keys == []
