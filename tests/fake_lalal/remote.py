"""The fake as a process of its own, for tests that kill its clients and look at what they left behind."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fake_lalal.faults import PlannedFault

_ROOT = Path(__file__).parents[2]
_START_S = 20.0
_LOOK_S = 0.02
_CALL_S = 10.0


@dataclass(frozen=True)
class RemoteFake:
    """A fake that runs elsewhere; what it tells is what control.py documents."""

    base_url: str
    download_origin: str
    control_origin: str
    key: str
    pid: int

    def journal(self) -> list[dict[str, Any]]:
        """Every request so far, as journal.Entry has it."""
        entries: list[dict[str, Any]] = self._call("journal")["entries"]
        return entries

    def state(self) -> dict[str, Any]:
        """minutes_left, charges, total_minutes, tasks."""
        return self._call("state")

    def faults(self) -> dict[str, Any]:
        """planned, happened, pending."""
        return self._call("faults")

    def add_faults(self, plan: Iterable[PlannedFault]) -> None:
        """Let calls from now on fail."""
        self._call("faults", {"plan": [planned.as_json() for planned in plan]})

    def clear_faults(self) -> None:
        """Let all that has not happened yet go well."""
        self._call("clear", {})

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._call("advance", {"seconds": seconds})

    def _call(self, route: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control_origin}/__fake__/{route}", data)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=_CALL_S) as reply:  # noqa: S310 - likewise
            told: dict[str, Any] = json.load(reply)
            return told


@contextmanager
def fake_process(state_file: Path, *arguments: str, **settings: Any) -> Iterator[RemoteFake]:
    """A fake of its own until the block ends; `arguments` and `settings` are those of __main__ and Settings."""
    command = [sys.executable, "-m", "tests.fake_lalal", "--state", str(state_file)]
    wishes = ["--settings", json.dumps(settings), *arguments]
    process = subprocess.Popen([*command, *wishes], cwd=_ROOT)
    try:
        yield _when_ready(process, state_file)
    finally:
        process.terminate()
        process.wait()


def _when_ready(process: "subprocess.Popen[bytes]", state_file: Path) -> RemoteFake:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if state_file.exists():
            told = json.loads(state_file.read_text())
            if told["pid"] == process.pid:
                return RemoteFake(**told)
        time.sleep(_LOOK_S)
    raise RuntimeError(f"the fake did not start; it ended with {process.poll()}")
