"""Separation: the stems sum to the mix, nothing clips, nothing half-made is ever visible."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.separator.core.ports import Block, Mixture, StemBlocks, TaskControl
from services.separator.core.results import (
    SeparateTask,
    find_result,
    manifest_from_stem_set,
    stem_set_from_manifest,
)
from stemhouse.audio import AudioFormat
from stemhouse.errors import Cancelled, InternalFault, InvalidRequest, NotFound, ResultGone
from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS
from tests.fakes_separator import SHARES, FakeEngine, SeparatorHouse
from tests.signals import noise, song


@pytest.fixture
def house(tmp_path: Path) -> SeparatorHouse:
    """A store and a scratch folder."""
    return SeparatorHouse(tmp_path)


@pytest.mark.parametrize("sample_rate_hz", [22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize("block_frames", [777, 150_000])
def test_stems_sum_to_the_mix_exactly(
    house: SeparatorHouse, sample_rate_hz: int, channel_count: int, block_frames: int
) -> None:
    """Integer by integer, with the source's frames, whatever blocks the engine likes."""
    audio = house.audio(song(100_003, sample_rate_hz, channel_count), sample_rate_hz)
    stem_set = house.separate(audio, FakeEngine(audio_format=audio.format, block_frames=block_frames))
    stems = house.stems(stem_set)
    assert {block.shape for block in stems.values()} == {(channel_count, 100_003)}
    assert np.array_equal(sum(stems.values()), house.integers(audio.object_key))
    assert (stem_set.null_depth_db, stem_set.gain, stem_set.sums_to_mix) == (-200.0, 1.0, True)


def test_stems_are_those_of_the_engine(house: SeparatorHouse) -> None:
    """Lag 0 and to within half a step, but for `other`, which takes the rest of the mix."""
    audio = house.audio(song(60_000, 44100))
    stem_set = house.separate(audio, FakeEngine())
    mix, stems = house.integers(audio.object_key), house.stems(stem_set)
    rest = 1 - SHARES[VOCALS] - SHARES[DRUMS] - SHARES[BASS]
    for stem, share in {**SHARES, OTHER: rest}.items():
        assert np.abs(stems[stem] - share * mix).max() <= 2.0
    vocals = stem_set.stem(VOCALS)
    assert vocals is not None
    assert vocals.peak == np.abs(stems[VOCALS]).max() / 2**23
    assert stem_set.instrumental_peak == np.abs(mix - stems[VOCALS]).max() / 2**23


def test_raw_result_keeps_the_other_of_the_engine(house: SeparatorHouse) -> None:
    """Under a name of its own, with a null depth that tells what is missing: 2 % of the mix."""
    audio = house.audio(song(60_000, 44100))
    stem_set = house.separate(audio, FakeEngine(), raw=True)
    assert stem_set.engine_id == "fake-shares-1-raw"
    assert all("fake-shares-1-raw" in stem.object_key for stem in stem_set.stems)
    assert np.abs(house.stems(stem_set)[OTHER] - SHARES[OTHER] * house.integers(audio.object_key)).max() <= 1.0
    assert stem_set.null_depth_db == pytest.approx(20 * np.log10(1 - sum(SHARES.values())), abs=0.01)
    assert not stem_set.sums_to_mix


def test_loud_stems_are_lowered_together_and_nothing_clips(house: SeparatorHouse) -> None:
    """An engine that gives 2.6 times the mix to vocals, and so -2.1 times to other."""
    audio = house.audio(song(60_000, 44100))
    engine = FakeEngine({VOCALS: 2.6, DRUMS: 0.4, BASS: 0.1, OTHER: 0.0})
    stem_set = house.separate(audio, engine)
    mix, stems = house.integers(audio.object_key), house.stems(stem_set)
    vocals = stem_set.stem(VOCALS)
    assert vocals is not None
    assert stem_set.gain == 0.25
    assert vocals.peak == pytest.approx(2.6 * 0.9, rel=1e-6)
    assert np.abs(stems[VOCALS] * 4 - 2.6 * mix).max() <= 4.0
    assert np.abs(stems[OTHER] * 4 + 2.1 * mix).max() <= 6.0
    assert -200 < stem_set.null_depth_db <= -90


def test_loud_float_source_is_heard_on_its_own_scale(house: SeparatorHouse) -> None:
    """The mix is stored at half its level; the engine hears 1.7, the peaks say 1.7, the stems have the same gain."""
    audio = house.audio(song(60_000, 44100) / np.float32(0.9) * np.float32(1.7), subtype="FLOAT")
    heard: list[float] = []

    class Listening(FakeEngine):
        def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
            heard.extend(float(np.abs(block).max()) for block in mixture.blocks())
            return super().separate(mixture)

    stem_set = house.separate(audio, Listening({VOCALS: 0.25, OTHER: 0.0}))
    mix, stems = house.integers(audio.object_key), house.stems(stem_set)
    vocals = stem_set.stem(VOCALS)
    assert vocals is not None
    assert max(heard) == pytest.approx(1.7, abs=1e-6)
    assert (vocals.peak, stem_set.instrumental_peak) == pytest.approx((1.7 / 4, 1.7 * 3 / 4), abs=1e-6)
    assert stem_set.gain == audio.gain == 0.5
    assert np.abs(stems[VOCALS] - mix / 4).max() <= 0.5
    assert np.array_equal(stems[VOCALS] + stems[OTHER], mix)


def test_negative_full_scale_needs_no_gain(house: SeparatorHouse) -> None:
    """Masters that touch -1.0 are common, and 24 bits hold it."""
    samples = noise(5000)
    samples[0, 100] = -1.0
    audio = house.audio(samples)
    stem_set = house.separate(audio, FakeEngine({VOCALS: 0.0, OTHER: 1.0}))
    assert stem_set.gain == 1.0
    assert np.array_equal(house.stems(stem_set)[OTHER], house.integers(audio.object_key))


def test_silence_has_a_finite_null_depth(house: SeparatorHouse) -> None:
    """No division by nothing."""
    stem_set = house.separate(house.audio(np.zeros((2, 5000))), FakeEngine())
    assert (stem_set.null_depth_db, stem_set.gain, stem_set.instrumental_peak) == (-200.0, 1.0, 0.0)


def test_manifest_tells_all_and_is_read_back(house: SeparatorHouse) -> None:
    """The stored JSON is the same value; the time is that of the clock; progress ends at 1."""
    audio = house.audio(song(60_000, 44100))
    shares: list[float] = []
    stem_set = house.separate(audio, FakeEngine(), TaskControl(lambda: False, shares.append))
    assert find_result(house.store, SeparateTask(audio, "fake-shares-1")) == stem_set
    assert stem_set_from_manifest(manifest_from_stem_set(stem_set), "here") == stem_set
    assert (stem_set.processing_s, stem_set.versions, stem_set.device) == (1, {"engine": "1.0"}, "cpu")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_manifest_of_before_vocals_were_counted_is_read(house: SeparatorHouse) -> None:
    """It lacks the field; the result counts, and nobody knows how much of it is sung."""
    audio = house.audio(song(20_000, 44100))
    stem_set = house.separate(audio, FakeEngine())
    task = SeparateTask(audio, "fake-shares-1")
    older = json.loads(b"".join(house.store.read(task.manifest_key)))
    assert older.pop("vocal_share") == stem_set.vocal_share
    house.store.put(task.manifest_key, io.BytesIO(json.dumps(older).encode()))
    assert find_result(house.store, task) == replace(stem_set, vocal_share=None)


@pytest.mark.parametrize(("level", "vocal_share"), [(0.2, 4 / 9), (0.15, 0.0)])
@pytest.mark.parametrize("block_frames", [777, 150_000])
def test_share_of_vocals_is_that_of_heard_half_seconds(
    house: SeparatorHouse, level: float, vocal_share: float, block_frames: int
) -> None:
    """Of ten, the last of them shorter: one is silent, one nearly, and in five there are no vocals, or too little."""
    samples = noise(38_000, peak=1.5)
    samples[:, :4_000] *= 1e-4
    samples[:, 4_000:8_000] *= 5e-3  # -47 dB, and -53 dB as it is stored

    class Late(FakeEngine):
        def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
            passed_frames = 0
            for stems in super().separate(mixture):
                place = passed_frames + np.arange(stems[VOCALS].shape[1])
                passed_frames += stems[VOCALS].shape[1]
                yield {**stems, VOCALS: stems[VOCALS] * (place >= 22_000)}

    audio = house.audio(samples, 8_000, subtype="FLOAT")
    engine = Late({VOCALS: level, OTHER: 0.5}, audio.format, block_frames=block_frames)
    assert audio.gain == 0.5
    assert house.separate(audio, engine).vocal_share == pytest.approx(vocal_share)


def test_share_of_vocals_is_unknown_without_their_stem(house: SeparatorHouse) -> None:
    """None, and not 0."""
    audio = house.audio(song(20_000, 44100))
    assert house.separate(audio, FakeEngine({DRUMS: 0.5, OTHER: 0.5})).vocal_share is None


def test_stored_result_is_not_computed_again_unless_forced(house: SeparatorHouse) -> None:
    """A forced run writes the same samples."""
    audio = house.audio(song(60_000, 44100))
    first = house.separate(audio, FakeEngine())
    samples = house.stems(first)
    silent = FakeEngine(dict.fromkeys(SHARES, 0.0))
    assert house.separate(audio, silent) == first
    for stem in first.stems:
        house.store.delete(stem.object_key)
    assert house.separate(audio, FakeEngine(), force=True) == first
    assert all(np.array_equal(samples[stem], block) for stem, block in house.stems(first).items())


def test_result_of_a_faster_process_stays(house: SeparatorHouse) -> None:
    """Whoever writes the manifest first has written the result."""
    audio = house.audio(song(20_000, 44100))
    first = replace(house.separate(audio, FakeEngine()), device="elsewhere")
    task = SeparateTask(audio, "fake-shares-1")
    house.store.delete(task.manifest_key)

    class Racing(FakeEngine):
        def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
            yield from super().separate(mixture)
            house.store.put(task.manifest_key, io.BytesIO(manifest_from_stem_set(first)))

    assert house.separate(audio, Racing()) == first


@pytest.mark.parametrize("enough", [0.4, 0.97])
def test_cancelled_separation_leaves_nothing(house: SeparatorHouse, enough: float) -> None:
    """In the middle of the engine, and in the middle of encoding: no result, no scratch file."""
    audio = house.audio(song(10 * 44100, 44100))
    before = list(house.store.list_keys(""))
    reported: list[float] = [0.0]
    with pytest.raises(Cancelled):
        house.separate(audio, FakeEngine(), TaskControl(lambda: reported[-1] > enough, reported.append))
    assert reported[-1] < enough + 0.15
    assert list(house.store.list_keys("")) == before
    assert list(house.folder.iterdir()) == []


class BrokenEngine(FakeEngine):
    """Breaks its contract in one of several ways, from the second block on."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self._fault = fault

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See FakeEngine.separate."""
        for number, stems in enumerate(super().separate(mixture)):
            yield self._broken(dict(stems)) if number else stems

    def _broken(self, stems: dict[str, Block]) -> StemBlocks:
        match self._fault:
            case "infinite":
                stems[DRUMS][1, 7] = np.inf
            case "nan":
                stems[OTHER][0, 3] = np.nan
            case "absurd":
                stems[BASS][0, 0] = 1e9
            case "stem missing":
                del stems[BASS]
            case "mono":
                stems = {stem: block[:1] for stem, block in stems.items()}
            case "short":
                stems = {stem: block[:, :-1] for stem, block in stems.items()}
            case "long":
                stems = {stem: np.repeat(block, 2, axis=1) for stem, block in stems.items()}
        return stems


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("infinite", "drums .* frame 10006"),
        ("nan", "other .* frame 10002"),
        ("absurd", "bass .* frame 9999"),
        ("stem missing", "gave stems"),
        ("mono", "gave stems"),
        ("short", "gave .* frames for"),
        ("long", "more than the mix has"),
    ],
)
def test_engine_that_breaks_its_contract_stores_nothing(house: SeparatorHouse, fault: str, told: str) -> None:
    """And the fault names the engine or the frame."""
    audio = house.audio(song(60_000, 44100))
    with pytest.raises(InternalFault, match=told):
        house.separate(audio, BrokenEngine(fault))
    assert list(house.store.list_keys("results/")) == []
    assert list(house.folder.iterdir()) == []


def test_engine_without_other_cannot_sum_to_the_mix(house: SeparatorHouse) -> None:
    """It says what to ask instead, and that works."""
    audio = house.audio(song(20_000, 44100))
    engine = FakeEngine({VOCALS: 0.5, DRUMS: 0.5})
    with pytest.raises(InvalidRequest, match="sum_to_mix = false"):
        house.separate(audio, engine)
    assert [stem.name for stem in house.separate(audio, engine, raw=True).stems] == [VOCALS, DRUMS]


def test_audio_that_is_gone_is_not_found(house: SeparatorHouse) -> None:
    """So that the router may ingest again."""
    audio = house.audio(song(20_000, 44100))
    house.store.delete(audio.object_key)
    with pytest.raises(NotFound):
        house.separate(audio, FakeEngine())


@pytest.mark.parametrize("change", ["format", "frames", "damage", "garbage"])
def test_stored_audio_that_is_not_what_it_should_be_counts_as_gone(house: SeparatorHouse, change: str) -> None:
    """Never a result for half a track; all but a wrong length, which nobody's damage explains, is made again."""
    audio = house.audio(song(200_000, 44100))
    data = house.store.objects[audio.object_key]
    match change:
        case "format":
            audio = replace(audio, format=AudioFormat(48000, 2))
        case "frames":
            audio = replace(audio, frame_count=audio.frame_count + 1)
        case "damage":
            house.store.objects[audio.object_key] = data[: len(data) // 2]
        case "garbage":
            house.store.objects[audio.object_key] = b"fLaC" + data[100:]
    with pytest.raises(InternalFault if change == "frames" else ResultGone):
        house.separate(audio, FakeEngine(audio_format=audio.format))
    assert list(house.store.list_keys("results/")) == []


def test_manifest_that_is_none_is_a_fault(house: SeparatorHouse) -> None:
    """Named by its key."""
    task = SeparateTask(house.audio(noise(5000)), "fake-shares-1")
    house.store.put(task.manifest_key, io.BytesIO(b'{"audio": 1}'))
    with pytest.raises(InternalFault, match=r"manifest\.json is not a manifest"):
        find_result(house.store, task)
