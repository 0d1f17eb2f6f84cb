"""A model store over real folders, whose models are a few kilobytes of noise."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from services.separator.adapters.model_builds import ModelFolders
from services.separator.adapters.model_downloads import Patience
from services.separator.adapters.model_origins import FolderOrigin, uploads_in
from services.separator.adapters.runs import ThreadedRuns
from services.separator.core.model_ports import ModelOrigin, ModelOrigins
from services.separator.core.model_store import ModelStore
from services.separator.core.models import DEMUCS, ModelEntry, ModelFile, record_of
from stemhouse.audio import AudioFormat
from stemhouse.models import Model, PullProgress
from stemhouse.vocab import BASE_STEMS
from tests.fakes import MemoryObjectStore

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
SIZE_BYTES = 100_000
IMPATIENT = Patience((0.0, 0.0))


def noise(seed: int, size_bytes: int = SIZE_BYTES) -> bytes:
    """Bytes that no other seed gives."""
    return np.random.default_rng(seed).bytes(size_bytes)


def file_of(name: str, content: bytes, url: str = "") -> ModelFile:
    """As a catalogue would promise it."""
    return ModelFile(name, hashlib.sha256(content).hexdigest(), len(content), url)


def model_entry(
    name: str = "htdemucs", files: Sequence[ModelFile] = (), licence_note: str = "Noise is free."
) -> ModelEntry:
    """A model of the catalogue; without files, of one."""
    listed = tuple(files) or (file_of("aa.safetensors", noise(1)),)
    return ModelEntry(name, DEMUCS, BASE_STEMS, AudioFormat(44100, 2), listed, licence_note, "https://example.org/it")


@dataclass
class ModelHouse:
    """`mirror` is a folder from which the catalogue's models come, unless there is another origin."""

    folder: Path
    catalogue: Sequence[ModelEntry] = field(default_factory=lambda: [model_entry()])
    origin: ModelOrigin | None = None
    patience: Patience = IMPATIENT
    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)

    @property
    def root(self) -> Path:
        """Where models are installed."""
        return self.folder / "models"

    @property
    def mirror(self) -> Path:
        """{model}/{file}."""
        return self.folder / "mirror"

    @property
    def shelf(self) -> ModelFolders:
        """As another process would see the root."""
        return ModelFolders(self.root, self.patience)

    @property
    def store(self) -> ModelStore:
        """A store that has done nothing yet."""
        origins = ModelOrigins(self.origin or FolderOrigin(self.mirror), uploads_in(lambda: self.objects))
        return ModelStore(self.catalogue, self.shelf, origins, ThreadedRuns(), lambda: NOW)

    def offer(self, content: bytes, model: str = "htdemucs", file_name: str = "aa.safetensors") -> None:
        """Put a file into the mirror."""
        path = self.mirror / model / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def pull(self, name: str = "htdemucs") -> Model:
        """Pull to the end."""
        model = pulled(self.store, name)[-1]
        assert isinstance(model, Model)
        return model

    def install(self, entry: ModelEntry, *contents: bytes) -> None:
        """As an earlier pull would have left it."""
        folder = self.root / entry.name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in zip(entry.files, contents, strict=True):
            (folder / file.name).write_bytes(content)
        (folder / "model.json").write_bytes(record_of(entry, NOW))

    def partial(self, file: ModelFile, model: str = "htdemucs") -> Path:
        """Where a file lies while it is on its way."""
        return self.root / model / ".incoming" / f"{file.sha256}.partial"

    def installed_files(self, name: str = "htdemucs") -> set[str]:
        """All that lies in the folder of a model."""
        folder = self.root / name
        return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def wanted() -> bool:
    """A caller who stays."""
    return True


def pulled(store: ModelStore, name: str = "htdemucs") -> list[PullProgress | Model]:
    """All events."""
    return list(store.pull(name, wanted))
