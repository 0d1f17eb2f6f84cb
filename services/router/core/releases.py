"""Letting go of results whose files have been delivered: what is known stays in the ledger, the bytes go."""

from collections.abc import Iterator

from services.router.core.ports import JobLedger, JobQuery, ResultLedger
from services.router.core.shelf import CacheShelf
from stemhouse.audio import AudioRef, SourceRef, StemSet, result_id
from stemhouse.errors import InputRejected, InvalidRequest
from stemhouse.jobs import Job, SeparationRequest, SeparationResult
from stemhouse.vocab import AUTO_ENGINE, JobState

_PAGE_SIZE = 500


class Releases:
    """Drops what finished jobs have left in the store."""

    def __init__(self, jobs: JobLedger, results: ResultLedger, shelf: CacheShelf) -> None:
        """Keep what it asks."""
        self._jobs = jobs
        self._results = results
        self._shelf = shelf

    def release(self, job_id: str) -> bool:
        """Drop the stems and the audio of a job, unless another one works on the same audio: whether they are gone.

        Who has a result of the same audio and has not fetched its files yet must wish for it again. So what a cloud
        engine was paid for stays, unless it is damaged: a wish would be paid for again. Once more is no error. Raises
        NotFound, and InvalidRequest for a job that is not DONE.
        """
        job = self._jobs.get(job_id)
        if job.result is None:
            message = f"job {job_id} is {job.state.value}: only what is done can be released"
            raise InvalidRequest(message, {"job_id": message})
        stem_set = job.result.stem_set
        if any(self._is_of(other.request, job.request.source, stem_set.audio) for other in self._jobs_at_work()):
            return False
        if stem_set.cloud_minutes and self._shelf.is_whole_result(stem_set):
            return False
        for folder in dict.fromkeys([*_folders(stem_set), *_folders_of_attempts(job.result)]):
            self._shelf.drop(folder)
        self._shelf.drop(stem_set.audio.object_key)
        return True

    def drop_loser(self, job_id: str, stem_set: StemSet) -> bool:
        """Drop stems that lost against another engine's in a job that is at work; the audio stays. Whether they go.

        They stay if they count for another wish, if another job at work may be about to use them, and if they were paid
        for: then they go with the job's release.
        """
        job = self._jobs.get(job_id)
        if stem_set.cloud_minutes or self._results.counts(stem_set.audio.pcm_sha256, stem_set.engine_id):
            return False
        for other in self._jobs_at_work():
            may_use = other.request.engine in (AUTO_ENGINE, stem_set.engine)
            if other.job_id != job_id and may_use and self._is_of(other.request, job.request.source, stem_set.audio):
                return False
        for folder in _folders(stem_set):
            self._shelf.drop(folder)
        return True

    def _is_of(self, request: SeparationRequest, source: SourceRef, audio: AudioRef) -> bool:
        """Whether a request is about a source, or is known to be about its samples."""
        return any(
            wanted.sha256 == source.sha256 or self._holds(wanted, audio.pcm_sha256)
            for wanted in (request.source, *request.references.values())
        )

    def _holds(self, source: SourceRef, pcm_sha256: str) -> bool:
        try:
            ingested = self._results.find_ingested(source)
        except InputRejected:
            return False
        return ingested is not None and ingested.audio.pcm_sha256 == pcm_sha256

    def _jobs_at_work(self) -> Iterator[Job]:
        query, token = JobQuery((JobState.QUEUED, JobState.RUNNING)), ""
        while True:
            page = self._jobs.page(_PAGE_SIZE, token, query)
            yield from page.jobs
            token = page.next_page_token
            if not token:
                return


def _folders(stem_set: StemSet) -> list[str]:
    return list(dict.fromkeys(stem.object_key.rpartition("/")[0] for stem in stem_set.stems))


def _folders_of_attempts(result: SeparationResult) -> list[str]:
    """Where the stems of engines lie that lost, if they still do."""
    home = [folder.rpartition("/")[0] for folder in _folders(result.stem_set)]
    sums_to_mix = result.stem_set.sums_to_mix
    losers = [attempt.decision.engine_id for attempt in result.attempts if not attempt.is_accepted]
    return [f"{folder}/{result_id(engine_id, sums_to_mix=sums_to_mix)}" for folder in home for engine_id in losers]
