"""The engines that installed models make, by the engine of the entry."""

from services.separator.core.demucs_options import DEFAULT_OPTIONS, DemucsOptions
from services.separator.core.models import UVR, ModelEntry, demucs_specs, uvr_spec
from services.separator.core.ports import EngineSpec


def engine_specs(entry: ModelEntry, options: DemucsOptions = DEFAULT_OPTIONS) -> tuple[EngineSpec, ...]:
    """All engines that a model makes, that of all its stems first; `options` are for models of demucs."""
    return (uvr_spec(entry),) if entry.engine == UVR else demucs_specs(entry, options)
