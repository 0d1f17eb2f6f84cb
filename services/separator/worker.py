"""Composition root of the worker processes: what each loads, and how it performs its tasks.

Only the device worker imports torch, and only once it runs in its own process.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import soundfile

from services.separator.adapters.adapting import separate_in_format
from services.separator.adapters.audio_desk import open_desk
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.assessment import AssessTask, assess_stems
from services.separator.core.ingest import IngestTask, ingest_track
from services.separator.core.ports import Block, Engine, EngineSpec, StemBlocks, Task, TaskControl
from services.separator.core.results import SeparateTask
from services.separator.core.separation import Bench, separate_track
from services.separator.settings import SeparatorSettings
from stemhouse.audio import AudioFormat, StemSet
from stemhouse.errors import EngineUnavailable, InternalFault
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.telemetry import configure_logging
from stemhouse.ports import ObjectStore

_PACKAGES = ("numpy", "soundfile", "soxr", "stemhouse", "torch")


def open_files_workshop(settings: SeparatorSettings) -> Workshop:
    """For decoding and measuring: libsndfile and mutagen live, and may die, in this process."""
    configure_logging("separator-files", settings.log_level)
    return files_workshop(connect_object_store(settings.store), ScratchRoot(settings.scratch_dir))


def open_device_workshop(settings: SeparatorSettings) -> Workshop:
    """For separating, with all engines loaded; raises EngineUnavailable if one cannot be."""
    import torch  # noqa: PLC0415 - the server and the files worker import this module, too, and need no torch

    from services.separator.adapters.starter.engine import StarterEngine  # noqa: PLC0415 - likewise

    configure_logging("separator-device", settings.log_level)
    torch.set_num_threads(settings.threads_per_device)
    engines = [StarterEngine.installed()]
    return device_workshop(connect_object_store(settings.store), ScratchRoot(settings.scratch_dir), engines)


def files_workshop(store: ObjectStore, scratch: ScratchRoot) -> Workshop:
    """A workshop for IngestTask and AssessTask."""

    def perform(task: Task[Any], control: TaskControl) -> Any:
        with open_desk(store, scratch, control) as desk:
            if isinstance(task, IngestTask):
                return ingest_track(task.source, desk, control)
            if isinstance(task, AssessTask):
                return assess_stems(task, desk, control)
        message = f"the files worker has no {type(task).__name__}"
        raise InternalFault(message)

    return Workshop(None, perform, scratch.close)


def device_workshop(store: ObjectStore, scratch: ScratchRoot, engines: Sequence[Engine]) -> Workshop:
    """A workshop for SeparateTask; it greets with the specs of its engines."""
    by_id = {engine.spec.engine_id: engine for engine in engines}
    versions = _versions()

    def perform(task: Task[Any], control: TaskControl) -> StemSet:
        if not isinstance(task, SeparateTask):
            message = f"the device worker has no {type(task).__name__}"
            raise InternalFault(message)
        engine = _EngineInFormat(_engine(by_id, task.engine_id), task.audio.format)
        with open_desk(store, scratch, control) as desk:
            return separate_track(task, engine, Bench(desk, control, time.monotonic, versions))

    return Workshop(tuple(engine.spec for engine in engines), perform, scratch.close)


def _engine(by_id: Mapping[str, Engine], engine_id: str) -> Engine:
    if engine_id not in by_id:
        message = f"no engine {engine_id} here"
        raise EngineUnavailable(message, {"engine_id": engine_id})
    return by_id[engine_id]


@dataclass(frozen=True)
class _EngineInFormat:
    """Engine at the audio's own rate and channels."""

    engine: Engine
    audio_format: AudioFormat

    @property
    def spec(self) -> EngineSpec:
        return self.engine.spec

    def separate(self, mixture: Iterable[Block]) -> Iterator[StemBlocks]:
        return separate_in_format(self.engine, mixture, self.audio_format)


def _versions() -> dict[str, str]:
    """Of the packages that samples may depend on."""
    return {"libsndfile": soundfile.__libsndfile_version__, **{name: version(name) for name in _PACKAGES}}
