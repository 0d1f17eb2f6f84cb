"""The router's view of several separators, over real channels."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from services.router.adapters.separator_fleet import SeparatorFleet
from stemhouse.errors import Unavailable
from stemhouse.v1 import separator_pb2 as pb
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceServicer, add_SeparatorServiceServicer_to_server
from stemhouse.wire.audio import audio_ref_to_proto, engine_to_proto, source_facts_to_proto
from tests.fakes_router import FACTS, STARTER, audio, source

NOBODY = "127.0.0.1:1"


class _Separator(SeparatorServiceServicer):
    """Says how loaded it is, and counts what it ingests."""

    def __init__(self, busy_count: int, slot_count: int) -> None:
        self.busy_count, self.slot_count = busy_count, slot_count
        self.ingested_count = 0

    def ListLocalEngines(
        self, request: pb.ListLocalEnginesRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalEnginesResponse:
        """Offer the starter."""
        return pb.ListLocalEnginesResponse(
            engines=[engine_to_proto(STARTER)], slot_count=self.slot_count, busy_count=self.busy_count
        )

    def IngestTrack(self, request: pb.IngestTrackRequest, context: grpc.ServicerContext) -> pb.IngestTrackResponse:
        """Count."""
        self.ingested_count += 1
        return pb.IngestTrackResponse(audio=audio_ref_to_proto(audio()), facts=source_facts_to_proto(FACTS))

    def Separate(self, request: pb.SeparateRequest, context: grpc.ServicerContext) -> Iterator[pb.SeparateResponse]:
        """Not asked here."""
        raise NotImplementedError

    def AssessStems(self, request: pb.AssessStemsRequest, context: grpc.ServicerContext) -> pb.AssessStemsResponse:
        """Not asked here."""
        raise NotImplementedError


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Stops whatever a test has started."""
    with ExitStack() as stack:
        yield stack


def started(servers: ExitStack, separator: _Separator) -> str:
    """The address of a server for the separator."""
    server = grpc.server(ThreadPoolExecutor(2))
    add_SeparatorServiceServicer_to_server(separator, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    servers.callback(lambda: server.stop(0).wait())
    return f"127.0.0.1:{port}"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_work_goes_to_the_least_loaded_separator_that_answers(order: tuple[int, ...], servers: ExitStack) -> None:
    """By load for each slot, wherever it stands in the list; one that does not answer is passed over."""
    separators = [_Separator(2, 1), _Separator(2, 4), _Separator(1, 1)]
    addresses = [started(servers, separators[index]) for index in order]
    SeparatorFleet([NOBODY, *addresses]).ingest(source())
    assert [separator.ingested_count for separator in separators] == [0, 1, 0]


def test_engine_of_several_separators_is_offered_once(servers: ExitStack) -> None:
    """By its engine id."""
    addresses = [started(servers, _Separator(0, 1)) for _ in range(2)]
    assert SeparatorFleet(addresses).offers() == [STARTER]


def test_no_separator_that_answers_is_unavailable_and_names_the_addresses() -> None:
    """The job is tried again; a person can see where nobody listens."""
    with pytest.raises(Unavailable, match=NOBODY):
        SeparatorFleet([NOBODY]).offers()
