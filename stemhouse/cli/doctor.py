"""`stemhouse doctor`."""

import click

from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.output import Output, json_option
from stemhouse.local.doctor import Check, examine
from stemhouse.local.home import find_home


@click.command()
@json_option
@click.pass_obj
def doctor(output: Output) -> ExitCode:
    """Check what the local stack needs.

    Each problem comes with its remedy; the exit code is 4 if something essential is missing.
    """
    checks = examine(find_home())
    output.result({"checks": checks}, "\n".join(map(_line, checks)))
    is_able = all(check.is_ok for check in checks if check.is_essential)
    return ExitCode.OK if is_able else ExitCode.UNAVAILABLE


def _line(check: Check) -> str:
    line = f"{'ok' if check.is_ok else 'problem':<9}{check.name}: {check.finding}"
    return f"{line}\n{'':<9}{check.remedy}" if check.remedy else line
