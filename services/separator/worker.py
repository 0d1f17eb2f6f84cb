"""Composition root of the worker processes: what each loads, and how it performs its tasks.

Only the device worker imports torch, and only once it runs in its own process.
"""

import time
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import soundfile

from services.separator.adapters.adapting import EngineInFormat
from services.separator.adapters.audio_desk import open_desk
from services.separator.adapters.calibration_files import installed_calibrations
from services.separator.adapters.engine_rack import EngineRack, ModelLoader
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.assessment import AssessTask, assess_stems
from services.separator.core.calibrations import Calibrations
from services.separator.core.demucs_options import DemucsOptions
from services.separator.core.ingest import IngestTask, ingest_track
from services.separator.core.listening import Judges
from services.separator.core.models import DEMUCS, UVR, InspectModelTask
from services.separator.core.ports import Task, TaskControl
from services.separator.core.results import SeparateTask
from services.separator.core.separation import Bench, separate_track
from services.separator.core.vocal_probe import ProbeVocalsTask, probe_vocals
from services.separator.settings import SeparatorSettings
from stemhouse.errors import InternalFault
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.telemetry import configure_logging
from stemhouse.ports import ObjectStore

_UNCALIBRATED = Calibrations()
_PACKAGES = ("numpy", "soundfile", "soxr", "stemhouse", "torch")
_MORE_PACKAGES = {DEMUCS: ("demucs", "safetensors"), UVR: ("audio-separator", "onnxruntime")}


def open_files_workshop(settings: SeparatorSettings) -> Workshop:
    """For decoding and measuring: libsndfile and mutagen live, and may die, in this process."""
    configure_logging("separator-files", settings.log_level)
    return files_workshop(
        connect_object_store(settings.store), ScratchRoot(settings.scratch_dir), installed_calibrations()
    )


def open_device_workshop(settings: SeparatorSettings) -> Workshop:
    """For separating: the starter is loaded, models are when they are needed.

    Raises EngineUnavailable if the starter cannot be loaded.
    """
    import torch  # noqa: PLC0415 - the server and the files worker import this module, too, and need no torch

    from services.separator.adapters.starter.engine import StarterEngine  # noqa: PLC0415 - likewise

    configure_logging("separator-device", settings.log_level)
    torch.set_num_threads(settings.threads_per_device)
    models, demucs = InstalledModels(settings.models.dir), settings.demucs.options
    rack = EngineRack([StarterEngine.installed()], models, _model_loaders(demucs), demucs)
    store, scratch = connect_object_store(settings.store), ScratchRoot(settings.scratch_dir)
    return device_workshop(store, scratch, rack, installed_calibrations())


def _model_loaders(demucs: DemucsOptions) -> dict[str, ModelLoader]:
    """By engine; those whose package is not installed are missing."""
    if find_spec("demucs") is None:
        return {}
    from services.separator.adapters.demucs.engine import DemucsModels  # noqa: PLC0415 - see open_device_workshop

    return {DEMUCS: DemucsModels(demucs)}


def files_workshop(store: ObjectStore, scratch: ScratchRoot, calibrations: Calibrations = _UNCALIBRATED) -> Workshop:
    """A workshop for IngestTask, and for AssessTask without a verifier."""

    def perform(task: Task[Any], control: TaskControl) -> Any:
        with open_desk(store, scratch, control) as desk:
            if isinstance(task, IngestTask):
                return ingest_track(task.source, desk, control)
            if isinstance(task, AssessTask):
                return assess_stems(task, desk, Judges(calibrations), control)
        message = f"the files worker has no {type(task).__name__}"
        raise InternalFault(message)

    return Workshop(None, perform, scratch.close)


def device_workshop(
    store: ObjectStore, scratch: ScratchRoot, rack: EngineRack, calibrations: Calibrations = _UNCALIBRATED
) -> Workshop:
    """A workshop for tasks that need an engine or a model; it greets with what the rack holds and can load."""

    def perform(task: Task[Any], control: TaskControl) -> Any:
        if isinstance(task, InspectModelTask):
            return rack.inspect(task)
        if isinstance(task, SeparateTask):
            engine = EngineInFormat(rack.engine(task.engine_id), task.audio.format)
            with open_desk(store, scratch, control) as desk:
                return separate_track(task, engine, Bench(desk, control, time.monotonic, _versions(engine.spec.name)))
        if isinstance(task, ProbeVocalsTask):
            listener = EngineInFormat(rack.engine(task.engine_id), task.audio.format)
            with open_desk(store, scratch, control) as desk:
                return probe_vocals(task, listener, desk, control)
        if isinstance(task, AssessTask):
            verifier = EngineInFormat(rack.engine(task.verifier_engine_id), task.stem_set.audio.format)
            with open_desk(store, scratch, control) as desk:
                return assess_stems(task, desk, Judges(calibrations, verifier), control)
        message = f"the device worker has no {type(task).__name__}"
        raise InternalFault(message)

    return Workshop(rack.greeting, perform, scratch.close)


def _versions(engine: str) -> dict[str, str]:
    """Of the packages that the engine's samples may depend on."""
    packages = (*_PACKAGES, *_MORE_PACKAGES.get(engine, ()))
    return {"libsndfile": soundfile.__libsndfile_version__, **{name: version(name) for name in packages}}
