"""Engines with a process of their own: tasks reach the right one, and none runs before it has something to do."""

from pathlib import Path
from typing import Any

import pytest

from services.separator.adapters.engine_workers import EngineWorkers
from services.separator.core.assessment import AssessTask
from services.separator.core.models import InspectModelTask
from services.separator.core.ports import DeviceGreeting, Result, Task, TaskControl
from services.separator.core.results import SeparateTask
from services.separator.core.vocal_probe import ProbeVocalsTask
from stemhouse.errors import Unavailable
from stemhouse.jobs import EngineGap
from tests.fakes_router import STARTER, audio, stem_set
from tests.fakes_separator import UNWATCHED
from tests.model_house import model_entry

_GAP = EngineGap("other", "it is not installed", "install it")


class _Recorder:
    """A worker that says who it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_stopped = False
        self.is_loading = False
        self.greeting: Any = DeviceGreeting((), ("demucs",), slot_count=3)

    def run(self, task: Task[Result], control: TaskControl) -> Any:
        return self.name

    def check_ready(self) -> None:
        if self.is_loading:
            raise Unavailable(f"{self.name} is loading")

    def stop(self) -> None:
        self.is_stopped = True


class _House:
    """A device, and an engine of its own that notes when it is started."""

    def __init__(self) -> None:
        self.device = _Recorder("device")
        self.started: list[_Recorder] = []
        self.workers = EngineWorkers(self.device, {"uvr": self._start}, [_GAP])

    def _start(self) -> _Recorder:
        self.started.append(_Recorder("uvr"))
        return self.started[-1]


@pytest.mark.parametrize(
    ("task", "worker"),
    [
        (SeparateTask(audio(), "uvr-kim-11111111-as047-fp32"), "uvr"),
        (SeparateTask(audio(), "demucs-htdemucs-11111111"), "device"),
        (SeparateTask(audio(), "starter-spleeter2"), "device"),
        (ProbeVocalsTask(audio(), "uvr-kim-11111111-as047-fp32"), "uvr"),
        (InspectModelTask(str(Path("folder")), model_entry()), "device"),
        (AssessTask(stem_set("a", STARTER), {}, "uvr-kim-11111111-as047-fp32"), "uvr"),
        (AssessTask(stem_set("a", STARTER), {}, "starter-spleeter2"), "device"),
        (AssessTask(stem_set("a", STARTER), {}), "device"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_task_goes_to_the_process_that_has_its_engine(task: Task[Any], worker: str) -> None:
    """By the engine's name, which begins every engine id."""
    house = _House()
    assert house.workers.run(task, UNWATCHED) == worker
    assert len(house.started) == (worker == "uvr")


def test_a_process_starts_once_and_with_its_first_task() -> None:
    """And what it could do is told before."""
    house = _House()
    house.workers.check_ready()
    assert house.workers.greeting == DeviceGreeting((), ("demucs", "uvr"), slot_count=3, gaps=(_GAP,))
    assert house.started == []
    for _ in range(2):
        house.workers.run(SeparateTask(audio(), "uvr-kim-11111111-as047-fp32"), UNWATCHED)
    assert len(house.started) == 1


def test_nothing_is_told_before_the_device_has_loaded() -> None:
    """To tell of one engine alone would say that there are no others."""
    house = _House()
    house.device.greeting, house.device.is_loading = None, True
    assert house.workers.greeting is None
    with pytest.raises(Unavailable, match="device is loading"):
        house.workers.check_ready()


def test_all_processes_are_ended() -> None:
    """Those that were started."""
    house = _House()
    house.workers.run(SeparateTask(audio(), "uvr-kim-11111111-as047-fp32"), UNWATCHED)
    house.workers.stop()
    assert house.device.is_stopped
    assert [worker.is_stopped for worker in house.started] == [True]
