"""CloudLedger on SQLModel tables."""

from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy import ColumnElement, Engine, func, update
from sqlmodel import Session, col, select

from services.router.adapters.sessions import transaction
from services.router.adapters.tables import CloudAccountRow, CloudOrderRow
from services.router.core.ports import CloudBooks, CloudWish, OrderEnd
from stemhouse.cloud import CloudAccount, CloudOrder

_RESERVED = "reserved"
_AT_WORK = col(CloudOrderRow.state) == _RESERVED
_UNCERTAIN = col(CloudOrderRow.state) == OrderEnd.UNCERTAIN.value
_OPEN = _AT_WORK | _UNCERTAIN


class SqlCloudLedger:
    """CloudLedger in a database; every method is one transaction."""

    def __init__(self, database: Engine) -> None:
        """Keep the engine."""
        self._database = database

    def accounts(self, day: date) -> Sequence[CloudAccount]:
        """See CloudLedger.accounts."""
        with transaction(self._database) as session:
            return [_account(session, row, day) for row in session.exec(select(CloudAccountRow)).all()]

    def allow(self, account: str, *, is_allowed: bool, minutes_per_day: float) -> None:
        """See CloudLedger.allow."""
        row = CloudAccountRow(account=account, is_allowed=is_allowed, minutes_per_day=minutes_per_day)
        with transaction(self._database) as session:
            session.merge(row)

    def books(self, account: str, batch: str, day: date) -> CloudBooks:
        """See CloudLedger.books."""
        with transaction(self._database) as session:
            return _books(session, account, batch, day, uncounted=None)

    def reserve(self, wish: CloudWish, new_key: str, weigh: Callable[[CloudBooks], None]) -> CloudOrder:
        """See CloudLedger.reserve."""
        with transaction(self._database) as session:
            _lock(session)
            row = _open_order(session, wish)
            if row is None or (row.job_id, row.day) != (wish.job_id, wish.day):
                weigh(_books(session, wish.account, wish.batch, wish.day, uncounted=row))
                row = _taken_over(row, wish) if row else _new_order(wish, new_key)
                session.add(row)
            return CloudOrder(row.idempotency_key, row.minutes)

    def rehearse(self, wish: CloudWish, weigh: Callable[[CloudBooks], None]) -> None:
        """See CloudLedger.rehearse."""
        with transaction(self._database) as session:
            weigh(_books(session, wish.account, wish.batch, wish.day, uncounted=_open_order(session, wish)))

    def doubt(self, wish: CloudWish) -> None:
        """See CloudLedger.doubt."""
        own = (col(CloudOrderRow.pcm_sha256) == wish.pcm_sha256, col(CloudOrderRow.job_id) == wish.job_id)
        wanted = update(CloudOrderRow).where(*own, col(CloudOrderRow.engine_id) == wish.engine_id, _AT_WORK)
        with transaction(self._database) as session:
            session.connection().execute(wanted.values(state=OrderEnd.UNCERTAIN.value))

    def close(self, idempotency_key: str, end: OrderEnd, minutes: float) -> None:
        """See CloudLedger.close."""
        wanted = update(CloudOrderRow).where(col(CloudOrderRow.idempotency_key) == idempotency_key)
        with transaction(self._database) as session:
            session.connection().execute(wanted.where(_OPEN).values(state=end.value, minutes=minutes))
            if end is OrderEnd.SETTLED:  # two jobs shared it, and the first to end has failed at no cost
                session.connection().execute(wanted.where(col(CloudOrderRow.minutes) < minutes).values(minutes=minutes))

    def close_uncertain(self, account: str, *, were_charged: bool) -> None:
        """See CloudLedger.close_uncertain."""
        wanted = update(CloudOrderRow).where(col(CloudOrderRow.account) == account, _UNCERTAIN)
        minutes = {} if were_charged else {"minutes": 0.0}
        with transaction(self._database) as session:
            session.connection().execute(wanted.values(state=OrderEnd.SETTLED.value, **minutes))


def _lock(session: Session) -> None:
    """Nobody else reserves before the end of the transaction: its first statement writes, and always the same row."""
    first = select(func.min(col(CloudAccountRow.account))).scalar_subquery()
    written = update(CloudAccountRow).where(col(CloudAccountRow.account) == first)
    session.connection().execute(written.values(revision=CloudAccountRow.revision + 1))


def _open_order(session: Session, wish: CloudWish) -> CloudOrderRow | None:
    wanted = select(CloudOrderRow).where(
        col(CloudOrderRow.pcm_sha256) == wish.pcm_sha256, col(CloudOrderRow.engine_id) == wish.engine_id, _OPEN
    )
    return session.exec(wanted).first()


def _new_order(wish: CloudWish, key: str) -> CloudOrderRow:
    return CloudOrderRow(
        idempotency_key=key,
        account=wish.account,
        job_id=wish.job_id,
        batch=wish.batch,
        engine_id=wish.engine_id,
        pcm_sha256=wish.pcm_sha256,
        state=_RESERVED,
        minutes=wish.minutes,
        day=wish.day,
    )


def _taken_over(row: CloudOrderRow, wish: CloudWish) -> CloudOrderRow:
    """An order that another job, or another day, has left behind; while that job is at work the order stays its own."""
    if row.state != _RESERVED or row.job_id == wish.job_id:
        row.job_id, row.batch, row.day, row.state = wish.job_id, wish.batch, wish.day, _RESERVED
    return row


def _books(session: Session, account: str, batch: str, day: date, uncounted: CloudOrderRow | None) -> CloudBooks:
    """What was spent, `uncounted` left out."""
    row = session.get(CloudAccountRow, account)
    if row is None:
        return CloudBooks()
    others = col(CloudOrderRow.order_id) != (uncounted.order_id if uncounted else -1)
    is_of_account, is_of_day = col(CloudOrderRow.account) == account, col(CloudOrderRow.day) == day
    return CloudBooks(
        is_allowed=row.is_allowed,
        minutes_per_day=row.minutes_per_day,
        minutes_today=_sum(session, others, is_of_account, is_of_day),
        minutes_of_batch=_sum(session, others, col(CloudOrderRow.batch) == batch),
        minutes_open=_sum(session, others, is_of_account, _AT_WORK | (_UNCERTAIN & is_of_day)),
    )


def _account(session: Session, row: CloudAccountRow, day: date) -> CloudAccount:
    is_of_account = col(CloudOrderRow.account) == row.account
    return CloudAccount(
        account=row.account,
        is_allowed=row.is_allowed,
        minutes_per_day=row.minutes_per_day,
        minutes_today=_sum(session, is_of_account, col(CloudOrderRow.day) == day),
        minutes_reserved=_sum(session, is_of_account, _AT_WORK),
        minutes_uncertain=_sum(session, is_of_account, _UNCERTAIN),
    )


def _sum(session: Session, *conditions: ColumnElement[bool]) -> float:
    """Minutes of the orders that meet all conditions; every order is in hundredths."""
    return round(session.exec(select(func.sum(col(CloudOrderRow.minutes))).where(*conditions)).one() or 0.0, 2)
