"""The demucs engine on tiny networks: the samples of demucs itself, from a stream."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from services.separator.adapters.adapting import separate_in_format
from services.separator.adapters.demucs.bags import Bag, load_bag
from services.separator.adapters.demucs.engine import DemucsEngine, DemucsModels
from services.separator.core.demucs_options import DemucsOptions, ScheduleKind
from services.separator.core.gpu import CPU, Device, DeviceLease
from services.separator.core.models import ModelEntry, demucs_spec, demucs_specs
from services.separator.core.ports import Block, Engine
from stemhouse.audio import AudioFormat
from stemhouse.errors import Cancelled, ModelRejected, Unavailable
from stemhouse.vocab import BASE_STEMS, EXTRA_STEMS, OTHER, VOCALS
from tests.demucs_command import sdr_db, separate_by_demucs
from tests.fakes_separator import CD_STEREO, FakeMixture, SeparatorHouse, separated
from tests.signals import noise, song
from tests.tiny_demucs import (
    install,
    install_tiny,
    install_tiny_bag,
    install_tiny_tuned,
    tiny_demucs,
    tiny_hdemucs,
    tiny_htdemucs,
)
from tests.unit.separator.idle_network import IdleNetwork, idle_demucs_engine

_RATE_HZ = 44_100
_BY_DEMUCS = DemucsOptions(ScheduleKind.DEMUCS)
_THIRD_SEGMENT_BEGIN = 2 * int(0.75 * _RATE_HZ)
_THREE_SEGMENTS_FRAMES = 2 * _RATE_HZ + 1234  # the last one is short

_BAGS: dict[str, Callable[[Path], ModelEntry]] = {
    "htdemucs": lambda folder: install_tiny(folder, kind="th"),
    "six stems": lambda folder: install_tiny(folder, six=True, kind="th"),
    "hdemucs": lambda folder: install(folder, [tiny_hdemucs()], kind="th"),
    "demucs": lambda folder: install(folder, [tiny_demucs()], kind="th"),
    "weighted bag": lambda folder: install_tiny_bag(folder, kind="th"),
    "own segment each": lambda folder: install(folder, [tiny_htdemucs(), tiny_demucs()], kind="th", segment_s=1.4),
    "shorter segment": lambda folder: install(folder, [tiny_htdemucs()], kind="th", segment_s=0.6),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small spend their time on waking threads, above all where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are installed."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def entry(folder: Path) -> ModelEntry:
    """One tiny HTDemucs of four stems."""
    return install_tiny(folder, "four")


@pytest.fixture(scope="module")
def engine(folder: Path, entry: ModelEntry) -> Engine:
    """The engine that it makes."""
    return DemucsModels().load(folder / entry.name, entry)


@pytest.fixture(scope="module")
def mixture() -> Block:
    """Three segments of music."""
    return song(_THREE_SEGMENTS_FRAMES, _RATE_HZ)


@pytest.fixture(scope="module")
def stems(engine: Engine, mixture: Block) -> dict[str, Block]:
    """The mixture separated in one piece."""
    return separated(engine, mixture)


@pytest.mark.parametrize("name", _BAGS)
def test_samples_are_those_of_demucs(name: str, tmp_path: Path, mixture: Block) -> None:
    """To 100 dB in every stem, for every architecture and for bags, weighted or not."""
    entry = _BAGS[name](tmp_path)
    given = separated(DemucsModels(_BY_DEMUCS).load(tmp_path / entry.name, entry), mixture)
    expected = separate_by_demucs(tmp_path / entry.name, entry, mixture)
    depths_db = {stem: sdr_db(expected[stem], given[stem]) for stem in entry.stems}
    print(name, {stem: round(depth_db, 1) for stem, depth_db in depths_db.items()})
    assert set(expected) == set(given)
    assert min(depths_db.values()) >= 100


def test_lean_schedule_differs_only_where_it_has_left_something_out(
    folder: Path, entry: ModelEntry, engine: Engine, mixture: Block
) -> None:
    """Bit for bit the same until the segment begins that only demucs' own schedule has."""
    short = mixture[:, : _THIRD_SEGMENT_BEGIN + 5000]
    lean = separated(engine, short)
    by_demucs = separated(DemucsModels(_BY_DEMUCS).load(folder / entry.name, entry), short)
    for name in BASE_STEMS:
        differs = np.any(lean[name] != by_demucs[name], axis=0)
        assert int(differs.argmax()) == _THIRD_SEGMENT_BEGIN


def test_vocals_alone_are_those_of_all_stems_and_the_rest_is_the_mixture_without_them(
    tmp_path: Path, mixture: Block
) -> None:
    """Bit for bit the same vocals, by one network instead of four."""
    entry = install_tiny_tuned(tmp_path)
    whole, vocals_only = (DemucsModels().load(tmp_path / entry.name, entry, spec) for spec in demucs_specs(entry))
    vocals = separated(whole, mixture)[VOCALS]
    given = separated(vocals_only, mixture)
    assert list(given) == [VOCALS, OTHER]
    assert np.array_equal(given[VOCALS], vocals)
    assert np.array_equal(given[OTHER], mixture - vocals)
    assert sdr_db(mixture, vocals) < 20


def test_only_networks_with_a_share_in_a_stem_are_loaded(tmp_path: Path) -> None:
    """Of the first one also what it gives, or nobody would know whose the weights are."""
    entry = install_tiny_tuned(tmp_path)
    for number in (1, 2):
        (tmp_path / entry.name / entry.files[number].name).unlink()
    bag = load_bag(tmp_path / entry.name, entry, stem=VOCALS)
    assert (len(bag.networks), bag.weights.tolist()) == (1, [[0, 0, 0, 1]])
    with pytest.raises(ModelRejected, match="give drums, bass, other, vocals"):
        load_bag(tmp_path / entry.name, entry, stem=EXTRA_STEMS[0])


def test_stems_differ_from_each_other_and_from_the_mixture(stems: dict[str, Block], mixture: Block) -> None:
    """Or the comparisons of this file would show nothing."""
    signals = [mixture, *stems.values()]
    assert all(sdr_db(one, other) < 20 for number, one in enumerate(signals) for other in signals[number + 1 :])


def test_samples_do_not_depend_on_the_blocks(engine: Engine, stems: dict[str, Block], mixture: Block) -> None:
    """The stream cut into odd blocks gives bit for bit the same stems, so the engine is deterministic too."""
    cut = separated(engine, mixture, 1, 2, 443, 33_075, 70_001)
    assert all(np.array_equal(cut[name], stems[name]) for name in BASE_STEMS)


@pytest.mark.parametrize("batch_segments", [2, 4])
def test_neighbours_in_a_batch_change_nothing(
    folder: Path, entry: ModelEntry, stems: dict[str, Block], mixture: Block, batch_segments: int
) -> None:
    """To 120 dB, whatever goes through the network beside a segment."""
    engine = DemucsEngine(load_bag(folder / entry.name, entry), demucs_spec(entry), DeviceLease(CPU, batch_segments))
    given = separated(engine, mixture)
    assert min(sdr_db(stems[name], given[name]) for name in BASE_STEMS) >= 120


def test_number_of_threads_changes_no_more_than_rounding(engine: Engine, mixture: Block) -> None:
    """To 120 dB between one thread and two; were all bits the same, the second thread would have had nothing to do."""
    before, given = torch.get_num_threads(), []
    try:
        for thread_count in (1, 2):
            torch.set_num_threads(thread_count)
            given.append(separated(engine, mixture[:, :30_000]))
    finally:
        torch.set_num_threads(before)
    assert not all(np.array_equal(given[0][name], given[1][name]) for name in BASE_STEMS)
    assert min(sdr_db(given[0][name], given[1][name]) for name in BASE_STEMS) >= 120


def test_both_kinds_of_files_give_the_same_samples(tmp_path: Path, stems: dict[str, Block], mixture: Block) -> None:
    """Bit for bit; only the engine's id differs, since the bytes do."""
    entry = install_tiny(tmp_path, "four", kind="th")
    given = separated(DemucsModels().load(tmp_path / entry.name, entry), mixture)
    assert all(np.array_equal(given[name], stems[name]) for name in BASE_STEMS)


def test_gain_is_linear(engine: Engine, stems: dict[str, Block], mixture: Block) -> None:
    """A lowered song gives the lowered stems, to 100 dB."""
    lowered = separated(engine, mixture * np.float32(0.013))
    for name in BASE_STEMS:
        wanted = np.float32(0.013) * stems[name]
        assert np.sum((lowered[name] - wanted) ** 2) < 1e-10 * np.sum(wanted**2)


@pytest.mark.parametrize("network", [tiny_htdemucs, tiny_hdemucs, partial(tiny_hdemucs, channel_count=1), tiny_demucs])
def test_tiny_streams_keep_their_length_and_are_finite(tmp_path: Path, network: Callable[[], Any]) -> None:
    """Single frames, a track of just one stride, and one frame more than that."""
    entry = install(tmp_path, [network()])
    engine = DemucsModels().load(tmp_path / entry.name, entry)
    for frame_count in (1, 2, 300, 33_075, 33_076):
        signal = noise(frame_count, entry.audio_format.channel_count)
        given = separated(engine, signal)
        assert {stem.shape for stem in given.values()} == {signal.shape}
        assert all(np.isfinite(stem).all() for stem in given.values())


@pytest.mark.parametrize("constant", [0.0, 0.25])
def test_silence_and_constants_stay_finite(engine: Engine, constant: float) -> None:
    """No division by a deviation of nothing: what comes is the mean, as demucs gives it to every stem."""
    signal = np.full((2, 50_000), constant, np.float32)
    assert all(np.allclose(stem, signal, atol=1e-6) for stem in separated(engine, signal).values())


def test_empty_stream_stays_empty(engine: Engine) -> None:
    """No frames, no stems."""
    assert list(engine.separate(FakeMixture([]))) == []


def test_cancelled_mixture_stops_between_two_networks() -> None:
    """A bag of four may take long for each stride: no network runs any more once the mixture raises."""
    network = IdleNetwork()

    def blocks() -> Iterator[Block]:
        for _ in range(60):
            if network.run_count == 6:  # in the middle of the second stride
                raise Cancelled("cancelled by the caller")
            yield noise(_RATE_HZ // 2)

    with pytest.raises(Cancelled):
        list(idle_demucs_engine(4, network).separate(FakeMixture(blocks)))
    assert network.run_count == 6


def test_stream_is_held_only_as_far_as_needed() -> None:
    """After the pass for the level, what has been pulled and not yet given back is less than two segments."""
    passes: list[int] = []
    given_frames = 0

    def blocks() -> Iterator[Block]:
        passes.append(0)
        number = len(passes) - 1
        for _ in range(400):
            passes[number] += _RATE_HZ // 10
            yield noise(_RATE_HZ // 10)

    for stems in idle_demucs_engine(2).separate(FakeMixture(blocks)):
        assert max(passes[1:]) - given_frames < 2 * _RATE_HZ
        given_frames += stems[VOCALS].shape[1]
    assert given_frames == 40 * _RATE_HZ


def test_six_stems_go_through_the_whole_separation(tmp_path: Path) -> None:
    """Guitar and piano are stored and listed behind the others, and the six sum to the mix, integer by integer."""
    house = SeparatorHouse(tmp_path / "house")
    entry = install_tiny(tmp_path, six=True)
    audio = house.audio(song(60_000, _RATE_HZ))
    stem_set = house.separate(audio, DemucsModels().load(tmp_path / entry.name, entry))
    assert tuple(stem.name for stem in stem_set.stems) == (*BASE_STEMS, *EXTRA_STEMS)
    assert np.array_equal(sum(house.stems(stem_set).values()), house.integers(audio.object_key))
    assert (stem_set.engine, stem_set.model, stem_set.null_depth_db) == ("demucs", "tiny", -200.0)


def test_models_of_another_rate_and_of_one_channel_work(tmp_path: Path) -> None:
    """A mono network of 22.05 kHz behind the format adapter, for mono at 48 kHz."""
    model = tiny_htdemucs(audio_format=AudioFormat(22_050, 1), segment=Fraction(3, 2))
    entry = install(tmp_path, [model])
    engine = DemucsModels().load(tmp_path / entry.name, entry)
    assert engine.spec.native_format == AudioFormat(22_050, 1)
    signal = song(48_000, 48_000, channel_count=1)
    given = list(separate_in_format(engine, FakeMixture([signal]), AudioFormat(48_000, 1)))
    total = np.concatenate([np.stack(list(stems.values())) for stems in given], axis=2)
    assert total.shape == (4, 1, 48_000)
    assert np.isfinite(total).all()
    assert np.abs(total).max() > 0.01


class SmallDevice(IdleNetwork):
    """Network on a device that holds so many segments, and says so as PyTorch does."""

    def __init__(self, most_segments: int) -> None:
        super().__init__()
        self._most_segments = most_segments
        self.batches: list[int] = []

    def separate(self, heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See Network.separate."""
        self.batches.append(len(heard))
        if len(heard) > self._most_segments:
            message = "CUDA out of memory. Tried to allocate 2.00 GiB."
            raise torch.OutOfMemoryError(message)
        return super().separate(heard)


@pytest.mark.parametrize(("most_segments", "batches"), [(2, [4, 2, 2, 2]), (1, [4, 2, 1, 1, 1, 1, 1, 1])])
def test_too_little_memory_halves_the_batch_and_the_track_goes_on(most_segments: int, batches: list[int]) -> None:
    """From the segment where it was: nothing twice, nothing missing, the same samples as one by one."""
    mixture = noise(int(4.5 * _RATE_HZ))  # six segments
    entry = ModelEntry("idle", "demucs", BASE_STEMS, CD_STEREO, (), "", "")
    lease = DeviceLease(Device("cuda:0", 20 * 10**9), 4)

    def given(network: IdleNetwork, lease: DeviceLease | None) -> Block:
        bag = Bag((network,), np.ones((1, len(BASE_STEMS)), np.float32))
        engine = DemucsEngine(bag, demucs_spec(entry), lease)
        return np.concatenate([stems[VOCALS] for stems in engine.separate(FakeMixture([mixture]))], axis=1)

    network = SmallDevice(most_segments)
    assert np.array_equal(given(network, lease), given(IdleNetwork(), None))
    assert network.batches == batches
    assert lease.batch_segments == most_segments


def test_too_little_memory_for_one_segment_is_told() -> None:
    """As something that may pass; other faults of a network stay what they are."""
    mixture = FakeMixture([noise(_RATE_HZ)])
    with pytest.raises(Unavailable, match="a single segment"):
        list(idle_demucs_engine(1, SmallDevice(0)).separate(mixture))

    class BrokenNetwork(IdleNetwork):
        def separate(self, heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            message = f"a shape of {heard.shape}"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="a shape of"):
        list(idle_demucs_engine(1, BrokenNetwork()).separate(mixture))
