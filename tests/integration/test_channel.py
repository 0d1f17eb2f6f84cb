"""What a channel does about a server that does not answer, over real gRPC."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from stemhouse.platform.channel import connect
from stemhouse.v1 import library_pb2, router_pb2, separator_pb2
from stemhouse.v1.library_pb2_grpc import LibraryServiceStub
from stemhouse.v1.router_pb2_grpc import RouterServiceStub
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceStub


class _Unavailable(grpc.GenericRpcHandler):
    """Counts calls, and answers none of them."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """One method for all."""
        self.calls[handler_call_details.method.rpartition("/")[2]] += 1
        return grpc.unary_unary_rpc_method_handler(
            lambda _request, context: context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        )


@pytest.fixture
def away() -> Iterator[tuple[str, _Unavailable]]:
    """A server's address, and what it counts."""
    handler = _Unavailable()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", handler
    server.stop(0).wait()


def test_streams_that_begin_again_by_themselves_are_not_retried(away: tuple[str, _Unavailable]) -> None:
    """For gRPC may retry them forever."""
    address, handler = away
    with connect(address) as channel:
        streams: list[Any] = [
            RouterServiceStub(channel).WatchJob(router_pb2.WatchJobRequest(), timeout=10.0),
            LibraryServiceStub(channel).WatchBatch(library_pb2.WatchBatchRequest(), timeout=10.0),
            SeparatorServiceStub(channel).Separate(separator_pb2.SeparateRequest(), timeout=10.0),
        ]
        for stream in streams:
            with pytest.raises(grpc.RpcError, match="not yet"):
                list(stream)
    assert handler.calls == {"WatchJob": 1, "WatchBatch": 1, "Separate": 1}


def test_other_calls_are_retried(away: tuple[str, _Unavailable]) -> None:
    """They are idempotent."""
    address, handler = away
    with connect(address) as channel, pytest.raises(grpc.RpcError):
        RouterServiceStub(channel).GetJob(router_pb2.GetJobRequest(), timeout=1.0)
    assert handler.calls["GetJob"] > 1
