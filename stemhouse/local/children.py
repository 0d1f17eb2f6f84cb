"""One child process: started, restarted when it dies, stopped; a log grown too long is set aside at the next start."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stemhouse.local.processes import ProcessId
from stemhouse.local.record import ChildRecord

LOG_LIMIT_BYTES = 5 * 1024 * 1024
"""A longer log is set aside, as `.log.1`, when its process starts."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 30.0
_STABLE_AFTER_S = 30.0


@dataclass(frozen=True)
class ChildSpec:
    """What to run, and where. The end of its input tells a service to leave, even if the supervisor was killed."""

    name: str
    command: tuple[str, ...]
    address: str
    environment: Mapping[str, str]
    service_name: str = ""
    folder: Path | None = None


class Child:
    """A process that is kept alive between `start` and `stop`."""

    def __init__(self, spec: ChildSpec, log_file: Path, clock: Callable[[], float], *, echo: bool) -> None:
        """Start nothing yet; with `echo`, log lines go to stderr too, with the child's name before them."""
        self.spec = spec
        self._log_file = log_file
        self._clock = clock
        self._echo = echo
        self._failure_count = 0
        self._started_at_s = 0.0
        self._due_at_s: float | None = None

    def start(self) -> None:
        """Run the command in a group of its own: Ctrl-C in a terminal is for the supervisor, which keeps the order."""
        rotate_log(self._log_file)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the command is our own, without a shell
                self.spec.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self._echo else log,
                stderr=subprocess.STDOUT,
                env=dict(self.spec.environment),
                cwd=self.spec.folder,
                start_new_session=True,
            )
        if self._echo and self._process.stdout:
            threading.Thread(target=self._copy_output, args=(self._process.stdout,), daemon=True).start()
        self._identity = ProcessId.of(self._process.pid)
        self._started_at_s = self._clock()
        self._due_at_s = None

    @property
    def exit_code(self) -> int | None:
        """Of a process that has ended."""
        return self._process.poll()

    @property
    def last_line(self) -> str:
        """The end of its log."""
        return "".join(log_tail(self._log_file, 1))

    def restart_if_dead(self) -> bool:
        """Start the process again if it has ended and its pause is over; tells whether it did."""
        if self._process.poll() is None:
            return False
        now_s = self._clock()
        if self._due_at_s is None:
            self._due_at_s = now_s + self._pause_s(now_s)
        if now_s < self._due_at_s:
            return False
        self._close_input()
        self.start()
        return True

    def _pause_s(self, now_s: float) -> float:
        was_stable = now_s - self._started_at_s >= _STABLE_AFTER_S
        self._failure_count = 1 if was_stable else self._failure_count + 1
        return min(_FIRST_PAUSE_S * 2.0 ** (self._failure_count - 1), _LONGEST_PAUSE_S)

    def ask_to_stop(self) -> None:
        """Close the child's input and, where that is no plain kill, terminate it."""
        self._close_input()
        if os.name == "posix":
            self._process.terminate()

    def wait_or_kill(self, grace_s: float) -> None:
        """Wait for the end; after the grace, kill."""
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def record(self) -> ChildRecord:
        """What the stack's record says about this child."""
        return ChildRecord(self._identity, self.spec.address, self.spec.service_name, self._failure_count)

    def _close_input(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def _copy_output(self, output: IO[bytes]) -> None:
        with output, self._log_file.open("ab") as log:
            for line in output:
                log.write(line)
                log.flush()
                sys.stderr.write(f"{self.spec.name:>9} | {line.decode(errors='replace')}")


def rotate_log(log_file: Path) -> None:
    """Set a log that has grown too long aside, replacing what was set aside before."""
    if log_file.exists() and log_file.stat().st_size > LOG_LIMIT_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))


def log_tail(log_file: Path, line_count: int) -> list[str]:
    """The last lines of a log; none if there is no such file."""
    text = log_file.read_text(encoding="utf-8", errors="replace") if log_file.exists() else ""
    return text.splitlines()[-line_count:]
