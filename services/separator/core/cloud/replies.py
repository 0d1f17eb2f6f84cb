"""What the replies of LALAL.AI's API of version 1 mean (its OpenAPI description 1.1.0).

`detail` may be a text, an object or a list, so that nothing but `code` tells errors apart; the list of codes is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

_OK, _PASSING, _REFUSED_KEY = 200, {429, 500, 502, 503, 504}, {401, 403}
"""Statuses of HTTP."""
_OUT_OF_MINUTES, _KEY_USED, _INTERNAL = "exceeded_duration", "idempotency_key_used", "internal_error"


class Meaning(Enum):
    """What a reply asks of its reader."""

    DONE = auto()
    AGAIN = auto()
    KEY_REFUSED = auto()
    OUT_OF_MINUTES = auto()
    KEY_USED = auto()
    REFUSED = auto()


@dataclass(frozen=True)
class Reply:
    """A reply: its status, its JSON (empty if it has none) and what the service calls it in its logs."""

    status: int
    body: Mapping[str, Any]
    request_id: str = ""

    @property
    def meaning(self) -> Meaning:
        """What to do about it; one that should have a body and has none is asked for again."""
        if self.status == _OK:
            return Meaning.DONE
        if self.status in _REFUSED_KEY:
            return Meaning.KEY_REFUSED
        if self.status in _PASSING or self._code == _INTERNAL:
            return Meaning.AGAIN
        return {_OUT_OF_MINUTES: Meaning.OUT_OF_MINUTES, _KEY_USED: Meaning.KEY_USED}.get(self._code, Meaning.REFUSED)

    @property
    def words(self) -> str:
        """What the service says, for people."""
        detail = self.body.get("detail")
        return detail if isinstance(detail, str) else f"status {self.status} {self._code}".strip()

    @property
    def _code(self) -> str:
        code = self.body.get("code")
        return code if isinstance(code, str) else ""


@dataclass(frozen=True)
class TaskReport:
    """What `check` says of a task.

    `links` are the addresses of its tracks by their labels, once it is done. `failure` says in words why it ended
    without; `is_lost`: the service does not know it, or says nothing of use.
    """

    progress: float = 0.0
    links: Mapping[str, str] | None = None
    failure: str = ""
    is_lost: bool = False

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen, as far as this report tells."""
        return self.links is not None or bool(self.failure) or self.is_lost


def report_from_entry(entry: Any) -> TaskReport:
    """Of an entry of `check`, whatever else it holds; a task that failed comes with status 200."""
    if not isinstance(entry, Mapping):
        return TaskReport(is_lost=True)
    status = entry.get("status")
    if status == "progress":
        return TaskReport(progress=_share(entry.get("progress")))
    if status == "success":
        return TaskReport(progress=1.0, links=_links(entry.get("result")))
    if status == "cancelled":
        return TaskReport(failure="the task was cancelled")
    error = entry.get("error")
    if status == "error":
        detail = error.get("detail") if isinstance(error, Mapping) else error
        return TaskReport(failure=str(detail or "the service gives no reason"))
    return TaskReport(is_lost=True)


def _share(percent: Any) -> float:
    """0 for what is no number, NaN among it."""
    return min(percent, 100) / 100 if isinstance(percent, int | float) and percent > 0 else 0.0


def _links(result: Any) -> Mapping[str, str]:
    tracks = result.get("tracks") if isinstance(result, Mapping) else None
    return {
        track["label"]: track["url"]
        for track in (tracks if isinstance(tracks, list) else ())
        if isinstance(track, Mapping) and isinstance(track.get("label"), str) and isinstance(track.get("url"), str)
    }
