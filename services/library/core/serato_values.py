"""Which values of a tag can be true; damaged bytes give any."""

LONGEST_S = 24.0 * 3600.0
"""No track lasts longer than a day."""
_HIGHEST_BPM = 1000.0
_NO_COLOR = b"\xff\xff\xff"


def is_bpm(value: float) -> bool:
    """Whether a tempo is above 0 and below 1000; what is not a number is none."""
    return 0.0 < value < _HIGHEST_BPM


def is_position_ms(value: int) -> bool:
    """Whether a time lies within a day; unset ones are written as far greater numbers."""
    return 0 <= value <= LONGEST_S * 1000.0


def color_from_rgb(rgb: bytes) -> str:
    """`#RRGGBB` of three bytes."""
    return f"#{rgb.hex().upper()}"


def track_color_from_rgb(rgb: bytes) -> str:
    """The same of a track; empty for white, which Serato writes where nobody has chosen a colour."""
    return "" if rgb == _NO_COLOR else color_from_rgb(rgb)
