"""What happens around every RPC: credentials, the request id, the log line, errors to statuses."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NoReturn, Protocol, Self

import grpc
import structlog

from stemhouse.errors import InternalFault, StemhouseError
from stemhouse.platform.callers import NOBODY, Caller, acting_for
from stemhouse.platform.limits import LimitSettings, Turnstile
from stemhouse.platform.status import STATUS_CODES, status_from_error
from stemhouse.platform.telemetry import REQUEST_ID_KEY, current_request_id

log = structlog.get_logger(__name__)

_LIMITS = LimitSettings()
_QUIET_SERVICES = ("/grpc.health.", "/grpc.reflection.")


class Authenticator(Protocol):
    """Decides whether a call may come in."""

    def __call__(self, method: str, metadata: Mapping[str, str]) -> Caller:
        """Who it is; raises Unauthenticated without valid credentials, or Forbidden."""


class RpcInterceptor(grpc.ServerInterceptor):
    """Wraps each handler; `authenticate` is None where calls can only come over loopback."""

    def __init__(self, authenticate: Authenticator | None = None, limits: LimitSettings = _LIMITS) -> None:
        """Keep the check; calls are counted from now on."""
        self._authenticate = authenticate
        self._turnstile = Turnstile(limits)

    def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Give gRPC the wrapped handler; unknown methods and health checks pass as they are."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_QUIET_SERVICES):
            return handler
        metadata = {key: str(value) for key, value in handler_call_details.invocation_metadata}
        return self._wrap(handler, handler_call_details.method, metadata)

    def _wrap(self, handler: Any, method: str, metadata: Mapping[str, str]) -> "grpc.RpcMethodHandler[Any, Any]":
        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            with _RpcScope(method, metadata, context) as scope:
                scope.admit(self._authenticate, self._turnstile)
                return behaviour(request, context)

        def streaming(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with _RpcScope(method, metadata, context) as scope:
                scope.admit(self._authenticate, self._turnstile)
                yield from behaviour(request, context)

        behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        make_handler = _HANDLER_MAKERS[handler.request_streaming, handler.response_streaming]
        wrapped: grpc.RpcMethodHandler[Any, Any] = make_handler(
            streaming if handler.response_streaming else unary,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped


_HANDLER_MAKERS: Mapping[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class _RpcScope:
    """One call: binds its id to the log context, logs how it ended, and aborts with a rich status on an error."""

    def __init__(self, method: str, metadata: Mapping[str, str], context: grpc.ServicerContext) -> None:
        self._method = method
        self._metadata = metadata
        self._context = context
        self._inside = ExitStack()

    def __enter__(self) -> Self:
        request_id = self._metadata.get(REQUEST_ID_KEY) or current_request_id()
        self._tokens = structlog.contextvars.bind_contextvars(request_id=request_id, rpc=self._method)
        self._started_s = time.monotonic()
        return self

    def admit(self, authenticate: Authenticator | None, turnstile: Turnstile) -> None:
        """Let the call in, or raise Unauthenticated or LimitExceeded."""
        caller = authenticate(self._method, self._metadata) if authenticate else NOBODY
        if authenticate:
            self._tokens = {**structlog.contextvars.bind_contextvars(caller=caller.name), **self._tokens}
        self._inside.enter_context(acting_for(caller.tenant))
        self._inside.enter_context(turnstile.inside(caller.name))

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        try:
            if isinstance(error, Exception):
                self._abort(error)
            code = "CANCELLED" if error else "OK"  # a stream is closed when its client wants no more
            log.info("rpc", code=code, duration_s=self._elapsed_s())
        finally:
            self._inside.close()
            structlog.contextvars.reset_contextvars(**self._tokens)

    def _abort(self, error: Exception) -> NoReturn:
        if not isinstance(error, StemhouseError):
            log.error("rpc failed unexpectedly", exc_info=error)
            error = InternalFault("internal error; the server's log has the request id")
        code = STATUS_CODES[type(error)].name
        log.info("rpc", code=code, reason=error.reason, error=error.message, duration_s=self._elapsed_s())
        self._context.abort_with_status(status_from_error(error))

    def _elapsed_s(self) -> float:
        return round(time.monotonic() - self._started_s, 3)
