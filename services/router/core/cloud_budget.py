"""Minutes of cloud accounts: who may spend them, how many, and what was spent.

Three caps hold for every order: what the job's batch allows (zero unless said otherwise), what the account allows for a
day in UTC, and what the account has left as far as its service told. An order is the most that its track can cost; what
is at work or uncertain counts as spent. A track is ordered once: who wishes for the same audio of the same engine while
an order is open gets that order, with the key that it was written down with; raw stems are an order of their own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from services.router.core.ports import CloudBooks, CloudLedger, CloudWish, OrderEnd, Separators
from stemhouse.audio import AudioRef, result_id
from stemhouse.cloud import CloudAccount, CloudOrder
from stemhouse.errors import BudgetExceeded, EngineUnavailable, NotFound, Unavailable
from stemhouse.jobs import EngineOffer, Job, SeparationRequest

_STEPS_PER_MINUTE = 100


class CloudBudget:
    """Keeps the books of every cloud account."""

    def __init__(
        self, separators: Separators, ledger: CloudLedger, *, now: Callable[[], datetime], new_key: Callable[[], str]
    ) -> None:
        """Keep what it asks; `now` is in UTC, `new_key` gives random UUIDs of version 4."""
        self._separators = separators
        self._ledger = ledger
        self._now = now
        self._new_key = new_key

    def accounts(self) -> Sequence[CloudAccount]:
        """Every account that a separator has a key of, or that was allowed before, by name."""
        left = self._minutes_left()
        known = {account.account: account for account in self._ledger.accounts(self._now().date())}
        named = {**{name: CloudAccount(name) for name in left}, **known}
        return [replace(named[name], minutes_left=left.get(name)) for name in sorted(named)]

    def allow(self, account: str, *, is_allowed: bool, minutes_per_day: float) -> CloudAccount:
        """Let an account be used from now on, or no more; what is at work goes on."""
        self._ledger.allow(account, is_allowed=is_allowed, minutes_per_day=minutes_per_day)
        return self._account(account)

    def settle_uncertain(self, account: str, *, were_charged: bool) -> CloudAccount:
        """Note what the owner of an account has found out of its uncertain minutes; a later wish orders anew.

        Raises NotFound for an account that was never allowed.
        """
        self._ledger.close_uncertain(account, were_charged=were_charged)
        return self._account(account)

    def _account(self, account: str) -> CloudAccount:
        found = next((known for known in self.accounts() if known.account == account), None)
        if found is None:
            message = f"there is no account {account}"
            raise NotFound(message, {"account": account})
        return found

    def room(self, account: str, batch_id: str, request_minutes: float) -> float:
        """The minutes that a job may still spend; 0 if the account was not allowed.

        `request_minutes` is the cap of its batch; a job without a batch has spent nothing yet.
        """
        if request_minutes <= 0.0:
            return 0.0
        books = self._ledger.books(account, batch_id, self._now().date())
        return max(0.0, min(_rooms(books, request_minutes, self._minutes_left().get(account)).values()))

    def reserve(self, job: Job, offer: EngineOffer, audio: AudioRef) -> CloudOrder:
        """Set the most that a track can cost aside, or give the order that is open for it.

        Raises BudgetExceeded that names the cap, EngineUnavailable for an engine that sends nothing away.
        """
        wish = self._wish(job.request, offer, audio.pcm_sha256, audio.duration_s)
        wish = replace(wish, job_id=job.job_id, batch=job.batch_id or job.job_id)
        try:
            return self._ledger.reserve(wish, self._new_key(), _weighing(wish, offer, job.request, job.batch_id))
        except BudgetExceeded:
            # A router that was killed may have left an order of this job behind, yesterday; nobody else would close it.
            self._ledger.doubt(wish)
            raise

    def require_room(self, request: SeparationRequest, offer: EngineOffer, pcm_sha256: str, duration_s: float) -> None:
        """Raises BudgetExceeded that names the cap if a job without a batch could not reserve that much now.

        `pcm_sha256` is empty, and `duration_s` 0, where nobody knows them yet.
        """
        wish = self._wish(request, offer, pcm_sha256, duration_s)
        least = replace(wish, minutes=max(wish.minutes, 1 / _STEPS_PER_MINUTE))
        self._ledger.rehearse(least, _weighing(least, offer, request, ""))

    def _wish(self, request: SeparationRequest, offer: EngineOffer, pcm_sha256: str, duration_s: float) -> CloudWish:
        """Of no job; raises EngineUnavailable for an engine that sends nothing away."""
        if offer.cloud is None:
            message = f"{offer.name} has no cloud account"
            raise EngineUnavailable(message, {"engine": offer.name})
        return CloudWish(
            account=offer.cloud.account,
            job_id="",
            batch="",
            engine_id=result_id(offer.engine_id, sums_to_mix=request.sum_to_mix),
            pcm_sha256=pcm_sha256,
            minutes=worst_case_minutes(duration_s, offer.cloud.rate),
            day=self._now().date(),
        )

    def settle(self, order: CloudOrder, minutes: float) -> None:
        """Note what was charged, 0 being nothing; once more is no error."""
        self._ledger.close(order.idempotency_key, OrderEnd.SETTLED, rounded_up(minutes))

    def mark_uncertain(self, order: CloudOrder) -> None:
        """Nobody knows whether the order was charged: it stays counted. No effect on one that is settled."""
        self._ledger.close(order.idempotency_key, OrderEnd.UNCERTAIN, order.minutes)

    def _minutes_left(self) -> Mapping[str, float | None]:
        """Of each account that a separator has a key of, as far as its service told."""
        try:
            offers = self._separators.survey().offers
        except Unavailable:
            return {}
        return {offer.cloud.account: offer.cloud.minutes_left for offer in offers if offer.cloud}


def worst_case_minutes(duration_s: float, rate: float) -> float:
    """The most that a track can cost, in hundredths of a minute."""
    return rounded_up(duration_s / 60 * rate)


def rounded_up(minutes: float) -> float:
    """To hundredths; a millionth more than one of them is an error of computing, and no minutes."""
    return math.ceil(round(minutes * _STEPS_PER_MINUTE, 4)) / _STEPS_PER_MINUTE


def _weighing(
    wish: CloudWish, offer: EngineOffer, request: SeparationRequest, batch_id: str
) -> Callable[[CloudBooks], None]:
    """Raises BudgetExceeded, by the cap that leaves least, if the books have no room for a wish."""
    cap_words = "the cap of the batch, --cloud-minutes" if batch_id else "the cap of this track, --cloud-minutes"
    minutes_left = offer.cloud.minutes_left if offer.cloud else None

    def weigh(books: CloudBooks) -> None:
        rooms = _rooms(books, request.cloud_minutes, minutes_left, cap_words)
        words = min(rooms, key=lambda words: rooms[words])
        if wish.minutes > rooms[words]:
            _refuse(wish, words, rooms[words])

    return weigh


def _rooms(books: CloudBooks, cap_minutes: float, minutes_left: float | None, cap_words: str = "") -> dict[str, float]:
    """What each cap leaves, by the words for the cap."""
    if not books.is_allowed:
        return {"nobody has allowed this account; to read what that means and to allow it: stemhouse cloud allow": 0.0}
    rooms = {
        cap_words: cap_minutes - books.minutes_of_batch,
        "the account's cap for a day": books.minutes_per_day - books.minutes_today,
    }
    if minutes_left is not None:
        rooms["what the account has left"] = minutes_left - books.minutes_open
    return {words: round(minutes, 2) for words, minutes in rooms.items()}


def _refuse(wish: CloudWish, words: str, room_minutes: float) -> NoReturn:
    needed = f"{wish.minutes:.2f} minutes of the account {wish.account} may be needed"
    left = max(0.0, room_minutes)
    message = f"{needed}, {left:.2f} are left: {words}"
    raise BudgetExceeded(message, {"account": wish.account, "minutes": f"{wish.minutes:.2f}"})
