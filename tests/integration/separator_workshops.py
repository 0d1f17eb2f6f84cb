"""What the worker processes of a separator under test load: an engine of fixed shares, a store in a folder."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.ports import Block, StemBlocks
from services.separator.worker import device_workshop, files_workshop
from tests.fakes_separator import FakeEngine, FolderObjectStore


class GatedEngine(FakeEngine):
    """Writes a line to a log whenever it begins, and waits in its first block for as long as the gate is shut."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def separate(self, mixture: Iterable[Block]) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        with starts_log(self._folder).open("a") as log:
            log.write("start\n")
        return super().separate(self._gated(mixture))

    def _gated(self, mixture: Iterable[Block]) -> Iterator[Block]:
        for block in mixture:
            yield block
            while gate(self._folder).exists():
                time.sleep(0.01)


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
    return device_workshop(folder_store(folder), ScratchRoot(folder / "scratch"), [GatedEngine(folder)])
