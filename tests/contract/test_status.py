"""The error table: complete, and the same in both directions over a real call."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from stemhouse.errors import (
    EngineUnavailable,
    InternalFault,
    InvalidRequest,
    StemhouseError,
    Unauthenticated,
    Unavailable,
    error_from_reason,
    error_types,
)
from stemhouse.platform.callers import Caller
from stemhouse.platform.channel import connect
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.status import STATUS_CODES, error_from_rpc, rpc_errors
from stemhouse.v1 import router_pb2 as pb
from stemhouse.v1.router_pb2_grpc import (
    RouterServiceServicer,
    RouterServiceStub,
    add_RouterServiceServicer_to_server,
)


class _Raiser(RouterServiceServicer):
    """GetJob raises what the test says."""

    def __init__(self) -> None:
        self.error: Exception = StemhouseError("unset")
        self.metadata: dict[str, Any] = {}
        self.call_count = 0

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        """Raise."""
        self.call_count += 1
        self.metadata = dict(context.invocation_metadata())
        raise self.error

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Send one message, then raise."""
        yield pb.WatchJobResponse()
        raise self.error


@pytest.fixture
def raiser() -> _Raiser:
    """The servicer."""
    return _Raiser()  # type: ignore[abstract]


def _refuse(_method: str, metadata: Any) -> Caller:
    if metadata.get("authorization") != "let me in":
        raise Unauthenticated("no")
    return Caller("somebody")


@pytest.fixture(params=[None])
def stub(request: pytest.FixtureRequest, raiser: _Raiser) -> Iterator[RouterServiceStub]:
    """A stub to the servicer behind the interceptor, with the authenticator that a test names."""
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[RpcInterceptor(request.param)])
    add_RouterServiceServicer_to_server(raiser, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with connect(f"127.0.0.1:{port}") as channel:
        yield RouterServiceStub(channel)
    server.stop(0).wait()


def test_every_error_has_a_row_and_a_reason_of_its_own() -> None:
    """A new error class fails this test until it has a status."""
    assert set(STATUS_CODES) == set(error_types())
    assert len({error_type.reason for error_type in error_types()}) == len(error_types())


@pytest.mark.parametrize(
    "error_type", [found for found in error_types() if STATUS_CODES[found] is not grpc.StatusCode.UNAVAILABLE]
)
def test_error_crosses_the_wire_unchanged(
    error_type: type[StemhouseError], raiser: _Raiser, stub: RouterServiceStub
) -> None:
    """Type, message and details; UNAVAILABLE ones are retried by the channel and have their own test."""
    raiser.error = error_type("what happened", {"file": "Björk.mp3"})
    with pytest.raises(error_type) as caught, rpc_errors():
        stub.GetJob(pb.GetJobRequest(job_id="x"), timeout=10)
    assert type(caught.value) is error_type
    assert (caught.value.message, caught.value.details) == ("what happened", {"file": "Björk.mp3"})


@pytest.mark.parametrize(("error_type", "is_repeated"), [(Unavailable, True), (EngineUnavailable, False)])
def test_channel_repeats_only_what_may_help(
    error_type: type[StemhouseError],
    is_repeated: bool,  # noqa: FBT001  a case
    raiser: _Raiser,
    stub: RouterServiceStub,
) -> None:
    """A service may be back in a second; a model that is not installed will not be."""
    raiser.error = error_type("not now", {"file": "Björk.mp3"})
    with pytest.raises(error_type, match="not now") as caught, rpc_errors():
        stub.GetJob(pb.GetJobRequest(job_id="x"), timeout=10)
    assert caught.value.details == {"file": "Björk.mp3"}
    assert (raiser.call_count > 1) is is_repeated


def test_error_in_the_middle_of_a_stream_crosses_too(raiser: _Raiser, stub: RouterServiceStub) -> None:
    """After the first message has come."""
    raiser.error = Unavailable("gone")
    stream = stub.WatchJob(pb.WatchJobRequest(job_id="x"), timeout=10)
    assert next(stream) == pb.WatchJobResponse()
    with pytest.raises(Unavailable, match="gone"), rpc_errors():
        next(stream)


def test_invalid_request_lists_the_fields_in_bad_request(raiser: _Raiser, stub: RouterServiceStub) -> None:
    """Clients of other languages find google.rpc.BadRequest."""
    raiser.error = InvalidRequest("bad", {"page_size": "must be from 0 to 500"})
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetJob(pb.GetJobRequest(), timeout=10)
    call: Any = caught.value
    status: Any = rpc_status.from_call(call)
    found = error_details_pb2.BadRequest()
    assert any(detail.Unpack(found) for detail in status.details)
    assert [(violation.field, violation.description) for violation in found.field_violations] == [
        ("page_size", "must be from 0 to 500")
    ]


def test_unexpected_exception_tells_the_client_nothing_about_the_inside(
    raiser: _Raiser, stub: RouterServiceStub
) -> None:
    """A defect becomes InternalFault without its text."""
    raiser.error = KeyError("secret")
    with pytest.raises(InternalFault) as caught, rpc_errors():
        stub.GetJob(pb.GetJobRequest(), timeout=10)
    assert "secret" not in caught.value.message


def test_status_that_grpc_made_itself_becomes_an_error_too() -> None:
    """A server that is not there is Unavailable."""
    with connect("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
        RouterServiceStub(channel).GetJob(pb.GetJobRequest(), timeout=1)
    assert isinstance(error_from_rpc(caught.value), Unavailable)


def test_unknown_reason_is_an_internal_fault() -> None:
    """A newer server may know errors that this client does not."""
    assert type(error_from_reason("NEW_ONE", "text")) is InternalFault


def test_call_carries_a_request_id(raiser: _Raiser, stub: RouterServiceStub) -> None:
    """Even if nobody bound one."""
    with pytest.raises(StemhouseError), rpc_errors():
        stub.GetJob(pb.GetJobRequest(), timeout=10)
    assert raiser.metadata["x-request-id"]


@pytest.mark.parametrize("stub", [_refuse], indirect=True)
def test_authenticator_decides_before_the_servicer(raiser: _Raiser, stub: RouterServiceStub) -> None:
    """Without credentials the call never arrives; with them it does."""
    raiser.error = InvalidRequest("arrived")
    with pytest.raises(Unauthenticated), rpc_errors():
        stub.GetJob(pb.GetJobRequest(), timeout=10)
    with pytest.raises(InvalidRequest, match="arrived"), rpc_errors():
        stub.GetJob(pb.GetJobRequest(), timeout=10, metadata=(("authorization", "let me in"),))
