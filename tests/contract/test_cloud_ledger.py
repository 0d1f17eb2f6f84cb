"""One suite for the SQL ledger of cloud accounts and the fake that unit tests use instead."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from services.router.adapters.cloud_ledger import SqlCloudLedger
from services.router.core.cloud_budget import CloudBudget
from services.router.core.ports import CloudBooks, CloudLedger, CloudWish, OrderEnd
from stemhouse.cloud import CloudAccount, CloudTerms
from stemhouse.errors import BudgetExceeded
from stemhouse.jobs import SeparationRequest
from tests.fakes_cloud import ACCOUNT, LALAL, MemoryCloudLedger
from tests.fakes_router import FakeSeparators, audio, job, source

TODAY, TOMORROW = date(2026, 1, 2), date(2026, 1, 3)
WISH = CloudWish(ACCOUNT, "job-1", "batch-1", LALAL.engine_id, "a" * 64, 12.0, TODAY)
ALLOWED = CloudBooks(is_allowed=True, minutes_per_day=100.0)


@pytest.fixture
def ledger(ledger_kind: Engine | None) -> CloudLedger:
    """Each ledger in turn, with one account that may take 100 minutes a day."""
    found: CloudLedger = SqlCloudLedger(ledger_kind) if ledger_kind else MemoryCloudLedger()
    found.allow(ACCOUNT, is_allowed=True, minutes_per_day=100.0)
    return found


class Scales:
    """Weighs nothing, and notes the books that it was shown."""

    def __init__(self) -> None:
        self.seen: list[CloudBooks] = []

    def __call__(self, books: CloudBooks) -> None:
        """See CloudLedger.reserve."""
        self.seen.append(books)


def refuse(_books: CloudBooks) -> None:
    """There is never room."""
    raise BudgetExceeded("full")


def test_order_of_a_job_is_given_again_and_weighed_once(ledger: CloudLedger) -> None:
    """With the key that was written down first."""
    scales = Scales()
    first = ledger.reserve(WISH, "key-1", scales)
    assert (first.idempotency_key, first.minutes, scales.seen) == ("key-1", 12.0, [ALLOWED])
    assert ledger.reserve(WISH, "key-2", refuse) == first
    assert ledger.books(ACCOUNT, "batch-1", TODAY) == replace(
        ALLOWED, minutes_today=12.0, minutes_of_batch=12.0, minutes_open=12.0
    )


def test_nothing_is_written_where_there_is_no_room(ledger: CloudLedger) -> None:
    """The scales raise, and the ledger is as before."""
    with pytest.raises(BudgetExceeded):
        ledger.reserve(WISH, "key-1", refuse)
    assert ledger.books(ACCOUNT, "batch-1", TODAY) == ALLOWED


def test_same_audio_is_ordered_once_whoever_wishes_for_it(ledger: CloudLedger) -> None:
    """A job at work keeps the order; one that nobody knows the cost of is taken over, and counts where it is now."""
    order = ledger.reserve(WISH, "key-1", Scales())
    other = replace(WISH, job_id="job-2", batch="batch-2", day=TOMORROW)
    assert ledger.reserve(other, "key-2", Scales()) == order
    assert ledger.books(ACCOUNT, "batch-2", TOMORROW).minutes_of_batch == 0.0
    ledger.close("key-1", OrderEnd.UNCERTAIN, 12.0)
    scales = Scales()
    assert ledger.reserve(other, "key-2", scales) == order
    assert scales.seen == [ALLOWED]  # without the order itself
    assert ledger.books(ACCOUNT, "batch-2", TOMORROW).minutes_today == 12.0
    assert ledger.books(ACCOUNT, "batch-1", TODAY) == replace(ALLOWED, minutes_open=12.0)
    ledger.close("key-1", OrderEnd.SETTLED, 8.0)
    assert ledger.reserve(other, "key-3", Scales()).idempotency_key == "key-3"


def test_settled_order_counts_what_it_cost(ledger: CloudLedger) -> None:
    """And stays so, whoever says something else about it later, at its highest cost."""
    ledger.reserve(WISH, "key-1", Scales())
    ledger.close("key-1", OrderEnd.SETTLED, 7.5)
    ledger.close("key-1", OrderEnd.UNCERTAIN, 12.0)
    ledger.close("key-1", OrderEnd.SETTLED, 0.0)
    spent = replace(ALLOWED, minutes_today=7.5, minutes_of_batch=7.5)
    assert ledger.books(ACCOUNT, "batch-1", TODAY) == spent
    assert ledger.books(ACCOUNT, "batch-1", TOMORROW) == replace(ALLOWED, minutes_of_batch=7.5)


def test_accounts_are_told_with_what_they_have_spent(ledger: CloudLedger) -> None:
    """One that was forbidden is still known."""
    for number, end in enumerate((None, OrderEnd.UNCERTAIN, OrderEnd.SETTLED)):
        ledger.reserve(replace(WISH, pcm_sha256=str(number) * 64), f"key-{number}", Scales())
        if end:
            ledger.close(f"key-{number}", end, 10.0)
    ledger.allow(ACCOUNT, is_allowed=False, minutes_per_day=0.0)
    spent = CloudAccount(ACCOUNT, minutes_today=32.0, minutes_reserved=12.0, minutes_uncertain=10.0)
    assert list(ledger.accounts(TODAY)) == [spent]
    assert [account.minutes_today for account in ledger.accounts(TOMORROW)] == [0.0]


def test_account_that_nobody_has_allowed_has_no_room(ledger: CloudLedger) -> None:
    """Whatever its separator says."""
    assert ledger.books("other", "batch-1", TODAY) == CloudBooks()


def test_caps_hold_however_many_reserve_at_once(ledger: CloudLedger) -> None:
    """Of two batches and of the day; what is given is all that fits."""
    offer = replace(LALAL, cloud=CloudTerms(ACCOUNT, 4.0))
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    budget = CloudBudget(FakeSeparators([offer]), ledger, now=lambda: noon, new_key=lambda: str(uuid.uuid4()))
    ledger.allow(ACCOUNT, is_allowed=True, minutes_per_day=5.0)

    def reserve(number: int) -> float:
        batch = f"batch-{number % 2}"
        wish = replace(job(SeparationRequest(source(), cloud_minutes=3.0)), job_id=str(number), batch_id=batch)
        track = replace(audio(), pcm_sha256=f"{number:064x}")
        try:
            return budget.reserve(wish, offer, track).minutes
        except BudgetExceeded:
            return 0.0

    with ThreadPoolExecutor(8) as callers:
        given = list(callers.map(reserve, range(40)))
    books = ledger.books(ACCOUNT, "batch-0", noon.date())
    assert round(sum(given), 2) == books.minutes_today
    assert 5.0 - 0.67 < books.minutes_today <= 5.0
    assert books.minutes_of_batch <= 3.0
    assert ledger.books(ACCOUNT, "batch-1", noon.date()).minutes_of_batch <= 3.0


def test_order_that_gets_no_room_again_on_another_day_is_uncertain(ledger: CloudLedger) -> None:
    """The router was killed before it could remember it; that of another job stays as it is."""
    offers = replace(LALAL, cloud=CloudTerms(ACCOUNT, 4.0, 500.0))
    today = datetime(2026, 1, 2, 23, 59, tzinfo=UTC)
    clock = [today]
    budget = CloudBudget(FakeSeparators([offers]), ledger, now=lambda: clock[0], new_key=lambda: str(uuid.uuid4()))
    asked = job(SeparationRequest(source(), cloud_minutes=2.0))
    budget.reserve(asked, offers, audio())
    ledger.reserve(replace(WISH, job_id="job-2", pcm_sha256="c" * 64), "key-2", lambda _: None)
    ledger.allow(ACCOUNT, is_allowed=True, minutes_per_day=0.1)
    clock[0] += timedelta(minutes=2)
    with pytest.raises(BudgetExceeded):
        budget.reserve(asked, offers, audio())
    (account,) = ledger.accounts(TODAY)
    assert (account.minutes_reserved, account.minutes_uncertain) == (12.0, 0.67)


@pytest.mark.parametrize(("were_charged", "minutes"), [(True, 12.0), (False, 0.0)])
def test_uncertain_orders_are_closed_by_the_account(ledger: CloudLedger, were_charged: bool, minutes: float) -> None:  # noqa: FBT001  a case
    """At their minutes or at none, and those alone; who wishes for the track later gets another key."""
    for number, account in ((1, ACCOUNT), (2, ACCOUNT), (3, "other")):
        wish = replace(WISH, account=account, job_id=f"job-{number}", pcm_sha256=f"{number:064x}")
        order = ledger.reserve(wish, f"key-{number}", lambda _: None)
        if number != 2:
            ledger.close(order.idempotency_key, OrderEnd.UNCERTAIN, order.minutes)
    ledger.close_uncertain(ACCOUNT, were_charged=were_charged)
    ledger.close_uncertain("nobody", were_charged=were_charged)
    (known,) = ledger.accounts(TODAY)
    assert (known.minutes_uncertain, known.minutes_reserved, known.minutes_today) == (0.0, 12.0, 12.0 + minutes)
    first, third = (
        replace(WISH, account=name, pcm_sha256=f"{number:064x}") for name, number in ((ACCOUNT, 1), ("other", 3))
    )
    keys = [ledger.reserve(wish, "key-4", lambda _: None).idempotency_key for wish in (first, third)]
    assert keys == ["key-4", "key-3"]


def test_rehearsal_weighs_all_but_the_open_order_of_the_track(ledger: CloudLedger) -> None:
    """And writes nothing."""
    for number in (1, 2):
        ledger.reserve(replace(WISH, pcm_sha256=f"{number:064x}"), f"key-{number}", lambda _: None)
    scales = Scales()
    for number in (1, 3):
        ledger.rehearse(replace(WISH, job_id="", pcm_sha256=f"{number:064x}"), scales)
    assert [books.minutes_today for books in scales.seen] == [12.0, 24.0]
    assert ledger.accounts(TODAY)[0].minutes_today == 24.0
