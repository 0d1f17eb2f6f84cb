"""What people see while jobs run: a bar in a terminal, a few lines elsewhere; with the time that is left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from stemhouse.jobs import Job
from stemhouse.vocab import Stage

_LEAST_SHARE = 0.02
_LINE_STEP = 0.25


class ProgressView(Protocol):
    """Shows one track at a time."""

    def begin(self, title: str) -> None:
        """A track's turn has come."""

    def show(self, job: Job) -> None:
        """Its job has changed."""


class TimeLeft:
    """Estimates what is left of a stage from the pace since its first report."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet."""
        self._clock = clock
        self._stage = Stage.LOOKUP
        self._first_progress = 0.0
        self._first_at_s = clock()

    def estimate_s(self, job: Job) -> float | None:
        """Seconds left of the job's present stage; None while there is too little to tell from."""
        stage = job.stage or Stage.LOOKUP
        if stage is not self._stage or job.progress < self._first_progress:
            self._stage, self._first_progress, self._first_at_s = stage, job.progress, self._clock()
        done = job.progress - self._first_progress
        if done < _LEAST_SHARE or job.progress >= 1.0:
            return None
        return (self._clock() - self._first_at_s) * (1.0 - job.progress) / done


class LineProgress:
    """A line at each stage, and at each quarter of it."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`write` takes a line without its end."""
        self._write = write
        self._clock = clock

    def begin(self, title: str) -> None:
        """See ProgressView.begin."""
        self._title = title
        self._time_left = TimeLeft(self._clock)
        self._last: tuple[str, int] | None = None

    def show(self, job: Job) -> None:
        """See ProgressView.show."""
        step = (stage_text(job), int(job.progress / _LINE_STEP))
        left = left_text(self._time_left.estimate_s(job))
        share = f" {job.progress:.0%}" if job.progress and not job.state.is_final else ""
        if step != self._last:
            self._write(f"{self._title}: {stage_text(job)}{share}{left if share else ''}")
        self._last = step


def stage_text(job: Job) -> str:
    """Where the job is, in one word."""
    return str(job.stage.value if job.stage and not job.state.is_final else job.state.value)


def left_text(left_s: float | None) -> str:
    """The time left as the end of a line; nothing if it is not known."""
    if left_s is None:
        return ""
    minutes, seconds = divmod(round(left_s), 60)
    return f", {minutes}:{seconds:02d} left"


@contextmanager
def show_share(title: str, write: Callable[[str], None]) -> Iterator[Callable[[float], None]]:
    """For the block, a way to show a share from 0 to 1: a bar if stderr is a terminal, else a line at each quarter."""
    if not sys.stderr.isatty():
        yield _quarters(title, write)
        return
    from stemhouse.cli.bars import open_share_bar  # noqa: PLC0415  see show_progress

    with open_share_bar(title) as show:
        yield show


def _quarters(title: str, write: Callable[[str], None]) -> Callable[[float], None]:
    written: set[int] = set()

    def show(share: float) -> None:
        step = int(share / _LINE_STEP)
        if step not in written:
            written.add(step)
            write(f"{title} {share:.0%}")

    return show


@contextmanager
def show_progress(write: Callable[[str], None]) -> Iterator[ProgressView]:
    """A view for the block: a bar if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield LineProgress(write)
        return
    from stemhouse.cli.bars import open_bar  # noqa: PLC0415  rich takes 50 ms to import, which only a terminal needs

    with open_bar() as bar:
        yield bar
