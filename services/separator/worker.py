"""Composition root of the worker processes: what each loads, and how it performs its tasks.

Only the device worker imports torch, and only once it runs in its own process.
"""

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import soundfile

from services.separator.adapters.adapting import EngineInFormat
from services.separator.adapters.audio_desk import open_desk
from services.separator.adapters.calibration_files import installed_calibrations
from services.separator.adapters.device_thread import DeviceThread, EngineOnDevice
from services.separator.adapters.engine_rack import EngineRack, ModelLoader
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.assessment import AssessTask, assess_stems
from services.separator.core.calibrations import Calibrations
from services.separator.core.demucs_options import BackendKind, DemucsOptions
from services.separator.core.gpu import CPU, DeviceLease, GPUManager
from services.separator.core.ingest import LONGEST_S, IngestTask, ingest_track
from services.separator.core.listening import Judges
from services.separator.core.models import DEMUCS, UVR, InspectModelTask
from services.separator.core.ports import TRACKS_BESIDE, Engine, Task, TaskControl
from services.separator.core.results import SeparateTask
from services.separator.core.separation import Bench, separate_track
from services.separator.core.vocal_probe import ProbeVocalsTask, probe_vocals
from services.separator.settings import SeparatorSettings
from stemhouse.errors import InternalFault
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.telemetry import configure_logging
from stemhouse.ports import ObjectStore
from stemhouse.tenancy import store_of

if TYPE_CHECKING:
    from services.separator.adapters.demucs.hybrid import Backend

DEVICE_TASKS = 1 + TRACKS_BESIDE + 2
"""Of a device worker at once: its slots, one track that the router sends ahead, and one more urgent than all."""

_UNCALIBRATED = Calibrations()
_PACKAGES = ("numpy", "soundfile", "soxr", "stemhouse", "torch")
_MORE_PACKAGES = {
    DEMUCS: ("demucs", "safetensors", *(("openvino",) if find_spec("openvino") else ())),
    UVR: ("audio-separator", "onnxruntime"),
}
_CONVERTED = ".openvino"
"""In the folder of the models: no model's name begins with a dot."""


def open_files_workshop(settings: SeparatorSettings) -> Workshop:
    """For decoding and measuring: libsndfile and mutagen live, and may die, in this process."""
    configure_logging("separator-files", settings.log_level)
    store, scratch = connect_object_store(settings.store), ScratchRoot(settings.scratch_dir)
    return files_workshop(store, scratch, installed_calibrations(), settings.max_duration_s)


def open_device_workshop(settings: SeparatorSettings) -> Workshop:
    """For separating: the starter is loaded, models are when they are needed.

    Raises EngineUnavailable if the starter cannot be loaded.
    """
    import torch  # noqa: PLC0415 - the server and the files worker import this module, too, and need no torch

    from services.separator.adapters.starter.engine import StarterEngine  # noqa: PLC0415 - likewise

    configure_logging("separator-device", settings.log_level)
    torch.set_num_threads(settings.threads_per_device)
    models, demucs = InstalledModels(settings.models.dir), settings.demucs.options
    lease = GPUManager([CPU]).lease()
    rack = EngineRack([StarterEngine.installed()], models, _model_loaders(settings, demucs, lease), demucs)
    store, scratch = connect_object_store(settings.store), ScratchRoot(settings.scratch_dir)
    return device_workshop(store, scratch, rack, installed_calibrations(), lease)


def _model_loaders(settings: SeparatorSettings, demucs: DemucsOptions, lease: DeviceLease) -> dict[str, ModelLoader]:
    """By engine; those whose package is not installed are missing."""
    if find_spec("demucs") is None:
        return {}
    from services.separator.adapters.demucs.engine import DemucsModels  # noqa: PLC0415 - see open_device_workshop

    return {DEMUCS: DemucsModels(demucs, _demucs_backend(settings, demucs), lease)}


def _demucs_backend(settings: SeparatorSettings, demucs: DemucsOptions) -> "Backend":
    from services.separator.adapters.demucs.hybrid import TORCH  # noqa: PLC0415 - see open_device_workshop

    if demucs.backend is BackendKind.TORCH:
        return TORCH
    from services.separator.adapters.demucs.openvino_backend import OpenVinoBackend  # noqa: PLC0415 - may be missing

    return OpenVinoBackend(settings.models.dir / _CONVERTED, settings.threads_per_device)


def files_workshop(
    store: ObjectStore,
    scratch: ScratchRoot,
    calibrations: Calibrations = _UNCALIBRATED,
    longest_s: float = LONGEST_S,
) -> Workshop:
    """A workshop for IngestTask, and for AssessTask without a verifier."""

    def perform(task: Task[Any], control: TaskControl) -> Any:
        with open_desk(store_of(store, task.tenant), scratch, control) as desk:
            if isinstance(task, IngestTask):
                return ingest_track(task.source, desk, control, longest_s)
            if isinstance(task, AssessTask):
                return assess_stems(task, desk, Judges(calibrations), control)
        message = f"the files worker has no {type(task).__name__}"
        raise InternalFault(message)

    return Workshop(None, perform, scratch.close)


def device_workshop(
    store: ObjectStore,
    scratch: ScratchRoot,
    rack: EngineRack,
    calibrations: Calibrations = _UNCALIBRATED,
    lease: DeviceLease | None = None,
) -> Workshop:
    """A workshop for tasks that need an engine or a model; it greets with what the rack holds and can load.

    `lease` is what the engines of the rack have; without one they take one segment at a time.
    """
    device, leased = DeviceThread(), lease or DeviceLease(CPU, 1)

    def engine_for(task: Task[Any], engine_id: str, control: TaskControl, streams: ExitStack) -> Engine:
        load = partial(rack.engine, engine_id)
        engine = rack.find(engine_id) or device.call(load, task.priority, control)
        return EngineOnDevice(engine, device, task.priority, control, streams)

    def perform(task: Task[Any], control: TaskControl) -> Any:
        if isinstance(task, InspectModelTask):
            return device.call(partial(rack.inspect, task), task.priority, control)
        with open_desk(store_of(store, task.tenant), scratch, control) as desk, ExitStack() as streams:
            if isinstance(task, SeparateTask):
                engine = EngineInFormat(engine_for(task, task.engine_id, control, streams), task.audio.format)
                versions = _versions(engine.spec.name)
                return separate_track(task, engine, Bench(desk, control, time.monotonic, versions, lease=leased))
            if isinstance(task, ProbeVocalsTask):
                listener = EngineInFormat(engine_for(task, task.engine_id, control, streams), task.audio.format)
                return probe_vocals(task, listener, desk, control)
            if isinstance(task, AssessTask):
                heard = engine_for(task, task.verifier_engine_id, control, streams)
                verifier = EngineInFormat(heard, task.stem_set.audio.format)
                return assess_stems(task, desk, Judges(calibrations, verifier), control)
        message = f"the device worker has no {type(task).__name__}"
        raise InternalFault(message)

    return Workshop(replace(rack.greeting, slot_count=1 + TRACKS_BESIDE), perform, scratch.close)


def _versions(engine: str) -> dict[str, str]:
    """Of the packages that the engine's samples may depend on."""
    packages = (*_PACKAGES, *_MORE_PACKAGES.get(engine, ()))
    return {"libsndfile": soundfile.__libsndfile_version__, **{name: version(name) for name in packages}}
