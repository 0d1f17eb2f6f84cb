"""Jobs as rows of the ledger, and back."""

from datetime import UTC, datetime

from sqlmodel import Session, col, select

from services.router.adapters.change_times import moment_of
from services.router.adapters.documents import from_document, to_document
from services.router.adapters.tables import JobRow
from stemhouse.errors import NotFound
from stemhouse.jobs import Job, JobError, SeparationRequest, SeparationResult
from stemhouse.tenants import Tenant
from stemhouse.vocab import JobState, Stage


def row_of(session: Session, job_id: str, tenant: Tenant | None = None) -> JobRow:
    """The row of a job, of anybody's or a tenant's; raises NotFound."""
    row = session.exec(select(JobRow).where(col(JobRow.job_id) == job_id)).first()
    if row is None or (tenant is not None and row.tenant != tenant.name):
        message = f"no job {job_id}"
        raise NotFound(message, {"job_id": job_id})
    return row


def row_of_request(session: Session, request_id: str, tenant: Tenant) -> JobRow | None:
    """The row of the job that a request of a tenant's made."""
    return session.exec(select(JobRow).where(col(JobRow.request_id) == tenant.key(request_id))).first()


def row_from_job(job: Job, updated_us: int) -> JobRow:
    """A new row, which is changed then."""
    return JobRow(
        job_id=job.job_id,
        request_id=Tenant(job.tenant).key(job.request_id),
        request=to_document(SeparationRequest, job.request),
        state=job.state.value,
        created_at=job.created_at,
        ended_at=job.ended_at,
        result=to_document(SeparationResult, job.result) if job.result else None,
        error=to_document(JobError, job.error) if job.error else None,
        batch_id=job.batch_id,
        updated_us=updated_us,
        tenant=job.tenant,
    )


def job_from_row(row: JobRow) -> Job:
    """The job as it stands; an older router kept no time of its last change."""
    return Job(
        job_id=row.job_id,
        request_id=Tenant(row.tenant).own(row.request_id),
        request=from_document(SeparationRequest, row.request),
        state=JobState(row.state),
        created_at=_in_utc(row.created_at),
        stage=Stage(row.stage) if row.stage else None,
        progress=row.progress,
        sequence=row.sequence,
        ended_at=_in_utc(row.ended_at) if row.ended_at else None,
        result=from_document(SeparationResult, row.result) if row.result else None,
        error=from_document(JobError, row.error) if row.error else None,
        batch_id=row.batch_id,
        updated_at=moment_of(row.updated_us) if row.updated_us else None,
        tenant=row.tenant,
    )


def _in_utc(moment: datetime) -> datetime:
    """SQLite gives the zone away; every time in the ledger is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
