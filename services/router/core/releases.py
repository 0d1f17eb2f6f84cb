"""Letting go of results whose files have been delivered: what is known stays in the ledger, the bytes go."""

from collections.abc import Iterator

from services.router.core.ports import JobLedger, JobQuery
from stemhouse.audio import SourceRef, StemSet
from stemhouse.errors import InvalidRequest
from stemhouse.ports import ObjectStore
from stemhouse.vocab import JobState

_PAGE_SIZE = 500


class Releases:
    """Drops what finished jobs have left in the store."""

    def __init__(self, jobs: JobLedger, store: ObjectStore) -> None:
        """Keep what it asks."""
        self._jobs = jobs
        self._store = store

    def release(self, job_id: str) -> bool:
        """Drop the stems and the audio of a job, unless another one works on its source: whether they are gone.

        Once more is no error. Raises NotFound, and InvalidRequest for a job that is not DONE.
        """
        job = self._jobs.get(job_id)
        if job.result is None:
            message = f"job {job_id} is {job.state.value}: only what is done can be released"
            raise InvalidRequest(message, {"job_id": message})
        if any(source.sha256 == job.request.source.sha256 for source in self._sources_at_work()):
            return False
        for key in self._keys(job.result.stem_set):
            self._store.delete(key)
        return True

    def _keys(self, stem_set: StemSet) -> Iterator[str]:
        """The manifest first: without it, what is left by a kill is no result any more."""
        folders = dict.fromkeys(stem.object_key.rpartition("/")[0] for stem in stem_set.stems)
        for folder in folders:
            yield f"{folder}/manifest.json"
            yield from self._store.list_keys(f"{folder}/")
        yield stem_set.audio.object_key

    def _sources_at_work(self) -> Iterator[SourceRef]:
        query, token = JobQuery((JobState.QUEUED, JobState.RUNNING)), ""
        while True:
            page = self._jobs.page(_PAGE_SIZE, token, query)
            yield from (job.request.source for job in page.jobs)
            token = page.next_page_token
            if not token:
                return
