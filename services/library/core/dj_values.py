"""Which values in the file of a DJ program can be true; programs, converters and damage write any."""

import math
import re
from functools import lru_cache

from services.library.core.serato_values import LONGEST_S
from stemhouse.tracks import BeatMarker

_MOST_SLOTS = 64
"""More than any program has pads for a track."""
_BEATS_OF_BAR = range(1, 5)
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_RGB = 3
_HIGHEST_BYTE = 255


def seconds_from_text(raw: str, units_per_s: float = 1.0) -> float | None:
    """A time within a day, with a decimal point or comma; None if the text is no such number."""
    try:
        value_s = float(raw.strip().replace(",", ".")) / units_per_s
    except ValueError:
        return None
    return value_s if math.isfinite(value_s) and 0.0 <= value_s <= LONGEST_S else None


def slot_from_text(raw: str) -> int | None:
    """A pad, from 0; None if the text names none, as -1 does."""
    number = _whole_number(raw)
    return number if number is not None and 0 <= number < _MOST_SLOTS else None


def bar_beat_from_text(raw: str) -> int:
    """1 to 4; 0 if the text says nothing else."""
    number = _whole_number(raw)
    return number if number is not None and number in _BEATS_OF_BAR else 0


@lru_cache  # marks have few colours; and one text for all of them saves memory
def color_from_parts(*parts: str) -> str:
    """`#RRGGBB` of three decimal numbers; empty if they are no colour."""
    numbers = [_whole_number(part) for part in parts]
    values = [number for number in numbers if number is not None and 0 <= number <= _HIGHEST_BYTE]
    return "#{:02X}{:02X}{:02X}".format(*values) if len(values) == _RGB else ""


def color_from_text(raw: str) -> str:
    """`#RRGGBB` of the same or of `0xRRGGBB`; empty if the text is no colour."""
    color = raw.strip().replace("0x", "#", 1)
    return color.upper() if _COLOR.fullmatch(color) else ""


def in_order(grid: list[BeatMarker]) -> tuple[BeatMarker, ...]:
    """Markers as they follow each other in the track."""
    return tuple(sorted(grid, key=lambda marker: marker.position_s))


def _whole_number(raw: str) -> int | None:
    try:
        return int(raw)
    except ValueError:
        return None
