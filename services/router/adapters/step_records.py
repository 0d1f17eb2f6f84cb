"""What a stage leaves behind: its outcome, or the error that ends it, alike: a restart finds the same."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from services.router.adapters.documents import to_document
from stemhouse.errors import EngineUnavailable, InternalFault, StemhouseError, Unavailable, WorkerDied
from stemhouse.jobs import JobError
from stemhouse.vocab import Stage

log = structlog.get_logger(__name__)

Attempt = Callable[[], dict[str, Any]]
"""Of a stage; gives the document to record."""

_MOST_WORKER_DEATHS = 2
"""A track on which a worker dies again is at fault itself, and would keep the device from all others."""


def recording_final_errors(stage: Stage, attempt: Attempt, most_attempts: int) -> Attempt:
    """The attempt, with errors that no retry can help made part of its record; raises what another try may help.

    So is what fails for the last time: DBOS would raise an error of its own then, which comes back as another one from
    a record, and whoever goes on without the stage has to do the same after a restart.
    """
    failures: list[StemhouseError] = []

    def attempt_or_error() -> dict[str, Any]:
        try:
            return attempt()
        except StemhouseError as error:
            failures.append(error)
            final = error
            if _may_pass(error) and _deaths(failures) < _MOST_WORKER_DEATHS:
                if len(failures) < most_attempts:
                    log.warning("stage will be tried again", reason=error.reason, error=error.message)
                    raise
                final = Unavailable(f"gave up on stage {stage.value}: {error.message}", error.details)
        except Exception:
            log.exception("stage failed unexpectedly")
            final = defect()
        return {"error": to_document(JobError, job_error_of(final))}

    return attempt_or_error


def job_error_of(error: StemhouseError) -> JobError:
    """The error as a record keeps it."""
    return JobError(error.reason, error.message, error.details)


def defect() -> InternalFault:
    """What is told of an exception that is none of ours."""
    return InternalFault("internal error; the router's log has the request id")


def _deaths(failures: Sequence[StemhouseError]) -> int:
    return sum(isinstance(failure, WorkerDied) for failure in failures)


def _may_pass(error: StemhouseError) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, EngineUnavailable)
