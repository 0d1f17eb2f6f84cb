"""The engines of one device: some are always ready, and at most one more is loaded from an installed model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from services.separator.adapters.installed_models import InstalledModels
from services.separator.core.demucs_options import DEFAULT_OPTIONS, DemucsOptions
from services.separator.core.model_additions import ADDED_ORIGIN
from services.separator.core.model_specs import engine_specs
from services.separator.core.models import (
    FAILED_LOAD,
    LOADED_STAMP,
    InspectModelTask,
    ModelEntry,
    ModelShape,
)
from services.separator.core.ports import DeviceGreeting, Engine, EngineSpec
from stemhouse.errors import EngineUnavailable, ModelRejected, Unavailable

log = structlog.get_logger(__name__)


class ModelLoader(Protocol):
    """Makes engines of the models of one kind."""

    def load(self, folder: Path, entry: ModelEntry, spec: EngineSpec) -> Engine:
        """The engine of the entry's files in `folder` that is to be as `spec` says, one of those of the entry.

        Raises ModelRejected if a file is not what the entry says or cannot be loaded, EngineUnavailable if it cannot
        be read, and MemoryError.
        """

    def inspect(self, folder: Path, entry: ModelEntry) -> ModelShape:
        """What the files tell of stems and audio; raises as `load` does."""


class EngineRack:
    """Engines by their id; a model is loaded when it is first asked for, and goes when another one is."""

    def __init__(
        self,
        ready: Sequence[Engine],
        models: InstalledModels,
        loaders: Mapping[str, ModelLoader] | None = None,
        demucs: DemucsOptions = DEFAULT_OPTIONS,
    ) -> None:
        """`loaders` are by the name of their engine; that of demucs has the same options."""
        self._ready = {engine.spec.engine_id: engine for engine in ready}
        self._models = models
        self._loaders = dict(loaders or {})
        self._demucs = demucs
        self._loaded: Engine | None = None

    @property
    def greeting(self) -> DeviceGreeting:
        """What the worker of this device tells of itself."""
        specs = tuple(engine.spec for engine in self._ready.values())
        return DeviceGreeting(specs, tuple(self._loaders), demucs=self._demucs)

    def find(self, engine_id: str) -> Engine | None:
        """The engine of that id if it is loaded; any thread may ask."""
        loaded = self._loaded
        return loaded if loaded and loaded.spec.engine_id == engine_id else self._ready.get(engine_id)

    def engine(self, engine_id: str) -> Engine:
        """The engine of that id; raises EngineUnavailable if it is not here, or its model cannot be used.

        Only one thread may ask. Tracks that have been given another model keep it until they are done.
        Details hold FAILED_LOAD and LOADED_STAMP where a load has shown that: whoever has the lock of the model's
        folder is to mark it. Raises Unavailable where memory is short, which is not the model's fault.
        """
        engine = self.find(engine_id)
        if engine is None:
            self._loaded = None  # before the next one, or both would be in memory
            engine = self._loaded = self._load(*self._entry_and_spec(engine_id))
        return engine

    def inspect(self, task: InspectModelTask) -> ModelShape:
        """Load a model and forget it; raises ModelRejected, EngineUnavailable, Unavailable."""
        loader = self._loader(task.entry)
        try:
            return loader.inspect(Path(task.folder), task.entry)
        except MemoryError as error:
            raise _too_large(task.entry) from error

    def _entry_and_spec(self, engine_id: str) -> tuple[ModelEntry, EngineSpec]:
        for entry in self._models.entries():
            for spec in engine_specs(entry, self._demucs):
                if spec.engine_id == engine_id:
                    return entry, spec
        raise EngineUnavailable(f"no engine {engine_id} here", {"engine_id": engine_id})

    def _loader(self, entry: ModelEntry) -> ModelLoader:
        if entry.engine not in self._loaders:
            raise EngineUnavailable(f"this separator has no engine {entry.engine}", {"engine": entry.engine})
        return self._loaders[entry.engine]

    def _load(self, entry: ModelEntry, spec: EngineSpec) -> Engine:
        loader = self._loader(entry)
        stamp, problem = self._models.stamp(entry.name), self._models.problem(entry)
        if problem:
            raise _unusable(entry, problem)
        try:
            engine = loader.load(self._models.folder(entry.name), entry, spec)
        except ModelRejected as error:
            details = {**error.details, FAILED_LOAD: error.message, LOADED_STAMP: stamp}
            raise _unusable(entry, error.message, details) from error
        except MemoryError as error:
            raise _too_large(entry) from error
        log.info("model loaded", model=entry.name, engine_id=engine.spec.engine_id)
        return engine


def _too_large(entry: ModelEntry) -> Unavailable:
    message = f"there is too little memory to load the model {entry.name} now: {entry.size_bytes} bytes of weights"
    return Unavailable(message, {"engine": entry.engine, "model": entry.name})


def _unusable(entry: ModelEntry, problem: str, details: Mapping[str, str] | None = None) -> EngineUnavailable:
    is_own = entry.origin == ADDED_ORIGIN
    remedy = f"add FILE... --name {entry.name}" if is_own else f"pull {entry.name}"
    message = f"the model {entry.name} cannot be used: {problem}; install it again with: stemhouse models {remedy}"
    return EngineUnavailable(message, {**(details or {}), "engine": entry.engine, "model": entry.name})
