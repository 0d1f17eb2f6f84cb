"""The router's view of several separators, over real channels."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from threading import Barrier, Event

import grpc
import pytest

from services.router.adapters.cancellations import JobCancellation
from services.router.adapters.job_room import jobs_wanted
from services.router.adapters.model_fleet import READ_TIMEOUT_S, ModelFleet
from services.router.adapters.separator_fleet import SeparatorFleet
from services.router.adapters.separator_stubs import SeparatorDirectory, addresses_of, connect_separators
from services.router.core.ports import Addition, SeparationTask
from stemhouse.audio import QualityReport
from stemhouse.client.sdk import MODEL_DEADLINE_S
from stemhouse.cloud import CloudOrder, CloudTerms
from stemhouse.errors import Cancelled, InvalidRequest, ModelRejected, NotFound, Unavailable
from stemhouse.jobs import EngineOffer, EngineSurvey
from stemhouse.models import Model, ModelState, PullProgress
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.v1 import separator_pb2 as pb
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceServicer, add_SeparatorServiceServicer_to_server
from stemhouse.wire.audio import (
    audio_ref_to_proto,
    cloud_order_from_proto,
    engine_gap_to_proto,
    engine_to_proto,
    quality_to_proto,
    source_facts_to_proto,
    stem_set_to_proto,
)
from stemhouse.wire.models import model_to_proto, pull_progress_to_proto
from tests.fakes_router import DEMUCS, FACTS, HTDEMUCS, NO_DEMUCS, STARTER, audio, source, stem_set

NOBODY = "127.0.0.1:1"
NOBODY_LEAVES = JobCancellation("call")
HALF = PullProgress("weights.safetensors", 50, 100)
INSTALLED = replace(HTDEMUCS, state=ModelState.INSTALLED)
DAMAGED = replace(HTDEMUCS, state=ModelState.DAMAGED, problem="cut")


class _Separator(SeparatorServiceServicer):
    """Says how loaded it is, and counts what it ingests."""

    def __init__(self, busy_count: int = 0, slot_count: int = 1, *, model: Model = HTDEMUCS) -> None:
        self.busy_count, self.slot_count = busy_count, slot_count
        self.ingested_count = 0
        self.offers: list[EngineOffer] = [STARTER]
        self.gaps = [NO_DEMUCS]
        self.model = model
        self.added: list[str] = []
        self.verified: list[list[str]] = []
        self.during_work: Callable[[], object] = lambda: None
        self.begun_count = 0
        self.left = Event()
        self.separations: list[pb.SeparateRequest] = []
        self.verifiers: list[str] = []

    def ListLocalEngines(
        self, request: pb.ListLocalEnginesRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalEnginesResponse:
        """Offer the starter, and miss demucs."""
        return pb.ListLocalEnginesResponse(
            engines=map(engine_to_proto, self.offers),
            gaps=map(engine_gap_to_proto, self.gaps),
            slot_count=self.slot_count,
            busy_count=self.busy_count,
        )

    def ListLocalModels(
        self, request: pb.ListLocalModelsRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalModelsResponse:
        """One."""
        return pb.ListLocalModelsResponse(models=[model_to_proto(self.model)])

    def PullLocalModel(
        self, request: pb.PullLocalModelRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.PullLocalModelResponse]:
        """Half of it, then the whole."""
        self._work(context)
        yield pb.PullLocalModelResponse(progress=pull_progress_to_proto(HALF))
        self.model = replace(self.model, name=request.name, state=ModelState.INSTALLED)
        yield pb.PullLocalModelResponse(model=model_to_proto(self.model))

    def VerifyLocalModels(
        self, request: pb.VerifyLocalModelsRequest, context: grpc.ServicerContext
    ) -> pb.VerifyLocalModelsResponse:
        """As it is."""
        if set(request.names) - {self.model.name}:
            raise NotFound(f"get it with: stemhouse models pull {request.names[-1]}")
        self.verified.append(list(request.names))
        self._work(context)
        return pb.VerifyLocalModelsResponse(models=[model_to_proto(self.model)])

    def AddLocalModel(
        self, request: pb.AddLocalModelRequest, context: grpc.ServicerContext
    ) -> pb.AddLocalModelResponse:
        """Install it."""
        self._work(context)
        self.added.append(request.name)
        model = replace(self.model, name=request.name, state=ModelState.INSTALLED)
        return pb.AddLocalModelResponse(model=model_to_proto(model))

    def _work(self, context: grpc.ServicerContext) -> None:
        self.begun_count += 1
        context.add_callback(self.left.set)
        self.during_work()

    def IngestTrack(self, request: pb.IngestTrackRequest, context: grpc.ServicerContext) -> pb.IngestTrackResponse:
        """Count."""
        self.ingested_count += 1
        return pb.IngestTrackResponse(audio=audio_ref_to_proto(audio()), facts=source_facts_to_proto(FACTS))

    def Separate(self, request: pb.SeparateRequest, context: grpc.ServicerContext) -> Iterator[pb.SeparateResponse]:
        """Note what was ordered."""
        self.separations.append(request)
        yield pb.SeparateResponse(progress=0.5)
        yield pb.SeparateResponse(stem_set=stem_set_to_proto(stem_set()))

    def CallOffOrder(self, request: pb.CallOffOrderRequest, context: grpc.ServicerContext) -> pb.CallOffOrderResponse:
        """The more was ordered the more it has cost; above a minute nobody knows."""
        minutes = cloud_order_from_proto(request.separation.cloud).minutes
        return pb.CallOffOrderResponse(minutes=minutes / 2 if minutes <= 1.0 else None)

    def ProbeVocals(self, request: pb.ProbeVocalsRequest, context: grpc.ServicerContext) -> pb.ProbeVocalsResponse:
        """More of it the longer the name of the engine is."""
        return pb.ProbeVocalsResponse(sung_share=len(request.engine_id) / 128)

    def AssessStems(self, request: pb.AssessStemsRequest, context: grpc.ServicerContext) -> pb.AssessStemsResponse:
        """Note who shall hear them."""
        self.verifiers.append(request.verifier_engine_id)
        return pb.AssessStemsResponse(quality=quality_to_proto(QualityReport("none")))


def _reject() -> None:
    raise ModelRejected("mine is taken")


def _refuse() -> None:
    raise InvalidRequest("name must match")


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Stops whatever a test has started."""
    with ExitStack() as stack:
        yield stack


def started(servers: ExitStack, separator: _Separator | None) -> str:
    """The address of a server for the separator; for None, of one that has none of its calls."""
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[RpcInterceptor()])
    if separator:
        add_SeparatorServiceServicer_to_server(separator, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    servers.callback(lambda: server.stop(0).wait())
    return f"127.0.0.1:{port}"


def test_order_goes_with_the_separation_and_the_verifier_with_the_assessment(servers: ExitStack) -> None:
    """An order only where there is one; and to a separator that has the verifier."""
    separator = _Separator()
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


def test_order_is_called_off_where_only_one_can_be_at_it(servers: ExitStack) -> None:
    """Of two separators with one key, one might send what the other has just called off."""

    def task(minutes: float) -> SeparationTask:
        return SeparationTask(audio(), STARTER.engine_id, True, False, CloudOrder(str(uuid.uuid4()), minutes))  # noqa: FBT003

    addresses = [started(servers, _Separator()) for _ in range(2)]
    alone, both = (SeparatorFleet(connect_separators(addresses[:count])) for count in (1, 2))
    assert (alone.call_off(task(0.5)), alone.call_off(task(0.0)), alone.call_off(task(2.0))) == (0.25, 0.0, None)
    assert both.call_off(task(0.5)) is None


def test_vocals_are_probed_by_a_separator_that_has_the_engine(servers: ExitStack) -> None:
    """Its answer comes back."""
    address = started(servers, _Separator())
    fleet = SeparatorFleet(connect_separators([address]))
    assert fleet.probe_vocals(audio(), STARTER.engine_id, NOBODY_LEAVES) == len(STARTER.engine_id) / 128
    with pytest.raises(Unavailable):
        fleet.probe_vocals(audio(), "another", NOBODY_LEAVES)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_work_goes_to_the_least_loaded_separator_that_answers(order: tuple[int, ...], servers: ExitStack) -> None:
    """By load for each slot, wherever it stands in the list; one that does not answer is passed over."""
    separators = [_Separator(2, 1), _Separator(2, 4), _Separator(1, 1)]
    addresses = [started(servers, separators[index]) for index in order]
    SeparatorFleet(connect_separators([NOBODY, *addresses])).ingest(source())
    assert [separator.ingested_count for separator in separators] == [0, 1, 0]


def test_jobs_are_twice_the_slots_of_all_devices(servers: ExitStack) -> None:
    """And no fewer than was said; a separator whose engines are in a cloud has no device."""
    cloud = _Separator(slot_count=8)
    cloud.offers = [replace(STARTER, cloud=CloudTerms("lalal-1234abcd", 4.0))]
    separators = [_Separator(slot_count=2), _Separator(slot_count=4), cloud]
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
    names["pool:50052"] = [started(servers, _Separator())]
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
    addresses = [started(servers, _Separator()) for _ in range(2)]
    assert SeparatorFleet(connect_separators(addresses)).survey() == EngineSurvey((STARTER,), (NO_DEMUCS,))


def test_survey_without_a_separator_that_does_not_answer_is_partial(servers: ExitStack) -> None:
    """What it offers is not known."""
    survey = SeparatorFleet(connect_separators([NOBODY, started(servers, _Separator())])).survey()
    assert survey == EngineSurvey((STARTER,), (NO_DEMUCS,), is_partial=True)


def test_engine_that_one_separator_offers_has_no_gap(servers: ExitStack) -> None:
    """Whatever another one lacks."""
    able = _Separator()
    able.offers, able.gaps = [DEMUCS, STARTER], []
    addresses = [started(servers, separator) for separator in (_Separator(), able)]
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
    separators = [_Separator() for _ in lists]
    for separator, listed in zip(separators, lists, strict=True):
        separator.offers = [replace(DEMUCS, engine_id=name) for name in listed]
    fleet = SeparatorFleet(connect_separators([started(servers, separator) for separator in separators]))
    assert [offer.engine_id for offer in fleet.survey().offers] == ["s", "a", "b"]


def test_no_separator_that_answers_is_unavailable_and_names_the_addresses() -> None:
    """The job is tried again; a person can see where nobody listens."""
    with pytest.raises(Unavailable, match=NOBODY):
        SeparatorFleet(connect_separators([NOBODY])).survey()


def model_fleet(servers: ExitStack, *separators: _Separator) -> tuple[ModelFleet, list[str]]:
    """The models of some separators, and their addresses."""
    addresses = [started(servers, separator) for separator in separators]
    return ModelFleet(connect_separators(addresses)), addresses


@pytest.mark.parametrize("other", [HTDEMUCS, DAMAGED])
def test_model_is_installed_only_where_every_separator_has_it(other: Model, servers: ExitStack) -> None:
    """The worst state counts, and a problem names its separator."""
    fleet, addresses = model_fleet(servers, _Separator(model=INSTALLED), _Separator(model=other))
    problem = f"{addresses[1]}: {other.problem or 'not installed'}"
    assert fleet.models() == fleet.verify(["htdemucs"], NOBODY_LEAVES) == [replace(other, problem=problem)]


def test_model_of_ones_own_that_a_separator_lacks_is_told(servers: ExitStack) -> None:
    """That separator does not even list it; the one that has it is asked to read it."""
    mine = replace(INSTALLED, name="mine")
    separators = [_Separator(), _Separator(model=mine)]
    fleet, addresses = model_fleet(servers, *separators)
    absent = replace(mine, state=ModelState.AVAILABLE, problem=f"{addresses[0]}: not installed")
    assert fleet.models() == [HTDEMUCS, absent]
    assert fleet.verify(["mine"], NOBODY_LEAVES) == [absent]
    assert [separator.verified for separator in separators] == [[], [["mine"]]]


def test_model_that_no_separator_has_is_not_found(servers: ExitStack) -> None:
    """They say themselves what helps."""
    fleet, _ = model_fleet(servers, _Separator(), _Separator(model=INSTALLED))
    with pytest.raises(NotFound, match="pull nobody"):
        fleet.verify(["htdemucs", "nobody"], NOBODY_LEAVES)


def test_separators_read_their_models_at_once(servers: ExitStack) -> None:
    """Each of them waits for the others to begin."""
    everybody_reads = Barrier(3)
    separators = [_Separator(model=INSTALLED) for _ in range(3)]
    for separator in separators:
        separator.during_work = lambda: everybody_reads.wait(20)
    fleet, _ = model_fleet(servers, *separators)
    assert fleet.verify([], NOBODY_LEAVES) == [INSTALLED]


def test_refusal_after_other_separators_took_the_model_says_so(servers: ExitStack) -> None:
    """With the reason; one that nobody took before is told as it is."""
    separators = [_Separator(), _Separator()]
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
    fleet, _ = model_fleet(servers, _Separator(model=DAMAGED))
    assert fleet.models() == [DAMAGED]


def test_pull_and_addition_reach_every_separator(servers: ExitStack) -> None:
    """The progress of all together, then the model, once."""
    separators = [_Separator(), _Separator()]
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
    separators = [_Separator(), _Separator()]
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
    separators = [_Separator(model=INSTALLED), _Separator(model=INSTALLED)]
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
    separator = _Separator()
    separator.during_work = _refuse
    fleet, _ = model_fleet(servers, separator)
    with pytest.raises(InvalidRequest, match="name"):
        list(fleet.pull("htdemucs", NOBODY_LEAVES))


def test_models_of_a_separator_that_does_not_answer_are_not_guessed(servers: ExitStack) -> None:
    """Half a list would look like a whole one."""
    fleet = ModelFleet(connect_separators([started(servers, _Separator()), NOBODY]))
    with pytest.raises(Unavailable):
        fleet.models()
