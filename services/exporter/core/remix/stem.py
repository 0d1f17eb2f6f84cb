"""A stem that is to be cut."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from services.exporter.core.remix.ports import FloatBlock
from services.exporter.core.remix.sounding import LevelCurve, Span, level_curve, phrase_spans, sounding_spans

_CROSSING_S = 0.003


@dataclass(frozen=True)
class CutStem:
    """Its samples (frames, channels), how loud it is when, and where it sounds: its sounds or its phrases."""

    samples: FloatBlock
    rate_hz: int
    curve: LevelCurve
    spans: Sequence[Span]

    @classmethod
    def of(cls, samples: FloatBlock, rate_hz: int) -> Self:
        """With its sounds."""
        curve = level_curve(samples, rate_hz)
        return cls(samples, rate_hz, curve, sounding_spans(samples, curve, rate_hz))

    def by_phrase(self) -> Self:
        """With its phrases instead."""
        return replace(self, spans=phrase_spans(self.spans, self.rate_hz))

    def frames(self, seconds: float) -> int:
        """Of a length of time."""
        return round(seconds * self.rate_hz)

    def crossing(self, frame: int) -> int:
        """Where all channels are next to zero, at most 3 ms earlier."""
        start = max(0, frame - self.frames(_CROSSING_S))
        near = np.abs(self.samples[start : frame + 1]).max(axis=1, initial=0.0)
        return start + len(near) - 1 - int(np.argmin(near[::-1])) if len(near) else frame
