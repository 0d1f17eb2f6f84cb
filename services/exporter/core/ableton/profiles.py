"""The two versions of Live that sets are written for; newer ones open sets of both."""

from dataclasses import dataclass

PALETTE_SIZE = 70

_FIRST_TRACK_COLOR = 140
_LATE_COLOR = 60
"""Live 10 counts the last ten colours of tracks from elsewhere."""
_FIRST_LATE_TRACK_COLOR = 218


@dataclass(frozen=True)
class LiveProfile:
    """What the root of a set says of the Live that wrote it; `major` chooses the lines of outlines."""

    major: int
    minor_version: str
    schema_change_count: int | None
    overwrite_protection_number: int
    creator: str

    def track_color(self, color: int) -> int:
        """What stands for a colour of the palette, 0 to 69, in a track."""
        if self.major != LIVE_10.major:
            return color
        return color + (_FIRST_TRACK_COLOR if color < _LATE_COLOR else _FIRST_LATE_TRACK_COLOR)

    @property
    def no_color(self) -> int:
        """What stands in a track without a colour."""
        return 0 if self.major == LIVE_10.major else -1

    @property
    def root_attributes(self) -> dict[str, str]:
        """The attributes of the root, in order."""
        count = self.schema_change_count
        return {
            "MajorVersion": "5",
            "MinorVersion": self.minor_version,
            **({} if count is None else {"SchemaChangeCount": str(count)}),
            "Creator": self.creator,
            "Revision": "",
        }


LIVE_10 = LiveProfile(10, "10.0_377", 3, 0x0A01, "Ableton Live 10.1.25")
LIVE_11 = LiveProfile(11, "11.0_433", None, 0x0B00, "Ableton Live 11.0")
