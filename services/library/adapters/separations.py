"""The router, by way of the SDK."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from stemhouse.audio import SourceRef
from stemhouse.client.files import sha256_of
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.jobs import EngineSurvey, Job, SeparationRequest
from stemhouse.vocab import JobState

_LARGEST_PAGE = 500

AtHand = Callable[[str], AbstractContextManager[Path]]


class RouterSeparations:
    """Separations over a connection that others may share."""

    def __init__(self, client: Stemhouse, at_hand: AtHand) -> None:
        """Keep the client, and how a file of the library is had on this machine; no call is made here."""
        self._client = client
        self._at_hand = at_hand

    def survey(self) -> EngineSurvey:
        """See Separations.survey."""
        return self._client.survey()

    def sha256(self, path: str) -> str:
        """See Separations.sha256."""
        with _readable(path), self._at_hand(path) as file:
            return sha256_of(file)

    def upload(self, path: str) -> SourceRef:
        """See Separations.upload."""
        with _readable(path), self._at_hand(path) as file:
            return self._client.upload(file)

    def detect_vocals(self, source: SourceRef) -> float:
        """See Separations.detect_vocals."""
        return self._client.detect_vocals(source)

    def submit(self, request: SeparationRequest, request_id: str, batch_id: str) -> Job:
        """See Separations.submit."""
        return self._client.submit(request, request_id, batch_id)

    def jobs(self, batch_id: str, job_ids: Collection[str]) -> Mapping[str, Job]:
        """See Separations.jobs: one call for all that go on, and one for each that has ended."""
        under_way: dict[str, Job] = {}
        if len(job_ids) > 1:
            listed = self._client.list_jobs((JobState.QUEUED, JobState.RUNNING), _LARGEST_PAGE, batch_id=batch_id)
            under_way = {job.job_id: job for job in listed}
        found = {job_id: under_way.get(job_id) or self._job(job_id) for job_id in job_ids}
        return {job_id: job for job_id, job in found.items() if job}

    def cancel(self, job_id: str) -> None:
        """See Separations.cancel."""
        try:
            self._client.cancel(job_id)
        except NotFound:
            return

    def release(self, job_id: str) -> None:
        """See Separations.release."""
        with contextlib.suppress(NotFound, InvalidRequest):
            self._client.release_result(job_id)

    def _job(self, job_id: str) -> Job | None:
        try:
            return self._client.get_job(job_id)
        except NotFound:
            return None


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise InvalidRequest(message, {"file": path}) from error
