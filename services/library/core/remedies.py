"""What the owner of a file can do about an error."""

from stemhouse.batches import BatchSpec, batch_command
from stemhouse.errors import (
    BudgetExceeded,
    Cancelled,
    ChargeUncertain,
    DeadlineExceeded,
    EngineFailed,
    InputRejected,
    InternalFault,
    InvalidRequest,
    NotFound,
    StemhouseError,
    Unavailable,
    UnreadableAudio,
    UnsupportedAudio,
    WorkerDied,
    error_from_reason,
)
from stemhouse.jobs import JobError

TRACK_FAULTS = (BudgetExceeded, EngineFailed, InputRejected, InternalFault, InvalidRequest, NotFound)
"""Errors that one track is at fault for, or must not be repeated by themselves since that may cost money.

All others tell of something that stands in the way of every track.
"""

_RETRY = "`stemhouse batch retry {batch_id}`"

_ANEW = "`{command}`"
"""A retry knows no other path than that of its track; a new batch looks at the library."""

_NOTHING_WRONG = f"Nothing is wrong with the file: {_RETRY}."

_LOST = {"object_key", "sha256"}
"""Details that name what the store has lost; it is made or uploaded anew."""

_REMEDIES: tuple[tuple[type[StemhouseError], str], ...] = (
    (UnreadableAudio, f"Play the file from end to end; if it is damaged, get it anew, then {_RETRY}."),
    (
        UnsupportedAudio,
        f"Convert the file to mono or stereo of a usual kind; if its name stays, {_RETRY}, else {_ANEW}.",
    ),
    (InputRejected, f"Look at the file; when nothing writes to it any more, {_RETRY}."),
    (NotFound, f"Put the file back, then {_RETRY}; if it was moved, {_ANEW} takes it from where it is."),
    (InvalidRequest, f"Change what the message names, then {_RETRY}."),
    (Cancelled, f"Somebody has stopped the job; {_RETRY}."),
    (ChargeUncertain, f"Look at your account whether the track was charged: `stemhouse cloud`; then {_RETRY}."),
    (EngineFailed, f"Name another engine in a new batch (--engine), or {_RETRY}."),
    (BudgetExceeded, f"See what is left: `stemhouse cloud`; start a new batch with more --cloud-minutes, or {_RETRY}."),
    (Unavailable, _NOTHING_WRONG),
    (InternalFault, f"This is a defect of Stemhouse: `stemhouse doctor` tells what to report; then {_RETRY}."),
    (StemhouseError, f"Mend what the message tells, then {_RETRY}."),
)
"""Each kind of error before those that it is one of."""


def stands_in_the_way_of_all(error: JobError) -> bool:
    """Whether a job failed for what any other would have met: no engine, no store, no room to work in.

    A track may itself be what a worker dies of, or takes too long for.
    """
    kind = error_from_reason(error.reason, error.message)
    return isinstance(kind, Unavailable) and not isinstance(kind, (WorkerDied, DeadlineExceeded, *TRACK_FAULTS))


def remedy_for(error: JobError, batch_id: str, spec: BatchSpec) -> str:
    """A sentence, with the command that tries the batch's failed tracks again."""
    return _template_for(error).format(batch_id=batch_id, command=batch_command(spec))


def _template_for(error: JobError) -> str:
    if _LOST & error.details.keys():
        return _NOTHING_WRONG
    kind = error_from_reason(error.reason, error.message)
    return next(remedy for error_type, remedy in _REMEDIES if isinstance(kind, error_type))


def job_error_of(error: StemhouseError) -> JobError:
    """The error as a record keeps it."""
    return JobError(error.reason, error.message, error.details)
