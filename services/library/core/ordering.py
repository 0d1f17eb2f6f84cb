"""What a listing and a batch need of the order of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.library.core.ports import FileStamp


@dataclass(frozen=True, slots=True)
class OrderedFile:
    """A file at its place in the order of work, from 1, and why it has that place, in a few words each.

    Files whose vocals nobody knows have equal tiers (> 0) if an answer could let them change places; all others have 0.
    """

    place: int
    path: str
    size_bytes: int
    modified_ns: int
    duration_s: float
    reasons: tuple[str, ...]
    tier: int = 0

    @property
    def stamp(self) -> FileStamp:
        """As it was scanned."""
        return FileStamp(self.size_bytes, self.modified_ns)

    def has_settled(self, now: datetime, settling_s: float) -> bool:
        """Whether nobody seems to be copying it any more."""
        return not 0.0 <= now.timestamp() - self.modified_ns / 1e9 < settling_s


class WorkOrder(Protocol):
    """Tells which files of a location a batch takes, and in which order."""

    def files(self, location: str, crates: Sequence[str], *, is_crates_only: bool) -> Sequence[OrderedFile]:
        """The catalogued files of a scanned location that are there, in the order of work.

        Tracks of `crates` (names as `ListCrates` gives them, compared without regard to case) come first, in the
        order of the crates and of the tracks in them; with `is_crates_only` there are no others. Raises NotFound for a
        location that was not scanned, or a crate that it does not have.
        """
