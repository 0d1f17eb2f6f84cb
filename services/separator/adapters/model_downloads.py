"""Fetches one file into a partial file that outlives the process, and believes it only by size and SHA-256."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.separator.adapters.installed_models import digest_of
from services.separator.core.control import until_cancelled
from services.separator.core.model_ports import ModelOrigin
from services.separator.core.models import ModelFile
from services.separator.core.ports import TaskControl
from stemhouse.errors import EngineUnavailable, ModelRejected, StorageUnavailable, Unavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """When a download is given up that brings nothing.

    After as many attempts in a row as there are pauses between them, or once `longest_s` have passed since the last
    byte: where no host answers, each attempt takes far longer than a pause.
    """

    pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    longest_s: float = 10.0


PATIENT = Patience()


@dataclass(frozen=True)
class Download:
    """A file of a model on its way into the file `partial`."""

    model: str
    file: ModelFile
    partial: Path
    control: TaskControl

    def complete(self, origin: ModelOrigin, arrived: Callable[[int], None], patience: Patience) -> None:
        """Fetch what is missing and check the whole; `arrived` hears how many bytes are there.

        Raises ModelRejected, and removes what has come, if it is not what was promised; Unavailable, Cancelled and
        OSError leave it for the next time.
        """
        fruitless, last_s = 0, time.monotonic()
        while self._size_bytes() != self.file.size_bytes:
            before_bytes = self._size_bytes()
            try:
                self._receive(origin, arrived)
                break
            except (EngineUnavailable, StorageUnavailable):
                raise
            except Unavailable as error:
                if self._size_bytes() > before_bytes:
                    fruitless, last_s = 0, time.monotonic()
                else:
                    fruitless += 1
                if fruitless >= len(patience.pauses_s) or time.monotonic() - last_s > patience.longest_s:
                    raise
                log.info("download is tried again", file=self.file.name, error=error.message)
                time.sleep(patience.pauses_s[fruitless])
        self._check(origin.address(self.model, self.file))

    def _receive(self, origin: ModelOrigin, arrived: Callable[[int], None]) -> None:
        """Append what the origin has beyond the partial file, until its end."""
        kept_bytes = self._size_bytes()
        begin_bytes = kept_bytes if kept_bytes < self.file.size_bytes else 0
        with closing(origin.read(self.model, self.file, begin_bytes)) as delivery, self.partial.open("ab") as partial:
            there_bytes = delivery.offset_bytes
            if there_bytes < kept_bytes:
                partial.truncate(there_bytes)
            for chunk in until_cancelled(delivery.chunks, self.control):
                there_bytes += len(chunk)
                if there_bytes > self.file.size_bytes:
                    self._reject_excess(origin.address(self.model, self.file))
                partial.write(chunk)
                arrived(there_bytes)
            partial.flush()
            os.fsync(partial.fileno())

    def _check(self, address: str) -> None:
        size_bytes, sha256 = self._size_bytes(), digest_of(self.partial, self.control)
        if (size_bytes, sha256) != (self.file.size_bytes, self.file.sha256):
            self._reject(f"{size_bytes} bytes of SHA-256 {sha256}", address, found_sha256=sha256)

    def _reject_excess(self, address: str) -> None:
        self._reject(f"more than {self.file.size_bytes} bytes", address)

    def _reject(self, found: str, address: str, **facts: str) -> None:
        self.partial.unlink(missing_ok=True)
        file = self.file
        message = (
            f"{file.name} from {address} is not what was promised: it has {found}, "
            f"not {file.size_bytes} bytes of SHA-256 {file.sha256}; what came was dropped"
        )
        raise ModelRejected(message, {"file": file.name, "address": address, "expected_sha256": file.sha256, **facts})

    def _size_bytes(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0
