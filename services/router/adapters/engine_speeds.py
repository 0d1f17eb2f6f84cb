"""How fast engines were, by the ledger's results."""

from statistics import median

from sqlalchemy import Engine
from sqlmodel import col, select

from services.router.adapters.documents import from_document
from services.router.adapters.sessions import transaction
from services.router.adapters.tables import ResultRow
from services.router.core.ports import Accepted

_LATEST_RESULTS = 15


class SqlEngineSpeeds:
    """Speeds over the table of results: the middle one of the latest, so that one busy hour does not tell."""

    def __init__(self, database: Engine) -> None:
        """Keep the engine."""
        self._database = database

    def audio_s_per_s(self, engine_id: str) -> float | None:
        """See Speeds.audio_s_per_s."""
        latest = select(ResultRow.accepted).where(col(ResultRow.engine_id) == engine_id)
        newest_first = latest.order_by(col(ResultRow.result_id).desc()).limit(_LATEST_RESULTS)
        with transaction(self._database) as session:
            results: list[Accepted] = [from_document(Accepted, row) for row in session.exec(newest_first)]
        speeds = [
            result.stem_set.audio.duration_s / result.stem_set.processing_s
            for result in results
            if result.stem_set.processing_s > 0
        ]
        return median(speeds) if speeds else None
