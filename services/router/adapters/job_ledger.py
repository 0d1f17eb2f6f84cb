"""JobLedger on SQLModel tables, with in-process waiting for changes.

All writes of a job go through one active router process, so events in memory are enough to wake its watchers, and a
lock to give its changes growing times.
"""

import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from services.router.adapters.cancellations import JobCancellation
from services.router.adapters.change_times import ChangeTimes, moment_of
from services.router.adapters.documents import to_document
from services.router.adapters.job_pages import page_from_rows, statement_of
from services.router.adapters.job_rows import job_from_row, row_from_job, row_of, row_of_request
from services.router.adapters.job_signals import JobSignals
from services.router.adapters.sessions import transaction
from services.router.adapters.tables import JobRow
from services.router.core.ports import JobPage, JobQuery
from stemhouse.errors import LimitExceeded, RequestConflict
from stemhouse.jobs import Job, JobError, SeparationRequest, SeparationResult
from stemhouse.tenants import HOUSE, Tenant
from stemhouse.vocab import JobState, Stage

_PROGRESS_INTERVAL_S = 0.5
_OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)
_FINAL = tuple(state.value for state in JobState if state.is_final)

Enqueue = Callable[[Session, Job], None]
"""Puts a job into the queue within the session's transaction."""

MostOpen = Callable[[], int | None]
"""How many jobs may wait or run at a time; None: as many as there are."""


def _as_many_as_there_are() -> None:
    """For who has no limit."""


class SqlJobLedger:
    """JobLedger in a database; each change raises the job's sequence by one."""

    def __init__(self, database: Engine, enqueue: Enqueue) -> None:
        """Keep the engine and the way into the queue."""
        self._database = database
        self._enqueue = enqueue
        self._times = ChangeTimes(self._newest_us)
        self._signals = JobSignals()
        self._lock = threading.Lock()
        self._cancellations: dict[str, JobCancellation] = {}
        self._reported_s: dict[str, float] = {}
        self._tenant: Tenant | None = None
        self._most_open: MostOpen = _as_many_as_there_are

    def of(self, tenant: Tenant, most_open: MostOpen = _as_many_as_there_are) -> "SqlJobLedger":
        """The same ledger, with no jobs but a tenant's, of which so many may wait or run. This one has those of all."""
        ledger = copy(self)
        ledger._tenant, ledger._most_open = tenant, most_open  # noqa: SLF001  it is of this class
        return ledger

    def create(self, job: Job, *, is_queued: bool) -> Job:
        """See JobLedger.create."""
        job = replace(job, tenant=self._tenant.name) if self._tenant else job
        try:
            known = self._find_or_add(job, is_queued=is_queued)
        except IntegrityError:  # the same request came twice at once, and the other was faster
            known = self._find_or_add(job, is_queued=is_queued)
        return _unless_in_conflict(known, job.request)

    def find(self, request_id: str, request: SeparationRequest) -> Job | None:
        """See JobLedger.find."""
        with transaction(self._database) as session:
            row = row_of_request(session, request_id, self._tenant or HOUSE)
        return _unless_in_conflict(job_from_row(row), request) if row else None

    def _find_or_add(self, job: Job, *, is_queued: bool) -> Job:
        with self._times.next() as updated_us, transaction(self._database) as session:
            existing = row_of_request(session, job.request_id, Tenant(job.tenant))
            if existing:
                return job_from_row(existing)
            if is_queued:
                self._require_room(session)
            session.add(row_from_job(job, updated_us))
            session.flush()
            if is_queued:
                self._enqueue(session, job)
        return replace(job, updated_at=moment_of(updated_us))

    def _require_room(self, session: Session) -> None:
        most = self._most_open()
        if most is None or self._tenant is None:
            return
        at_work = col(JobRow.tenant) == self._tenant.name, col(JobRow.state).in_(_OPEN)
        if session.exec(select(func.count()).select_from(JobRow).where(*at_work)).one() >= most:
            message = f"{most} jobs wait or run, and no more may: wait for one of them, or cancel it"
            raise LimitExceeded(message, {"limit": "open_jobs", "most": str(most)})

    def get(self, job_id: str) -> Job:
        """See JobLedger.get."""
        with transaction(self._database) as session:
            return job_from_row(row_of(session, job_id, self._tenant))

    def page(self, page_size: int, page_token: str, query: JobQuery) -> JobPage:
        """See JobLedger.page."""
        wanted = statement_of(query, page_size, page_token)
        if self._tenant:
            wanted = wanted.where(col(JobRow.tenant) == self._tenant.name)
        with transaction(self._database) as session:
            return page_from_rows(query, page_size, session.exec(wanted).all())

    def wait(self, job_id: str, after_sequence: int, timeout_s: float) -> Job:
        """See JobLedger.wait."""
        deadline_s = time.monotonic() + timeout_s
        with self._signals.watching(job_id) as changed:
            while True:
                changed.clear()
                job = self.get(job_id)
                left_s = deadline_s - time.monotonic()
                if job.sequence > after_sequence or left_s <= 0:
                    return job
                changed.wait(left_s)

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
        self.get(job_id)
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
            if row_of(session, job_id).is_cancel_requested:
                cancellation.request()
        return cancellation

    def _cancellation(self, job_id: str) -> JobCancellation:
        with self._lock:
            return self._cancellations.setdefault(job_id, JobCancellation(job_id))

    def _change(self, job_id: str, *conditions: ColumnElement[bool], **values: Any) -> None:
        changed = update(JobRow).where(col(JobRow.job_id) == job_id, col(JobRow.state).not_in(_FINAL), *conditions)
        with self._times.next() as updated_us, transaction(self._database) as session:
            session.connection().execute(changed.values(sequence=JobRow.sequence + 1, updated_us=updated_us, **values))
        self._signals.tell(job_id)

    def _newest_us(self) -> int:
        with transaction(self._database) as session:
            return session.exec(select(func.max(col(JobRow.updated_us)))).one() or 0


def _unless_in_conflict(job: Job, request: SeparationRequest) -> Job:
    if job.request != request:
        message = f"request_id {job.request_id} was used for another request"
        raise RequestConflict(message, {"request_id": job.request_id})
    return job
