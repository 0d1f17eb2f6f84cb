"""Results that are let go: the bytes vanish, what is known stays."""

from dataclasses import replace

import pytest

from services.router.core.ports import Ingested
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.vocab import JobState
from tests.fakes_router import FACTS, InlineSteps, audio, source
from tests.unit.router.test_submissions import Desk

REQUEST = SeparationRequest(source())


@pytest.fixture
def desk() -> Desk:
    """A fresh one."""
    return Desk()


def done_job(desk: Desk, request_id: str = "wish-1", cloud_minutes: float = 0.0) -> Job:
    """A job that ran to its end, with everything in the store that a separator leaves there."""
    job = desk.submissions.submit(request_id, REQUEST)
    result = desk.house.pipeline.run(job, InlineSteps())
    result = replace(result, stem_set=replace(result.stem_set, cloud_minutes=cloud_minutes))
    desk.house.put_objects(result.stem_set)
    desk.house.jobs.finish(job.job_id, JobState.DONE, result=result)
    return desk.house.jobs.get(job.job_id)


def release(desk: Desk, job_id: str) -> bool:
    """Let go."""
    return desk.house.releases.release(job_id)


def test_everything_of_the_result_goes(desk: Desk) -> None:
    """Stems, manifest and audio; what lies beside them stays. Once more is no error."""
    job = done_job(desk)
    desk.house.store.put_if_absent("results/other/engine/manifest.json", b"{}")
    assert release(desk, job.job_id)
    assert list(desk.house.store.list_keys("results/")) == ["results/other/engine/manifest.json"]
    assert list(desk.house.store.list_keys("audio/")) == []
    assert release(desk, job.job_id)


def test_result_can_be_had_again(desk: Desk) -> None:
    """The next wish for it is queued, and needs the bytes."""
    release(desk, done_job(desk).job_id)
    assert not desk.submissions.is_known(REQUEST.source)
    desk.house.uploads.held.add(REQUEST.source)
    assert desk.submissions.submit("wish-2", REQUEST).state is JobState.QUEUED


def test_source_that_is_worked_on_keeps_its_audio(desk: Desk) -> None:
    """Another wish about the same source is under way."""
    job = done_job(desk)
    desk.submissions.submit("wish-2", replace(REQUEST, force=True))
    assert not release(desk, job.job_id)
    assert list(desk.house.store.list_keys("audio/"))


def test_audio_that_is_worked_on_under_another_name_stays(desk: Desk) -> None:
    """A copy with other tags, or a job that measures against it."""
    job = done_job(desk)
    retagged = replace(source(), sha256="b" * 64, file_name="retagged.wav")
    other = source("c", "other.wav")
    desk.house.uploads.held |= {retagged, other, REQUEST.source}
    desk.house.results.record_ingested(retagged, Ingested(audio(), FACTS))
    under_way = desk.submissions.submit("wish-2", SeparationRequest(retagged, force=True))
    assert not release(desk, job.job_id)
    desk.house.jobs.finish(under_way.job_id, JobState.CANCELLED)
    desk.submissions.submit("wish-3", SeparationRequest(other, references={"vocals": REQUEST.source}))
    assert not release(desk, job.job_id)


def test_only_a_finished_job_is_released(desk: Desk) -> None:
    """The state is told."""
    job = desk.submissions.submit("wish-1", REQUEST)
    with pytest.raises(InvalidRequest, match="queued"):
        release(desk, job.job_id)
    with pytest.raises(NotFound):
        release(desk, "job-0")


def test_what_was_paid_for_stays_unless_it_is_damaged(desk: Desk) -> None:
    """Another batch may have the same result and not its files yet: it would pay for them again."""
    job = done_job(desk, cloud_minutes=2.5)
    assert job.result
    before = list(desk.house.store.list_keys("results/"))
    assert not release(desk, job.job_id)
    assert list(desk.house.store.list_keys("results/")) == before != []
    assert list(desk.house.store.list_keys("audio/"))
    desk.house.store.delete(job.result.stem_set.stems[0].object_key)
    assert release(desk, job.job_id)
    assert list(desk.house.store.list_keys("results/")) == []
