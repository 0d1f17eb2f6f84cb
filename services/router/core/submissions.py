"""Taking a wish in: known answers at once, everything else into the queue."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.router.core.pipeline import StemPipeline
from services.router.core.ports import Cancellation, JobLedger, Uploads, VocalFinding
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
        """Whether the router works on the source as well without its bytes being sent."""
        return self._uploads.holds(source) or _is_decided(source, self._pipeline.is_current)

    def submit(self, request_id: str, request: SeparationRequest, batch_id: str = "") -> Job:
        """The job for the request, done already if the cache answers.

        A request that made a job before is answered with it, whatever has become of its bytes or engine since; it
        keeps the batch that it was first given.
        Raises NotFound for a source that was never uploaded, RequestConflict for a reused request id, and
        EngineUnavailable for an engine or a model that nobody has.
        """
        return self._jobs.find(request_id, request) or self._create(request_id, request, batch_id)

    def _create(self, request_id: str, request: SeparationRequest, batch_id: str) -> Job:
        job = Job(self._new_job_id(), request_id, request, JobState.QUEUED, created_at=self._now(), batch_id=batch_id)
        try:
            result = self._pipeline.known_result(request, batch_id)
        except InputRejected as error:
            failed = JobError(error.reason, error.message, error.details)
            return self._jobs.create(
                replace(job, state=JobState.FAILED, error=failed, ended_at=self._now()), is_queued=False
            )
        if result:
            return self._jobs.create(
                replace(job, state=JobState.DONE, result=result, ended_at=self._now()), is_queued=False
            )
        # First: nobody shall upload for an engine that is not there.
        self._pipeline.require_engine(request, batch_id)
        for source in (request.source, *request.references.values()):
            self._require_source(source)
        return self._jobs.create(job, is_queued=True)

    def detect_vocals(self, source: SourceRef, cancellation: Cancellation) -> VocalFinding:
        """How much of an uploaded source is sung; see `StemPipeline.detect_vocals`."""
        self._require_source(source)
        return self._pipeline.detect_vocals(source, cancellation)

    def _require_source(self, source: SourceRef) -> None:
        if not (self._uploads.holds(source) or _is_decided(source, self._pipeline.is_ingested)):
            message = f"{source.file_name} has not been uploaded"
            raise NotFound(message, {"sha256": source.sha256})


def _is_decided(source: SourceRef, is_ingested: Callable[[SourceRef], bool]) -> bool:
    try:
        return is_ingested(source)
    except InputRejected:
        return True
