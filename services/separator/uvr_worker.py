"""Composition root of the process that runs models of UVR: the only one that imports audio-separator.

It brings an old fork of demucs, and habits that a process with other engines should not have; see ADR 0024.
"""

from importlib.util import find_spec

from services.separator.adapters.calibration_files import installed_calibrations
from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.models import UVR
from services.separator.settings import SeparatorSettings
from services.separator.worker import device_workshop
from stemhouse.jobs import EngineGap
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.telemetry import configure_logging

_PACKAGES = (
    *("audio_separator", "audioread", "beartype", "einops", "librosa", "ml_collections", "onnx", "onnxruntime"),
    *("pydub", "requests", "rotary_embedding_torch", "six", "tqdm"),
)
_REMEDY = "pip install 'stemhouse[uvr]' && pip install --no-deps audio-separator==0.47.1"


def uvr_gap() -> EngineGap | None:
    """What keeps models of UVR from being run here, and the command that helps; None if nothing does."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    return EngineGap(UVR, f"{', '.join(missing)} not installed", _REMEDY) if missing else None


def open_uvr_workshop(settings: SeparatorSettings) -> Workshop:
    """For separating with models of UVR: one is loaded when it is needed."""
    import torch  # noqa: PLC0415 - the server imports this module, too, and needs no torch

    from services.separator.adapters.uvr.engine import UvrModels  # noqa: PLC0415 - likewise

    configure_logging("separator-uvr", settings.log_level)
    torch.set_num_threads(settings.threads_per_device)
    rack = EngineRack([], InstalledModels(settings.models.dir), {UVR: UvrModels()})
    store, scratch = connect_object_store(settings.store), ScratchRoot(settings.scratch_dir)
    return device_workshop(store, scratch, rack, installed_calibrations())
