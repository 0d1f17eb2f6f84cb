"""The `stemhouse` command: its subcommands, and errors to exit codes."""

import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

import click

from stemhouse.cli.exit_codes import EXIT_CODES, ExitCode, Interrupted
from stemhouse.cli.output import Output
from stemhouse.errors import InternalFault, InvalidRequest, StemhouseError

_COMMANDS = {
    "separate": "stemhouse.cli.separate",
    "jobs": "stemhouse.cli.jobs",
    "engines": "stemhouse.cli.engines",
    "models": "stemhouse.cli.models",
    "cache": "stemhouse.cli.cache",
    "cloud": "stemhouse.cli.cloud",
    "library": "stemhouse.cli.library",
    "batch": "stemhouse.cli.batch",
    "analyze": "stemhouse.cli.production",
    "export-ableton": "stemhouse.cli.production",
    "stretch": "stemhouse.cli.production",
    "chops": "stemhouse.cli.production",
    "export-dj": "stemhouse.cli.export_dj",
    "up": "stemhouse.cli.up",
    "down": "stemhouse.cli.stack",
    "status": "stemhouse.cli.stack",
    "doctor": "stemhouse.cli.doctor",
}


class _LazyGroup(click.Group):
    """Imports a subcommand when it is used: starting up is most of what a cached `separate` takes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        module = _COMMANDS.get(cmd_name)
        attribute = cmd_name.replace("-", "_")
        command: click.Command | None = getattr(importlib.import_module(module), attribute) if module else None
        return command


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 2 wrong usage, 3 input rejected, 4 unavailable, 5 finished with failures, "
    "130 interrupted. STEMHOUSE_SERVER names servers to use instead of the local stack: HOST:PORT of a gateway, or "
    "router=HOST:PORT,library=HOST:PORT,exporter=HOST:PORT. STEMHOUSE_TLS__CA (a file) has them called by TLS, with "
    "STEMHOUSE_TOKEN_FILE or STEMHOUSE_TOKEN, or STEMHOUSE_TLS__CERT and STEMHOUSE_TLS__KEY. STEMHOUSE_HOME is where "
    "the local stack keeps its data.",
)
@click.version_option(package_name="stemhouse")
def cli() -> None:
    """Separate music into stems: vocals, drums, bass and other; acapella and instrumental.

    `stemhouse separate FILE` is all it takes to begin; `stemhouse doctor` tells what this machine lacks.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its notes on lost connections are no help to people
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show must not end the work
    _end_in_good_order()
    given = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(is_json="--json" in given)
    try:
        code = cli.main(given, prog_name="stemhouse", standalone_mode=False, obj=output)
    except click.ClickException as error:
        _tell_usage(error, output)
        return ExitCode.USAGE
    except click.Abort as error:
        told = error if isinstance(error, Interrupted) else Interrupted("interrupted", {})
        output.failure("INTERRUPTED", told.message, told.details)
        return ExitCode.INTERRUPTED
    except StemhouseError as error:
        output.failure(error.reason, error.message, error.details)
        return EXIT_CODES[type(error)]
    except UnicodeEncodeError as error:
        text = error.object.encode("utf-8", "backslashreplace").decode()
        output.failure(InvalidRequest.reason, f"{text!r} is not text that the servers can be told", {})
        return ExitCode.USAGE
    except Exception as error:  # noqa: BLE001  a defect: told like any other failure, with what is needed to report it
        traceback.print_exc()
        output.failure(InternalFault.reason, f"unexpected {type(error).__name__}: {error}", {})
        return EXIT_CODES[InternalFault]
    return int(code or ExitCode.OK)


def _end_in_good_order() -> None:
    """A closed terminal, and whoever asks the program to end, count as Ctrl-C: nothing half-written stays behind."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGHUP", "SIGTERM"):  # Windows has the second only
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup stays nohup
            signal.signal(number, signal.default_int_handler)


def _tell_usage(error: click.ClickException, output: Output) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        output.say(error.format_message())  # the help: nothing was wrong with what was said so far
        return
    if isinstance(error, click.UsageError) and error.ctx:
        output.say(error.ctx.get_usage())
    output.failure(InvalidRequest.reason, error.format_message(), {})


if __name__ == "__main__":
    sys.exit(main())
