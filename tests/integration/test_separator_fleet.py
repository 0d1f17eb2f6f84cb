"""The router's view of several separators, over real channels."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from services.router.adapters.job_room import jobs_wanted
from services.router.adapters.separator_fleet import SeparatorFleet
from services.router.adapters.separator_stubs import SeparatorDirectory, addresses_of, connect_separators
from services.router.core.ports import SeparationTask
from stemhouse.cloud import CloudOrder, CloudTerms
from stemhouse.errors import Unavailable
from stemhouse.jobs import EngineSurvey
from stemhouse.tenants import Tenant
from stemhouse.wire.audio import (
    cloud_order_from_proto,
)
from tests.fakes_router import DEMUCS, NO_DEMUCS, STARTER, audio, source, stem_set
from tests.integration.separator_house import NOBODY, NOBODY_LEAVES, FakeSeparator, started


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Stops whatever a test has started."""
    with ExitStack() as stack:
        yield stack


def test_order_goes_with_the_separation_and_the_verifier_with_the_assessment(servers: ExitStack) -> None:
    """An order only where there is one; and to a separator that has the verifier."""
    separator = FakeSeparator()
    fleet = SeparatorFleet(connect_separators([started(servers, separator)]))
    order = CloudOrder(str(uuid.uuid4()), 1.5)
    for given in (order, None):
        task = SeparationTask(audio(), STARTER.engine_id, sum_to_mix=True, force=False, order=given)
        assert fleet.separate(task, lambda _: None, NOBODY_LEAVES) == stem_set()
    first, second = separator.separations
    assert (cloud_order_from_proto(first.cloud), second.HasField("cloud")) == (order, False)
    fleet.assess(stem_set(), {})
    fleet.assess(stem_set(), {}, STARTER.engine_id)
    assert separator.verifiers == ["", STARTER.engine_id]
    with pytest.raises(Unavailable):
        fleet.assess(stem_set(), {}, "another")


def test_separators_are_told_whose_track_it_is(servers: ExitStack) -> None:
    """With whatever reads or writes in the store; for the house nothing is said."""
    separator = FakeSeparator()
    fleet = SeparatorFleet(connect_separators([started(servers, separator)]))
    task = SeparationTask(audio(), STARTER.engine_id, sum_to_mix=True, force=False)
    for one in (fleet.of(Tenant("acme")), fleet):
        one.ingest(source())
        one.separate(task, lambda _: None, NOBODY_LEAVES)
        one.assess(stem_set(), {})
        one.probe_vocals(audio(), STARTER.engine_id, NOBODY_LEAVES)
    assert separator.tenants == ["acme"] * 4 + [""] * 4


def test_order_is_called_off_where_only_one_can_be_at_it(servers: ExitStack) -> None:
    """Of two separators with one key, one might send what the other has just called off."""

    def task(minutes: float) -> SeparationTask:
        return SeparationTask(audio(), STARTER.engine_id, True, False, CloudOrder(str(uuid.uuid4()), minutes))  # noqa: FBT003

    addresses = [started(servers, FakeSeparator()) for _ in range(2)]
    alone, both = (SeparatorFleet(connect_separators(addresses[:count])) for count in (1, 2))
    assert (alone.call_off(task(0.5)), alone.call_off(task(0.0)), alone.call_off(task(2.0))) == (0.25, 0.0, None)
    assert both.call_off(task(0.5)) is None


def test_vocals_are_probed_by_a_separator_that_has_the_engine(servers: ExitStack) -> None:
    """Its answer comes back."""
    address = started(servers, FakeSeparator())
    fleet = SeparatorFleet(connect_separators([address]))
    assert fleet.probe_vocals(audio(), STARTER.engine_id, NOBODY_LEAVES) == len(STARTER.engine_id) / 128
    with pytest.raises(Unavailable):
        fleet.probe_vocals(audio(), "another", NOBODY_LEAVES)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_work_goes_to_the_least_loaded_separator_that_answers(order: tuple[int, ...], servers: ExitStack) -> None:
    """By load for each slot, wherever it stands in the list; one that does not answer is passed over."""
    separators = [FakeSeparator(2, 1), FakeSeparator(2, 4), FakeSeparator(1, 1)]
    addresses = [started(servers, separators[index]) for index in order]
    SeparatorFleet(connect_separators([NOBODY, *addresses])).ingest(source())
    assert [separator.ingested_count for separator in separators] == [0, 1, 0]


def test_jobs_are_twice_the_slots_of_all_devices(servers: ExitStack) -> None:
    """And no fewer than was said; a separator whose engines are in a cloud has no device."""
    cloud = FakeSeparator(slot_count=8)
    cloud.offers = [replace(STARTER, cloud=CloudTerms("lalal-1234abcd", 4.0))]
    separators = [FakeSeparator(slot_count=2), FakeSeparator(slot_count=4), cloud]
    fleet = SeparatorFleet(connect_separators([started(servers, one) for one in separators]))
    assert (jobs_wanted(fleet.slot_count(), least=4), jobs_wanted(fleet.slot_count(), least=64)) == (12, 64)


def test_separators_behind_a_name_come_and_go(servers: ExitStack) -> None:
    """Looked up anew after some seconds; as long as nobody has the name, what could be there is not known."""
    clock: list[float] = [0.0]
    names: dict[str, list[str]] = {"pool:50052": []}
    directory = SeparatorDirectory([NOBODY, "dns:pool:50052"], lambda name: names[name], lambda: clock[0])
    fleet = SeparatorFleet(directory)
    with pytest.raises(Unavailable, match="dns:pool:50052"):
        fleet.survey()
    names["pool:50052"] = [started(servers, FakeSeparator())]
    with pytest.raises(Unavailable):
        fleet.survey()
    clock[0] = 6.0
    assert fleet.survey().offers == (STARTER,)
    alone = SeparatorDirectory(["dns:pool:50052", "dns:gone:1"], lambda name: names.get(name, []), lambda: 0.0)
    assert SeparatorFleet(alone).survey().is_partial


def test_name_stands_for_its_addresses() -> None:
    """Each once; none for a name that nobody has."""
    assert "127.0.0.1:50052" in addresses_of("localhost:50052")
    assert addresses_of("nobody.invalid:50052") == ()


def test_engine_of_several_separators_is_offered_once(servers: ExitStack) -> None:
    """By its engine id."""
    addresses = [started(servers, FakeSeparator()) for _ in range(2)]
    assert SeparatorFleet(connect_separators(addresses)).survey() == EngineSurvey((STARTER,), (NO_DEMUCS,))


def test_survey_without_a_separator_that_does_not_answer_is_partial(servers: ExitStack) -> None:
    """What it offers is not known."""
    survey = SeparatorFleet(connect_separators([NOBODY, started(servers, FakeSeparator())])).survey()
    assert survey == EngineSurvey((STARTER,), (NO_DEMUCS,), is_partial=True)


def test_engine_that_one_separator_offers_has_no_gap(servers: ExitStack) -> None:
    """Whatever another one lacks."""
    able = FakeSeparator()
    able.offers, able.gaps = [DEMUCS, STARTER], []
    addresses = [started(servers, separator) for separator in (FakeSeparator(), able)]
    assert SeparatorFleet(connect_separators(addresses)).survey() == EngineSurvey((DEMUCS, STARTER))


@pytest.mark.parametrize(
    "lists",
    [
        (("s", "b"), ("s", "a", "b")),
        (("s", "a", "b"), ("b",)),
        (("b",), ("a", "b"), ("s", "a")),
        (("s",), ("s", "a"), ("a", "b")),
        (("s", "a"), ("a", "b"), ("b",)),
    ],
)
def test_order_of_preference_survives_the_merging(lists: tuple[tuple[str, ...], ...], servers: ExitStack) -> None:
    """A separator that lacks the better models does not push its own to the front."""
    separators = [FakeSeparator() for _ in lists]
    for separator, listed in zip(separators, lists, strict=True):
        separator.offers = [replace(DEMUCS, engine_id=name) for name in listed]
    fleet = SeparatorFleet(connect_separators([started(servers, separator) for separator in separators]))
    assert [offer.engine_id for offer in fleet.survey().offers] == ["s", "a", "b"]


def test_no_separator_that_answers_is_unavailable_and_names_the_addresses() -> None:
    """The job is tried again; a person can see where nobody listens."""
    with pytest.raises(Unavailable, match=NOBODY):
        SeparatorFleet(connect_separators([NOBODY])).survey()
