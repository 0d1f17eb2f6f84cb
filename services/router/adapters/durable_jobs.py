"""Running jobs through DBOS: queued with priority, each stage recorded, resumed after a crash.

DBOS keeps its tables in the ledger's database, so that a job and its place in the queue are one transaction.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, get_type_hints

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions, StepOptions
from sqlmodel import Session

from services.router.adapters.documents import from_document, to_document
from services.router.adapters.step_records import defect, job_error_of, recording_final_errors
from services.router.core.ports import JobLedger, Steps
from stemhouse.batches import BATCH_PRIORITY
from stemhouse.errors import Cancelled, StemhouseError, error_from_reason
from stemhouse.jobs import Job, JobError, SeparationResult
from stemhouse.vocab import JobState, Stage

log = structlog.get_logger(__name__)

Outcome = TypeVar("Outcome")
RunJob = Callable[[Job, Steps], SeparationResult]

_APPLICATION = "stemhouse-router"
_APPLICATION_VERSION = "1"
"""Fixed: DBOS resumes only work of its own version, and ours must survive an upgrade."""
_EXECUTOR_ID = "router-0"
"""Fixed: DBOS resumes what an executor of the same id left behind."""
_QUEUE = "separations"
_INTERACTIVE_QUEUE = "interactive"
"""Of jobs that somebody waits for: they are not kept waiting until a track of a batch is done."""
_QUEUES = [_QUEUE, _INTERACTIVE_QUEUE]
_WORKFLOW = "separate_track"
_POLLING_INTERVAL_S = 0.2
_HIGHEST_DBOS_PRIORITY = 1

_MOST_ATTEMPTS = 120
_PATIENCE = StepOptions(retries_allowed=True, interval_seconds=1.0, backoff_rate=1.0, max_attempts=_MOST_ATTEMPTS)
"""Two minutes at least: longer than any restart of a separator or of the store. A cancel waits for one interval."""


class DurableJobs:
    """The queue of jobs, and the workflow that runs each of them."""

    def __init__(self, database_url: str, concurrent_jobs: int) -> None:
        """Set DBOS up (it creates its tables); nothing runs before `start`.

        `concurrent_jobs` are worked on at once, and as many that come before batches.
        """
        self._database_url = database_url
        self._concurrent_jobs = concurrent_jobs
        self._serializer = DBOSPortableJSONSerializer()
        config = DBOSConfig(
            name=_APPLICATION,
            system_database_url=database_url,
            application_version=_APPLICATION_VERSION,
            executor_id=_EXECUTOR_ID,
            serializer=self._serializer,
            log_level="ERROR",
        )
        DBOS(config=config)

    def start(self, jobs: JobLedger, run_job: RunJob) -> None:
        """Take jobs from the queue from now on, interrupted ones first."""

        @DBOS.workflow(name=_WORKFLOW)
        def separate_track(job_id: str) -> None:
            _run_to_its_end(jobs, run_job, job_id)

        DBOS.listen_queues(_QUEUES)
        DBOS.launch()
        for queue in _QUEUES:
            DBOS.register_queue(
                queue, worker_concurrency=self._concurrent_jobs, polling_interval_sec=_POLLING_INTERVAL_S
            )
        self._client = DBOSClient(system_database_url=self._database_url, serializer=self._serializer)

    def allow(self, concurrent_jobs: int) -> None:
        """Work on so many jobs at once from now on, and on as many that come before batches."""
        if concurrent_jobs == self._concurrent_jobs:
            return
        for name in _QUEUES:
            queue = DBOS.retrieve_queue(name)
            if queue:
                queue.set_worker_concurrency(concurrent_jobs)
        self._concurrent_jobs = concurrent_jobs
        log.info("room for jobs", concurrent_jobs=concurrent_jobs)

    def enqueue(self, session: Session, job: Job) -> None:
        """Queue a job within the session's transaction; the workflow has the job's id, so it is never queued twice."""
        options = EnqueueOptions(
            workflow_name=_WORKFLOW,
            queue_name=_QUEUE if job.request.priority >= BATCH_PRIORITY else _INTERACTIVE_QUEUE,
            workflow_id=job.job_id,
            priority=_HIGHEST_DBOS_PRIORITY + job.request.priority,
            app_version=_APPLICATION_VERSION,
        )
        self._client.enqueue_in_transaction(session, options, job.job_id)


def _run_to_its_end(jobs: JobLedger, run_job: RunJob, job_id: str) -> None:
    job = jobs.get(job_id)
    if job.state.is_final:
        return
    with structlog.contextvars.bound_contextvars(request_id=job.request_id, job_id=job_id):
        finish = _ending(jobs, run_job, job)
        # The end of a job must reach the ledger: nothing else would ever tell those who wait.
        DBOS.run_step({**_PATIENCE, "name": "finish"}, finish)


def _ending(jobs: JobLedger, run_job: RunJob, job: Job) -> Callable[[], None]:
    """Run the job; gives what has to be told to the ledger. A defect of ours ends a job, too, hence the wide net."""
    try:
        result = run_job(job, _DurableSteps(jobs, job.job_id))
    except Cancelled as error:
        log.info("job cancelled", error=error.message)
        return partial(jobs.finish, job.job_id, JobState.CANCELLED, error=job_error_of(error))
    except StemhouseError as error:
        log.warning("job failed", reason=error.reason, error=error.message)
        return partial(jobs.finish, job.job_id, JobState.FAILED, error=job_error_of(error))
    except Exception:
        log.exception("job failed unexpectedly")
        return partial(jobs.finish, job.job_id, JobState.FAILED, error=job_error_of(defect()))
    log.info("job done", engine_id=result.stem_set.engine_id, cache_hit=result.cache_hit.value)
    return partial(jobs.finish, job.job_id, JobState.DONE, result=result)


class _DurableSteps:
    """The Steps port for one job."""

    def __init__(self, jobs: JobLedger, job_id: str) -> None:
        self._jobs = jobs
        self._job_id = job_id

    def run(self, stage: Stage, action: Callable[..., Outcome], *arguments: object) -> Outcome:
        """See Steps.run. Outcomes and final errors are recorded as JSON documents."""
        outcome_type = get_type_hints(action)["return"]

        def attempt() -> dict[str, Any]:
            self._jobs.cancellation(self._job_id).raise_if_requested()
            self._jobs.begin_stage(self._job_id, stage)
            return {"outcome": to_document(outcome_type, action(*arguments))}

        recorded = recording_final_errors(stage, attempt, _MOST_ATTEMPTS)
        record = DBOS.run_step({**_PATIENCE, "name": stage.value}, recorded)
        if "error" in record:
            error: JobError = from_document(JobError, record["error"])
            raise error_from_reason(error.reason, error.message, error.details)
        outcome: Outcome = from_document(outcome_type, record["outcome"])
        return outcome
