"""Any rate and one or two channels through an engine and back."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal

from services.separator.adapters.adapting import separate_in_format
from services.separator.core.blocks import recut
from services.separator.core.ports import Block, EngineSpec, Mixture, StemBlocks
from stemhouse.audio import AudioFormat
from stemhouse.errors import UnreadableAudio, UnsupportedAudio
from tests.fakes_separator import FakeMixture
from tests.signals import noise, song

_RATES_HZ = [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]


class QuarterEngine:
    """Gives a quarter of the mixture as one stem and three quarters as the other, in blocks of its own, late."""

    def __init__(self) -> None:
        self.shapes_seen: list[tuple[int, ...]] = []

    @property
    def spec(self) -> EngineSpec:
        """See Engine.spec."""
        return EngineSpec("quarter", "none", "quarter-1", ("small", "large"), AudioFormat(44_100, 2))

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        for block in recut(self._noted(mixture.blocks()), 1777):
            yield {"small": block * np.float32(0.25), "large": block * np.float32(0.75)}

    def _noted(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self.shapes_seen.append(block.shape)
            yield block


def _cut(signal: Block, *frames: int) -> Iterator[Block]:
    places = [0, *frames, signal.shape[1]]
    return (signal[:, start:end] for start, end in pairwise(places))


def _through(blocks: Iterable[Block], rate_hz: int, channel_count: int = 2) -> dict[str, Block]:
    given = list(separate_in_format(QuarterEngine(), FakeMixture(blocks), AudioFormat(rate_hz, channel_count)))
    assert all(stem.size for stems in given for stem in stems.values())
    return {name: np.concatenate([stems[name] for stems in given], axis=1) for name in ("small", "large")}


def _band_limited(rate_hz: int, channel_count: int) -> Block:
    """1.3 s of noise below a third of the lower of both rates, faded in and out."""
    frame_count = int(1.3 * rate_hz) + 17
    corner = min(rate_hz, 44_100) / 3
    sections = scipy.signal.butter(10, corner, fs=rate_hz, output="sos")
    filtered = scipy.signal.sosfiltfilt(sections, noise(frame_count, channel_count))
    faded: Block = (filtered * scipy.signal.windows.tukey(frame_count, 0.2)).astype(np.float32)
    return faded


def _lag_frames(reference: npt.NDArray[np.float32], late: npt.NDArray[np.float32]) -> int:
    correlation = scipy.signal.correlate(late, reference, method="fft")
    return int(np.argmax(correlation)) - (len(reference) - 1)


@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize("rate_hz", _RATES_HZ)
def test_every_rate_comes_back_in_place(rate_hz: int, channel_count: int) -> None:
    """As many frames and channels as came in, lag 0, and within 70 dB of what the engine did."""
    signal = _band_limited(rate_hz, channel_count)
    large = _through(_cut(signal, 441, 5000), rate_hz, channel_count)["large"]
    assert large.shape == signal.shape
    assert large.dtype == np.float32
    assert _lag_frames(signal[0], large[0]) == 0
    error = large - 0.75 * signal
    assert np.mean(error**2) < 1e-7 * np.mean(signal**2)


@pytest.mark.parametrize("rate_hz", _RATES_HZ)
@pytest.mark.parametrize("frame_count", [1, 2, 441])
def test_tiny_streams_keep_their_length(rate_hz: int, frame_count: int) -> None:
    """A single frame in, a single frame out."""
    stems = _through([noise(frame_count)], rate_hz)
    assert [stem.shape for stem in stems.values()] == [(2, frame_count)] * 2


def test_empty_stream_stays_empty() -> None:
    """No frames, no stems."""
    assert list(separate_in_format(QuarterEngine(), FakeMixture([]), AudioFormat(48_000, 1))) == []


def test_result_does_not_depend_on_the_blocks() -> None:
    """Cut to single frames or given whole: the very same samples."""
    signal = song(20_000, 48_000)
    whole = _through([signal], 48_000)
    cut = _through(_cut(signal, 1, 2, 3, 444, 9000, 9001), 48_000)
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)


def test_native_format_passes_untouched() -> None:
    """Where there is nothing to convert, not a bit changes."""
    signal = noise(5000)
    assert np.array_equal(_through([signal], 44_100)["small"], np.float32(0.25) * signal)


def test_mono_reaches_the_engine_on_both_channels() -> None:
    """The engine sees its own number of channels, and mono at the native rate comes back as it was."""
    engine = QuarterEngine()
    signal = noise(5000, channel_count=1)
    stems = list(separate_in_format(engine, FakeMixture([signal]), AudioFormat(44_100, 1)))
    assert {channels for channels, _ in engine.shapes_seen} == {2}
    assert np.array_equal(np.concatenate([stem["small"] for stem in stems], axis=1), np.float32(0.25) * signal)


def test_conversion_is_linear() -> None:
    """Half in, half out, on the way there and back."""
    signal = song(30_000, 96_000)
    full, half = _through([signal], 96_000)["large"], _through([0.5 * signal], 96_000)["large"]
    assert np.max(np.abs(half - 0.5 * full)) < 1e-7


def test_stream_is_pulled_only_as_far_as_needed() -> None:
    """The first stems come before a long mixture has been read: memory does not grow with length."""
    pulled = []

    def mixture() -> Iterator[Block]:
        for number in range(1000):
            pulled.append(number)
            yield noise(4800)

    next(separate_in_format(QuarterEngine(), FakeMixture(mixture), AudioFormat(48_000, 2)))
    assert len(pulled) < 20


def test_each_pass_over_the_mixture_is_the_same() -> None:
    """An engine may hear the track twice, at its own rate, and the length of the source still comes back."""

    class Twice(QuarterEngine):
        def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
            first, second = (np.concatenate(list(mixture.blocks()), axis=1) for _ in range(2))
            assert np.array_equal(first, second)
            return super().separate(mixture)

    signal = noise(30_000)
    pieces = [signal[:, :7], signal[:, 7:]]
    given = list(separate_in_format(Twice(), FakeMixture(pieces), AudioFormat(48_000, 2)))
    assert sum(stems["small"].shape[1] for stems in given) == 30_000


def test_failure_of_the_mixture_passes_through() -> None:
    """A decoder's error reaches the caller as it is."""

    def mixture() -> Iterator[Block]:
        yield noise(100)
        message = "the file ends in the middle"
        raise UnreadableAudio(message)

    with pytest.raises(UnreadableAudio, match="the middle"):
        list(separate_in_format(QuarterEngine(), FakeMixture(mixture), AudioFormat(48_000, 2)))


@pytest.mark.parametrize(("rate_hz", "channel_count"), [(7_999, 2), (192_001, 1), (44_100, 3), (48_000, 6)])
def test_other_formats_are_refused_at_once(rate_hz: int, channel_count: int) -> None:
    """Rates and channels that nobody can take are refused before anything is read."""
    with pytest.raises(UnsupportedAudio):
        separate_in_format(QuarterEngine(), FakeMixture([]), AudioFormat(rate_hz, channel_count))
