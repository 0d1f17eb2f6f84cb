"""The canonical 24-bit grid: rounding to it, powers of two that make samples fit, and the digest of samples.

An integer v on the grid stands for v * 2**-23 of full scale. Every gain here is a power of two, so that applying
and undoing it is exact but for the rounding to the grid.
"""

import hashlib
import math

import numpy as np

from services.separator.core.ports import Block, PcmBlock, SourceBlock
from stemhouse.audio import AudioFormat

FULL_SCALE = 2**23
LARGEST = FULL_SCALE - 1
"""24 bits hold -FULL_SCALE to LARGEST."""

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 192_000
"""What engines can be led through; nothing else is taken in."""

_LEAST_BLOCK_FRAMES = 4096
_DIGEST_VERSION = 1


def block_frames(audio_format: AudioFormat) -> int:
    """Frames of a block: one second, so that a cancelled task stops soon and memory is bounded."""
    return max(audio_format.sample_rate_hz, _LEAST_BLOCK_FRAMES)


def fitting_gain(peak: float) -> float:
    """The largest power of two <= 1 by which samples of that absolute peak fit the grid; `peak` is finite, >= 0."""
    if peak * FULL_SCALE <= LARGEST:
        return 1.0
    mantissa, exponent = math.frexp(peak)
    halvings = exponent if mantissa * FULL_SCALE <= LARGEST else exponent + 1
    return 2.0**-halvings


def fitting_shift(lowest: int, highest: int) -> int:
    """By how many bits integers of that range must be lowered, with rounding, to fit 24 bits."""
    shift = 0
    while not _fits(lowered(np.array([lowest, highest], dtype=np.int32), shift)):
        shift += 1
    return shift


def _fits(block: PcmBlock) -> bool:
    return bool(block.min() >= -FULL_SCALE and block.max() <= LARGEST)


def lowered(block: PcmBlock, shift: int) -> PcmBlock:
    """The integers over 2**shift, rounded half up; their magnitudes must be below 2**30."""
    if shift == 0:
        return block
    return (block + np.int32(1 << (shift - 1))) >> np.int32(shift)


def pcm_from_source(samples: SourceBlock, gain: float) -> PcmBlock:
    """Round samples times `gain` to the grid.

    Only the top half step of 32-bit integers can exceed it, and is kept at the largest value.
    """
    grid = np.rint(samples * (gain * FULL_SCALE))
    return np.clip(grid, -FULL_SCALE, LARGEST).astype(np.int32)


def block_from_pcm(block: PcmBlock, gain: float) -> Block:
    """Samples on the source's scale; exact, since 24 bits fit a float32."""
    return block.astype(np.float32) * np.float32(1.0 / (gain * FULL_SCALE))


class PcmDigest:
    """SHA-256 over a header line (version, rate, channels, gain) and the integers, interleaved, little-endian."""

    def __init__(self, audio_format: AudioFormat, gain: float) -> None:
        """Begin with the header."""
        header = (
            f"stemhouse pcm {_DIGEST_VERSION} rate={audio_format.sample_rate_hz} "
            f"channels={audio_format.channel_count} gain={gain.hex()}\n"
        )
        self._hash = hashlib.sha256(header.encode())

    def update(self, block: PcmBlock) -> None:
        """Take in the next frames."""
        self._hash.update(np.ascontiguousarray(block.T, dtype="<i4").data)

    def hexdigest(self) -> str:
        """The digest of all that came."""
        return self._hash.hexdigest()
