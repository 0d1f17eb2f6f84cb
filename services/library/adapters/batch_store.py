"""Batches in a database."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from itertools import islice
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Engine, Update, and_, case, exists, insert, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from services.library.adapters.batch_rows import item_from_row, item_to_row, run_from_row, run_to_row
from services.library.adapters.batch_tables import BatchItemRow, BatchRow
from services.library.adapters.export_record import remember_export
from services.library.core.batch_ports import BatchPage, BatchRun, Export, ExportKey, Outlook, Remainder
from services.library.core.ports import FileStamp
from stemhouse.batches import Batch, BatchItem, BatchState, ItemState
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.platform.databases import database_errors

_CHUNK_ROWS = 500
_UNFINISHED = [state.value for state in ItemState if not state.is_final]
_ACTIVE = [ItemState.SENT.value, ItemState.SEPARATED.value]
_RECALLABLE = [ItemState.WAITING.value, ItemState.CANCELLED.value]
_POSITION = re.compile(r"[0-9]{1,18}")

_state = col(BatchItemRow.state)
_place = col(BatchItemRow.place)
_attempt = col(BatchItemRow.attempt)
_job_id = col(BatchItemRow.job_id)


class SqlBatchStore:
    """BatchStore over the tables that the migrations have made."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; no call is made here."""
        self._engine = engine

    def create(self, run: BatchRun, items: Iterable[BatchItem]) -> Batch:
        """See BatchStore.create."""
        try:
            with self._session() as session:
                session.execute(insert(BatchRow), [run_to_row(run)])
                _insert_items(session, run.batch.batch_id, items)
        except IntegrityError:
            found = self.find(run.batch.request_id)
            if found is None:
                raise
            return found
        return self.run(run.batch.batch_id).batch

    def find(self, request_id: str) -> Batch | None:
        """See BatchStore.find."""
        with self._session() as session:
            row = session.exec(select(BatchRow).where(BatchRow.request_id == request_id)).one_or_none()
            return _run(session, row).batch if row else None

    def run(self, batch_id: str) -> BatchRun:
        """See BatchStore.run."""
        with self._session() as session:
            return _run(session, _row(session, batch_id))

    def page(self, page_size: int, page_token: str) -> BatchPage:
        """See BatchStore.page; a token is the position of the last batch shown."""
        wanted = select(BatchRow).order_by(col(BatchRow.position).desc()).limit(page_size + 1)
        if page_token:
            if not _POSITION.fullmatch(page_token):
                message = f"page_token is not one that a listing gave: {page_token[:80]}"
                raise InvalidRequest(message, {"page_token": message})
            wanted = wanted.where(col(BatchRow.position) < int(page_token))
        with self._session() as session:
            rows = session.exec(wanted).all()
            shown = rows[:page_size]
            token = str(shown[-1].position) if len(rows) > page_size else ""
            return BatchPage(tuple(_run(session, row).batch for row in shown), token)

    def unfinished(self) -> Sequence[str]:
        """See BatchStore.unfinished."""
        has_work = exists().where(_of(BatchRow.batch_id), or_(_state.in_(_ACTIVE), _is_recalled()))
        wanted = select(BatchRow.batch_id).where(or_(_is_among({BatchState.RUNNING}), has_work))
        with self._session() as session:
            return session.exec(wanted.order_by(col(BatchRow.position))).all()

    def items(
        self, batch_id: str, states: Collection[ItemState], *, after_place: int = 0, limit: int
    ) -> Sequence[BatchItem]:
        """See BatchStore.items."""
        is_wanted = [_place > after_place]
        if states:
            is_wanted.append(_state.in_([state.value for state in states]))
        return self._items(batch_id, *is_wanted, limit=limit)

    def waiting(self, batch_id: str, *, limit: int) -> Sequence[BatchItem]:
        """See BatchStore.waiting."""
        return self._items(batch_id, _state == ItemState.WAITING.value, _job_id == "", limit=limit)

    def recalled(self, batch_id: str) -> Sequence[BatchItem]:
        """See BatchStore.recalled."""
        return self._items(batch_id, _is_recalled(), limit=None)

    def stamps(self, batch_id: str) -> Mapping[str, FileStamp]:
        """See BatchStore.stamps."""
        columns = select(BatchItemRow.path, BatchItemRow.size_bytes, BatchItemRow.modified_ns)
        with self._session() as session:
            rows = session.exec(columns.where(_of(batch_id)).order_by(_place))
            return {path: FileStamp(size_bytes, modified_ns) for path, size_bytes, modified_ns in rows}

    def append(self, batch_id: str, items: Iterable[BatchItem]) -> None:
        """See BatchStore.append."""
        with self._session() as session:
            last = session.exec(select(func.max(_place)).where(_of(batch_id))).one() or 0
            count = _insert_items(session, batch_id, _placed(items, last))
            if count:
                _touch(session, batch_id)

    def change(
        self, batch_id: str, before: BatchItem, after: BatchItem, exported: tuple[ExportKey, Export] | None = None
    ) -> bool:
        """See BatchStore.change."""
        is_same = and_(_place == before.place, _state == before.state.value, _attempt == before.attempt)
        with self._session() as session:
            if exported:
                remember_export(session, *exported)
            return self._update(session, batch_id, is_same, item_to_row(after))

    def remainder(self, batch_id: str) -> Remainder:
        """See BatchStore.remainder."""
        sums = select(func.count(), func.coalesce(func.sum(BatchItemRow.audio_s), 0.0))
        with self._session() as session:
            return Remainder(*session.exec(sums.where(_of(batch_id), _state.in_(_UNFINISHED))).one())

    def set_state(self, batch_id: str, state: BatchState, *, among: Collection[BatchState]) -> bool:
        """See BatchStore.set_state."""
        with self._session() as session:
            return _set(session, batch_id, _is_among(among), state=state.value)

    def cancel(self, batch_id: str, ended_at: datetime) -> bool:
        """See BatchStore.cancel."""
        is_open = _is_among({BatchState.RUNNING, BatchState.PAUSED})
        ending = _ending(BatchState.CANCELLED, ended_at)
        with self._session() as session:
            is_cancelled = _set(session, batch_id, is_open, **ending)
            if is_cancelled:
                self._update(session, batch_id, _state.in_(_UNFINISHED), {"state": ItemState.CANCELLED.value})
            return is_cancelled

    def retry(self, batch_id: str) -> bool:
        """See BatchStore.retry."""
        is_failed = _state == ItemState.FAILED.value
        again = {
            "state": ItemState.WAITING.value,
            "attempt": _attempt + 1,
            "job_id": case((is_failed, ""), else_=_job_id),  # that of a cancelled item may have to be withdrawn
            "error": None,
            "remedy": "",
        }
        with self._session() as session:
            is_any = self._update(session, batch_id, or_(is_failed, _state == ItemState.CANCELLED.value), again)
            if is_any:
                _set(session, batch_id, state=BatchState.RUNNING.value, ended_at="")
            return is_any

    def finish(self, batch_id: str, ended_at: datetime) -> bool:
        """See BatchStore.finish."""
        is_over = ~exists().where(_of(batch_id), _state.in_(_UNFINISHED))
        with self._session() as session:
            ending = _ending(BatchState.DONE, ended_at)
            return _set(session, batch_id, _is_among({BatchState.RUNNING}), is_over, **ending)

    def tell(self, batch_id: str, outlook: Outlook) -> None:
        """See BatchStore.tell."""
        told = asdict(outlook)
        is_news = or_(*(getattr(BatchRow, name).is_distinct_from(value) for name, value in told.items()))
        with self._session() as session:
            _set(session, batch_id, is_news, **told)

    def _items(self, batch_id: str, *conditions: ColumnElement[bool], limit: int | None) -> list[BatchItem]:
        wanted = select(BatchItemRow).where(_of(batch_id), *conditions).order_by(_place).limit(limit)
        with self._session() as session:
            return [item_from_row(row) for row in session.exec(wanted)]

    def _update(
        self, session: Session, batch_id: str, condition: ColumnElement[bool], values: Mapping[str, Any]
    ) -> bool:
        statement = update(BatchItemRow).where(_of(batch_id), condition).values(**values)
        is_changed = _changes_rows(session, statement)
        if is_changed:
            _touch(session, batch_id)
        return is_changed

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors(self._engine), Session(self._engine) as session, session.begin():
            yield session


def _of(batch_id: Any) -> ColumnElement[bool]:
    """Of a batch, by its id or by the column that holds it."""
    return cast("ColumnElement[bool]", col(BatchItemRow.batch_id) == batch_id)


def _is_recalled() -> ColumnElement[bool]:
    return and_(_state.in_(_RECALLABLE), _job_id > "")


def _is_among(states: Collection[BatchState]) -> ColumnElement[bool]:
    return col(BatchRow.state).in_([state.value for state in states])


def _ending(state: BatchState, ended_at: datetime) -> dict[str, Any]:
    return {"state": state.value, "ended_at": ended_at.isoformat(), "hindrance": "", "remaining_s": None}


def _row(session: Session, batch_id: str) -> BatchRow:
    row = session.exec(select(BatchRow).where(BatchRow.batch_id == batch_id)).one_or_none()
    if row is None:
        message = f"no batch {batch_id[:80]}"
        raise NotFound(message, {"batch_id": batch_id[:80]})
    return row


def _run(session: Session, row: BatchRow) -> BatchRun:
    counts = select(BatchItemRow.state, func.count()).where(_of(row.batch_id)).group_by(_state)
    return run_from_row(row, dict(session.exec(counts).all()))


def _set(session: Session, batch_id: str, *conditions: ColumnElement[bool], **values: Any) -> bool:
    statement = update(BatchRow).where(col(BatchRow.batch_id) == batch_id, *conditions)
    return _changes_rows(session, statement.values(sequence=BatchRow.sequence + 1, **values))


def _changes_rows(session: Session, statement: Update) -> bool:
    result = cast("CursorResult[Any]", session.execute(statement, execution_options={"synchronize_session": False}))
    return result.rowcount > 0


def _touch(session: Session, batch_id: str) -> None:
    _set(session, batch_id)


def _insert_items(session: Session, batch_id: str, items: Iterable[BatchItem]) -> int:
    count, remaining = 0, iter(items)
    while chunk := list(islice(remaining, _CHUNK_ROWS)):
        session.execute(insert(BatchItemRow), [{"batch_id": batch_id, **item_to_row(item)} for item in chunk])
        count += len(chunk)
    return count


def _placed(items: Iterable[BatchItem], last_place: int) -> Iterator[BatchItem]:
    return (replace(item, place=place) for place, item in enumerate(items, last_place + 1))
