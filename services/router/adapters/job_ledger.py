"""JobLedger on SQLModel tables, with in-process waiting for changes.

All writes of a job go through one active router process, so a condition variable is enough to wake its watchers.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from services.router.adapters.cancellations import JobCancellation
from services.router.adapters.documents import from_document, to_document
from services.router.adapters.sessions import transaction
from services.router.adapters.tables import JobRow
from services.router.core.ports import JobPage
from stemhouse.errors import InvalidRequest, NotFound, RequestConflict
from stemhouse.jobs import Job, JobError, SeparationRequest, SeparationResult
from stemhouse.vocab import JobState, Stage

_PROGRESS_INTERVAL_S = 0.5
_FINAL = tuple(state.value for state in JobState if state.is_final)

Enqueue = Callable[[Session, Job], None]
"""Puts a job into the queue within the session's transaction."""


class SqlJobLedger:
    """JobLedger in a database; each change raises the job's sequence by one."""

    def __init__(self, database: Engine, enqueue: Enqueue) -> None:
        """Keep the engine and the way into the queue."""
        self._database = database
        self._enqueue = enqueue
        self._changed = threading.Condition()
        self._cancellations: dict[str, JobCancellation] = {}
        self._reported_s: dict[str, float] = {}

    def create(self, job: Job, *, is_queued: bool) -> Job:
        """See JobLedger.create."""
        try:
            known = self._find_or_add(job, is_queued=is_queued)
        except IntegrityError:  # the same request came twice at once, and the other was faster
            known = self._find_or_add(job, is_queued=is_queued)
        if known.request != job.request:
            message = f"request_id {job.request_id} was used for another request"
            raise RequestConflict(message, {"request_id": job.request_id})
        return known

    def _find_or_add(self, job: Job, *, is_queued: bool) -> Job:
        with transaction(self._database) as session:
            wanted = select(JobRow).where(col(JobRow.request_id) == job.request_id)
            existing = session.exec(wanted).first()
            if existing:
                return _job_from_row(existing)
            session.add(_row_from_job(job))
            session.flush()
            if is_queued:
                self._enqueue(session, job)
            return job

    def get(self, job_id: str) -> Job:
        """See JobLedger.get."""
        with transaction(self._database) as session:
            return _job_from_row(_row_of(session, job_id))

    def page(self, page_size: int, page_token: str, states: Sequence[JobState]) -> JobPage:
        """See JobLedger.page. The token is the position of the last job seen."""
        wanted = select(JobRow).order_by(col(JobRow.position).desc()).limit(page_size + 1)
        if states:
            wanted = wanted.where(col(JobRow.state).in_([state.value for state in states]))
        if page_token:
            wanted = wanted.where(col(JobRow.position) < _position_from_token(page_token))
        with transaction(self._database) as session:
            rows = session.exec(wanted).all()
        shown = rows[:page_size]
        token = str(shown[-1].position) if len(rows) > page_size else ""
        return JobPage(tuple(_job_from_row(row) for row in shown), token)

    def wait(self, job_id: str, after_sequence: int, timeout_s: float) -> Job:
        """See JobLedger.wait."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                job = self.get(job_id)
                left_s = deadline_s - time.monotonic()
                if job.sequence > after_sequence or left_s <= 0:
                    return job
                self._changed.wait(left_s)

    def begin_stage(self, job_id: str, stage: Stage) -> None:
        """See JobLedger.begin_stage."""
        self._change(job_id, state=JobState.RUNNING.value, stage=stage.value, progress=0.0)

    def report_progress(self, job_id: str, share: float) -> None:
        """See JobLedger.report_progress."""
        now_s = time.monotonic()
        if now_s - self._reported_s.get(job_id, float("-inf")) < _PROGRESS_INTERVAL_S:
            return
        self._reported_s[job_id] = now_s
        self._change(job_id, progress=share)

    def finish(
        self, job_id: str, state: JobState, *, result: SeparationResult | None = None, error: JobError | None = None
    ) -> None:
        """See JobLedger.finish."""
        self._change(
            job_id,
            state=state.value,
            progress=1.0 if state is JobState.DONE else JobRow.progress,
            ended_at=datetime.now(UTC),
            result=to_document(SeparationResult, result) if result else None,
            error=to_document(JobError, error) if error else None,
        )
        self._cancellations.pop(job_id, None)
        self._reported_s.pop(job_id, None)

    def request_cancel(self, job_id: str) -> Job:
        """See JobLedger.request_cancel."""
        self._change(job_id, is_cancel_requested=True)
        queued = col(JobRow.state) == JobState.QUEUED.value
        self._change(job_id, queued, state=JobState.CANCELLED.value, ended_at=datetime.now(UTC))
        job = self.get(job_id)
        if not job.state.is_final:
            self._cancellation(job_id).request()
        return job

    def cancellation(self, job_id: str) -> JobCancellation:
        """See JobLedger.cancellation. One that was requested before a restart still holds."""
        cancellation = self._cancellation(job_id)
        with transaction(self._database) as session:
            if _row_of(session, job_id).is_cancel_requested:
                cancellation.request()
        return cancellation

    def _cancellation(self, job_id: str) -> JobCancellation:
        with self._changed:
            return self._cancellations.setdefault(job_id, JobCancellation(job_id))

    def _change(self, job_id: str, *conditions: ColumnElement[bool], **values: Any) -> None:
        change = (
            update(JobRow)
            .where(col(JobRow.job_id) == job_id, col(JobRow.state).not_in(_FINAL), *conditions)
            .values(sequence=JobRow.sequence + 1, **values)
        )
        with transaction(self._database) as session:
            session.connection().execute(change)
        with self._changed:
            self._changed.notify_all()


def _row_of(session: Session, job_id: str) -> JobRow:
    row = session.exec(select(JobRow).where(col(JobRow.job_id) == job_id)).first()
    if row is None:
        message = f"no job {job_id}"
        raise NotFound(message, {"job_id": job_id})
    return row


def _position_from_token(page_token: str) -> int:
    if not page_token.isdecimal():
        message = "page_token is not one that this service gave"
        raise InvalidRequest(message, {"page_token": message})
    return int(page_token)


def _row_from_job(job: Job) -> JobRow:
    return JobRow(
        job_id=job.job_id,
        request_id=job.request_id,
        request=to_document(SeparationRequest, job.request),
        state=job.state.value,
        created_at=job.created_at,
        ended_at=job.ended_at,
        result=to_document(SeparationResult, job.result) if job.result else None,
        error=to_document(JobError, job.error) if job.error else None,
    )


def _job_from_row(row: JobRow) -> Job:
    return Job(
        job_id=row.job_id,
        request_id=row.request_id,
        request=from_document(SeparationRequest, row.request),
        state=JobState(row.state),
        created_at=_in_utc(row.created_at),
        stage=Stage(row.stage) if row.stage else None,
        progress=row.progress,
        sequence=row.sequence,
        ended_at=_in_utc(row.ended_at) if row.ended_at else None,
        result=from_document(SeparationResult, row.result) if row.result else None,
        error=from_document(JobError, row.error) if row.error else None,
    )


def _in_utc(moment: datetime) -> datetime:
    """SQLite gives the zone away; every time in the ledger is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
