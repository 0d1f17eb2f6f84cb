"""The engines that installed models make, by the engine of the entry."""

from services.separator.core.demucs_options import DEFAULT_OPTIONS, DemucsOptions
from services.separator.core.models import UVR, ModelEntry, demucs_spec, uvr_spec
from services.separator.core.ports import EngineSpec


def engine_spec(entry: ModelEntry, options: DemucsOptions = DEFAULT_OPTIONS, device: str = "cpu") -> EngineSpec:
    """The engine that a model makes on that device; `options` are for models of demucs."""
    return uvr_spec(entry, device) if entry.engine == UVR else demucs_spec(entry, options, device)
