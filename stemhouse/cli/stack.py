"""`stemhouse down` and `stemhouse status`."""

from collections.abc import Sequence

import click

from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.output import Output, json_option
from stemhouse.local.health import Health
from stemhouse.local.home import find_home
from stemhouse.local.stack import ProcessStatus, stack_status, stop_stack


@click.command()
@json_option
@click.pass_obj
def down(output: Output) -> None:
    """Stop the local stack.

    What a crash has left of it, too. Jobs that are not done go on when it runs again.
    """
    was_running = stop_stack(find_home())
    output.result({"was_running": was_running}, "stopped" if was_running else "nothing was running")


@click.command()
@json_option
@click.pass_obj
def status(output: Output) -> ExitCode:
    """The processes of the local stack.

    The exit code is 4 unless all of them work.
    """
    home = find_home()
    processes = stack_status(home)
    output.result({"home": home.root, "processes": processes}, status_text(processes))
    is_well = processes and all(process.health is Health.SERVING for process in processes)
    return ExitCode.OK if is_well else ExitCode.UNAVAILABLE


def status_text(processes: Sequence[ProcessStatus]) -> str:
    """A line for each process."""
    lines = [f"{item.name:<12}{item.health.value:<14}pid {item.pid:<9}{item.address}".rstrip() for item in processes]
    return "\n".join(lines) or "no local stack is running"
