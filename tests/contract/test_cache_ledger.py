"""One suite for the SQL cache ledger and the fake that unit tests use instead."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from services.router.adapters.cache_ledger import SqlCacheLedger
from services.router.adapters.job_ledger import SqlJobLedger
from services.router.adapters.result_ledger import SqlResultLedger
from services.router.core.cache_ports import Bounds, CacheEntry, CacheLedger
from services.router.core.ports import Ingested
from services.router.migrations import migrate
from stemhouse.cache import CacheShare
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.platform.databases import open_database
from stemhouse.tenants import Tenant
from stemhouse.vocab import JobState
from tests.fakes_cache import MemoryCacheLedger
from tests.fakes_router import FACTS, audio, job, source

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AUDIO = CacheEntry("audio/a.flac", "a", "", 10)
STARTER = CacheEntry("results/a/starter-1", "a", "starter-1", 40)
DEMUCS = CacheEntry("results/a/demucs-1", "a", "demucs-1", 60)
OTHER = CacheEntry("audio/b.flac", "b", "", 5)


@pytest.fixture
def ledger(ledger_kind: Engine | None) -> CacheLedger:
    """Each ledger in turn, empty."""
    return SqlCacheLedger(ledger_kind) if ledger_kind else MemoryCacheLedger()


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def places(entries: Iterator[CacheEntry] | list[CacheEntry]) -> list[str]:
    """In their order."""
    return [entry.place for entry in entries]


def fill(ledger: CacheLedger) -> None:
    """Audio `a` with two results, of which one was used later, and audio `b`."""
    ledger.note(STARTER, at(0))
    ledger.note(AUDIO, at(1))
    ledger.note(OTHER, at(2))
    assert ledger.use([AUDIO, DEMUCS], at(3))


def test_entries_come_by_their_last_use(ledger: CacheLedger) -> None:
    """Page by page, also where the last one of a page has gone; what was used later than asked for is left out."""
    fill(ledger)
    first, second = ledger.oldest(at(3), 2)
    assert [first.place, second.place] == [STARTER.place, OTHER.place]
    assert ledger.count(at(3)) == 2
    ledger.remove(second.place)
    assert places(list(ledger.oldest(at(4), 9, second))) == [AUDIO.place, DEMUCS.place]


def test_what_is_stored_again_has_its_new_size(ledger: CacheLedger) -> None:
    """And one that is only used keeps the size that was noted."""
    fill(ledger)
    ledger.note(CacheEntry(STARTER.place, "a", "starter-1", 41), at(5))
    ledger.use([CacheEntry(STARTER.place, "a", "starter-1", 0)], at(7))
    assert ledger.size_bytes() == 10 + 41 + 60 + 5
    assert list(ledger.shares()) == [
        CacheShare("", 2, 15, at(2)),
        CacheShare("demucs-1", 1, 60, at(3)),
        CacheShare("starter-1", 1, 41, at(7)),
    ]


def test_old_stems_go_alone_and_audio_goes_with_all_that_was_made_of_it(ledger: CacheLedger) -> None:
    """Once; what goes answers nobody, until it is stored anew."""
    fill(ledger)
    bounds = Bounds(at(2), at(10))
    assert places(list(ledger.claim(STARTER, bounds, is_rehearsal=True))) == [STARTER.place]
    assert places(list(ledger.claim(STARTER, bounds))) == [STARTER.place]
    assert list(ledger.claim(STARTER, bounds)) == []
    assert not ledger.use([AUDIO, STARTER], at(11))
    assert places(list(ledger.leaving())) == [STARTER.place]
    ledger.note(STARTER, at(1))
    assert not ledger.leaving()
    assert sorted(places(list(ledger.claim(AUDIO, Bounds(at(4), at(10)))))) == [
        AUDIO.place,
        DEMUCS.place,
        STARTER.place,
    ]
    assert places(list(ledger.of_audio("b"))) == [OTHER.place]


@pytest.mark.parametrize(
    ("entry", "bounds"),
    [
        (DEMUCS, Bounds(at(3), at(10))),  # itself used too late
        (STARTER, Bounds(at(2), at(3))),  # somebody has just asked for its audio
        (AUDIO, Bounds(at(3), at(10))),  # what was made of it was used too late
    ],
)
def test_what_is_used_is_not_claimed(entry: CacheEntry, bounds: Bounds, ledger: CacheLedger) -> None:
    """Nor is any of its family."""
    fill(ledger)
    assert list(ledger.claim(entry, bounds)) == []
    assert not ledger.leaving()


def test_only_what_is_unknown_is_counted_in(ledger: CacheLedger) -> None:
    """What a job has noted meanwhile is not overwritten."""
    ledger.note(AUDIO, at(0))
    found = CacheEntry(AUDIO.place, "a", "", 3)
    assert ledger.unknown([AUDIO.place, OTHER.place]) == {OTHER.place}
    ledger.add_unknown([found, OTHER], at(1))
    assert ledger.size_bytes() == AUDIO.size_bytes + OTHER.size_bytes


def test_entry_may_be_noted_and_used_by_many_at_once(ledger: CacheLedger) -> None:
    """Jobs of the same audio come to its end together."""
    with ThreadPoolExecutor(8) as jobs:
        noted = [jobs.submit(ledger.note, AUDIO, at(0)) for _ in range(8)]
        used = [jobs.submit(ledger.use, [OTHER, DEMUCS], at(0)) for _ in range(8)]
        for note in noted:
            note.result()
        assert all(use.result() for use in used)
    assert ledger.size_bytes() == AUDIO.size_bytes + OTHER.size_bytes + DEMUCS.size_bytes


@pytest.fixture
def finished(tmp_path: Path) -> Iterator[tuple[SqlCacheLedger, Callable[[str], None]]]:
    """A ledger with a job about two sources that are known, and one that is not; and how to end it."""
    database = open_database(f"sqlite:///{tmp_path}/l.db")
    migrate(database)
    results, jobs = SqlResultLedger(database), SqlJobLedger(database, _no_queue)
    results.record_ingested(source("a"), Ingested(audio("a"), FACTS))
    results.record_ingested(source("b"), Ingested(audio("b"), FACTS))
    results.record_ingested(source("c"), Ingested(audio("c"), FACTS))
    references = {"vocals": source("b"), "bass": source("d")}
    jobs.create(job(SeparationRequest(source("a"), references=references)), is_queued=True)
    yield SqlCacheLedger(database), lambda job_id: jobs.finish(job_id, JobState.CANCELLED)
    database.dispose()


def test_audio_of_jobs_at_work_is_needed(finished: tuple[SqlCacheLedger, Callable[[str], None]]) -> None:
    """That of their references, too, until they end."""
    ledger, finish = finished
    assert ledger.needed() == {audio("a").pcm_sha256, audio("b").pcm_sha256}
    finish("job-1")
    assert ledger.needed() == set()


def _no_queue(_session: Session, _job: Job) -> None:
    """Nobody works here."""


def test_tenants_count_apart(database: Engine) -> None:
    """The same audio of two tenants: neither goes with the other's, nor counts for it."""
    ours, theirs = SqlCacheLedger(database, Tenant("acme")), SqlCacheLedger(database, Tenant("zenith"))
    fill(ours)
    theirs.note(AUDIO, at(0))
    assert SqlCacheLedger(database).size_bytes() == 0
    assert (ours.size_bytes(), theirs.size_bytes()) == (115, 10)
    assert places(list(theirs.oldest(at(9), 9))) == [AUDIO.place]
    assert theirs.unknown([AUDIO.place, STARTER.place]) == {STARTER.place}
    assert places(list(theirs.claim(AUDIO, Bounds(at(9), at(9))))) == [AUDIO.place]
    assert not ours.leaving()
    theirs.remove(AUDIO.place)
    assert (ours.size_bytes(), theirs.size_bytes(), list(theirs.shares())) == (115, 0, [])
    assert [entry.pcm_sha256 for entry in ours.of_audio("b")] == ["b"]
