"""Where a stem sounds, and where the breaks between its phrases are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.exporter.core.remix.ports import FloatBlock

_HOP_S = 0.005
_SMOOTHED_HOPS = 4
_FLOOR_DB = -120.0
_HEARD_DB = -90.0
_LOUD_PERCENTILE = 95
_BELOW_LOUD_DB, _QUIETEST_DB = 30.0, -60.0
"""What is further below the loud moments of the stem is bleed of others, or noise."""
_HYSTERESIS_DB = 8.0
_SHORTEST_BREAK_S, _SHORTEST_SOUND_S = 0.06, 0.03
_PHRASE_BREAK_S = 0.35
"""A breath; what is shorter lies between two syllables."""
_LEAD_S, _TAIL_S = 0.005, 0.02
"""What is quieter than the threshold and yet belongs to an attack and to its end."""
_BLUR_S = 0.06
"""At most so much before a sound the smoothed level begins to rise."""

_CANCELLED = 0.01

Span = tuple[int, int]
"""First frame, and the one behind the last."""


@dataclass(frozen=True)
class LevelCurve:
    """RMS in dB of full scale, one value for `hop_frames` frames."""

    level_db: npt.NDArray[np.float64]
    hop_frames: int

    def quietest(self, start: int, end: int) -> int:
        """The frame in the middle of the quietest value between two frames."""
        first, last = start // self.hop_frames, max(start // self.hop_frames + 1, end // self.hop_frames)
        index = first + int(np.argmin(self.level_db[first:last]))
        return min(max(start, index * self.hop_frames + self.hop_frames // 2), end)


def in_mono(samples: FloatBlock) -> npt.NDArray[np.float32]:
    """The mean of the channels; the first one where they would cancel each other out."""
    mean: npt.NDArray[np.float32] = samples.mean(axis=1)
    return samples[:, 0] if _power(mean[:, np.newaxis]).mean() < _CANCELLED * _power(samples).mean() else mean


def level_curve(samples: FloatBlock, sample_rate_hz: int) -> LevelCurve:
    """Of all channels together."""
    hop = max(1, round(_HOP_S * sample_rate_hz))
    power = np.append(_power(samples), np.zeros(-len(samples) % hop, dtype=np.float32))
    means = power.reshape(-1, hop).mean(axis=1, dtype=np.float64)
    smoothed = np.convolve(means, np.ones(_SMOOTHED_HOPS) / _SMOOTHED_HOPS, "same")[: len(means)]
    return LevelCurve(10 * np.log10(np.maximum(smoothed, 10 ** (_FLOOR_DB / 10))), hop)


def sounding_spans(samples: FloatBlock, curve: LevelCurve, sample_rate_hz: int) -> list[Span]:
    """Where it sounds, in order, not touching each other; none in a silent stem. Each begins 5 ms before its sound."""
    heard = curve.level_db[curve.level_db > _HEARD_DB]
    if not len(heard):
        return []
    begins_db = max(float(np.percentile(heard, _LOUD_PERCENTILE)) - _BELOW_LOUD_DB, _QUIETEST_DB)
    ends_db = begins_db - _HYSTERESIS_DB
    loud = [run for run in _runs(curve.level_db > ends_db) if curve.level_db[slice(*run)].max() > begins_db]
    lead, tail, blur = (round(seconds * sample_rate_hz) for seconds in (_LEAD_S, _TAIL_S, _BLUR_S))
    spans = []
    for first, last in _joined(loud, round(_SHORTEST_BREAK_S / _HOP_S)):
        if last - first >= _SHORTEST_SOUND_S / _HOP_S:
            coarse, end = max(0, first * curve.hop_frames - lead), min(len(samples), last * curve.hop_frames)
            entry = coarse + _entry(samples[coarse : min(end, coarse + blur)], 2 * 10 ** (ends_db / 20))
            spans.append((max(0, entry - lead), min(len(samples), end + tail)))
    return _joined(spans, 0)


def phrase_spans(spans: Sequence[Span], sample_rate_hz: int) -> list[Span]:
    """Sounds with nothing but short breaks between them, as one."""
    return _joined(spans, round(_PHRASE_BREAK_S * sample_rate_hz))


def _power(samples: FloatBlock) -> npt.NDArray[np.float32]:
    """Of each frame, the mean of its channels; made in one go, as stems are large."""
    power: npt.NDArray[np.float32] = np.einsum("ij,ij->i", samples, samples)
    return power / np.float32(samples.shape[1])


def _entry(samples: FloatBlock, least: float) -> int:
    """The first frame that is louder; 0 if none is, as in a sound that swells."""
    return int(np.argmax(np.abs(samples).max(axis=1, initial=0.0) > least)) if len(samples) else 0


def _runs(is_on: npt.NDArray[np.bool_]) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_on, [False]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _joined(spans: Iterable[Span], longest_break: int) -> list[Span]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= longest_break:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
