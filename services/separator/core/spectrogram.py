"""Streams of audio as streams of spectra and back: Hann windows of 4096 frames, one each 1024 frames.

Conventions
-----------
A *column* is one short-time spectrum: 2049 bins per channel, since *frame* already means one sample per channel.
Column k covers the frames [1024 k - 3072, 1024 k + 1024) of the stream, wherever the blocks were cut; before and
after the stream lies silence. So each frame lies under four windows, and overlap-add gives it back exactly.
Spectra are complex64 (channels, columns, bins), in groups of a fixed number of columns.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.fft

from services.separator.core.blocks import recut
from services.separator.core.ports import Block

Spectrum = npt.NDArray[np.complex64]
"""complex64 (channels, columns, bins), or such with more axes in front."""

WINDOW_FRAMES = 4096
HOP_FRAMES = 1024
BIN_COUNT = WINDOW_FRAMES // 2 + 1

OVERLAP_FRAMES = WINDOW_FRAMES - HOP_FRAMES
"""How many frames lie before the first frame of the stream in column 0, and how many are held for the next column."""

_HOPS_PER_WINDOW = WINDOW_FRAMES // HOP_FRAMES
_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_FRAMES) / WINDOW_FRAMES)).astype(np.float32)
_SYNTHESIS_WINDOW = (_WINDOW / 1.5).astype(np.float32)  # squared Hann windows a quarter apart sum to 1.5
_POWER_SCALE = 2 / (WINDOW_FRAMES * float(np.sum(_WINDOW.astype(np.float64) ** 2)))


def spectra(blocks: Iterable[Block], group_columns: int) -> Iterator[Spectrum]:
    """Give every column that overlaps the stream, `group_columns` at a time, silent columns filling the last group."""
    group_frames = group_columns * HOP_FRAMES
    past: Block | None = None
    for block in recut(_followed_by_silence(blocks), group_frames):
        if past is None:
            past = np.zeros((block.shape[0], OVERLAP_FRAMES), np.float32)
        missing_frames = group_frames - block.shape[1]
        covered = np.concatenate([past, np.pad(block, ((0, 0), (0, missing_frames)))], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(covered, WINDOW_FRAMES, axis=1)[:, ::HOP_FRAMES]
        yield scipy.fft.rfft(windows * _WINDOW, axis=2, overwrite_x=True)
        past = covered[:, -OVERLAP_FRAMES:].copy()


def _followed_by_silence(blocks: Iterable[Block]) -> Iterator[Block]:
    """Append what the last column reaches beyond the stream; an empty stream stays empty."""
    channel_count = 0
    for block in blocks:
        channel_count = block.shape[0]
        yield block
    if channel_count:
        yield np.zeros((channel_count, OVERLAP_FRAMES), np.float32)


def with_context(groups: Iterable[Spectrum], context_columns: int) -> Iterator[Spectrum]:
    """Widen each group by `context_columns` (>= 1) on either side, with silence around the first and the last.

    What lies between the contexts is therefore the stream of columns, later by `context_columns`; it begins with as
    many silent ones.
    """
    past: Spectrum | None = None
    for group in groups:
        if past is None:
            past = np.zeros_like(group[..., : 2 * context_columns, :])
        wide = np.concatenate([past, group], axis=-2)
        past = wide[..., -2 * context_columns :, :].copy()
        yield wide
    if past is not None:
        yield np.concatenate([past, np.zeros_like(past[..., :context_columns, :])], axis=-2)


def mean_square(spectrum: Spectrum) -> npt.NDArray[np.float64]:
    """Mean square of the windowed audio under each column, all channels: float64 (columns,), 1.0 = full-scale DC."""
    bin_power = np.square(spectrum.real) + np.square(spectrum.imag)
    column_power: npt.NDArray[np.float64] = bin_power.mean(axis=0).sum(axis=1, dtype=np.float64)
    return column_power * _POWER_SCALE


class OverlapAdd:
    """Turns spectra, group after group, back into audio.

    What `push` gives first are the `OVERLAP_FRAMES` frames before the stream; what it gives last lies wholly under
    four windows, so the frames that only the end of the last column covers are never given.
    """

    def __init__(self) -> None:
        self._pending: Block | None = None

    def push(self, spectrum: Spectrum) -> Block:
        """Give as many hops of audio as columns came: float32 (channels, 1024 * columns)."""
        channel_count, column_count, _ = spectrum.shape
        pieces = scipy.fft.irfft(spectrum, n=WINDOW_FRAMES, axis=2) * _SYNTHESIS_WINDOW
        hops = pieces.reshape(channel_count, column_count, _HOPS_PER_WINDOW, HOP_FRAMES)
        added = np.zeros((channel_count, column_count + _HOPS_PER_WINDOW - 1, HOP_FRAMES), np.float32)
        if self._pending is not None:
            added[:, : _HOPS_PER_WINDOW - 1] = self._pending
        for hop in range(_HOPS_PER_WINDOW):
            added[:, hop : hop + column_count] += hops[:, :, hop]
        self._pending = added[:, column_count:].copy()
        return added[:, :column_count].reshape(channel_count, column_count * HOP_FRAMES)
