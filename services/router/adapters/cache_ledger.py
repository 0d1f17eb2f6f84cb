"""CacheLedger on SQLModel tables.

An entry that is marked answers nobody, and one that was used within the last half minute is not written again: so a
look-up costs a write now and then, and no lock of our own is needed between it and a sweep.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, exists, func, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from services.router.adapters.sessions import merge, transaction
from services.router.adapters.tables import CacheRow, JobRow, SourceRow
from services.router.core.cache_ports import Bounds, CacheEntry
from stemhouse.cache import CacheShare
from stemhouse.tenants import HOUSE, Tenant
from stemhouse.vocab import JobState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_REFRESHED_AFTER_S = 30
_MOST_PARAMETERS = 500
_AT_WORK = [JobState.QUEUED.value, JobState.RUNNING.value]


class SqlCacheLedger:
    """CacheLedger in a database; every method is one transaction."""

    def __init__(self, database: Engine, tenant: Tenant = HOUSE) -> None:
        """Keep the engine; nothing is counted here but what is the tenant's."""
        self._database = database
        self._tenant = tenant
        self._is_own = col(CacheRow.tenant) == tenant.name

    def note(self, entry: CacheEntry, now: datetime) -> None:
        """See CacheLedger.note."""
        merge(self._database, self._row(entry, now))

    def use(self, entries: Sequence[CacheEntry], now: datetime) -> bool:
        """See CacheLedger.use."""
        try:
            return self._use(entries, now)
        except IntegrityError:  # somebody else has added one of them between our look and our write
            return self._use(entries, now)

    def add_unknown(self, entries: Sequence[CacheEntry], now: datetime) -> None:
        """See CacheLedger.add_unknown."""
        for entry in entries:
            try:
                with transaction(self._database) as session:
                    if session.get(CacheRow, self._tenant.key(entry.place)) is None:
                        session.add(self._row(entry, now))
            except IntegrityError:  # a job has stored it just now, and knows better
                continue

    def unknown(self, places: Sequence[str]) -> set[str]:
        """See CacheLedger.unknown."""
        with transaction(self._database) as session:
            known = session.exec(select(CacheRow.place).where(col(CacheRow.place).in_(map(self._tenant.key, places))))
            return set(places) - set(map(self._tenant.own, known))

    def oldest(self, used_before: datetime, limit: int, after: CacheEntry | None = None) -> Sequence[CacheEntry]:
        """See CacheLedger.oldest."""
        columns = col(CacheRow.used_s), col(CacheRow.place)
        wanted = select(CacheRow).where(_is_unused_since(used_before), ~col(CacheRow.is_leaving), self._is_own)
        if after:
            wanted = wanted.where(tuple_(*columns) > (_seconds(after.used_at or _EPOCH), self._tenant.key(after.place)))
        with transaction(self._database) as session:
            return [self._entry(row) for row in session.exec(wanted.order_by(*columns).limit(limit))]

    def claim(self, entry: CacheEntry, bounds: Bounds, *, is_rehearsal: bool = False) -> Sequence[CacheEntry]:
        """See CacheLedger.claim."""
        wanted = _claimable(self._scoped(entry), bounds)
        with transaction(self._database) as session:
            if is_rehearsal:
                return [self._entry(row) for row in session.exec(select(CacheRow).where(*wanted))]
            marked = update(CacheRow).where(*wanted).values(is_leaving=True).returning(CacheRow)
            return [self._entry(row) for row in session.scalars(marked)]

    def leaving(self) -> Sequence[CacheEntry]:
        """See CacheLedger.leaving."""
        with transaction(self._database) as session:
            return [
                self._entry(row) for row in session.exec(select(CacheRow).where(col(CacheRow.is_leaving), self._is_own))
            ]

    def remove(self, place: str) -> None:
        """See CacheLedger.remove."""
        with transaction(self._database) as session:
            session.connection().execute(delete(CacheRow).where(col(CacheRow.place) == self._tenant.key(place)))

    def of_audio(self, pcm_sha256: str) -> Sequence[CacheEntry]:
        """See CacheLedger.of_audio."""
        wanted = select(CacheRow).where(col(CacheRow.pcm_sha256) == self._tenant.key(pcm_sha256))
        with transaction(self._database) as session:
            return [self._entry(row) for row in session.exec(wanted)]

    def count(self, used_before: datetime) -> int:
        """See CacheLedger.count."""
        wanted = select(func.count()).select_from(CacheRow).where(_is_unused_since(used_before), self._is_own)
        with transaction(self._database) as session:
            return session.exec(wanted).one()

    def size_bytes(self) -> int:
        """See CacheLedger.size_bytes."""
        with transaction(self._database) as session:
            return int(session.exec(select(func.sum(col(CacheRow.size_bytes))).where(self._is_own)).one() or 0)

    def shares(self) -> Sequence[CacheShare]:
        """See CacheLedger.shares."""
        size_bytes = func.sum(col(CacheRow.size_bytes))
        wanted = select(CacheRow.engine_id, func.count(), size_bytes, func.min(CacheRow.used_s)).where(self._is_own)
        is_result = col(CacheRow.engine_id) != ""
        with transaction(self._database) as session:
            rows = session.exec(wanted.group_by(CacheRow.engine_id).order_by(is_result, size_bytes.desc())).all()
        return [CacheShare(name, count, int(taken), _moment(used_s)) for name, count, taken, used_s in rows]

    def needed(self) -> set[str]:
        """See CacheLedger.needed. Looks into the documents of jobs at work, of which there are few at any time."""
        with transaction(self._database) as session:
            at_work = col(JobRow.state).in_(_AT_WORK), col(JobRow.tenant) == self._tenant.name
            requests = session.exec(select(JobRow.request).where(*at_work))
            sources = sorted({self._tenant.key(sha256) for request in requests for sha256 in _sources(request)})
            portions = [sources[start : start + _MOST_PARAMETERS] for start in range(0, len(sources), _MOST_PARAMETERS)]
            return {pcm_sha256 for portion in portions for pcm_sha256 in _audio_of(session, portion)}

    def _use(self, entries: Sequence[CacheEntry], now: datetime) -> bool:
        with transaction(self._database) as session:
            rows = [session.get(CacheRow, self._tenant.key(entry.place)) for entry in entries]
            if any(row and row.is_leaving for row in rows):
                return False
            session.add_all(self._row(entry, now) for entry, row in zip(entries, rows, strict=True) if row is None)
            stale_s = _seconds(now) - _REFRESHED_AFTER_S
            return all(_refresh(session, row, now) for row in rows if row and row.used_s <= stale_s)

    def _scoped(self, entry: CacheEntry) -> CacheEntry:
        """As rows have it."""
        return replace(entry, place=self._tenant.key(entry.place), pcm_sha256=self._tenant.key(entry.pcm_sha256))

    def _row(self, entry: CacheEntry, now: datetime) -> CacheRow:
        scoped = self._scoped(entry)
        return CacheRow(
            place=scoped.place,
            pcm_sha256=scoped.pcm_sha256,
            engine_id=entry.engine_id,
            size_bytes=entry.size_bytes,
            used_s=_seconds(now),
            tenant=self._tenant.name,
        )

    def _entry(self, row: CacheRow) -> CacheEntry:
        place, pcm_sha256 = self._tenant.own(row.place), self._tenant.own(row.pcm_sha256)
        return CacheEntry(place, pcm_sha256, row.engine_id, row.size_bytes, _moment(row.used_s))


def _refresh(session: Session, row: CacheRow, now: datetime) -> bool:
    """Whether it has not been marked meanwhile."""
    wanted = update(CacheRow).where(col(CacheRow.place) == row.place, ~col(CacheRow.is_leaving))
    return session.connection().execute(wanted.values(used_s=_seconds(now))).rowcount > 0


def _claimable(entry: CacheEntry, bounds: Bounds) -> list[ColumnElement[bool]]:
    """Audio goes with all that was made of it, as soon as all of it is old enough."""
    other = aliased(CacheRow)
    in_hand_since = bounds.in_hand_since if entry.engine_id else bounds.used_before
    in_hand = exists().where(col(other.pcm_sha256) == entry.pcm_sha256, col(other.used_s) >= _seconds(in_hand_since))
    meant = (
        [col(CacheRow.place) == entry.place, _is_unused_since(bounds.used_before)]
        if entry.engine_id
        else [col(CacheRow.pcm_sha256) == entry.pcm_sha256]
    )
    return [*meant, ~col(CacheRow.is_leaving), ~in_hand]


def _is_unused_since(moment: datetime) -> ColumnElement[bool]:
    return col(CacheRow.used_s) < _seconds(moment)


def _sources(request: Mapping[str, Any]) -> Iterator[str]:
    yield request["source"]["sha256"]
    yield from (reference["sha256"] for reference in request["references"].values())


def _audio_of(session: Session, sources: Sequence[str]) -> Iterator[str]:
    wanted = select(SourceRow.ingested).where(col(SourceRow.sha256).in_(sources))
    yield from (ingested["audio"]["pcm_sha256"] for ingested in session.exec(wanted) if ingested)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND


def _moment(seconds: int) -> datetime:
    return _EPOCH + seconds * _SECOND
