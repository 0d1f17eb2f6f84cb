"""One suite for the SQL ledger of jobs and the fake that unit tests use instead."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread, current_thread

import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import Session, col

from services.router.adapters.job_ledger import SqlJobLedger
from services.router.adapters.tables import JobRow
from services.router.core.ports import JobLedger, JobPage, JobQuery
from stemhouse.errors import Cancelled, InvalidRequest, LimitExceeded, NotFound, RequestConflict
from stemhouse.jobs import Job, JobError, SeparationRequest
from stemhouse.tenants import HOUSE, Tenant
from stemhouse.vocab import JobState, Stage
from tests.contract.ledgers import RESULT, migrated
from tests.fakes_router import MemoryJobLedger, job, source

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _no_queue(_session: Session, _job: Job) -> None:
    """Jobs of these tests wait for nobody."""


@pytest.fixture
def jobs(ledger_kind: Engine | None) -> JobLedger:
    """Each job ledger in turn."""
    return SqlJobLedger(ledger_kind, _no_queue) if ledger_kind else MemoryJobLedger()


def test_job_comes_back_equal(jobs: JobLedger) -> None:
    """Every field survives, references included."""
    wish = SeparationRequest(source(), priority=3, references={"vocals": source("b", "v.wav")})
    new = replace(job(wish), batch_id="batch-1")
    created = jobs.create(new, is_queued=True)
    assert jobs.get(new.job_id) == created == replace(new, updated_at=created.updated_at)


def test_create_is_idempotent_by_request_id(jobs: JobLedger) -> None:
    """The first job answers; another wish under its id is a conflict."""
    first = jobs.create(job(SeparationRequest(source())), is_queued=True)
    assert jobs.create(job(SeparationRequest(source()), job_id="job-2"), is_queued=True) == first
    with pytest.raises(RequestConflict):
        jobs.create(job(SeparationRequest(source("b")), job_id="job-3"), is_queued=True)


def test_job_is_found_by_what_made_it(jobs: JobLedger) -> None:
    """Before there is one, nothing; under the same id for another wish, a conflict."""
    assert jobs.find("request-1", SeparationRequest(source())) is None
    made = jobs.create(job(SeparationRequest(source())), is_queued=True)
    assert jobs.find("request-1", SeparationRequest(source())) == made
    with pytest.raises(RequestConflict):
        jobs.find("request-1", SeparationRequest(source("b")))


def test_create_is_idempotent_for_callers_at_once(jobs: JobLedger) -> None:
    """A client that asks again while its first call is under way gets the same job."""
    wishes = [job(SeparationRequest(source()), job_id=f"job-{number}") for number in range(8)]
    with ThreadPoolExecutor(len(wishes)) as callers:
        created = list(callers.map(lambda wish: jobs.create(wish, is_queued=True), wishes))
    assert len({found.job_id for found in created}) == 1


def test_unknown_job_is_not_found(jobs: JobLedger) -> None:
    """Reading, waiting and cancelling all say so."""
    for ask in (jobs.get, jobs.request_cancel, lambda job_id: jobs.wait(job_id, 0, 0.01)):
        with pytest.raises(NotFound):
            ask("nobody")


def test_each_change_raises_the_sequence(jobs: JobLedger) -> None:
    """Watchers can tell what they have seen."""
    jobs.create(job(SeparationRequest(source())), is_queued=True)
    sequences = [jobs.get("job-1").sequence]
    jobs.begin_stage("job-1", Stage.SEPARATE)
    sequences.append(jobs.get("job-1").sequence)
    jobs.report_progress("job-1", 0.25)
    sequences.append(jobs.get("job-1").sequence)
    running = jobs.get("job-1")
    assert sequences == sorted(set(sequences))
    assert (running.state, running.stage, running.progress) == (JobState.RUNNING, Stage.SEPARATE, 0.25)


def test_final_job_never_changes(jobs: JobLedger) -> None:
    """A late stage, failure or cancel leaves a done job as it is."""
    jobs.create(job(SeparationRequest(source())), is_queued=True)
    jobs.finish("job-1", JobState.DONE, result=RESULT)
    done = jobs.get("job-1")
    jobs.begin_stage("job-1", Stage.INGEST)
    jobs.finish("job-1", JobState.FAILED, error=JobError("X", "late"))
    jobs.request_cancel("job-1")
    assert jobs.get("job-1") == done
    assert done.result == RESULT
    assert done.ended_at is not None


def test_cancelling_a_waiting_job_ends_it(jobs: JobLedger) -> None:
    """Nobody has to run it first."""
    jobs.create(job(SeparationRequest(source())), is_queued=True)
    assert jobs.request_cancel("job-1").state is JobState.CANCELLED


def test_cancelling_a_running_job_reaches_its_runner(jobs: JobLedger) -> None:
    """The runner's callback is called, before or after the request, and the check raises."""
    jobs.create(job(SeparationRequest(source())), is_queued=True)
    jobs.begin_stage("job-1", Stage.SEPARATE)
    stopped: list[str] = []
    cancellation = jobs.cancellation("job-1")
    cancellation.raise_if_requested()
    cancellation.on_request(lambda: stopped.append("before"))
    jobs.request_cancel("job-1")
    cancellation.on_request(lambda: stopped.append("after"))
    assert stopped == ["before", "after"]
    with pytest.raises(Cancelled):
        jobs.cancellation("job-1").raise_if_requested()


def test_wait_wakes_at_a_change(jobs: JobLedger) -> None:
    """A watcher that waits for long gets the change when it happens."""
    jobs.create(job(SeparationRequest(source())), is_queued=True)
    seen: list[Job] = []
    watcher = Thread(target=lambda: seen.append(jobs.wait("job-1", 1, 60)))
    watcher.start()
    jobs.begin_stage("job-1", Stage.INGEST)
    watcher.join(10)
    assert [found.stage for found in seen] == [Stage.INGEST]


def test_wait_gives_the_job_as_it_stands_when_the_time_is_over(jobs: JobLedger) -> None:
    """That is what a heartbeat sends."""
    new = jobs.create(job(SeparationRequest(source())), is_queued=True)
    assert jobs.wait("job-1", new.sequence, 0.01) == new


def test_pages_go_from_new_to_old_without_gap_or_repeat(jobs: JobLedger) -> None:
    """A job created between two pages shifts nothing."""
    for number in range(5):
        jobs.create(job(SeparationRequest(source()), f"request-{number}", f"job-{number}"), is_queued=True)
    first = jobs.page(2, "", JobQuery())
    jobs.create(job(SeparationRequest(source()), "request-9", "job-9"), is_queued=True)
    second = jobs.page(2, first.next_page_token, JobQuery())
    third = jobs.page(2, second.next_page_token, JobQuery())
    listed = [found.job_id for page in (first, second, third) for found in page.jobs]
    assert listed == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert third.next_page_token == ""


def test_page_can_be_limited_to_states_and_refuses_a_foreign_token(jobs: JobLedger) -> None:
    """Only what was asked for."""
    for number in range(3):
        jobs.create(job(SeparationRequest(source()), f"request-{number}", f"job-{number}"), is_queued=True)
    jobs.request_cancel("job-1")
    assert [found.job_id for found in jobs.page(10, "", JobQuery(states=(JobState.CANCELLED,))).jobs] == ["job-1"]
    with pytest.raises(InvalidRequest):
        jobs.page(10, "not a token", JobQuery())


def batch_of(jobs: JobLedger, count: int) -> None:
    """Jobs `job-0`, `job-1` and so on of `batch-1`, and one of no batch."""
    for number in range(count):
        labelled = replace(job(SeparationRequest(source()), f"r-{number}", f"job-{number}"), batch_id="batch-1")
        jobs.create(labelled, is_queued=True)
    jobs.create(job(SeparationRequest(source()), "r-alone", "alone"), is_queued=True)


def changes(jobs: JobLedger, after: datetime, page_token: str = "") -> JobPage:
    """Two jobs of the batch."""
    return jobs.page(2, page_token, JobQuery(batch_id="batch-1", updated_after=after))


def ids(page: JobPage) -> list[str]:
    """Of the jobs shown."""
    return [found.job_id for found in page.jobs]


def test_jobs_of_a_batch_are_listed_by_its_label(jobs: JobLedger) -> None:
    """The newest first, as ever; a repeated request keeps the label that it came with first."""
    batch_of(jobs, 3)
    known = jobs.create(job(SeparationRequest(source()), "r-0", "job-9"), is_queued=True)
    assert known.batch_id == "batch-1"
    assert ids(jobs.page(10, "", JobQuery(batch_id="batch-1"))) == ["job-2", "job-1", "job-0"]
    cancelled = JobQuery(batch_id="batch-1", states=(JobState.CANCELLED,))
    jobs.request_cancel("job-1")
    assert ids(jobs.page(10, "", cancelled)) == ["job-1"]


def test_changes_of_a_batch_are_followed_without_gap_or_repeat(jobs: JobLedger) -> None:
    """In their order; a job that changes between two pages comes again, with its newer state."""
    batch_of(jobs, 3)
    first = changes(jobs, LONG_AGO)
    jobs.begin_stage("job-0", Stage.INGEST)
    second = changes(jobs, LONG_AGO, first.next_page_token)
    assert [ids(first), ids(second), second.next_page_token] == [["job-0", "job-1"], ["job-2", "job-0"], ""]
    seen = second.jobs[-1].updated_at
    assert seen is not None
    assert not changes(jobs, seen).jobs
    jobs.finish("job-2", JobState.DONE, result=RESULT)
    jobs.finish("job-1", JobState.CANCELLED)
    assert ids(changes(jobs, seen)) == ["job-2", "job-1"]
    assert len({found.updated_at for found in jobs.page(10, "", JobQuery()).jobs}) == 4


def test_times_of_changes_grow_though_the_clock_goes_back(database: Engine) -> None:
    """Another router has written here by a clock that was ahead."""
    ledger = SqlJobLedger(database, _no_queue)
    batch_of(ledger, 2)
    ahead_us = 2**52
    with Session(database) as session:
        session.exec(update(JobRow).where(col(JobRow.job_id) == "job-1").values(updated_us=ahead_us))
        session.commit()
    later = SqlJobLedger(database, _no_queue)
    later.begin_stage("job-0", Stage.INGEST)
    assert ids(changes(later, LONG_AGO)) == ["job-1", "job-0"]


def test_tokens_of_the_two_orders_are_told_apart(database: Engine) -> None:
    """One would silently list the wrong jobs in the other."""
    ledger = SqlJobLedger(database, _no_queue)
    batch_of(ledger, 3)
    with pytest.raises(InvalidRequest):
        ledger.page(2, changes(ledger, LONG_AGO).next_page_token, JobQuery(batch_id="batch-1"))
    with pytest.raises(InvalidRequest):
        changes(ledger, LONG_AGO, ledger.page(2, "", JobQuery()).next_page_token)


def test_watcher_reads_its_job_only_when_that_one_changes(tmp_path: Path) -> None:
    """Thousands of jobs change while a batch is watched."""
    with migrated(f"sqlite:///{tmp_path}/l.db") as database:
        ledger = SqlJobLedger(database, _no_queue)
        batch_of(ledger, 2)
        reads: list[str] = []
        watcher = Thread(target=ledger.wait, args=("job-0", 1, 60))

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if current_thread() is watcher and statement.startswith("SELECT"):
                reads.append(statement)

        event.listen(database, "before_cursor_execute", note)
        watcher.start()
        for share in range(50):
            ledger.begin_stage("job-1", Stage.SEPARATE)
            ledger.report_progress("job-1", share / 50)
        ledger.begin_stage("job-0", Stage.INGEST)
        watcher.join(10)
    assert 1 <= len(reads) <= 2


def test_cancel_requested_before_a_restart_still_holds(database: Engine) -> None:
    """A new ledger over the same database knows about it."""
    before = SqlJobLedger(database, _no_queue)
    before.create(job(SeparationRequest(source())), is_queued=True)
    before.begin_stage("job-1", Stage.SEPARATE)
    before.request_cancel("job-1")
    with pytest.raises(Cancelled):
        SqlJobLedger(database, _no_queue).cancellation("job-1").raise_if_requested()


def test_job_that_cannot_be_queued_is_not_in_the_ledger(database: Engine) -> None:
    """The job and its place in the queue are one transaction."""

    def broken(_session: Session, _job: Job) -> None:
        raise OSError("queue is gone")

    ledger = SqlJobLedger(database, broken)
    with pytest.raises(OSError, match="queue is gone"):
        ledger.create(job(SeparationRequest(source())), is_queued=True)
    with pytest.raises(NotFound):
        ledger.get("job-1")


def test_times_come_back_in_utc(database: Engine) -> None:
    """SQLite drops the zone; the ledger puts it back."""
    ledger = SqlJobLedger(database, _no_queue)
    ledger.create(job(SeparationRequest(source())), is_queued=True)
    assert ledger.get("job-1").created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_jobs_of_tenants_are_apart(database: Engine) -> None:
    """One request id for both, and a ledger of all for whoever runs them."""
    ledger = SqlJobLedger(database, _no_queue)
    ours, theirs = ledger.of(Tenant("acme")), ledger.of(Tenant("zenith"))
    mine = ours.create(job(SeparationRequest(source())), is_queued=True)
    other = theirs.create(job(SeparationRequest(source("b")), job_id="job-2"), is_queued=True)
    assert [(each.request_id, each.tenant) for each in (mine, other)] == [
        ("request-1", "acme"),
        ("request-1", "zenith"),
    ]
    assert theirs.find("request-1", other.request) == other
    assert ours.page(10, "", JobQuery()).jobs == (mine,)
    assert len(ledger.page(10, "", JobQuery()).jobs) == 2
    assert ledger.get(other.job_id) == other
    for reach in (ours.get, ours.request_cancel, lambda job_id: ours.wait(job_id, 0, 0.0)):
        with pytest.raises(NotFound):
            reach(other.job_id)
    assert ledger.of(HOUSE).page(10, "", JobQuery()).jobs == ()
    assert theirs.get(other.job_id).state is JobState.QUEUED


def test_tenant_has_no_more_open_jobs_than_its_quota(database: Engine) -> None:
    """What the cache answers counts not, nor what has ended; the limit is told."""
    ledger = SqlJobLedger(database, _no_queue).of(Tenant("acme"), lambda: 1)
    first = ledger.create(job(SeparationRequest(source())), is_queued=True)
    second = replace(job(SeparationRequest(source()), job_id="job-2"), request_id="request-2")
    with pytest.raises(LimitExceeded, match="1 jobs wait or run"):
        ledger.create(second, is_queued=True)
    ledger.create(replace(second, job_id="job-3", request_id="request-3", state=JobState.DONE), is_queued=False)
    ledger.request_cancel(first.job_id)
    assert ledger.create(second, is_queued=True).state is JobState.QUEUED
