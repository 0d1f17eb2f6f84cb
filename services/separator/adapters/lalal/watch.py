"""One look at all tasks of a key together, every few seconds: the service takes thirty a minute."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.separator.core.cloud.replies import TaskReport, report_from_entry
from services.separator.core.control import check_wanted
from services.separator.core.ports import TaskControl
from stemhouse.errors import EngineUnavailable, Unavailable

log = structlog.get_logger(__name__)

Check = Callable[[Sequence[str]], Mapping[str, Any]]

_MOST_TASKS = 200
_TURN_S = 0.05
_PATIENT_AFTER_S = 120.0
_LONGEST_PAUSE_S = 60.0
_MOST_LOSSES = 3
"""Looks in a row that say nothing of a task; then it is lost."""


@dataclass
class _Watched:
    """A task while somebody waits for it: how many do, what was said last, and the looks that said nothing."""

    waiting: int = 0
    report: TaskReport = field(default_factory=TaskReport)
    losses: int = 0


class PolledTasks:
    """TaskWatch with a thread of its own, which rests while nobody waits."""

    def __init__(self, check: Check, interval_s: float) -> None:
        """`interval_s` is that of looks in the first two minutes; it doubles then."""
        self._check = check
        self._interval_s = interval_s
        self._changed = threading.Condition()
        self._tasks: dict[str, _Watched] = {}
        self._refusal = ""
        self._is_stopped = False
        threading.Thread(target=self._run, name="lalal-watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def wait(self, task_id: str, control: TaskControl, longest_s: float) -> TaskReport:
        """See TaskWatch.wait."""
        end_s = time.monotonic() + longest_s
        with self._watched(task_id) as watched:
            while not watched.report.is_final and time.monotonic() < end_s:
                check_wanted(control)
                control.report(watched.report.progress)
                with self._changed:
                    self._changed.wait(_TURN_S)
                    if self._refusal:
                        raise EngineUnavailable(self._refusal)
            return watched.report

    def refresh(self, task_id: str, control: TaskControl) -> TaskReport:
        """See TaskWatch.refresh: what was said before nobody waited is forgotten, so that the next look tells."""
        return self.wait(task_id, control, _LONGEST_PAUSE_S * _MOST_LOSSES)

    @contextmanager
    def _watched(self, task_id: str) -> Iterator[_Watched]:
        with self._changed:
            watched = self._tasks.setdefault(task_id, _Watched())
            watched.waiting += 1
            self._refusal = ""
            self._changed.notify_all()
        try:
            yield watched
        finally:
            with self._changed:
                watched.waiting -= 1
                if not watched.waiting:
                    del self._tasks[task_id]

    def _run(self) -> None:
        begun_s, pause_s = time.monotonic(), self._interval_s
        while True:
            with self._changed:
                is_idle = not self._tasks
                self._changed.wait_for(lambda: self._is_stopped or bool(self._tasks))
                if self._is_stopped:
                    return
                begun_s = time.monotonic() if is_idle else begun_s
                asked = list(self._tasks)[:_MOST_TASKS]
            is_answered = self._look(asked)
            usual_s = self._interval_s * (1 if time.monotonic() - begun_s < _PATIENT_AFTER_S else 2)
            pause_s = usual_s if is_answered else min(2 * pause_s, _LONGEST_PAUSE_S)
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopped, pause_s)

    def _look(self, asked: Sequence[str]) -> bool:
        try:
            entries = self._check(asked)
        except EngineUnavailable as refusal:
            with self._changed:
                self._refusal = refusal.message
                self._changed.notify_all()
            return False
        except Unavailable as error:
            log.info("look at tasks failed", error=error.message)
            return False
        with self._changed:
            for task_id in asked:
                if task_id in self._tasks:
                    self._note(self._tasks[task_id], report_from_entry(entries.get(task_id)))
            self._changed.notify_all()
        return True

    @staticmethod
    def _note(watched: _Watched, report: TaskReport) -> None:
        """What is said once by mistake is not believed."""
        watched.losses = watched.losses + 1 if report.is_lost else 0
        if report.is_lost and watched.losses < _MOST_LOSSES:
            return
        watched.report = TaskReport(failure="the service does not know the task any more") if report.is_lost else report
