"""Replies and refusals, as plain values."""

from dataclasses import dataclass, field
from typing import Any

from tests.fake_lalal.journal import Violation

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """A status and what the JSON body holds; the rest is for the journal."""

    status: int
    body: Json
    charged_minutes: float = 0.0
    task_ids: list[str] = field(default_factory=list)
    violations: tuple[Violation, ...] = ()


class Refused(Exception):
    """The service says no; `code` is left out where there is none."""

    def __init__(self, status: int, detail: Any, code: str | None = None) -> None:
        super().__init__(status, detail, code)
        self.status = status
        self.detail = detail
        self.code = code

    @property
    def reply(self) -> Reply:
        """As it is sent."""
        coded = {} if self.code is None else {"code": self.code}
        return Reply(self.status, {"detail": self.detail, **coded})
