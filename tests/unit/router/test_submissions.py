"""Taking wishes in, on fakes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.router.adapters.cancellations import JobCancellation
from services.router.core.ports import Ingested
from services.router.core.submissions import Submissions
from stemhouse.errors import EngineUnavailable, NotFound, RequestConflict, Unavailable, UnreadableAudio
from stemhouse.jobs import CacheHit, SeparationRequest
from stemhouse.vocab import JobState
from tests.fakes_router import DEMUCS, FACTS, NO_DEMUCS, STARTER, audio, source
from tests.unit.router.test_pipeline import House

NOW = datetime(2026, 5, 6, tzinfo=UTC)

NOBODY_LEAVES = JobCancellation("call")


class Desk:
    """Submissions over a house of fakes, with counted job ids."""

    def __init__(self) -> None:
        self.house = House()
        ids = iter(f"job-{number}" for number in range(100, 200))
        self.submissions = Submissions(
            self.house.pipeline, self.house.jobs, self.house.uploads, now=lambda: NOW, new_job_id=lambda: next(ids)
        )


@pytest.fixture
def desk() -> Desk:
    """A fresh one."""
    return Desk()


def test_new_track_is_queued(desk: Desk) -> None:
    """The job waits, and is in the queue once."""
    desk.house.separators.offered = [DEMUCS]
    job = desk.submissions.submit("wish-1", SeparationRequest(source()), "batch-1")
    assert (job.state, job.batch_id) == (JobState.QUEUED, "batch-1")
    assert desk.house.jobs.queued == [job.job_id]


def test_batch_never_falls_to_the_starter_by_itself(desk: Desk) -> None:
    """Not to its engine, nor to a result that somebody else has let it make; by name, or alone, anybody may have it."""
    desk.house.run(SeparationRequest(source()))
    with pytest.raises(EngineUnavailable, match="good enough for a batch"):
        desk.submissions.submit("wish-1", SeparationRequest(source()), "batch-1")
    assert desk.submissions.submit("wish-2", SeparationRequest(source())).result is not None
    assert desk.submissions.submit("wish-3", SeparationRequest(source(), engine="starter"), "batch-1").batch_id
    desk.house.separators.is_partial = True
    assert desk.submissions.submit("wish-4", SeparationRequest(source()), "batch-1").state is JobState.QUEUED


def test_same_request_id_gives_the_same_job(desk: Desk) -> None:
    """A client that lost the answer may ask again."""
    first = desk.submissions.submit("wish-1", SeparationRequest(source()))
    assert desk.submissions.submit("wish-1", SeparationRequest(source())) == first
    assert desk.house.jobs.queued == [first.job_id]


@pytest.mark.parametrize("engine", ["auto", "starter"])
def test_repeated_request_is_answered_with_its_job_whatever_has_changed(engine: str, desk: Desk) -> None:
    """The first answer was lost; meanwhile the bytes have been used up, and the engine is gone."""
    request = SeparationRequest(source(), engine=engine)
    first = desk.submissions.submit("wish-1", request)
    desk.house.uploads.held.clear()
    desk.house.separators.offered.clear()
    assert desk.submissions.submit("wish-1", request) == first
    assert desk.house.jobs.queued == [first.job_id]


def test_same_request_id_for_another_wish_is_a_conflict(desk: Desk) -> None:
    """An id that is reused by mistake is not answered with the wrong job."""
    desk.submissions.submit("wish-1", SeparationRequest(source()))
    with pytest.raises(RequestConflict):
        desk.submissions.submit("wish-1", SeparationRequest(source(), engine="starter"))


def test_known_track_is_done_without_queueing(desk: Desk) -> None:
    """A cache hit never waits behind other work."""
    desk.house.run(SeparationRequest(source()))
    desk.house.jobs.queued.clear()
    job = desk.submissions.submit("wish-1", SeparationRequest(source()))
    assert job.state is JobState.DONE
    assert job.result is not None
    assert job.result.cache_hit is CacheHit.FILE
    assert job.ended_at == NOW
    assert not desk.house.jobs.queued


def test_known_bad_file_fails_at_once(desk: Desk) -> None:
    """A file that was rejected before does not queue again."""
    desk.house.results.record_rejected(source(), UnreadableAudio("song.wav: not audio"))
    job = desk.submissions.submit("wish-1", SeparationRequest(source()))
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.reason == "UNREADABLE_AUDIO"


def test_source_that_was_never_uploaded_is_refused(desk: Desk) -> None:
    """References count as sources."""
    with pytest.raises(NotFound, match=r"vocals\.wav"):
        desk.submissions.submit("wish-1", SeparationRequest(source(), references={"vocals": source("b", "vocals.wav")}))


def test_engine_without_a_model_is_refused_before_anything_is_queued(desk: Desk) -> None:
    """And the error names the command that helps."""
    desk.house.separators.gaps = (NO_DEMUCS,)
    with pytest.raises(EngineUnavailable, match="stemhouse models pull htdemucs"):
        desk.submissions.submit("wish-1", SeparationRequest(source(), engine="demucs"))
    assert not desk.house.jobs.queued


def test_engine_without_a_model_is_told_before_the_bytes_are_asked_for(desk: Desk) -> None:
    """Nobody shall upload in vain."""
    with pytest.raises(EngineUnavailable):
        desk.submissions.submit("wish-1", SeparationRequest(source("b"), engine="demucs"))


def test_engine_that_cannot_be_asked_about_now_is_queued_for(desk: Desk) -> None:
    """Separators may be starting again."""
    desk.house.separators.is_silent = True
    assert desk.submissions.submit("wish-1", SeparationRequest(source(), engine="demucs")).state is JobState.QUEUED


def test_engine_that_a_silent_separator_may_have_is_queued_for(desk: Desk) -> None:
    """Those that answer have only the starter."""
    desk.house.separators.is_partial = True
    assert desk.submissions.submit("wish-1", SeparationRequest(source(), engine="demucs")).state is JobState.QUEUED


def test_bytes_are_needed_only_while_no_audio_is_stored(desk: Desk) -> None:
    """Known: uploaded, or ingested with its audio still in the store."""
    stranger = source("c")
    assert desk.submissions.is_known(source())
    assert not desk.submissions.is_known(stranger)
    desk.house.results.record_ingested(stranger, Ingested(audio("c"), FACTS))
    assert not desk.submissions.is_known(stranger)
    desk.house.store.objects[audio("c").object_key] = b"flac"
    assert desk.submissions.is_known(stranger)


def test_bytes_of_an_outdated_ingest_are_asked_for_but_not_required(desk: Desk) -> None:
    """The client that has them sends them; one that has not is answered as before."""
    desk.house.run(SeparationRequest(source()))
    mp3 = replace(FACTS, codec="mpeg_layer_iii")
    desk.house.results.record_ingested(source(), Ingested(audio(), mp3, ingest_version=1))
    assert not desk.submissions.is_known(source())
    desk.submissions.submit("wish-1", SeparationRequest(source(), references={"vocals": source()}))
    desk.house.uploads.held.add(source())
    assert desk.submissions.is_known(source())
    desk.house.jobs.queued.clear()
    job = desk.submissions.submit("wish-2", SeparationRequest(source()))
    assert desk.house.jobs.queued == [job.job_id]


def test_vocals_are_looked_for_by_the_cheapest_engine(desk: Desk) -> None:
    """The audio is ingested for that, so that a separation need not do it again; the bytes are dropped."""
    desk.house.separators.offered = [DEMUCS, STARTER]
    found = desk.submissions.detect_vocals(source(), NOBODY_LEAVES)
    assert (found.sung_share, found.engine_id) == (0.25, STARTER.engine_id)
    assert desk.house.separators.probed == [(audio(), STARTER.engine_id)]
    assert not desk.house.uploads.held


def test_vocals_of_what_was_not_uploaded_are_not_looked_for(desk: Desk) -> None:
    """The source is named; where no engine gives vocals, that is told before anything is decoded."""
    with pytest.raises(NotFound, match=r"other\.wav"):
        desk.submissions.detect_vocals(source("b", "other.wav"), NOBODY_LEAVES)
    desk.house.separators.offered = [replace(STARTER, stems=("drums",))]
    with pytest.raises(EngineUnavailable, match="vocals"):
        desk.submissions.detect_vocals(source(), NOBODY_LEAVES)
    desk.house.separators.is_partial = True
    with pytest.raises(Unavailable, match="does not answer") as caught:
        desk.submissions.detect_vocals(source(), NOBODY_LEAVES)
    assert type(caught.value) is Unavailable
    assert not desk.house.separators.ingested
