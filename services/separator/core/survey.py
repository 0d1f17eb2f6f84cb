"""What half seconds all over a result tell: levels, clipping, and where each stem sounds.

At most 60 of them are heard, evenly spread, so that a survey of three hours costs no more than that of a minute.
"""

from dataclasses import dataclass
from math import log10

import numpy as np
import numpy.typing as npt

from services.separator.core.ports import Block, Span
from services.separator.core.ratios import LIMIT_DB, ratio_db
from services.separator.core.stem_reading import StemReader, mixture_of
from stemhouse.audio import StemRef

_PROBE_S = 0.5
_MOST_PROBES = 60
_HEARD_POWER = 10.0**-5.0
"""-50 dB: probes of the mixture below this mean power, against full scale, tell nothing."""
_SOUNDING_POWER = 10.0**-1.5
"""-15 dB of the mixture's power, from which on a stem counts as sounding; the same as in `sung`."""
_LEAST_DB = -120.0
"""Of a level, where there is silence."""

_Powers = npt.NDArray[np.float64]
"""Mean square of each probe, 1.0 being full scale: float64 (probes,)."""


@dataclass(frozen=True)
class Levels:
    """One stream in all probes."""

    powers: _Powers
    clipped_share: float

    @property
    def power(self) -> float:
        """Mean square of all probes."""
        return float(self.powers.mean())


@dataclass(frozen=True)
class Survey:
    """What was heard, and in which frames; `mixture` is the sum of the stems."""

    spans: tuple[Span, ...]
    mixture: Levels
    stems: dict[str, Levels]

    def sounding(self, stem: str) -> npt.NDArray[np.bool_]:
        """In which probes the stem is clearly there, of those that are not silent."""
        is_loud = self.stems[stem].powers > _SOUNDING_POWER * self.mixture.powers
        sounding: npt.NDArray[np.bool_] = is_loud & self.heard
        return sounding

    @property
    def heard(self) -> npt.NDArray[np.bool_]:
        """Which probes are not silent."""
        heard: npt.NDArray[np.bool_] = self.mixture.powers > _HEARD_POWER
        return heard

    def sounding_share(self, stem: str) -> float:
        """Of the probes that are not silent, 0 to 1."""
        return float(self.sounding(stem).sum() / max(self.heard.sum(), 1))

    def share_db(self, stem: str) -> float:
        """The energy of the stem against that of the mixture, within [-60, 60]."""
        return ratio_db(self.stems[stem].power, self.mixture.power)

    def sounding_centres(self, stem: str) -> list[int]:
        """The middle frames of the probes in which the stem sounds; of all if there are none."""
        is_there = self.sounding(stem)
        wanted = is_there if is_there.any() else np.ones_like(is_there)
        return [(first + end) // 2 for (first, end), is_wanted in zip(self.spans, wanted, strict=True) if is_wanted]

    def level_db(self, stem: str) -> float:
        """RMS in dB of full scale; -120 for silence."""
        return decibels(self.stems[stem].power)

    def bleed_db(self, stem: str) -> float | None:
        """What the stem has where it should be silent, against where it sounds: mean powers, within [-60, 60].

        It sounds in probes where it is less than 15 dB below the mixture, and should be silent in all others that
        the mixture is not silent in. That is the stem's own word: an instrument that stands in for the voice counts as
        the voice. None if it sounds everywhere, or nowhere.
        """
        is_there = self.sounding(stem)
        is_absent = self.heard & ~is_there
        if not is_there.any() or not is_absent.any():
            return None
        powers = self.stems[stem].powers
        return ratio_db(float(powers[is_absent].mean()), float(powers[is_there].mean()))


def survey_stems(reader: StemReader) -> Survey:
    """Hear the probes of a result; raises NotFound, StorageUnavailable, Cancelled."""
    audio = reader.stem_set.audio
    spans = _probes(audio.frame_count, audio.format.sample_rate_hz)
    powers: dict[str, list[float]] = {stem.name: [] for stem in reader.stem_set.stems}
    clipped = dict.fromkeys(powers, 0)
    loud = {stem.name for stem in reader.stem_set.stems if stem.peak >= 1.0}
    mixture: list[float] = []
    for blocks in reader.excerpts(spans):
        mixture.append(_mean_square(mixture_of(blocks)))
        for name, block in blocks.items():
            powers[name].append(_mean_square(block))
            if name in loud:
                clipped[name] += int(np.count_nonzero(np.abs(block).max(axis=0) >= 1.0))
    heard_frames = sum(end - first for first, end in spans)
    stems = {name: Levels(np.array(values), clipped[name] / heard_frames) for name, values in powers.items()}
    return Survey(spans, Levels(np.array(mixture), 0.0), stems)


def peak_db(stem: StemRef) -> float:
    """The peak of a stem in dB of full scale; -120 for silence."""
    return decibels(stem.peak**2)


def decibels(power: float) -> float:
    """10 log10, within [-120, 60]."""
    return min(max(10 * log10(power), _LEAST_DB), LIMIT_DB) if power > 0.0 else _LEAST_DB


def _probes(frame_count: int, sample_rate_hz: int) -> tuple[Span, ...]:
    """All half seconds of a short track, or some that are evenly spread."""
    length = max(1, round(_PROBE_S * sample_rate_hz))
    count = min(max(frame_count // length, 1), _MOST_PROBES)
    starts = (number * (frame_count - length) // max(count - 1, 1) for number in range(count))
    return tuple((max(start, 0), min(max(start, 0) + length, frame_count)) for start in starts)


def _mean_square(block: Block) -> float:
    return float(np.vdot(block, block)) / block.size if block.size else 0.0
