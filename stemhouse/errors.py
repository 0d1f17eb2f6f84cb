"""Every error that Stemhouse raises on purpose, named by what the caller can do.

    StemhouseError
    ├── InvalidRequest          change the request
    │   └── RequestConflict     the same request_id came with other contents: use a new one
    ├── InputRejected           give another file
    │   ├── UnreadableAudio     not audio, damaged, empty, or not finite
    │   ├── UnsupportedAudio    audio of a shape that Stemhouse does not take
    │   ├── ModelRejected       a model's file that is cut, altered, of another digest, or no model at all
    │   └── LibraryRejected     the library of a DJ program that is damaged, or none at all
    ├── NotFound                name something that exists
    │   └── ResultGone          have the track separated again: its stems are not stored any more, or damaged
    ├── Unauthenticated         show valid credentials
    │   └── Forbidden           ask whoever made the credentials for more rights
    ├── Cancelled               nothing: somebody asked for it
    ├── Unavailable             try again later, or start what is missing
    │   ├── EngineUnavailable   choose another engine, or pull its model
    │   ├── StorageUnavailable  wait for the object store
    │   ├── WorkerDied          try again: the process that computed is gone
    │   ├── DeadlineExceeded    try again with more time
    │   └── LimitExceeded       ask for less at a time, or for a higher limit
    └── InternalFault           report it

`reason` is the stable, machine-readable name; `details` are facts beside the message (a file, a stem, an engine).
Translation to and from gRPC is in `stemhouse.platform.status`, exit codes are in `stemhouse.cli`.
"""

from collections.abc import Mapping
from typing import ClassVar


class StemhouseError(Exception):
    """The root: a message for a person, a `reason` for a program, and facts in `details`."""

    reason: ClassVar[str] = "STEMHOUSE_ERROR"

    def __init__(self, message: str, details: Mapping[str, str] | None = None) -> None:
        """Keep the message and a copy of the details."""
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class InvalidRequest(StemhouseError):
    """The request itself is wrong: an unknown stem, an empty field, a value out of range."""

    reason = "INVALID_REQUEST"


class RequestConflict(InvalidRequest):
    """A create with a known `request_id` but other contents."""

    reason = "REQUEST_CONFLICT"


class InputRejected(StemhouseError):
    """The file cannot be separated, now or later."""

    reason = "INPUT_REJECTED"


class UnreadableAudio(InputRejected):
    """No decoder can make finite samples of it."""

    reason = "UNREADABLE_AUDIO"


class UnsupportedAudio(InputRejected):
    """Readable, but of a shape that is not taken (for example more than two channels)."""

    reason = "UNSUPPORTED_AUDIO"


class ModelRejected(InputRejected):
    """A model's file is cut, altered, not the one that was promised, or cannot be loaded as a model."""

    reason = "MODEL_REJECTED"


class LibraryRejected(InputRejected):
    """A crate, playlist or collection of a DJ program that cannot be read, or a file that is none."""

    reason = "LIBRARY_REJECTED"


class NotFound(StemhouseError):
    """No job, track or object of that name."""

    reason = "NOT_FOUND"


class ResultGone(NotFound):
    """The audio or a stem of a result is not in the store any more, or is not what it was."""

    reason = "RESULT_GONE"


class Unauthenticated(StemhouseError):
    """The call carries no credentials, or wrong ones."""

    reason = "UNAUTHENTICATED"


class Forbidden(Unauthenticated):
    """The credentials are valid, and not good for this call."""

    reason = "FORBIDDEN"


class Cancelled(StemhouseError):
    """Stopped because a caller asked for it."""

    reason = "CANCELLED"


class Unavailable(StemhouseError):
    """Not now: a service does not answer."""

    reason = "UNAVAILABLE"


class EngineUnavailable(Unavailable):
    """No separator offers the engine, or its model is missing."""

    reason = "ENGINE_UNAVAILABLE"


class EngineFailed(EngineUnavailable):
    """The engine could not do this track; another one may."""

    reason = "ENGINE_FAILED"


class ChargeUncertain(EngineFailed):
    """A cloud engine may have charged for work that cannot be found again: nothing is sent twice by itself."""

    reason = "CHARGE_UNCERTAIN"


class BudgetExceeded(EngineUnavailable):
    """A cloud engine would cost more than was allowed: allow more, or take another engine."""

    reason = "BUDGET_EXCEEDED"


class StorageUnavailable(Unavailable):
    """The object store does not answer, or refuses."""

    reason = "STORAGE_UNAVAILABLE"


class WorkerDied(Unavailable):
    """The process that computed ended without an answer."""

    reason = "WORKER_DIED"


class DeadlineExceeded(Unavailable):
    """The time that the caller allowed is over."""

    reason = "DEADLINE_EXCEEDED"


class LimitExceeded(Unavailable):
    """More than the service allows at a time; the message says how much that is."""

    reason = "LIMIT_EXCEEDED"


class InternalFault(StemhouseError):
    """A defect of Stemhouse; the log line with the same request id says more."""

    reason = "INTERNAL_FAULT"


def error_types() -> tuple[type[StemhouseError], ...]:
    """The root and every class below it, parents before children."""
    found: list[type[StemhouseError]] = [StemhouseError]
    for error_type in found:
        found.extend(error_type.__subclasses__())
    return tuple(found)


def error_from_reason(reason: str, message: str, details: Mapping[str, str] | None = None) -> StemhouseError:
    """The error that a `reason` names, as it came over a wire or out of the ledger; unknown reasons: InternalFault."""
    by_reason = {error_type.reason: error_type for error_type in error_types()}
    return by_reason.get(reason, InternalFault)(message, details)
