"""Several worker processes behind one: engines that cannot share a process with the others have one of their own."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from services.separator.core.assessment import AssessTask
from services.separator.core.models import InspectModelTask
from services.separator.core.ports import DeviceGreeting, Result, Task, TaskControl, Worker
from services.separator.core.results import SeparateTask
from services.separator.core.vocal_probe import ProbeVocalsTask
from stemhouse.jobs import EngineGap


class StoppableWorker(Worker, Protocol):
    """A worker with an end."""

    def stop(self) -> None:
        """End the process."""


class EngineWorkers:
    """Worker: gives each task to the process that has its engine; `device` has all that have none of their own.

    `own` starts the others, by engine: each when it first has something to do, since it would take memory until then.
    They work with models alone, and are told of as if they were running. Slots are those of the device, on which all
    of them compute. `gaps` are engines that could have a process but for something that is missing.
    """

    def __init__(
        self, device: StoppableWorker, own: Mapping[str, Callable[[], StoppableWorker]], gaps: Sequence[EngineGap] = ()
    ) -> None:
        self._device = device
        self._own = dict(own)
        self._gaps = tuple(gaps)
        self._started: dict[str, StoppableWorker] = {}
        self._lock = threading.Lock()

    @property
    def greeting(self) -> Any:
        """See Worker.greeting: that of the device, and the engines of the others."""
        told: DeviceGreeting | None = self._device.greeting
        if told is None:
            return None
        return replace(told, model_engines=(*told.model_engines, *self._own), gaps=(*told.gaps, *self._gaps))

    def run(self, task: Task[Result], control: TaskControl) -> Result:
        """See Worker.run."""
        return self._worker(_engine_of(task)).run(task, control)

    def check_ready(self) -> None:
        """See Worker.check_ready; the others load with their first task."""
        self._device.check_ready()

    def stop(self) -> None:
        """End all processes."""
        self._device.stop()
        with self._lock:
            for worker in self._started.values():
                worker.stop()

    def _worker(self, engine: str) -> Worker:
        if engine not in self._own:
            return self._device
        with self._lock:
            if engine not in self._started:
                self._started[engine] = self._own[engine]()
            return self._started[engine]


def _engine_of(task: Task[Any]) -> str:
    """Its name, with which every engine id begins; empty for a task without one."""
    if isinstance(task, InspectModelTask):
        return task.entry.engine
    if isinstance(task, (SeparateTask, ProbeVocalsTask)):
        return task.engine_id.partition("-")[0]
    return task.verifier_engine_id.partition("-")[0] if isinstance(task, AssessTask) else ""
