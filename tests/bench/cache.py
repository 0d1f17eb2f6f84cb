"""The ledger of a large cache: look-ups, what it tells of itself, making room; with a backlog of jobs beside it.

usage: python -m tests.bench.cache [--tracks N] [--jobs N] [--database-url URL]
No object is stored: a store that has everything answers at once, so that what is measured is the ledger.
"""

import argparse
import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from services.router.adapters.cache_ledger import SqlCacheLedger
from services.router.adapters.documents import to_document
from services.router.adapters.job_rows import row_from_job
from services.router.adapters.manifests import parse_manifest
from services.router.adapters.result_ledger import SqlResultLedger
from services.router.adapters.tables import CacheRow, ResultRow, SourceRow
from services.router.core.cache import StemCache, wish_of
from services.router.core.cache_care import CacheCare, CacheLimits
from services.router.core.cache_ports import Bounds, entry_of_audio, entry_of_stems
from services.router.core.cache_sweep import CacheSweep
from services.router.core.choices import EngineChooser
from services.router.core.policy import Policy
from services.router.core.ports import Accepted, Ingested
from services.router.core.shelf import CacheShelf
from services.router.migrations import migrate
from stemhouse.audio import AudioRef, QualityReport, SourceRef, StemSet
from stemhouse.jobs import Attempt, Decision, Job, SeparationRequest
from stemhouse.platform.databases import open_database
from stemhouse.vocab import JobState
from tests.bench.figures import Figure, keep
from tests.fakes import MemoryObjectStore
from tests.fakes_router import DEMUCS, FACTS, FakeSeparators, MemoryUploads, audio, stem_set

Value = TypeVar("Value")
NOW = datetime.now(UTC)
SIZE_BYTES = 15_000_000
PORTION = 5_000
LOOK_UPS = 1_000


class FullStore(MemoryObjectStore):
    """Has every object that anybody asks for, in the size that it should have."""

    def size_bytes(self, key: str) -> int | None:
        """See ObjectStore.size_bytes."""
        return SIZE_BYTES


def main() -> None:
    """Fill a ledger, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--database-url", help="of an empty database; else a new SQLite file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        database = open_database(options.database_url or f"sqlite:///{scratch}/ledger.db")
        migrate(database)
        _, seconds = timed(lambda: fill(database, options.tracks, options.jobs))
        print(f"wrote {options.tracks} tracks and {options.jobs} waiting jobs in {seconds:.0f} s")
        measure(database, options.tracks)
        database.dispose()


def fill(database: Engine, track_count: int, job_count: int) -> None:
    """Tracks with a result each, used at another moment of the last year each; jobs about new ones."""
    for start in range(0, track_count, PORTION):
        _write(database, (row for number in range(start, min(start + PORTION, track_count)) for row in rows(number)))
    jobs = (waiting(number) for number in range(track_count, track_count + job_count))
    _write(database, (row_from_job(job, number + 1) for number, job in enumerate(jobs)))


def _write(database: Engine, rows: Iterator[SQLModel]) -> None:
    with Session(database) as session:
        session.add_all(rows)
        session.commit()


def source_of(number: int) -> SourceRef:
    """A file."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return SourceRef(digest, digest[:32], 8_000_000, f"{number}.mp3")


def audio_of(number: int) -> AudioRef:
    """What it holds."""
    pcm_sha256 = hashlib.sha256(f"pcm {number}".encode()).hexdigest()
    return replace(audio(), object_key=f"audio/{pcm_sha256}.flac", pcm_sha256=pcm_sha256, size_bytes=SIZE_BYTES)


def stems_of(number: int) -> StemSet:
    """What was made of it."""
    made, own_audio = stem_set("a", DEMUCS), audio_of(number)
    folder = f"results/{own_audio.pcm_sha256}/{DEMUCS.engine_id}"
    stems = tuple(replace(stem, object_key=f"{folder}/{stem.name}.flac", size_bytes=SIZE_BYTES) for stem in made.stems)
    return replace(made, audio=own_audio, stems=stems)


def rows(number: int) -> Iterator[SQLModel]:
    """All that the ledger has of a track."""
    stems, decision = stems_of(number), Decision(DEMUCS.name, DEMUCS.engine_id, ("engine demucs was asked for",))
    quality = QualityReport("none")
    accepted = Accepted(stems, quality, decision, (Attempt(decision, quality, is_accepted=True),))
    ingested = to_document(Ingested, Ingested(stems.audio, FACTS))
    source = source_of(number)
    used_s = round((NOW - timedelta(minutes=10 + number * 5 % 500_000)).timestamp())
    yield SourceRow(sha256=source.sha256, md5=source.md5, ingested=ingested, ingest_version=3)
    yield ResultRow(
        pcm_sha256=stems.audio.pcm_sha256,
        wish=wish_of(request_of(number), Policy()),
        engine_id=stems.engine_id,
        accepted=to_document(Accepted, accepted),
    )
    for entry in (entry_of_audio(stems.audio), entry_of_stems(stems)):
        fields: dict[str, Any] = {name: getattr(entry, name) for name in ("place", "pcm_sha256", "engine_id")}
        yield CacheRow(**fields, size_bytes=entry.size_bytes, used_s=used_s)


def request_of(number: int) -> SeparationRequest:
    """A wish for the track."""
    return SeparationRequest(source_of(number), engine=DEMUCS.name)


def waiting(number: int) -> Job:
    """A job about a track that nobody knows yet."""
    return Job(f"job-{number}", f"wish-{number}", request_of(number), JobState.QUEUED, NOW)


def measure(database: Engine, track_count: int) -> None:
    """Print the figures."""
    entries, store = SqlCacheLedger(database), FullStore()
    shelf = CacheShelf(entries, store, parse_manifest, lambda: NOW)
    sweep = CacheSweep(entries, shelf, store, lambda: NOW)
    care = CacheCare(entries, sweep, CacheLimits, lambda: NOW)
    chooser = EngineChooser(FakeSeparators([DEMUCS]), _NoRoom(), Policy(), now_s=time.monotonic)
    cache = StemCache(SqlResultLedger(database), shelf, chooser, MemoryUploads(), care)
    looked_up = random.Random(1).sample(range(track_count), LOOK_UPS)  # noqa: S311  # tracks, not secrets
    for words in ("that notes its use", "of what was just used"):
        told = [timed(lambda number=number: look_up(cache, number))[1] * 1e3 for number in looked_up]  # type: ignore[misc]
        median_ms, slowest_ms = statistics.median(told), sorted(told)[-LOOK_UPS // 100]
        print(f"look-up {words}: {median_ms:.2f} ms, 99 of 100 within {slowest_ms:.2f} ms")
        keep(Figure(f"look-up in {track_count} tracks {words}", median_ms, "ms", at_most=10.0))
    stats, stats_s = timed(cache.stats)
    print(f"stats: {sum(share.entry_count for share in stats.shares)} entries in {stats_s * 1e3:.0f} ms")
    keep(Figure(f"stats of {track_count} tracks", stats_s * 1e3, "ms", at_most=1000.0))
    _, idle_s = timed(lambda: sweep.keep_within(stats.size_bytes, NOW))
    print(f"a look that finds room enough: {idle_s * 1e3:.0f} ms")
    rehearsed, rehearsal_s = timed(lambda: sweep.rehearse(Bounds(NOW, NOW)))
    entry_count = rehearsed.audio_count + rehearsed.result_count
    print(f"a rehearsal of clearing all: {entry_count} entries in {rehearsal_s:.1f} s")
    # A byte too much: then a part is left free besides, so that not every result has to make room for itself.
    cleared, sweep_s = timed(lambda: sweep.keep_within(stats.size_bytes - 1, NOW))
    entry_count = cleared.audio_count + cleared.result_count
    print(f"making room: {entry_count} entries in {sweep_s:.1f} s, {entry_count / sweep_s:.0f} a second")
    keep(Figure(f"entries that make room, of {track_count} tracks", entry_count / sweep_s, "entries/s", at_least=100.0))


class _NoRoom:
    """Nobody spends anything."""

    def room(self, account: str, batch_id: str, request_minutes: float) -> float:
        """See Room.room."""
        return 0.0


def look_up(cache: StemCache, number: int) -> None:
    """A hit, both by the file and by the wish."""
    ingested = cache.find_ingested(source_of(number))
    assert ingested is not None
    assert cache.find_accepted(request_of(number), ingested) is not None


def timed(action: Callable[[], Value]) -> tuple[Value, float]:
    """Its value, and the seconds that it took."""
    began_s = time.perf_counter()
    value = action()
    return value, time.perf_counter() - began_s


if __name__ == "__main__":
    main()
