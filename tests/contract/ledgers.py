"""A service's tables in a database, and what is written into a ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from services.router import migrations as router
from services.router.core.ports import Accepted
from stemhouse.audio import QualityReport, StemQuality
from stemhouse.jobs import Attempt, Decision, SeparationResult
from stemhouse.platform.databases import open_database
from tests.fakes_router import FACTS, source, stem_set

QUALITY = QualityReport("si_sdr", (StemQuality("vocals", "measured", 7.5, 8.0),))
DECISION = Decision("starter", "starter-tiny-00000000", ("engine starter was asked for",))
ACCEPTED = Accepted(stem_set(), QUALITY, DECISION, (Attempt(DECISION, QUALITY, is_accepted=True, note="Good."),))
RESULT = SeparationResult(source(), FACTS, ACCEPTED.stem_set, ACCEPTED.quality, ACCEPTED.decision)


@contextmanager
def migrated(url: str, migrate: Callable[..., None] = router.migrate) -> Iterator[Engine]:
    """The tables that a service's migrations make, empty; those of the ledger, unless said."""
    engine = open_database(url)
    migrate(engine, "base")
    migrate(engine)
    yield engine
    engine.dispose()
