"""Two servers behind one name, of which one is ready at a time; run where /etc/hosts knows `routers`.

usage: python -m tests.integration.active_finder
Prints the number of the server that answered, while the first is ready and after the second one has become so.
"""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from stemhouse.platform.channel import connect
from stemhouse.v1 import router_pb2 as pb
from stemhouse.v1.router_pb2_grpc import RouterServiceServicer, RouterServiceStub, add_RouterServiceServicer_to_server

NAME, ADDRESSES = "routers", ("127.0.0.2", "127.0.0.3")
_SERVICE = "stemhouse.v1.RouterService"
_TIMEOUT_S = 30
_CALLS = 10


class _Router(RouterServiceServicer):
    def __init__(self, number: int) -> None:
        self._number = number

    def DetectVocals(self, _request: pb.DetectVocalsRequest, _context: grpc.ServicerContext) -> pb.DetectVocalsResponse:
        """Its number."""
        return pb.DetectVocalsResponse(sung_share=float(self._number))


def _start(number: int, address: str) -> health.HealthServicer:
    server = grpc.server(ThreadPoolExecutor(4))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    add_RouterServiceServicer_to_server(_Router(number), server)  # type: ignore[abstract]
    server.add_insecure_port(address)
    server.start()
    _running.append(server)
    return servicer


_running: list[grpc.Server] = []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESSES[0], 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """See the module."""
    port = _free_port()
    serving = health_pb2.HealthCheckResponse
    first, second = (_start(number, f"{address}:{port}") for number, address in enumerate(ADDRESSES, 1))
    first.set(_SERVICE, serving.SERVING)
    second.set(_SERVICE, serving.NOT_SERVING)
    with connect(f"dns:{NAME}:{port}", active_service=_SERVICE) as channel:
        stub = RouterServiceStub(channel)

        def answers() -> set[int]:
            request = pb.DetectVocalsRequest()
            return {int(stub.DetectVocals(request, timeout=_TIMEOUT_S).sung_share) for _ in range(_CALLS)}

        print(*answers(), flush=True)
        first.set(_SERVICE, serving.NOT_SERVING)
        second.set(_SERVICE, serving.SERVING)
        deadline_s = time.monotonic() + _TIMEOUT_S
        while (found := answers()) != {2} and time.monotonic() < deadline_s:
            time.sleep(0.1)
        print(*found, flush=True)


if __name__ == "__main__":
    main()
