"""How a program of Stemhouse that is no command line ends: with one line for people instead of a traceback."""

import sys
from collections.abc import Callable

from stemhouse.errors import InputRejected, InvalidRequest, StemhouseError

WRONG_SETTINGS_EXIT_CODE = 2
"""Of a process that will not start however often it is tried."""

ERROR_PREFIX = "error: "
"""Of the line."""

_FAILURE_EXIT_CODE = 1


def enter(main: Callable[[], None]) -> None:
    """Run it; an error that Stemhouse raised on purpose becomes the last line on stderr, and the exit code."""
    try:
        main()
    except StemhouseError as error:
        sys.stderr.write(f"{ERROR_PREFIX}{error.message}\n")
        is_wrong = isinstance(error, InvalidRequest | InputRejected)  # the latter: of a file that a setting names
        raise SystemExit(WRONG_SETTINGS_EXIT_CODE if is_wrong else _FAILURE_EXIT_CODE) from error
