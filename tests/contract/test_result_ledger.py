"""One suite for the SQL ledger of results and the fake that unit tests use instead."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session

from services.router.adapters.engine_speeds import SqlEngineSpeeds
from services.router.adapters.result_ledger import SqlResultLedger
from services.router.adapters.tables import SourceRow
from services.router.core.ports import Ingested, ResultLedger
from stemhouse.audio import INGEST_VERSION, QualityReport, SourceRef
from stemhouse.errors import UnreadableAudio
from stemhouse.tenants import Tenant
from tests.contract.ledgers import ACCEPTED
from tests.fakes_router import DEMUCS, FACTS, MemoryResultLedger, audio, source, stem_set


@pytest.fixture
def results(ledger_kind: Engine | None) -> ResultLedger:
    """Each result ledger in turn."""
    return SqlResultLedger(ledger_kind) if ledger_kind else MemoryResultLedger()


def test_speed_is_the_middle_one_of_the_latest_results_of_an_engine(database: Engine) -> None:
    """Those of other engines, and such without a time, say nothing; nobody knows the speed of what has no results."""
    ledger, speeds = SqlResultLedger(database), SqlEngineSpeeds(database)
    assert speeds.audio_s_per_s(ACCEPTED.stem_set.engine_id) is None
    for number, processing_s in enumerate([100.0, *[5.0] * 7, 0.0, *[2.0] * 7]):
        stems = replace(ACCEPTED.stem_set, processing_s=processing_s)
        ledger.accept(f"{number}", "auto", replace(ACCEPTED, stem_set=stems))
    other = replace(ACCEPTED.stem_set, engine_id="demucs-1", processing_s=1.0)
    ledger.accept("a", "demucs", replace(ACCEPTED, stem_set=other))
    assert speeds.audio_s_per_s("demucs-1") == 10.0
    assert speeds.audio_s_per_s(ACCEPTED.stem_set.engine_id) == (2.0 + 5.0) / 2


def test_ingested_source_is_found_by_both_digests(results: ResultLedger) -> None:
    """MD5 alone is not enough."""
    results.record_ingested(source(), Ingested(audio(), FACTS))
    assert results.find_ingested(source()) == Ingested(audio(), FACTS)
    assert results.find_ingested(replace(source(), sha256="b" * 64)) is None
    assert results.find_ingested(replace(source(), md5="b" * 32)) is None


def test_source_may_be_recorded_by_many_at_once(results: ResultLedger) -> None:
    """Jobs of the same file share one ingest, and all of them write down what became of it."""
    with ThreadPoolExecutor(8) as jobs:
        recorded = [jobs.submit(results.record_ingested, source(), Ingested(audio(), FACTS)) for _ in range(8)]
        assert [future.result() for future in recorded] == [None] * 8
    assert results.find_ingested(source()) == Ingested(audio(), FACTS)


def test_rejection_is_raised_as_it_was(results: ResultLedger) -> None:
    """Type, message and details survive."""
    results.record_rejected(source(), UnreadableAudio("x.mp3: not audio", {"file": "x.mp3"}))
    with pytest.raises(UnreadableAudio, match=r"x\.mp3: not audio") as caught:
        results.find_ingested(source())
    assert caught.value.details == {"file": "x.mp3"}


def test_rejection_by_an_older_ingest_is_forgotten(database: Engine) -> None:
    """The file may be of a format that is taken now."""
    results = SqlResultLedger(database)
    results.record_rejected(source(), UnreadableAudio("x.m4a: not audio"))
    with Session(database) as session:
        session.exec(update(SourceRow).values(ingest_version=INGEST_VERSION - 1))
        session.commit()
    assert results.find_ingested(source()) is None


def test_ingest_by_an_older_version_still_counts(database: Engine) -> None:
    """What could be read before is not read again, unless whoever asks finds the version too low."""
    results = SqlResultLedger(database)
    results.record_ingested(source(), Ingested(audio(), FACTS))
    with Session(database) as session:
        session.exec(update(SourceRow).values(ingest_version=1))
        session.commit()
    assert results.find_ingested(source()) == Ingested(audio(), FACTS, ingest_version=1)


def test_accepted_result_comes_back_equal_and_is_replaced(results: ResultLedger) -> None:
    """One row for an audio and a wish; the last acceptance counts."""
    results.accept("a" * 64, "auto", ACCEPTED)
    assert results.find_accepted("a" * 64, "auto") == ACCEPTED
    newer = replace(ACCEPTED, quality=QualityReport("none"))
    results.accept("a" * 64, "auto", newer)
    assert results.find_accepted("a" * 64, "auto") == newer
    assert results.find_accepted("a" * 64, "starter") is None
    assert results.find_accepted("b" * 64, "auto") is None


def test_engine_counts_while_its_result_answers_any_wish(results: ResultLedger) -> None:
    """What another engine has replaced counts no more."""
    engine_id = ACCEPTED.stem_set.engine_id
    results.accept("a" * 64, "auto", ACCEPTED)
    assert results.counts("a" * 64, engine_id)
    assert not results.counts("b" * 64, engine_id)
    results.accept("a" * 64, "auto", replace(ACCEPTED, stem_set=stem_set("a", DEMUCS)))
    assert not results.counts("a" * 64, engine_id)


def test_source_ref_is_stored_whole(results: ResultLedger) -> None:
    """Two sources with one audio are two rows."""
    other = SourceRef("c" * 64, "c" * 32, 5, "other.mp3")
    results.record_ingested(source(), Ingested(audio(), FACTS))
    results.record_ingested(other, Ingested(audio(), replace(FACTS, title="Other")))
    found = results.find_ingested(other)
    assert found is not None
    assert found.facts.title == "Other"


def test_tenants_know_nothing_of_each_other(database: Engine) -> None:
    """Neither what a file became, nor which result counts for it."""
    ours, theirs = SqlResultLedger(database, Tenant("acme")), SqlResultLedger(database, Tenant("zenith"))
    ours.record_ingested(source(), Ingested(audio(), FACTS))
    ours.accept("a" * 64, "auto", ACCEPTED)
    for other in (theirs, SqlResultLedger(database)):
        assert other.find_ingested(source()) is None
        assert other.find_accepted("a" * 64, "auto") is None
        assert not other.counts("a" * 64, ACCEPTED.stem_set.engine_id)
    theirs.record_rejected(source(), UnreadableAudio("x.mp3: not audio"))
    assert ours.find_ingested(source()) == Ingested(audio(), FACTS)
    assert ours.find_accepted("a" * 64, "auto") == ACCEPTED
