"""Starting a gRPC server that is healthy only when it can work, and that leaves in good order."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stemhouse.errors import StemhouseError, Unavailable
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.limits import LimitSettings
from stemhouse.platform.security import Entrance

log = structlog.get_logger(__name__)

_READINESS_INTERVAL_S = 5.0
_NOT_READY_INTERVAL_S = 0.1
_GRACE_S = 10.0
_EXIT_WITH_STDIN = "STEMHOUSE_EXIT_WITH_STDIN"
_HANDSHAKE_MS = 10_000
_PROBE_THREADS = 4
_FROM_HERE_ONLY = Entrance()
_SPARE_THREADS = 16
"""For health checks, and to tell those who are too many that they are."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
)


def server_options(limits: LimitSettings) -> Sequence[tuple[str, int]]:
    """Of gRPC."""
    return (
        *_OPTIONS,
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.max_connection_idle_ms", limits.idle_s * 1000),
    )


@dataclass(frozen=True)
class Service:
    """One gRPC service of a process.

    `name` is its full protobuf name, `register` adds its servicer to a server, `check_ready` raises a
    StemhouseError while what it depends on does not answer.
    """

    name: str
    register: Callable[[grpc.Server], None]
    check_ready: Callable[[], None]


def serve(
    service: Service,
    address: str,
    *,
    entrance: Entrance = _FROM_HERE_ONLY,
    on_stop: Iterable[Callable[[], None]] = (),
) -> None:
    """Serve until SIGTERM or SIGINT, then stop taking calls, give running ones a grace, and run `on_stop`.

    Raises Unavailable if the address cannot be bound, InvalidRequest if the entrance is too open for it.
    """
    entrance.check(address)
    _allow_many_files()
    stop = stop_event()
    server = grpc.server(
        ThreadPoolExecutor(entrance.limits.calls_at_once + _SPARE_THREADS, thread_name_prefix="rpc"),
        interceptors=[RpcInterceptor(entrance.authenticate, entrance.limits)],
        options=server_options(entrance.limits),
    )
    service.register(server)
    health_servicer = add_health_and_reflection(server, service.name)
    bind(server, address, entrance.credentials)
    server.start()
    log.info("serving", address=address)
    with probe_server(entrance.probes, health_servicer):
        _report_readiness(service, health_servicer, stop)
    health_servicer.enter_graceful_shutdown()
    server.stop(_GRACE_S).wait()
    for action in on_stop:
        action()
    log.info("stopped")


def _allow_many_files() -> None:
    """As many as this process may have: each connection is one, and what strangers hold open must not use them up."""
    if sys.platform != "win32":  # it has no such limit
        import resource  # noqa: PLC0415  nor such a module

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bind(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    """Listen there, by TLS where there are credentials; raises Unavailable."""
    try:
        if credentials:
            server.add_secure_port(address, credentials)
        else:
            server.add_insecure_port(address)
    except RuntimeError as error:
        message = f"cannot listen on {address}: {error}"
        raise Unavailable(message) from error


def add_health_and_reflection(server: grpc.Server, service_name: str) -> health.HealthServicer:
    """The process is alive, its service is not ready yet."""
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    servicer.set(service_name, health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection((service_name, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return servicer


@contextmanager
def probe_server(address: str, servicer: health.HealthServicer) -> Iterator[None]:
    """Tell health, and nothing else, at an address of its own and without TLS, if there is one.

    For whoever looks after the process and has no certificate, as Kubernetes. Raises Unavailable if it cannot be bound.
    """
    if not address:
        yield
        return
    server = grpc.server(ThreadPoolExecutor(_PROBE_THREADS, thread_name_prefix="probe"), options=_OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    bind(server, address, None)
    server.start()
    yield
    server.stop(0).wait()


def _report_readiness(service: Service, servicer: health.HealthServicer, stop: threading.Event) -> None:
    serving = health_pb2.HealthCheckResponse
    told: str | None = None
    while not stop.is_set():
        problem = _problem_of(service)
        if problem != told:
            servicer.set(service.name, serving.NOT_SERVING if problem else serving.SERVING)
            log.info("readiness", is_ready=not problem, problem=problem)
        told = problem
        stop.wait(_NOT_READY_INTERVAL_S if problem else _READINESS_INTERVAL_S)


def _problem_of(service: Service) -> str:
    """Why the service is not ready; empty if it is."""
    try:
        service.check_ready()
    except StemhouseError as error:
        return error.message
    except Exception as error:
        # Whatever a dependency answers, a service that cannot be told ready goes on serving.
        log.exception("readiness check failed unexpectedly")
        return f"readiness check failed: {error}"
    return ""


def stop_event() -> threading.Event:
    """An event set by SIGTERM, SIGINT or, for a child of the local stack, by the end of its parent."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if os.environ.get(_EXIT_WITH_STDIN):
        threading.Thread(target=_set_at_end_of_input, args=(stop,), daemon=True).start()
    return stop


def _set_at_end_of_input(stop: threading.Event) -> None:
    # Not sys.stdin.buffer: a thread that holds its lock at exit makes Python abort.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()
