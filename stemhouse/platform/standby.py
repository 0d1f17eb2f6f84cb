"""A server that waits for its turn: alive, not ready, and without an answer to anything else."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
import structlog

from stemhouse.errors import Unavailable
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.security import Entrance
from stemhouse.platform.server import add_health_and_reflection, bind, probe_server, stop_event

log = structlog.get_logger(__name__)

_THREADS = 16


@contextmanager
def standing_by(service_name: str, address: str, entrance: Entrance) -> Iterator[threading.Event]:
    """Stand by at the address until the end of the block; gives the event that SIGTERM or SIGINT sets meanwhile.

    Every call is Unavailable, for whoever may call; who may not is told that. Raises Unavailable if the address cannot
    be bound, InvalidRequest if the entrance is too open for it.
    """
    entrance.check(address)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = stop_event()
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="standby"),
        interceptors=[RpcInterceptor(entrance.authenticate)],
        options=[("grpc.so_reuseport", 0)],
    )
    health = add_health_and_reflection(server, service_name)
    server.add_generic_rpc_handlers((_Nobody(),))  # asked last
    bind(server, address, entrance.credentials)
    server.start()
    log.info("standing by", address=address)
    try:
        with probe_server(entrance.probes, health):
            yield stop
    finally:
        server.stop(0).wait()
        for number, handler in before.items():
            signal.signal(number, handler)


class _Nobody(grpc.GenericRpcHandler):
    """Has every method, and none of them works."""

    def service(self, _details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        return grpc.stream_stream_rpc_method_handler(_refuse)


def _refuse(_requests: Iterator[bytes], _context: grpc.ServicerContext) -> NoReturn:
    message = "this one stands by: another one is active"
    raise Unavailable(message)
