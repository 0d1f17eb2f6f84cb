"""What may be spent of a cloud account, and what becomes of an order whatever happens to its job."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.router.core.choices import EngineChooser, Room, Situation
from services.router.core.cloud_budget import rounded_up, worst_case_minutes
from services.router.core.policy import Policy
from services.router.core.ports import Separators
from stemhouse.audio import StemSet
from stemhouse.cloud import CloudAccount, CloudOrder, CloudTerms
from stemhouse.errors import (
    BudgetExceeded,
    Cancelled,
    ChargeUncertain,
    EngineFailed,
    EngineUnavailable,
    NotFound,
    StemhouseError,
    Unavailable,
)
from stemhouse.jobs import Decision, Job, SeparationRequest
from stemhouse.vocab import Stage
from tests.fakes_cloud import ACCOUNT, LALAL, MemoryCloudLedger
from tests.fakes_router import STARTER, audio, job, source
from tests.fakes_steps import Killed, RecordedSteps
from tests.unit.router.test_pipeline import House

WORST_MINUTES = 0.67
"""Ten seconds at a rate of 4."""
WISH = SeparationRequest(source(), cloud_minutes=2.0)


class LalalFirst(EngineChooser):
    """Has lalal go first, and the starter after it; notes what it is told."""

    def __init__(self, separators: Separators, budget: Room, policy: Policy, *, now_s: Callable[[], float]) -> None:
        super().__init__(separators, budget, policy, now_s=now_s)
        self.noted: list[str] = []
        self.has_fallback = False

    def choose(self, request: SeparationRequest, situation: Situation) -> Decision:
        """Whoever has not failed."""
        causes = tuple(failure.cause for failure in situation.failures)
        if causes:
            return Decision(STARTER.name, STARTER.engine_id, causes)
        fallbacks = (STARTER.engine_id,) if self.has_fallback else ()
        return Decision(LALAL.name, LALAL.engine_id, (), fallbacks)

    def note_success(self, engine_id: str) -> None:
        """Note it."""
        self.noted.append(f"{engine_id} did it")

    def note_failure(self, engine_id: str) -> None:
        """Note it."""
        self.noted.append(f"{engine_id} failed")


@pytest.fixture
def house() -> House:
    """The account may take three minutes a day."""
    return new_house()


def new_house() -> House:
    """Of lalal and the starter."""
    house = House(LalalFirst)
    house.separators.offered = [LALAL, STARTER]
    house.separators.cloud_minutes = 0.5
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=3.0)
    return house


def outcomes(house: House) -> list[str]:
    """What whoever chooses was told of its engines."""
    assert isinstance(house.chooser, LalalFirst)
    return house.chooser.noted


def order(house: House, number: int, request: SeparationRequest = WISH, batch_id: str = "") -> CloudOrder:
    """For a track and a job of its own."""
    wanted = replace(job(request, job_id=f"job-{number}"), batch_id=batch_id)
    return house.cloud.reserve(wanted, LALAL, replace(audio(), pcm_sha256=f"{number:064x}"))


def account(house: House) -> CloudAccount:
    """As it stands."""
    return house.cloud.accounts()[0]


def test_worst_case_is_in_hundredths_of_a_minute() -> None:
    """Rounded up; an error of computing costs nothing."""
    assert worst_case_minutes(10.0, 4.0) == WORST_MINUTES
    assert (rounded_up(0.1 + 0.2), rounded_up(0.301), rounded_up(0.0)) == (0.3, 0.31, 0.0)


def test_nothing_is_spent_unless_somebody_has_allowed_it(house: House) -> None:
    """The account, and minutes for the job: the cap of a batch is zero unless said otherwise."""
    with pytest.raises(BudgetExceeded, match="--cloud-minutes"):
        order(house, 1, SeparationRequest(source()))
    house.cloud.allow(ACCOUNT, is_allowed=False, minutes_per_day=3.0)
    with pytest.raises(BudgetExceeded, match="stemhouse cloud allow"):
        order(house, 1)
    assert house.cloud.room(ACCOUNT, "", 2.0) == 0.0
    with pytest.raises(EngineUnavailable):
        house.cloud.reserve(job(WISH), STARTER, audio())


def test_raw_stems_are_an_order_of_their_own(house: House) -> None:
    """They are other samples: whoever got the order of the others would ask in vain for what it has spent already."""
    orders = [order(house, 1, replace(WISH, sum_to_mix=sums)) for sums in (True, False, True, False)]
    assert orders[:2] == orders[2:]
    assert orders[0] != orders[1]


def test_batch_has_one_cap_for_all_its_jobs(house: House) -> None:
    """Two of 0.67 minutes fit into 1.5, a third one of another batch goes by its own cap."""
    capped = replace(WISH, cloud_minutes=1.5)
    for number in (1, 2):
        order(house, number, capped, "batch-1")
    assert house.cloud.room(ACCOUNT, "batch-1", 1.5) == 0.16
    with pytest.raises(BudgetExceeded, match="cap of the batch"):
        order(house, 3, capped, "batch-1")
    order(house, 3, capped, "batch-2")


def test_day_has_a_cap_and_ends_at_midnight(house: House) -> None:
    """What is settled counts as charged, on the day of its order; a new day begins with nothing spent."""
    for number in range(4):
        order(house, number)
    with pytest.raises(BudgetExceeded, match="cap for a day"):
        order(house, 4)
    house.cloud.settle(order(house, 0), 0.1)
    assert (account(house).minutes_today, account(house).minutes_reserved) == (2.11, 2.01)
    order(house, 4)
    house.now += timedelta(days=1)
    assert account(house).minutes_today == 0.0
    order(house, 5)


def test_account_is_not_overdrawn_as_far_as_its_service_told(house: House) -> None:
    """What is at work is not in its figure yet."""
    left = replace(LALAL, cloud=CloudTerms(ACCOUNT, 4.0, 1.0))
    house.separators.offered = [left]
    house.cloud.reserve(job(WISH), left, audio())
    assert house.cloud.room(ACCOUNT, "", 2.0) == 0.33
    with pytest.raises(BudgetExceeded, match="has left"):
        house.cloud.reserve(job(WISH, job_id="job-2"), left, audio("b"))


def test_accounts_are_those_of_the_offers_and_those_that_were_allowed(house: House) -> None:
    """By name; what is left is known only of those that are offered."""
    house.cloud.allow("lalal-0other", is_allowed=True, minutes_per_day=1.0)
    found = [(known.account, known.is_allowed, known.minutes_left) for known in house.cloud.accounts()]
    assert found == [("lalal-0other", True, None), (ACCOUNT, True, 500.0)]
    house.separators.is_silent = True
    assert [known.minutes_left for known in house.cloud.accounts()] == [None, None]


def test_owner_settles_what_nobody_else_knows(house: House) -> None:
    """Whether it was charged or not; of an account that there is."""
    house.cloud.mark_uncertain(order(house, 1))
    assert house.cloud.settle_uncertain(ACCOUNT, were_charged=False).minutes_today == 0.0
    house.cloud.mark_uncertain(order(house, 2))
    settled = house.cloud.settle_uncertain(ACCOUNT, were_charged=True)
    assert (settled.minutes_today, settled.minutes_uncertain) == (WORST_MINUTES, 0.0)
    with pytest.raises(NotFound):
        house.cloud.settle_uncertain("nobody", were_charged=True)


def test_order_goes_with_the_task_and_its_cost_is_settled(house: House) -> None:
    """By what the separator says was charged."""
    result = house.run(WISH)
    assert house.stages[3:6] == [Stage.CHOOSE, Stage.RESERVE, Stage.SEPARATE]
    given = house.separators.separated[0].order
    assert given is not None
    assert given.minutes == WORST_MINUTES
    assert result.stem_set.cloud_minutes == 0.5
    assert (account(house).minutes_today, account(house).minutes_reserved) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("error", "minutes_today", "minutes_uncertain"),
    [
        (EngineFailed("inference error"), 0.0, 0.0),
        (EngineFailed("damaged", {"cloud_minutes": "0.4"}), 0.4, 0.0),
        (ChargeUncertain("nobody knows"), WORST_MINUTES, WORST_MINUTES),
        (BudgetExceeded("no minutes are left there"), 0.0, 0.0),
    ],
)
def test_failure_is_charged_as_far_as_it_says(
    house: House, error: StemhouseError, minutes_today: float, minutes_uncertain: float
) -> None:
    """And the next engine does the track. That an account is empty is no fault of its engine."""
    house.separators.refusals = {LALAL.engine_id: error}
    assert house.run(WISH).stem_set.engine == "starter"
    failed = [] if isinstance(error, BudgetExceeded) else [f"{LALAL.engine_id} failed"]
    assert outcomes(house) == [*failed, f"{STARTER.engine_id} did it"]
    assert (account(house).minutes_today, account(house).minutes_uncertain) == (minutes_today, minutes_uncertain)
    assert account(house).minutes_reserved == 0.0


@pytest.mark.parametrize("error", [Cancelled("cancelled"), Unavailable("gave up")])
def test_job_that_ends_in_the_middle_leaves_its_order_uncertain(house: House, error: StemhouseError) -> None:
    """Nobody has heard what was charged: the next job of the same audio goes on with the same key."""
    house.separators.refusals = {LALAL.engine_id: error}
    with pytest.raises(type(error)):
        house.run(WISH)
    assert account(house).minutes_uncertain == WORST_MINUTES
    house.separators.refusals = {}
    house.uploads.held.add(source())
    house.run(WISH)
    orders = [task.order for task in house.separators.separated]
    assert orders[0] == orders[1]
    assert (account(house).minutes_today, account(house).minutes_uncertain) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("answer", "minutes_today", "minutes_uncertain", "words"),
    [
        (0.0, 0.0, 0.0, "job job-1 was cancelled"),
        (0.5, 0.5, 0.0, "job job-1 was cancelled; 0.50 minutes of the account may have been taken for it"),
        (None, WORST_MINUTES, WORST_MINUTES, f"cancelled; up to {WORST_MINUTES} minutes .* nobody knows"),
        (Unavailable("gone"), WORST_MINUTES, WORST_MINUTES, "nobody knows"),
    ],
)
def test_cancelled_job_is_called_off_at_once(
    house: House, answer: float | StemhouseError | None, minutes_today: float, minutes_uncertain: float, words: str
) -> None:
    """With the task that was sent; the separator knows best what it has cost, and whoever has cancelled is told."""
    house.separators.refusals = {LALAL.engine_id: Cancelled("Locally cancelled by application!")}
    house.separators.before_result = lambda: house.jobs.request_cancel("job-1")
    house.separators.call_off_minutes = answer
    with pytest.raises(Cancelled, match=f"{words}$" if answer is not None else words):
        house.run(WISH)
    assert house.separators.called_off == house.separators.separated
    assert (account(house).minutes_today, account(house).minutes_uncertain) == (minutes_today, minutes_uncertain)


@pytest.mark.parametrize(
    ("error", "minutes_today"),
    [(Unavailable("gave up"), WORST_MINUTES), (Unavailable("gave up", {"cloud_minutes": "0.00"}), 0.0)],
)
def test_service_that_does_not_answer_leaves_the_track_to_the_next_engine(
    house: House, error: StemhouseError, minutes_today: float
) -> None:
    """It counts as failed, once for each track; and nothing is counted as spent if nothing was submitted."""
    assert isinstance(house.chooser, LalalFirst)
    house.separators.refusals = {LALAL.engine_id: error}
    house.chooser.has_fallback = True
    result = house.run(WISH)
    told = "gave up" if minutes_today == 0.0 else "gave up; up to 0.67 minutes of the account may have been taken"
    assert (result.stem_set.engine, result.decision.reasons[0].startswith(told)) == ("starter", True)
    assert outcomes(house) == [f"{LALAL.engine_id} failed", f"{STARTER.engine_id} did it"]
    assert (account(house).minutes_today, account(house).minutes_uncertain) == (minutes_today, minutes_today)


def test_order_counts_until_it_is_recorded_that_it_was_not_spent(house: House) -> None:
    """Killed in between, the router sends it again: others must not have had its minutes meanwhile."""
    house.separators.refusals = {LALAL.engine_id: EngineFailed("inference error")}
    with pytest.raises(Killed):
        run(house, DyingSteps())
    assert account(house).minutes_reserved == WORST_MINUTES


class DyingSteps(RecordedSteps):
    """A router that is killed after a separation, before it is recorded."""

    def run(self, stage: Stage, action: Callable[..., Any], *arguments: object) -> Any:
        """See Steps.run."""
        if stage is not Stage.SEPARATE:
            return super().run(stage, action, *arguments)
        with contextlib.suppress(StemhouseError):
            action(*arguments)
        raise Killed


def test_job_without_room_goes_to_the_next_engine(house: House) -> None:
    """Nothing is sent."""
    result = house.run(SeparationRequest(source()))
    assert [task.engine_id for task in house.separators.separated] == [STARTER.engine_id]
    assert "--cloud-minutes" in result.decision.reasons[0]


def test_stored_result_needs_no_order_whatever_is_forced(house: House) -> None:
    """It was paid for."""
    house.run(WISH)
    house.run(replace(WISH, force=True))
    assert [(task.order is None, task.force) for task in house.separators.separated] == [(False, False), (True, False)]
    assert len(orders_of(house)) == 1


def test_killed_router_orders_a_track_once(house: House) -> None:
    """At whichever step it is killed, and in the middle of the separation, too."""
    steps = RecordedSteps()
    expected = run(house, steps)
    for step in range(1, len(steps.stages) + 1):
        fresh = new_house()
        recorded = RecordedSteps(kills_after=step)
        with pytest.raises(Killed):
            run(fresh, recorded)
        recorded.start_again()
        assert run(fresh, recorded) == expected
        assert len(fresh.separators.separated) == len(orders_of(fresh)) == 1
    fresh, recorded = new_house(), RecordedSteps()
    fresh.separators.before_result = die_once(fresh)
    with pytest.raises(Killed):
        run(fresh, recorded)
    recorded.start_again()
    assert run(fresh, recorded) == expected
    assert len({task.order for task in fresh.separators.separated}) == len(orders_of(fresh)) == 1
    assert account(fresh).minutes_today == 0.5


def die_once(house: House) -> Callable[[], None]:
    """In the middle of a separation."""

    def die() -> None:
        house.separators.before_result = lambda: None
        raise Killed

    return die


def orders_of(house: House) -> list[str]:
    """The keys that were written down."""
    assert isinstance(house.cloud_ledger, MemoryCloudLedger)
    return [entry.key for entry in house.cloud_ledger.entries]


def run(house: House, steps: RecordedSteps) -> StemSet:
    """A job, by steps that are recorded."""
    wanted: Job = house.jobs.create(job(WISH), is_queued=True)
    return house.pipeline.run(wanted, steps).stem_set
