"""ResultLedger on SQLModel tables."""

from dataclasses import replace

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from services.router.adapters.documents import from_document, to_document
from services.router.adapters.sessions import merge, transaction
from services.router.adapters.tables import ResultRow, SourceRow
from services.router.core.ports import Accepted, Ingested
from stemhouse.audio import INGEST_VERSION, SourceRef
from stemhouse.errors import StemhouseError, error_from_reason
from stemhouse.jobs import JobError
from stemhouse.tenants import HOUSE, Tenant


class SqlResultLedger:
    """ResultLedger in a database; every method is one transaction."""

    def __init__(self, database: Engine, tenant: Tenant = HOUSE) -> None:
        """Keep the engine; nothing is known here but what is the tenant's."""
        self._database = database
        self._key = tenant.key

    def find_ingested(self, source: SourceRef) -> Ingested | None:
        """See ResultLedger.find_ingested."""
        wanted = select(SourceRow).where(
            col(SourceRow.md5) == source.md5, col(SourceRow.sha256) == self._key(source.sha256)
        )
        with transaction(self._database) as session:
            row = session.exec(wanted).first()
        if row is None or (row.rejection and row.ingest_version < INGEST_VERSION):
            return None
        if row.rejection:
            error: JobError = from_document(JobError, row.rejection)
            raise error_from_reason(error.reason, error.message, error.details)
        ingested: Ingested = from_document(Ingested, row.ingested)
        return replace(ingested, ingest_version=row.ingest_version)

    def record_ingested(self, source: SourceRef, ingested: Ingested) -> None:
        """See ResultLedger.record_ingested."""
        document = to_document(Ingested, ingested)
        merge(
            self._database,
            SourceRow(
                sha256=self._key(source.sha256), md5=source.md5, ingested=document, ingest_version=INGEST_VERSION
            ),
        )

    def record_rejected(self, source: SourceRef, error: StemhouseError) -> None:
        """See ResultLedger.record_rejected."""
        document = to_document(JobError, JobError(error.reason, error.message, error.details))
        merge(
            self._database,
            SourceRow(
                sha256=self._key(source.sha256), md5=source.md5, rejection=document, ingest_version=INGEST_VERSION
            ),
        )

    def find_accepted(self, pcm_sha256: str, wish: str) -> Accepted | None:
        """See ResultLedger.find_accepted."""
        with transaction(self._database) as session:
            row = self._accepted_row(session, self._key(pcm_sha256), wish)
        return from_document(Accepted, row.accepted) if row else None

    def accept(self, pcm_sha256: str, wish: str, accepted: Accepted) -> None:
        """See ResultLedger.accept."""
        try:
            self._put_accepted(pcm_sha256, wish, accepted)
        except IntegrityError:  # another job accepted the first result of this wish between our look and our write
            self._put_accepted(pcm_sha256, wish, accepted)

    def counts(self, pcm_sha256: str, engine_id: str) -> bool:
        """See ResultLedger.counts."""
        audio = self._key(pcm_sha256)
        wanted = select(ResultRow).where(col(ResultRow.pcm_sha256) == audio, col(ResultRow.engine_id) == engine_id)
        with transaction(self._database) as session:
            return session.exec(wanted).first() is not None

    def _put_accepted(self, pcm_sha256: str, wish: str, accepted: Accepted) -> None:
        with transaction(self._database) as session:
            row = self._accepted_row(session, self._key(pcm_sha256), wish) or ResultRow(
                pcm_sha256=self._key(pcm_sha256), wish=wish, engine_id="", accepted={}
            )
            row.engine_id = accepted.stem_set.engine_id
            row.accepted = to_document(Accepted, accepted)
            session.add(row)

    @staticmethod
    def _accepted_row(session: Session, pcm_sha256: str, wish: str) -> ResultRow | None:
        wanted = select(ResultRow).where(col(ResultRow.pcm_sha256) == pcm_sha256, col(ResultRow.wish) == wish)
        return session.exec(wanted).first()
