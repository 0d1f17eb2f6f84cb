"""Channels to a service: retries of calls that never arrived, keepalive, and the request id on every call."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import grpc

from stemhouse.platform.telemetry import REQUEST_ID_KEY, current_request_id

_NOT_RETRIED = (
    ("SeparatorService", "Separate"),
    ("RouterService", "WatchJob"),
    ("LibraryService", "WatchBatch"),
)
"""Streams that their callers begin again by themselves.

Where a server is killed while streams begin, gRPC 1.85 goes on with some retries forever, without a call to anybody:
4 of 35 kills left one of twelve callers hanging; without the policy none did.
"""

LOOK_UP = "dns:"
"""Before a name and a port: all addresses of that name, as with a headless service of Kubernetes."""
_LOOK_UP_INTERVAL_MS = 5_000


_METHODS = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        {"name": [{"service": f"stemhouse.v1.{service}", "method": method} for service, method in _NOT_RETRIED]},
    ]
}
_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
)


def connect(
    address: str, credentials: grpc.ChannelCredentials | None = None, server_name: str = "", active_service: str = ""
) -> grpc.Channel:
    """A channel to `host:port`; it connects when it is used, and again whenever it must.

    With credentials it goes by TLS, and the server must have a certificate for its host, or for `server_name`.

    `dns:NAME:PORT` stands for all addresses of a name, of which those are called that say of `active_service` that it
    is ready: so the one router that is active is found.

    Every RPC of Stemhouse is idempotent, so UNAVAILABLE is retried (about 3 s in all), save for the streams above.
    """
    target, options = _target(address, active_service)
    return grpc.intercept_channel(_channel(target, options, credentials, server_name), _RequestIdInterceptor())


def _service_config(choice: Mapping[str, Any]) -> str:
    """gRPC's, with how one of several addresses is chosen."""
    return json.dumps({**choice, **_METHODS})


def _target(address: str, active_service: str) -> tuple[str, tuple[tuple[str, str | int], ...]]:
    """What gRPC calls it, and the options of its channel."""
    if not address.startswith(LOOK_UP):
        return address, (("grpc.service_config", _service_config({})), *_OPTIONS)
    choice = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": active_service}}
    again = ("grpc.dns_min_time_between_resolutions_ms", _LOOK_UP_INTERVAL_MS)
    options = (("grpc.service_config", _service_config(choice)), again, *_OPTIONS)
    return f"dns:///{address.removeprefix(LOOK_UP)}", options


def _channel(
    target: str,
    options: tuple[tuple[str, str | int], ...],
    credentials: grpc.ChannelCredentials | None,
    server_name: str,
) -> grpc.Channel:
    if not credentials:
        return grpc.insecure_channel(target, options=options)
    name = (("grpc.ssl_target_name_override", server_name),) if server_name else ()
    return grpc.secure_channel(target, credentials, options=(*options, *name))


class _CallDetails(NamedTuple):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _RequestIdInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
):
    """Sends the context's request id, unless the caller set one."""

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _with_request_id(continuation, client_call_details, request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _with_request_id(continuation, client_call_details, request)

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return _with_request_id(continuation, client_call_details, request_iterator)


def _with_request_id(continuation: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
    metadata: Mapping[str, str | bytes] = dict(details.metadata or ())
    if REQUEST_ID_KEY not in metadata:
        metadata = {**metadata, REQUEST_ID_KEY: current_request_id()}
    named = _CallDetails(
        method=details.method,
        timeout=details.timeout,
        metadata=tuple(metadata.items()),
        credentials=details.credentials,
        wait_for_ready=getattr(details, "wait_for_ready", None),
        compression=getattr(details, "compression", None),
    )
    return continuation(named, request)
