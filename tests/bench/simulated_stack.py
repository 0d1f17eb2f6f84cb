"""A local stack with the simulated separator in the place of the real one; all else is as users have it.

usage: python -m tests.bench.simulated_stack, with STEMHOUSE_HOME: its supervisor
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stemhouse.client.endpoints import Endpoints
from stemhouse.local.children import ChildSpec
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.layout import SEPARATOR, stack_specs
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack
from stemhouse.local.supervisor import SupervisorSettings, run_stack
from stemhouse.platform.entry import enter
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging

_REPOSITORY = Path(__file__).resolve().parents[2]
_POLL_S = 0.1
_started: list["subprocess.Popen[bytes]"] = []  # must outlive the object that has started it


def ensure_simulated_stack(home: Home, tell: Callable[[str], None]) -> Endpoints:
    """As `ensure_stack` does."""
    if not _is_supervised(home):
        with home.log_file("supervisor").open("ab") as log:
            command = (sys.executable, "-m", "tests.bench.simulated_stack")
            environment = {**os.environ, HOME_VARIABLE: str(home.root), "PYTHONPATH": str(_REPOSITORY)}
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home.root,
                env=environment,
                start_new_session=True,
            )
        _started.append(process)
        while process.poll() is None and not _is_supervised(home):
            time.sleep(_POLL_S)
    return ensure_stack(home, tell)


def _is_supervised(home: Home) -> bool:
    record = read_record(home)
    return record is not None and record.supervisor.find() is not None


def simulated_specs(home: Home) -> list[ChildSpec]:
    """The stack's processes, the separator changed."""
    command = (sys.executable, "-m", "tests.bench.simulated_separator")
    return [replace(spec, command=command) if spec.name == SEPARATOR else spec for spec in stack_specs(home)]


def main() -> None:
    """Run the stack of $STEMHOUSE_HOME."""
    configure_logging("supervisor")
    settings = read_settings(SupervisorSettings)
    run_stack(Home(settings.home), settings.idle_s, specs_of=simulated_specs)


if __name__ == "__main__":
    enter(main)
