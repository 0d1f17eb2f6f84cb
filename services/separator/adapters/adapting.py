"""Takes audio of any rate, mono or stereo, through an engine and back: same frames out as in, lag 0.

Rates are converted by libsoxr at its best quality, whose streams have no lag and give the same samples however they
are cut. Mono goes to all channels of the engine and comes back as their mean. Both are linear, so a gain stays a gain.
What lies above half of the lower rate is in no stem; the sum with the mixture's residue brings it back.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from services.separator.core.blocks import CountedBlocks, recut
from services.separator.core.pcm import MAX_RATE_HZ, MIN_RATE_HZ
from services.separator.core.ports import Block, Engine, EngineSpec, Mixture, StemBlocks
from stemhouse.audio import AudioFormat
from stemhouse.errors import UnsupportedAudio

_QUALITY = "VHQ"
_PIECE_FRAMES = 16_384
_TAIL_S = 0.01  # a stream there and back may lose a frame to rounding: silence behind it makes up


@dataclass(frozen=True)
class EngineInFormat:
    """Engine at the rate and channels of some audio."""

    engine: Engine
    audio_format: AudioFormat

    @property
    def spec(self) -> EngineSpec:
        """That of the engine: its native format may be another one."""
        return self.engine.spec

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See `separate_in_format`."""
        return separate_in_format(self.engine, mixture, self.audio_format)


def separate_in_format(engine: Engine, mixture: Mixture, audio_format: AudioFormat) -> Iterator[StemBlocks]:
    """Separate a `mixture` of `audio_format` with an engine of whatever native format, under `Engine.separate`'s terms.

    Raises UnsupportedAudio for rates outside 8 to 192 kHz, and for channels that the engine cannot take: only mono, or
    as many as its own.
    """
    native = engine.spec.native_format
    _check(audio_format, native)
    if audio_format == native:
        return engine.separate(mixture)
    heard = _Converted(mixture, audio_format, native)
    return _in_format(engine.separate(heard), heard, engine.spec, audio_format)


def _check(audio_format: AudioFormat, native: AudioFormat) -> None:
    rate_hz, channel_count = audio_format.sample_rate_hz, audio_format.channel_count
    facts = {"sample_rate_hz": str(rate_hz), "channel_count": str(channel_count)}
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        message = f"a sample rate of {rate_hz} Hz is not within {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
        raise UnsupportedAudio(message, facts)
    if channel_count not in {1, native.channel_count}:
        message = f"{channel_count} channels are neither mono nor the {native.channel_count} of the engine"
        raise UnsupportedAudio(message, facts)


def _in_format(
    given: Iterator[StemBlocks], heard: "_Converted", spec: EngineSpec, audio_format: AudioFormat
) -> Iterator[StemBlocks]:
    names = spec.stems
    stacked = (_stacked(stems, names, audio_format.channel_count) for stems in given)
    given_frames = 0
    for block in resampled(stacked, spec.native_format.sample_rate_hz, audio_format.sample_rate_hz):
        inside = block[:, : heard.frame_count - given_frames]
        given_frames += inside.shape[1]
        if inside.size:
            yield dict(zip(names, np.split(inside, len(names)), strict=True))


class _Converted:
    """Mixture in another format; `frame_count` is how far the longest pass has come, in frames before conversion."""

    def __init__(self, mixture: Mixture, audio_format: AudioFormat, native: AudioFormat) -> None:
        self._mixture = mixture
        self._format = audio_format
        self._native = native
        self.frame_count = 0

    def blocks(self) -> Iterator[Block]:
        """See Mixture.blocks; each pass has a resampler of its own."""
        heard = resampled(self._with_tail(), self._format.sample_rate_hz, self._native.sample_rate_hz)
        return (_spread(block, self._native.channel_count) for block in heard)

    def _with_tail(self) -> Iterator[Block]:
        """All blocks, and a little silence."""
        counted = CountedBlocks(self._mixture.blocks())
        for block in counted:
            self.frame_count = max(self.frame_count, counted.frame_count)
            yield block
        yield np.zeros((self._format.channel_count, math.ceil(_TAIL_S * self._format.sample_rate_hz)), np.float32)


def resampled(blocks: Iterable[Block], from_hz: int, to_hz: int) -> Iterator[Block]:
    """Convert the rate of a stream; blocks of any length come out."""
    if from_hz == to_hz:
        yield from blocks
        return
    resampler: soxr.ResampleStream | None = None
    for block in recut(blocks, _PIECE_FRAMES):
        if resampler is None:
            resampler = soxr.ResampleStream(from_hz, to_hz, block.shape[0], dtype="float32", quality=_QUALITY)
        yield resampler.resample_chunk(np.ascontiguousarray(block.T)).T
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros((0, block.shape[0]), np.float32), last=True).T


def _spread(block: Block, channel_count: int) -> Block:
    """Give mono to all channels; leave the rest as it is."""
    return block if block.shape[0] == channel_count else np.repeat(block, channel_count, axis=0)


def _stacked(stems: StemBlocks, names: tuple[str, ...], channel_count: int) -> Block:
    """All stems as one block, so that they go through one resampler: float32 (stems * channels, frames)."""
    blocks = (stems[name] for name in names)
    if channel_count == 1:
        blocks = (block.mean(axis=0, keepdims=True) for block in blocks)
    return np.concatenate(list(blocks))
