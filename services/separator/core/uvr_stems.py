"""What UVR's models call their stems, in the words that all engines share."""

import re
from collections.abc import Sequence

from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS

_NAMES = {"vocal": VOCALS, "voice": VOCALS, "drum": DRUMS, "bassline": BASS}
_RESTS = {"instrumental", "inst", "accompaniment", "others", "rest"}
"""All but the vocals; `other` is what holds the rest of a mix."""
_UNFIT = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 64


def stem_name(name: str) -> str:
    """One stem: "Vocals" are `vocals`, and "Instrumental", "No Drums" and the like are `other`. May come out empty."""
    plain = _UNFIT.sub("_", name.lower()).strip("_")[:_LONGEST_NAME]
    if plain in _RESTS or plain.startswith(("no_", "not_")):
        return OTHER
    return _NAMES.get(plain, plain)


def stem_names(names: Sequence[str]) -> tuple[str, ...]:
    """The stems of a model; raises ValueError where two have one name, or one has none."""
    found = tuple(stem_name(name) for name in names)
    if not all(found) or len(set(found)) < len(found):
        raise ValueError(f"its stems are {', '.join(map(repr, names))}, which cannot be told apart")
    return found
