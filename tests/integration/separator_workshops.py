"""What the worker processes of a separator under test load: an engine of fixed shares, a store in a folder."""

import time
from collections.abc import Iterator
from pathlib import Path

from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.models import DEMUCS, ModelEntry, ModelShape
from services.separator.core.ports import Block, EngineSpec, Mixture, StemBlocks
from services.separator.worker import device_workshop, files_workshop
from stemhouse.errors import ModelRejected
from stemhouse.vocab import BASE_STEMS
from tests.fakes_separator import CD_STEREO, FakeEngine, FakeMixture, FolderObjectStore

MODEL = b"fake checkpoint"


class GatedEngine(FakeEngine):
    """Writes a line to a log whenever it begins, and waits in its first block for as long as the gate is shut."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        with starts_log(self._folder).open("a") as log:
            log.write("start\n")
        return super().separate(FakeMixture(self._gated(mixture)))

    def _gated(self, mixture: Mixture) -> Iterator[Block]:
        for block in mixture.blocks():
            yield block
            while gate(self._folder).exists():
                time.sleep(0.01)


class FakeLoader:
    """ModelLoader for checkpoints that begin with `MODEL`; what they make is the fake engine."""

    def load(self, folder: Path, entry: ModelEntry, spec: EngineSpec) -> FakeEngine:
        """See ModelLoader.load."""
        self.inspect(folder, entry)
        engine = FakeEngine()
        engine.spec = spec
        return engine

    def inspect(self, folder: Path, entry: ModelEntry) -> ModelShape:
        """See ModelLoader.inspect."""
        for file in entry.files:
            if not (folder / file.name).read_bytes().startswith(MODEL):
                raise ModelRejected(f"{file.name} is no checkpoint", {"file": file.name})
        return ModelShape(BASE_STEMS, CD_STEREO)


def gate(folder: Path) -> Path:
    """While this file exists the engine waits behind each block."""
    return folder / "gate"


def starts_log(folder: Path) -> Path:
    """One line for each time that the engine began."""
    return folder / "starts"


def folder_store(folder: Path) -> FolderObjectStore:
    """The store that all processes of the test see."""
    return FolderObjectStore(folder / "store")


def open_files(folder: Path) -> Workshop:
    """The files worker's."""
    return files_workshop(folder_store(folder), ScratchRoot(folder / "scratch"))


def open_device(folder: Path) -> Workshop:
    """The device worker's."""
    return device_workshop(folder_store(folder), ScratchRoot(folder / "scratch"), _rack(folder))


def _rack(folder: Path) -> EngineRack:
    return EngineRack([GatedEngine(folder)], InstalledModels(folder / "models"), {DEMUCS: FakeLoader()})
