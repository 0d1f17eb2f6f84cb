"""The books of who may spend nothing: tracks of tenants go to no cloud, whose accounts are the house's."""

from collections.abc import Callable, Sequence
from datetime import date

from services.router.core.ports import CloudBooks, CloudWish, OrderEnd
from stemhouse.cloud import CloudAccount, CloudOrder
from stemhouse.errors import BudgetExceeded

_MESSAGE = "cloud accounts are the house's: tenants may not spend their minutes"


class ClosedCloudLedger:
    """CloudLedger in which no account is allowed, and none can be."""

    def accounts(self, day: date) -> Sequence[CloudAccount]:
        """See CloudLedger.accounts."""
        del day
        return ()

    def allow(self, account: str, *, is_allowed: bool, minutes_per_day: float) -> None:
        """See CloudLedger.allow. Raises BudgetExceeded."""
        del is_allowed, minutes_per_day
        raise _refusal(account)

    def books(self, account: str, batch: str, day: date) -> CloudBooks:
        """See CloudLedger.books."""
        del account, batch, day
        return CloudBooks()

    def reserve(self, wish: CloudWish, new_key: str, weigh: Callable[[CloudBooks], None]) -> CloudOrder:
        """See CloudLedger.reserve. Raises BudgetExceeded."""
        del new_key, weigh
        raise _refusal(wish.account)

    def rehearse(self, wish: CloudWish, weigh: Callable[[CloudBooks], None]) -> None:
        """See CloudLedger.rehearse. Raises BudgetExceeded."""
        del weigh
        raise _refusal(wish.account)

    def doubt(self, wish: CloudWish) -> None:
        """See CloudLedger.doubt: nothing is open."""

    def close(self, idempotency_key: str, end: OrderEnd, minutes: float) -> None:
        """See CloudLedger.close: nothing is open."""

    def close_uncertain(self, account: str, *, were_charged: bool) -> None:
        """See CloudLedger.close_uncertain: nothing is open."""


def _refusal(account: str) -> BudgetExceeded:
    return BudgetExceeded(_MESSAGE, {"account": account})
