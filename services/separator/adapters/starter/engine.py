"""The starter engine: vocals by Spleeter's networks, drums, bass and other by joint Wiener masks on what is left.

    blocks -> spectra -> vocals + accompaniment -> vocals, drums, bass, other -> overlap-add -> blocks

Each arrow is a generator that holds only the columns it must (see `core.spectrogram` for the grid), so memory is
bounded and nothing depends on how the blocks were cut.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from services.separator.adapters.starter.vocal_split import GROUP_COLUMNS, VocalSplit
from services.separator.adapters.starter.weights import WEIGHTS_DIGEST, StarterWeights, installed_folder, load_weights
from services.separator.core.blocks import CountedBlocks
from services.separator.core.joint_wiener import CONTEXT_COLUMNS, drums_and_bass
from services.separator.core.models import STARTER_MODEL
from services.separator.core.ports import EngineSpec, Mixture, StemBlocks
from services.separator.core.spectrogram import (
    HOP_FRAMES,
    OVERLAP_FRAMES,
    WINDOW_FRAMES,
    OverlapAdd,
    Spectrum,
    spectra,
    with_context,
)
from stemhouse.audio import AudioFormat
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, OTHER, VOCALS

STARTER_SPEC = EngineSpec(
    name="starter",
    model=STARTER_MODEL,
    engine_id=f"starter-spleeter2-{WEIGHTS_DIGEST[:8]}-wiener1",
    stems=BASE_STEMS,
    native_format=AudioFormat(sample_rate_hz=44100, channel_count=2),
    grade="basic",
)

_BIN_WIDTH_HZ = STARTER_SPEC.native_format.sample_rate_hz / WINDOW_FRAMES
_LEAD_FRAMES = OVERLAP_FRAMES + CONTEXT_COLUMNS * HOP_FRAMES  # what overlap-add gives before the stream begins


class StarterEngine:
    """Engine (see `core.ports`) on the CPU, with as many threads as PyTorch has been given."""

    def __init__(self, weights: StarterWeights) -> None:
        self._vocal_split = VocalSplit(weights)

    @classmethod
    def installed(cls) -> "StarterEngine":
        """The engine with the weights of the installed package; raises EngineUnavailable if they are not right."""
        return cls(load_weights(installed_folder()))

    @property
    def spec(self) -> EngineSpec:
        """See Engine.spec."""
        return STARTER_SPEC

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate; holds 21 s of the stream."""
        counted = CountedBlocks(mixture.blocks())
        parts = self._vocal_split.split(spectra(counted, GROUP_COLUMNS))
        adders = {stem: OverlapAdd() for stem in BASE_STEMS}
        start_frame = -_LEAD_FRAMES
        for group in with_context(parts, CONTEXT_COLUMNS):
            blocks = {stem: adders[stem].push(spectrum) for stem, spectrum in _four_stems(group).items()}
            inside = slice(max(-start_frame, 0), max(counted.frame_count - start_frame, 0))
            start_frame += blocks[VOCALS].shape[1]
            if blocks[VOCALS][:, inside].size:
                yield {stem: block[:, inside] for stem, block in blocks.items()}


def _four_stems(parts: Spectrum) -> dict[str, Spectrum]:
    """Share the accompaniment between three stems; columns of context are dropped."""
    vocals, inner = parts[:, :, CONTEXT_COLUMNS:-CONTEXT_COLUMNS]
    drums_mask, bass_mask = drums_and_bass(_mean_power(parts[1]), _BIN_WIDTH_HZ)
    drums, bass = inner * drums_mask, inner * bass_mask
    return {VOCALS: vocals, DRUMS: drums, BASS: bass, OTHER: inner - drums - bass}


def _mean_power(spectrum: Spectrum) -> npt.NDArray[np.float32]:
    """Power, mean over the channels: float32 (columns, bins)."""
    power: npt.NDArray[np.float32] = (np.square(spectrum.real) + np.square(spectrum.imag)).mean(axis=0)
    return power
