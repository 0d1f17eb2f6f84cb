"""Stretching by Signalsmith Stretch, whose licence is MIT: https://signalsmith-audio.co.uk/code/stretch/."""

import math

import numpy as np
from python_stretch.Signalsmith import Stretch

from services.exporter.core.remix.ports import FloatBlock

_SEED = 1
_LOUD = 2.0**19
"""Peak times window length. Near 1 the library's fixed noise floor decides, above 2**24 its squares overflow."""
_SPARE_FRAMES = 4
"""The library rounds lengths by float32, which may cost a frame."""


class SignalsmithStretcher:
    """Takes any number of channels: in each band, the loudest decides on the phase of all."""

    def stretch(self, samples: FloatBlock, sample_rate_hz: int, ratio: float) -> FloatBlock:
        """See Stretcher.stretch. Gains of powers of two pass through exactly; memory is some three times the audio."""
        frame_count = round(len(samples) * ratio)
        peak = float(np.max(np.abs(samples), initial=0.0))
        if frame_count == 0 or peak == 0.0:
            return np.zeros((frame_count, samples.shape[1]), np.float32)
        stretch = Stretch(_SEED)
        stretch.preset(samples.shape[1], sample_rate_hz)
        stretch.setTimeFactor(1.0 / ratio)
        gain = 2.0 ** math.floor(math.log2(_LOUD / (peak * stretch.blockSamples())))
        padded = np.zeros((samples.shape[1], len(samples) + _SPARE_FRAMES), np.float32)
        np.multiply(samples.T, gain, out=padded[:, : len(samples)])
        stretched: FloatBlock = np.asarray(stretch.process(padded)).T[:frame_count]
        stretched /= gain
        return stretched
