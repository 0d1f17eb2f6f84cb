"""Taking a wish in: known answers at once, everything else into the queue."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.router.core.pipeline import StemPipeline
from services.router.core.ports import JobLedger, Uploads
from stemhouse.audio import SourceRef
from stemhouse.errors import InputRejected, NotFound
from stemhouse.jobs import Job, JobError, SeparationRequest
from stemhouse.vocab import JobState


class Submissions:
    """Makes jobs of requests, idempotent by request id."""

    def __init__(
        self,
        pipeline: StemPipeline,
        jobs: JobLedger,
        uploads: Uploads,
        *,
        now: Callable[[], datetime],
        new_job_id: Callable[[], str],
    ) -> None:
        """Keep what it asks; `now` is in UTC, `new_job_id` never repeats."""
        self._pipeline = pipeline
        self._jobs = jobs
        self._uploads = uploads
        self._now = now
        self._new_job_id = new_job_id

    def is_known(self, source: SourceRef) -> bool:
        """Whether the router can work on the source without its bytes being sent."""
        return self._uploads.holds(source) or self._is_decided(source)

    def submit(self, request_id: str, request: SeparationRequest) -> Job:
        """The job for the request, done already if the cache answers.

        Raises NotFound for a source that was never uploaded, RequestConflict for a reused request id, and
        EngineUnavailable for an engine or a model that nobody has.
        """
        job = Job(self._new_job_id(), request_id, request, JobState.QUEUED, created_at=self._now())
        try:
            result = self._pipeline.known_result(request)
        except InputRejected as error:
            failed = JobError(error.reason, error.message, error.details)
            return self._jobs.create(
                replace(job, state=JobState.FAILED, error=failed, ended_at=self._now()), is_queued=False
            )
        if result:
            return self._jobs.create(
                replace(job, state=JobState.DONE, result=result, ended_at=self._now()), is_queued=False
            )
        self._pipeline.require_engine(request)  # first: nobody shall upload for an engine that is not there
        for source in (request.source, *request.references.values()):
            self._require_source(source)
        return self._jobs.create(job, is_queued=True)

    def _require_source(self, source: SourceRef) -> None:
        if not self.is_known(source):
            message = f"{source.file_name} has not been uploaded"
            raise NotFound(message, {"sha256": source.sha256})

    def _is_decided(self, source: SourceRef) -> bool:
        try:
            return self._pipeline.is_ingested(source)
        except InputRejected:
            return True
