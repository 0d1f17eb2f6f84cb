"""A cloud ledger in memory, and a cloud engine to offer. The ledger passes the contract suite of the SQL one."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.router.core.ports import CloudBooks, CloudWish, OrderEnd
from stemhouse.cloud import CloudAccount, CloudOrder, CloudTerms
from stemhouse.jobs import EngineOffer
from stemhouse.vocab import BASE_STEMS

ACCOUNT = "lalal-1234abcd"
LALAL = EngineOffer(
    "lalal", "andromeda", "lalal-andromeda-33333333", BASE_STEMS, "cloud", "cloud", CloudTerms(ACCOUNT, 4.0, 500.0)
)


@dataclass
class Entry:
    """An order as the ledger has it."""

    wish: CloudWish
    key: str
    minutes: float
    state: str = "reserved"

    @property
    def is_open(self) -> bool:
        """Whether its cost is still unknown."""
        return self.state != OrderEnd.SETTLED.value


class MemoryCloudLedger:
    """CloudLedger in lists."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._accounts: dict[str, CloudAccount] = {}
        self._lock = threading.RLock()

    def accounts(self, day: date) -> Sequence[CloudAccount]:
        """See CloudLedger.accounts."""
        return [self._account(account, day) for account in self._accounts.values()]

    def allow(self, account: str, *, is_allowed: bool, minutes_per_day: float) -> None:
        """See CloudLedger.allow."""
        self._accounts[account] = CloudAccount(account, is_allowed, minutes_per_day)

    def books(self, account: str, batch: str, day: date) -> CloudBooks:
        """See CloudLedger.books."""
        return self._books(account, batch, day, self.entries)

    def reserve(self, wish: CloudWish, new_key: str, weigh: Callable[[CloudBooks], None]) -> CloudOrder:
        """See CloudLedger.reserve."""
        with self._lock:
            entry = next((known for known in self.entries if known.is_open and _is_for(known.wish, wish)), None)
            if entry is None or (entry.wish.job_id, entry.wish.day) != (wish.job_id, wish.day):
                others = [known for known in self.entries if known is not entry]
                weigh(self._books(wish.account, wish.batch, wish.day, others))
                if entry is None:
                    entry = Entry(wish, new_key, wish.minutes)
                    self.entries.append(entry)
                elif entry.state == OrderEnd.UNCERTAIN.value or entry.wish.job_id == wish.job_id:
                    entry.wish, entry.state = wish, "reserved"
            return CloudOrder(entry.key, entry.minutes)

    def rehearse(self, wish: CloudWish, weigh: Callable[[CloudBooks], None]) -> None:
        """See CloudLedger.rehearse."""
        others = [known for known in self.entries if not (known.is_open and _is_for(known.wish, wish))]
        weigh(self._books(wish.account, wish.batch, wish.day, others))

    def doubt(self, wish: CloudWish) -> None:
        """See CloudLedger.doubt."""
        for entry in self.entries:
            if _is_for(entry.wish, wish) and entry.wish.job_id == wish.job_id and entry.state == "reserved":
                entry.state = OrderEnd.UNCERTAIN.value

    def close(self, idempotency_key: str, end: OrderEnd, minutes: float) -> None:
        """See CloudLedger.close."""
        entry = next(known for known in self.entries if known.key == idempotency_key)
        if entry.is_open:
            entry.state, entry.minutes = end.value, minutes
        elif end is OrderEnd.SETTLED:
            entry.minutes = max(entry.minutes, minutes)

    def close_uncertain(self, account: str, *, were_charged: bool) -> None:
        """See CloudLedger.close_uncertain."""
        for entry in self.entries:
            if entry.wish.account == account and entry.state == OrderEnd.UNCERTAIN.value:
                self.close(entry.key, OrderEnd.SETTLED, entry.minutes if were_charged else 0.0)

    def _books(self, account: str, batch: str, day: date, entries: Sequence[Entry]) -> CloudBooks:
        known = self._accounts.get(account)
        if known is None:
            return CloudBooks()
        own = [entry for entry in entries if entry.wish.account == account]
        today = [entry for entry in own if entry.wish.day == day]
        is_fresh = [entry for entry in own if entry.state == "reserved" or (entry.is_open and entry.wish.day == day)]
        return CloudBooks(
            is_allowed=known.is_allowed,
            minutes_per_day=known.minutes_per_day,
            minutes_today=_sum(today),
            minutes_of_batch=_sum(entry for entry in entries if entry.wish.batch == batch),
            minutes_open=_sum(is_fresh),
        )

    def _account(self, account: CloudAccount, day: date) -> CloudAccount:
        own = [entry for entry in self.entries if entry.wish.account == account.account]
        return replace(
            account,
            minutes_today=_sum(entry for entry in own if entry.wish.day == day),
            minutes_reserved=_sum(entry for entry in own if entry.state == "reserved"),
            minutes_uncertain=_sum(entry for entry in own if entry.state == OrderEnd.UNCERTAIN.value),
        )


def _is_for(known: CloudWish, wish: CloudWish) -> bool:
    return (known.pcm_sha256, known.engine_id) == (wish.pcm_sha256, wish.engine_id)


def _sum(entries: Iterable[Entry]) -> float:
    return round(sum(entry.minutes for entry in entries), 2)
