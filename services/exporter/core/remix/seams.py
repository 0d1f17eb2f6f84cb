"""Audio that was stretched in pieces, joined where it is heard least.

Two pieces that hold the same moment have it in other phases. A fade between them is heard in a steady tone, and not
just before an attack, which masks it, nor in silence.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.exporter.core.remix.ports import FloatBlock

FADE_S = 0.03
_MASKING_S = 0.1
_LEAST_ENERGY = 1e-12
"""Of the attack that is to mask the seam: -120 dB of full scale."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seam:
    """Where the fade begins, in frames of the overlap, and how long it is."""

    start: int
    frame_count: int


def best_seam(before: FloatBlock, after: FloatBlock, margin_frames: int, sample_rate_hz: int) -> Seam:
    """Of an overlap, as it ends one piece and begins the next, both of shape (frames, channels).

    The fade keeps `margin_frames` from both ends, if there is room. It is where the pieces differ least, measured
    against what is played next.
    """
    fade = min(round(FADE_S * sample_rate_hz), len(before))
    differences = _running_sum(np.square(before - after, dtype=np.float64).mean(axis=1), fade)
    masking = round(_MASKING_S * sample_rate_hz)
    following = _running_sum(
        np.append(np.square(after, dtype=np.float64).mean(axis=1), np.zeros(masking + fade)), masking
    )
    costs = differences / (following[fade : fade + len(differences)] + _LEAST_ENERGY * masking)
    margin = min(margin_frames, (len(costs) - 1) // 2)
    return Seam(margin + int(np.argmin(costs[margin : len(costs) - margin])), fade)


def joined(before: FloatBlock, after: FloatBlock, seam: Seam) -> FloatBlock:
    """The overlap: one piece, the fade, then the other. One fade for all channels keeps their sums."""
    rising = (0.5 - 0.5 * np.cos(np.pi * (np.arange(seam.frame_count) + 0.5) / seam.frame_count)).astype(np.float32)
    fade = slice(seam.start, seam.start + seam.frame_count)
    overlap = np.concatenate([before[: fade.stop], after[fade.stop :]])
    overlap[fade] += rising[:, np.newaxis] * (after[fade] - before[fade])
    return overlap


def _running_sum(values: _Floats, width: int) -> _Floats:
    """Of `width` values from each on."""
    sums = np.cumsum(np.append(0.0, values))
    running: _Floats = np.maximum(sums[width:] - sums[:-width], 0.0)
    return running
