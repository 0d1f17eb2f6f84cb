"""Steps that are recorded as documents, as the durable ones are, and a router that is killed between them."""

from collections.abc import Callable
from typing import Any, get_type_hints

from services.router.adapters.documents import from_document, to_document
from stemhouse.errors import StemhouseError, error_from_reason
from stemhouse.jobs import JobError
from stemhouse.vocab import Stage


class Killed(BaseException):
    """The process is gone."""


class RecordedSteps:
    """Runs each step once, whatever is killed; `kills_after` is the number of the step after which it dies, once."""

    def __init__(self, kills_after: int = 0) -> None:
        self.stages: list[Stage] = []
        self._records: list[Any] = []
        self._kills_after = kills_after
        self._place = 0

    def start_again(self) -> None:
        """A new process, with the records of the old one."""
        self._kills_after = 0
        self._place = 0

    def run(self, stage: Stage, action: Callable[..., Any], *arguments: object) -> Any:
        """See Steps.run."""
        outcome_type = get_type_hints(action)["return"]
        if self._place == len(self._records):
            self._records.append(_record(outcome_type, action, arguments))
            self.stages.append(stage)
        assert self.stages[self._place] is stage
        record = self._records[self._place]
        self._place += 1
        if self._place == self._kills_after:
            raise Killed
        if "error" in record:
            error: JobError = from_document(JobError, record["error"])
            raise error_from_reason(error.reason, error.message, error.details)
        return from_document(outcome_type, record["outcome"])


def _record(outcome_type: Any, action: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
    try:
        return {"outcome": to_document(outcome_type, action(*arguments))}
    except StemhouseError as error:
        return {"error": to_document(JobError, JobError(error.reason, error.message, error.details))}
