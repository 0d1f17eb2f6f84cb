"""Errors to gRPC statuses and back, by one table.

A status carries google.rpc.ErrorInfo (reason, domain, details as metadata) and, for an InvalidRequest,
google.rpc.BadRequest with the bad fields.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from stemhouse import errors
from stemhouse.errors import StemhouseError

DOMAIN = "stemhouse"

STATUS_CODES: Mapping[type[StemhouseError], grpc.StatusCode] = {
    StemhouseError: grpc.StatusCode.UNKNOWN,
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RequestConflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.InputRejected: grpc.StatusCode.FAILED_PRECONDITION,
    errors.UnreadableAudio: grpc.StatusCode.FAILED_PRECONDITION,
    errors.UnsupportedAudio: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ModelRejected: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LibraryRejected: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.ResultGone: grpc.StatusCode.NOT_FOUND,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.EngineUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.EngineFailed: grpc.StatusCode.UNAVAILABLE,
    errors.ChargeUncertain: grpc.StatusCode.UNAVAILABLE,
    errors.BudgetExceeded: grpc.StatusCode.UNAVAILABLE,
    errors.StorageUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.WorkerDied: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.InternalFault: grpc.StatusCode.INTERNAL,
}
"""Every error class has its row; a contract test enumerates them."""

_ERROR_TYPES: Mapping[grpc.StatusCode, type[StemhouseError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.ALREADY_EXISTS: errors.RequestConflict,
    grpc.StatusCode.FAILED_PRECONDITION: errors.InputRejected,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.Forbidden,
    grpc.StatusCode.CANCELLED: errors.Cancelled,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitExceeded,
    grpc.StatusCode.UNIMPLEMENTED: errors.InvalidRequest,
}
"""For statuses that come without our ErrorInfo: from gRPC itself, or from another server."""

_NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""To the channel, which repeats what is UNAVAILABLE: here it cannot help. See gRPC's proposal A6, "pushback"."""


def status_from_error(error: StemhouseError) -> grpc.Status:
    """The rich status for `ServicerContext.abort_with_status`."""
    status = status_pb2.Status(code=STATUS_CODES[type(error)].value[0], message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.details)
    _attach(status, info)
    if isinstance(error, errors.InvalidRequest) and error.details:
        _attach(status, _bad_request(error.details))
    rich: Any = rpc_status.to_status(status)
    if isinstance(error, errors.EngineUnavailable):
        rich = rich._replace(trailing_metadata=(*rich.trailing_metadata, _NO_RETRY))
    answer: grpc.Status = rich
    return answer


def error_from_rpc(call: grpc.RpcError) -> StemhouseError:
    """The error that a failed call stands for: by its ErrorInfo, else by its status code."""
    failed: Any = call  # every RpcError of a client is also a grpc.Call; their types say nothing of it
    try:
        status = rpc_status.from_call(failed)
    except ValueError:  # gRPC itself ended the call, and its status is not the one that the server sent along
        status = None
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return errors.error_from_reason(info.reason, status.message, info.metadata)
    code: grpc.StatusCode = failed.code()
    return _ERROR_TYPES.get(code, errors.InternalFault)(failed.details() or code.name)


@contextmanager
def rpc_errors() -> Iterator[None]:
    """Turn a failed call inside the block into the StemhouseError that the server raised."""
    try:
        yield
    except grpc.RpcError as call:
        raise error_from_rpc(call) from call


def _attach(status: status_pb2.Status, detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def _bad_request(violations: Mapping[str, str]) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[violation(field=field, description=text) for field, text in violations.items()]
    )
