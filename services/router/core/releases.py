"""Letting go of results whose files have been delivered: what is known stays in the ledger, the bytes go."""

from collections.abc import Iterator

from services.router.core.ports import JobLedger, JobQuery, ResultLedger
from stemhouse.audio import SourceRef, StemSet
from stemhouse.errors import InputRejected, InvalidRequest
from stemhouse.ports import ObjectStore
from stemhouse.vocab import JobState

_PAGE_SIZE = 500


class Releases:
    """Drops what finished jobs have left in the store."""

    def __init__(self, jobs: JobLedger, results: ResultLedger, store: ObjectStore) -> None:
        """Keep what it asks."""
        self._jobs = jobs
        self._results = results
        self._store = store

    def release(self, job_id: str) -> bool:
        """Drop the stems and the audio of a job, unless another one works on the same audio: whether they are gone.

        Who has a result of the same audio and has not fetched its files yet must wish for it again. Once more is no
        error. Raises NotFound, and InvalidRequest for a job that is not DONE.
        """
        job = self._jobs.get(job_id)
        if job.result is None:
            message = f"job {job_id} is {job.state.value}: only what is done can be released"
            raise InvalidRequest(message, {"job_id": message})
        pcm_sha256 = job.result.stem_set.audio.pcm_sha256
        if any(self._is_of(source, job.request.source, pcm_sha256) for source in self._sources_at_work()):
            return False
        for key in self._keys(job.result.stem_set):
            self._store.delete(key)
        return True

    def _is_of(self, source: SourceRef, released: SourceRef, pcm_sha256: str) -> bool:
        """Whether a source is the released one, or is known to hold the same samples."""
        if source.sha256 == released.sha256:
            return True
        try:
            ingested = self._results.find_ingested(source)
        except InputRejected:
            return False
        return ingested is not None and ingested.audio.pcm_sha256 == pcm_sha256

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
            for job in page.jobs:
                yield from (job.request.source, *job.request.references.values())
            token = page.next_page_token
            if not token:
                return
