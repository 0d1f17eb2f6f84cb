"""What the process tells its caller."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

import click

from stemhouse import errors
from stemhouse.errors import StemhouseError


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    USAGE = 2
    REJECTED = 3
    UNAVAILABLE = 4
    FAILURES = 5
    INTERRUPTED = 130


class Interrupted(click.Abort):
    """^C, of which there is more to tell than that."""

    def __init__(self, message: str, details: Mapping[str, str]) -> None:
        """What goes on all the same, and what names it."""
        super().__init__(message)
        self.message = message
        self.details = details


EXIT_CODES: Mapping[type[StemhouseError], ExitCode] = {
    StemhouseError: ExitCode.FAILURES,
    errors.InvalidRequest: ExitCode.USAGE,
    errors.RequestConflict: ExitCode.USAGE,
    errors.InputRejected: ExitCode.REJECTED,
    errors.UnreadableAudio: ExitCode.REJECTED,
    errors.UnsupportedAudio: ExitCode.REJECTED,
    errors.ModelRejected: ExitCode.REJECTED,
    errors.LibraryRejected: ExitCode.REJECTED,
    errors.NotFound: ExitCode.USAGE,
    errors.ResultGone: ExitCode.FAILURES,
    errors.Unauthenticated: ExitCode.UNAVAILABLE,
    errors.Forbidden: ExitCode.UNAVAILABLE,
    errors.Cancelled: ExitCode.FAILURES,
    errors.Unavailable: ExitCode.UNAVAILABLE,
    errors.EngineUnavailable: ExitCode.UNAVAILABLE,
    errors.EngineFailed: ExitCode.FAILURES,
    errors.ChargeUncertain: ExitCode.FAILURES,
    errors.BudgetExceeded: ExitCode.UNAVAILABLE,
    errors.StorageUnavailable: ExitCode.UNAVAILABLE,
    errors.WorkerDied: ExitCode.UNAVAILABLE,
    errors.DeadlineExceeded: ExitCode.UNAVAILABLE,
    errors.LimitExceeded: ExitCode.UNAVAILABLE,
    errors.InternalFault: ExitCode.FAILURES,
}
"""Every error class has its row; a contract test enumerates them."""


def exit_code_of_all(outcomes: Sequence[StemhouseError | None]) -> ExitCode:
    """One code for several inputs: that which all share, or FAILURES if they differ."""
    codes = {EXIT_CODES[type(error)] if error else ExitCode.OK for error in outcomes}
    return codes.pop() if len(codes) == 1 else ExitCode.FAILURES
