"""Which tempi are likely, from what is known of a track.

A beat and its half or double fit the same onsets. A tag or a genre knows which of them musicians count.
"""

from dataclasses import dataclass
from math import log2
from typing import Self

import numpy as np

from services.exporter.core.analysis.signals import Floats

_RANGES_BPM = (
    (("drum & bass", "drum and bass", "drum'n'bass", "drum n bass", "dnb", "d&b", "jungle", "neurofunk"), (160, 180)),
    (("hardstyle", "hardcore", "gabber", "speedcore"), (145, 190)),
    (("dubstep", "riddim", "trap", "drill", "phonk"), (130, 160)),
    (("hip-hop", "hip hop", "hiphop", "rap", "boom bap", "lo-fi", "lofi"), (75, 105)),
    (("reggaeton", "dancehall", "dembow", "moombahton"), (85, 112)),
    (("downtempo", "trip-hop", "trip hop", "chillout", "chill-out", "reggae", "ambient", "dub"), (65, 110)),
    (("psytrance", "psy-trance", "goa"), (135, 150)),
    (("trance",), (126, 145)),
    (("garage", "2-step", "grime", "bassline"), (125, 145)),
    (("breakbeat", "breaks", "big beat", "electro"), (110, 140)),
    (("techno",), (120, 155)),
    (("house", "disco", "edm", "dance"), (105, 132)),
    (("punk", "ska", "metal"), (130, 200)),
    (("funk", "pop", "latin", "afrobeat", "amapiano"), (90, 130)),
    (("soul", "r&b", "rnb", "ballad", "blues"), (58, 112)),
    (("rock", "indie", "country"), (85, 145)),
)
"""What DJs count, by words in a genre; the first row with such a word counts. Editors' knowledge, not a measurement."""
_USUAL_BPM, _USUAL_SPREAD = 120.0, 0.6
_TAG_SPREAD, _RANGE_SPREAD = 0.02, 0.15
"""In octaves."""


@dataclass(frozen=True)
class Tempi:
    """Tempi from `low` to `high` are as likely as any, the others less, by a bell `spread` octaves wide."""

    low_bpm: float
    high_bpm: float
    spread: float

    @classmethod
    def of_tag(cls, bpm: float) -> Self:
        """Of what a tag names."""
        return cls(bpm, bpm, _TAG_SPREAD)

    @classmethod
    def of_genre(cls, genre: str) -> Self:
        """Of a genre's name, or usual ones if it says nothing."""
        lowered = genre.casefold()
        for words, (low_bpm, high_bpm) in _RANGES_BPM:
            if any(word in lowered for word in words):
                return cls(low_bpm, high_bpm, _RANGE_SPREAD)
        return cls(_USUAL_BPM, _USUAL_BPM, _USUAL_SPREAD)

    def likelihood(self, bpms: Floats) -> Floats:
        """1 within the range, never quite 0."""
        beyond = np.maximum(np.log2(bpms) - log2(self.high_bpm), 0.0) + np.maximum(
            log2(self.low_bpm) - np.log2(bpms), 0.0
        )
        likelihood: Floats = np.exp(-0.5 * (beyond / self.spread) ** 2) + 1e-3
        return likelihood
