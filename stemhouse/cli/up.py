"""`stemhouse up`."""

import math

import click

from stemhouse.cli.output import Output, json_option
from stemhouse.cli.stack import status_text
from stemhouse.local.home import find_home
from stemhouse.local.leases import Lease
from stemhouse.local.stack import ensure_stack, stack_status
from stemhouse.local.supervisor import run_stack
from stemhouse.platform.telemetry import configure_logging


@click.command()
@click.option("--foreground", is_flag=True, help="Run here, with the logs of all processes, until Ctrl-C.")
@json_option
@click.pass_obj
def up(output: Output, *, foreground: bool) -> None:
    """Start the local stack, which stays until `down`.

    One that runs already is taken as it is.
    """
    home = find_home()
    if foreground:
        configure_logging("supervisor")
        run_stack(home, math.inf, echo=True)
        return
    with Lease(home):
        ensure_stack(home, output.say)
        home.keep_file.touch()
    processes = stack_status(home)
    output.result({"home": home.root, "processes": processes}, status_text(processes))
