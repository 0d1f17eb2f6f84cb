"""A real local stack for the end-to-end tests, and the fidelity figures that they print at the end."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.stack import ensure_stack, stop_stack

_CLI_TIMEOUT_S = 200
_FIDELITY = pytest.StashKey[list[str]]()


@dataclass(frozen=True)
class Stack:
    """A running stack and the two ways to it."""

    home: Home
    endpoints: Endpoints
    client: Stemhouse

    def cli(self, *arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `stemhouse` as a user would, in this home."""
        return run_cli(self.home, *arguments, **variables)


def run_cli(home: Home, *arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `stemhouse` with its own home and these variables, without whatever the tester's environment says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEMHOUSE_")}
    return subprocess.run(
        [sys.executable, "-m", "stemhouse.cli.main", *map(str, arguments)],
        env=environment | {HOME_VARIABLE: str(home.root)} | variables,
        capture_output=True,
        text=True,
        timeout=_CLI_TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that leave it standing.

    Its policy lets the starter try again, since nothing else is there; where no model is, that changes nothing.
    """
    home = Home(tmp_path_factory.mktemp("home"))
    home.make_dirs()
    home.policy_file.write_text('[retry]\nengines = ["starter"]\n')
    home.keep_file.touch()
    endpoints = ensure_stack(home, print)
    with Stemhouse(endpoints) as client:
        yield Stack(home, endpoints, client)
    stop_stack(home)


@pytest.fixture
def fidelity(request: pytest.FixtureRequest) -> list[str]:
    """Lines that the run prints at its end."""
    return request.config.stash.setdefault(_FIDELITY, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the fidelity matrix."""
    lines = config.stash.get(_FIDELITY, [])
    if lines:
        terminalreporter.section("fidelity of the starter, 24-bit WAV out")
        for line in sorted(lines):
            terminalreporter.write_line(line)
