"""DBOS as the router uses it, killed and started again. Holds the promises that the design builds on."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import postgres_server

_TIMEOUT_S = 90


class Router:
    """Runs `durable_router` processes over one database and reads their diary."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._url = database_url
        self._diary = folder / "diary.txt"

    def start(self, *priorities: int) -> "subprocess.Popen[str]":
        """A process that submits jobs and runs them."""
        command = [sys.executable, "-m", "tests.integration.durable_router", self._url, str(self._diary)]
        return subprocess.Popen([*command, *map(str, priorities)], stdout=subprocess.PIPE, text=True)  # our own module

    def finish(self, process: "subprocess.Popen[str]") -> list[str]:
        """The lines that it prints at its end."""
        return process.communicate(timeout=_TIMEOUT_S)[0].splitlines()

    def diary(self) -> list[str]:
        """What the stages wrote down."""
        return self._diary.read_text().splitlines() if self._diary.exists() else []

    def wait_for(self, line: str) -> None:
        """Until the diary has the line."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while line not in self.diary():
            assert time.monotonic() < deadline_s, f"no {line!r} in {self.diary()}"
            time.sleep(0.02)


@pytest.fixture(params=["sqlite", "postgres"])
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Router]:
    """A router over a new database of each kind."""
    if request.param == "sqlite":
        yield Router(tmp_path, f"sqlite:///{tmp_path}/ledger.db")
        return
    with postgres_server(tmp_path) as url:
        yield Router(tmp_path, url)


def test_killed_router_resumes_and_repeats_only_the_interrupted_stage(router: Router) -> None:
    """The finished stage is not run again, the interrupted one is, the job ends once."""
    killed = router.start(100)
    router.wait_for("job-0 second begins")
    killed.kill()
    killed.communicate()
    assert router.finish(router.start()) == ["job-0 done -"]
    diary = [line for line in router.diary() if line.startswith("job-0")]
    assert diary == ["job-0 first", "job-0 second begins", "job-0 second begins", "job-0 second ends"]


def test_waiting_jobs_run_by_priority_and_errors_end_only_their_job(router: Router) -> None:
    """The first job occupies the only place; the others follow by priority, those of one priority as they came.

    What somebody waits for (the last one) does not wait for that place.
    """
    outcome = router.finish(router.start(900, 600, 666, 501, 600, 100))
    assert outcome == [
        "job-0 done -",
        "job-1 done -",
        "job-2 failed UNREADABLE_AUDIO",
        "job-3 done -",
        "job-4 done -",
        "job-5 done -",
    ]
    begun = [line.split()[0] for line in router.diary() if line.endswith("second begins")]
    assert "job-5" in begun[:2]
    begun.remove("job-5")
    waited = [job for job in begun if job != begun[0]]
    order = ["job-3", "job-1", "job-4", "job-2", "job-0"]
    assert waited == [job for job in order if job in waited]
