"""What keeps a batch from going on, and how long it waits before it tries again."""

from dataclasses import dataclass
from enum import StrEnum

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


class Duty(StrEnum):
    """Parts of the work that fail apart from each other."""

    PREPARE = "prepare"
    QUEUE = "queue"
    SEPARATE = "separate"
    DELIVER = "deliver"
    RESCAN = "rescan"


@dataclass
class _Hindrance:
    cause: str
    pause_s: float
    ends_at_s: float


class Hindrances:
    """One for each duty at most; the pause doubles from 1 s to 30 s while the same duty goes on failing."""

    def __init__(self) -> None:
        """Nothing is in the way."""
        self._by_duty: dict[Duty, _Hindrance] = {}

    def note(self, duty: Duty, cause: str, now_s: float) -> None:
        """A duty has failed; what failed beside it within the same pause makes that no longer."""
        known = self._by_duty.get(duty)
        if known and now_s < known.ends_at_s:
            known.cause = cause
            return
        pause_s = min(2 * known.pause_s, _LONGEST_PAUSE_S) if known else _FIRST_PAUSE_S
        self._by_duty[duty] = _Hindrance(cause, pause_s, now_s + pause_s)

    def clear(self, duty: Duty) -> None:
        """The duty was done."""
        self._by_duty.pop(duty, None)

    def may_try(self, duty: Duty, now_s: float) -> bool:
        """Whether nothing is in the way, or the pause is over."""
        return duty not in self._by_duty or now_s >= self._by_duty[duty].ends_at_s

    def holds(self, duty: Duty) -> bool:
        """Whether the duty has failed when it was last tried."""
        return duty in self._by_duty

    def __bool__(self) -> bool:
        """Whether anything is in the way."""
        return bool(self._by_duty)

    @property
    def text(self) -> str:
        """The causes, each once; empty if there are none."""
        return "; ".join(dict.fromkeys(hindrance.cause for hindrance in self._by_duty.values()))
