"""What the service is asked for, and what its tracks are called here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS

_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class Product:
    """A way to split: the route, the presets that are sent, and the labels of tracks by the names of stems.

    `rate` is what a minute of audio takes of the account: one minute for each stem that is asked for.
    """

    model: str
    route: str
    presets: Mapping[str, Any]
    labels: Mapping[str, str]
    rate: float

    def minutes(self, duration_s: float) -> float:
        """What a track takes, rounded up to hundredths."""
        return math.ceil(100 * duration_s * self.rate / _SECONDS_PER_MINUTE - 1e-9) / 100


PRODUCTS = (
    Product(
        model="multistem",
        route="split/multistem",
        presets={"stem_list": ["vocals", "drum", "bass"], "encoder_format": "wav"},
        labels={VOCALS: "vocals", DRUMS: "drum", BASS: "bass", OTHER: "no_multistem"},
        rate=3.0,
    ),
    Product(
        model="vocals",
        route="split/stem_separator",
        presets={"stem": "vocals", "encoder_format": "wav"},
        labels={VOCALS: "vocals", OTHER: "no_vocals"},
        rate=1.0,
    ),
)
"""No splitter is named: the service takes its best one for the stems."""
