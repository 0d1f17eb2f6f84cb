"""Splits spectra into vocals and accompaniment with Spleeter's two networks.

A network sees 512 columns at a time, as in training, but each block starts 64 columns before the last one ends, and
the masks are cross-faded there: cut side by side they jump, on one of four songs by 50 times the usual change from
column to column. The networks were trained on mastered music and lose the voice of quiet files (9 dB of SI-SDR on a
song lowered by 20 dB), so they hear the programme brought to one level. Only a mask comes back, so a gain of the
input is a gain of both parts.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import logsigmoid

from services.separator.adapters.starter.network import NETWORK_BINS, MaskNetwork
from services.separator.adapters.starter.weights import StarterWeights
from services.separator.core.programme_level import ProgrammeLevel
from services.separator.core.spectrogram import BIN_COUNT, Spectrum, mean_square

_BLOCK_COLUMNS = 512
_FADE_COLUMNS = 64
GROUP_COLUMNS = _BLOCK_COLUMNS - _FADE_COLUMNS
"""How many columns a group must have."""

_LEVEL_DB = -14.0  # the loud passages of mastered music
_FADE_IN = ((np.arange(_FADE_COLUMNS, dtype=np.float32) + 0.5) / _FADE_COLUMNS)[:, np.newaxis]

_Mask = npt.NDArray[np.float32]
"""float32 (channels, columns, bins), within [0, 1]."""


class VocalSplit:
    """The two networks and what they need around them; keeps nothing between streams."""

    def __init__(self, weights: StarterWeights) -> None:
        self._vocals = MaskNetwork(weights.vocals)
        self._accompaniment = MaskNetwork(weights.accompaniment)

    def split(self, groups: Iterable[Spectrum]) -> Iterator[Spectrum]:
        """Give each group of `GROUP_COLUMNS` in two parts that sum to it: complex64 (2, channels, columns, bins).

        Part 0 are the vocals, part 1 is the accompaniment.
        """
        level = ProgrammeLevel()
        fading: _Mask | None = None
        for group, following in _with_following(groups):
            level.hear(mean_square(group))
            block = np.concatenate([group, following[:, :_FADE_COLUMNS]], axis=1)[:, :, :NETWORK_BINS]
            mask = self._vocal_mask(np.abs(block) * np.float32(level.gain_to(_LEVEL_DB)))
            if fading is not None:
                mask[:, :_FADE_COLUMNS] = fading + _FADE_IN * (mask[:, :_FADE_COLUMNS] - fading)
            fading = mask[:, GROUP_COLUMNS:].copy()
            vocals = group * _to_all_bins(mask[:, :GROUP_COLUMNS])
            yield np.stack([vocals, group - vocals])

    def _vocal_mask(self, magnitudes: npt.NDArray[np.float32]) -> _Mask:
        """Wiener mask v^2 / (v^2 + a^2) of both networks' amplitudes, by logarithms: never 0 / 0."""
        with torch.inference_mode():
            heard = torch.from_numpy(magnitudes)[None]
            ratio = logsigmoid(self._vocals(heard)) - logsigmoid(self._accompaniment(heard))
            mask: _Mask = torch.sigmoid(2 * ratio)[0].numpy()
        return mask


def _with_following(groups: Iterable[Spectrum]) -> Iterator[tuple[Spectrum, Spectrum]]:
    """Pair each group with the next one, and the last one with silence."""
    held: Spectrum | None = None
    for group in groups:
        if held is not None:
            yield held, group
        held = group
    if held is not None:
        yield held, np.zeros_like(held)


def _to_all_bins(mask: _Mask) -> _Mask:
    """Continue each column above what the networks see with its mean: 0.2 dB better than giving all to one part."""
    above = np.broadcast_to(mask.mean(axis=2, keepdims=True), (*mask.shape[:2], BIN_COUNT - NETWORK_BINS))
    return np.concatenate([mask, above], axis=2)
