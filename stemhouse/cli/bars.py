"""Progress in a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from stemhouse.cli.progress import TimeLeft, left_text, stage_text
from stemhouse.jobs import Job


class BarProgress:
    """A ProgressView: one bar, for the stage that the present track is on."""

    def __init__(self, bars: Progress) -> None:
        """Draw with `bars`, which is running."""
        self._bars = bars
        self._task_id = bars.add_task("", total=1.0)

    def begin(self, title: str) -> None:
        """See ProgressView.begin."""
        self._title = title
        self._time_left = TimeLeft()
        self._bars.update(self._task_id, description=title, completed=0.0)

    def show(self, job: Job) -> None:
        """See ProgressView.show."""
        left = left_text(self._time_left.estimate_s(job))
        description = f"{self._title}: {stage_text(job)}{left}"
        self._bars.update(self._task_id, description=description, completed=job.progress)


@contextmanager
def open_bar() -> Iterator[BarProgress]:
    """A bar for jobs on stderr that leaves nothing behind."""
    with _bars() as bars:
        yield BarProgress(bars)


@contextmanager
def open_share_bar(title: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr for a share from 0 to 1."""
    with _bars() as bars:
        task_id = bars.add_task(title, total=1.0)
        yield lambda share: bars.update(task_id, completed=share)


def _bars() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
