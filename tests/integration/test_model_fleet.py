"""The models of several separators, over real channels."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from threading import Barrier

import pytest

from services.router.adapters.cancellations import JobCancellation
from services.router.adapters.model_fleet import READ_TIMEOUT_S, ModelFleet
from services.router.adapters.separator_stubs import connect_separators
from services.router.core.ports import Addition
from stemhouse.client.sdk import MODEL_DEADLINE_S
from stemhouse.errors import Cancelled, InvalidRequest, ModelRejected, NotFound, Unavailable
from stemhouse.models import Model, ModelState
from tests.fakes_router import HTDEMUCS, source
from tests.integration.separator_house import DAMAGED, HALF, INSTALLED, NOBODY, NOBODY_LEAVES, FakeSeparator, started


def _reject() -> None:
    raise ModelRejected("mine is taken")


def _refuse() -> None:
    raise InvalidRequest("name must match")


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Stops whatever a test has started."""
    with ExitStack() as stack:
        yield stack


def model_fleet(servers: ExitStack, *separators: FakeSeparator) -> tuple[ModelFleet, list[str]]:
    """The models of some separators, and their addresses."""
    addresses = [started(servers, separator) for separator in separators]
    return ModelFleet(connect_separators(addresses)), addresses


@pytest.mark.parametrize("other", [HTDEMUCS, DAMAGED])
def test_model_is_installed_only_where_every_separator_has_it(other: Model, servers: ExitStack) -> None:
    """The worst state counts, and a problem names its separator."""
    fleet, addresses = model_fleet(servers, FakeSeparator(model=INSTALLED), FakeSeparator(model=other))
    problem = f"{addresses[1]}: {other.problem or 'not installed'}"
    assert fleet.models() == fleet.verify(["htdemucs"], NOBODY_LEAVES) == [replace(other, problem=problem)]


def test_model_of_ones_own_that_a_separator_lacks_is_told(servers: ExitStack) -> None:
    """That separator does not even list it; the one that has it is asked to read it."""
    mine = replace(INSTALLED, name="mine")
    separators = [FakeSeparator(), FakeSeparator(model=mine)]
    fleet, addresses = model_fleet(servers, *separators)
    absent = replace(mine, state=ModelState.AVAILABLE, problem=f"{addresses[0]}: not installed")
    assert fleet.models() == [HTDEMUCS, absent]
    assert fleet.verify(["mine"], NOBODY_LEAVES) == [absent]
    assert [separator.verified for separator in separators] == [[], [["mine"]]]


def test_model_that_no_separator_has_is_not_found(servers: ExitStack) -> None:
    """They say themselves what helps."""
    fleet, _ = model_fleet(servers, FakeSeparator(), FakeSeparator(model=INSTALLED))
    with pytest.raises(NotFound, match="pull nobody"):
        fleet.verify(["htdemucs", "nobody"], NOBODY_LEAVES)


def test_separators_read_their_models_at_once(servers: ExitStack) -> None:
    """Each of them waits for the others to begin."""
    everybody_reads = Barrier(3)
    separators = [FakeSeparator(model=INSTALLED) for _ in range(3)]
    for separator in separators:
        separator.during_work = lambda: everybody_reads.wait(20)
    fleet, _ = model_fleet(servers, *separators)
    assert fleet.verify([], NOBODY_LEAVES) == [INSTALLED]


def test_refusal_after_other_separators_took_the_model_says_so(servers: ExitStack) -> None:
    """With the reason; one that nobody took before is told as it is."""
    separators = [FakeSeparator(), FakeSeparator()]
    fleet, addresses = model_fleet(servers, *separators)
    separators[1].during_work = _reject
    with pytest.raises(ModelRejected, match=f"{addresses[0]} installed it, but {addresses[1]} did not: mine is taken"):
        fleet.add(Addition("mine", (source(),)), NOBODY_LEAVES)
    separators[0].during_work = _reject
    with pytest.raises(ModelRejected, match=r"^mine is taken$"):
        fleet.add(Addition("mine", (source(),)), NOBODY_LEAVES)


def test_clients_wait_longer_than_several_separators_may_take() -> None:
    """Else work would go on for a caller who was told that it failed."""
    assert MODEL_DEADLINE_S > 20 * READ_TIMEOUT_S


def test_problem_of_the_only_separator_needs_no_address(servers: ExitStack) -> None:
    """On one machine an address says nothing."""
    fleet, _ = model_fleet(servers, FakeSeparator(model=DAMAGED))
    assert fleet.models() == [DAMAGED]


def test_pull_and_addition_reach_every_separator(servers: ExitStack) -> None:
    """The progress of all together, then the model, once."""
    separators = [FakeSeparator(), FakeSeparator()]
    fleet, _ = model_fleet(servers, *separators)
    quarters = [replace(HALF, done_bytes=25), replace(HALF, done_bytes=75)]
    assert list(fleet.pull("htdemucs", NOBODY_LEAVES)) == [*quarters, INSTALLED]
    assert [separator.model.state for separator in separators] == [ModelState.INSTALLED] * 2
    assert fleet.add(Addition("mine", (source(),), "free"), NOBODY_LEAVES).name == "mine"
    assert [separator.added for separator in separators] == [["mine"], ["mine"]]


@pytest.mark.parametrize(
    "work",
    [
        lambda fleet, leaving: list(fleet.pull("htdemucs", leaving)),
        lambda fleet, leaving: fleet.add(Addition("mine", (source(),)), leaving),
    ],
    ids=["pull", "add"],
)
def test_work_of_a_separator_ends_when_the_caller_leaves(
    work: Callable[[ModelFleet, JobCancellation], object], servers: ExitStack
) -> None:
    """In the middle of it, and no other separator begins."""
    separators = [FakeSeparator(), FakeSeparator()]
    fleet, _ = model_fleet(servers, *separators)
    leaving = JobCancellation("call")
    for separator in separators:
        separator.during_work = leaving.request
    with pytest.raises(Cancelled):
        work(fleet, leaving)
    assert separators[0].left.wait(10)
    assert [separator.begun_count for separator in separators] == [1, 0]


def test_all_separators_stop_reading_when_the_caller_leaves(servers: ExitStack) -> None:
    """In the middle of it."""
    everybody_reads = Barrier(2)
    separators = [FakeSeparator(model=INSTALLED), FakeSeparator(model=INSTALLED)]
    fleet, _ = model_fleet(servers, *separators)
    leaving = JobCancellation("call")

    def leave_when_all_read() -> None:
        everybody_reads.wait(20)
        leaving.request()

    for separator in separators:
        separator.during_work = leave_when_all_read
    with pytest.raises(Cancelled):
        fleet.verify([], leaving)
    assert all(separator.left.wait(10) for separator in separators)


def test_separator_that_knows_nothing_of_models_is_named(servers: ExitStack) -> None:
    """One of an older version: what it lacks is an update, and no caller is at fault."""
    address = started(servers, None)
    fleet = ModelFleet(connect_separators([address]))
    for work in (
        fleet.models,
        lambda: list(fleet.pull("htdemucs", NOBODY_LEAVES)),
        lambda: fleet.verify([], NOBODY_LEAVES),
    ):
        with pytest.raises(Unavailable, match=f"{address} .*update it"):
            work()


def test_what_is_wrong_with_a_wish_is_the_callers_business(servers: ExitStack) -> None:
    """Not every refusal is one of an old separator."""
    separator = FakeSeparator()
    separator.during_work = _refuse
    fleet, _ = model_fleet(servers, separator)
    with pytest.raises(InvalidRequest, match="name"):
        list(fleet.pull("htdemucs", NOBODY_LEAVES))


def test_models_of_a_separator_that_does_not_answer_are_not_guessed(servers: ExitStack) -> None:
    """Half a list would look like a whole one."""
    fleet = ModelFleet(connect_separators([started(servers, FakeSeparator()), NOBODY]))
    with pytest.raises(Unavailable):
        fleet.models()
