"""Blocks kept aside in scratch files, as raw float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from services.exporter.adapters.scratch import scratch_file, scratch_unavailable
from services.exporter.core.ports import BLOCK_FRAMES
from services.exporter.core.production.ports import FloatBlock

_SAMPLE_BYTES = 4


class ScratchSpools:
    """Spools in a folder for scratch files."""

    def __init__(self, scratch_dir: Path) -> None:
        """Keep the folder."""
        self._scratch_dir = scratch_dir

    @contextmanager
    def open(self, channel_count: int) -> Iterator["ScratchSpool"]:
        """See Spools.open."""
        with scratch_file(self._scratch_dir) as file:
            yield ScratchSpool(file, channel_count, self._scratch_dir)


class ScratchSpool:
    """BlockSpool over one file."""

    def __init__(self, file: IO[bytes], channel_count: int, scratch_dir: Path) -> None:
        """Keep the file."""
        self._file = file
        self._channel_count = channel_count
        self._scratch_dir = scratch_dir

    def write(self, block: FloatBlock) -> None:
        """See BlockSpool.write; raises Unavailable if the disk is full."""
        try:
            self._file.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
        except OSError as error:
            raise scratch_unavailable(self._scratch_dir, error) from error

    def read(self) -> Iterator[FloatBlock]:
        """See BlockSpool.read."""
        try:
            self._file.seek(0)  # writes what is still in a buffer
        except OSError as error:
            raise scratch_unavailable(self._scratch_dir, error) from error
        while data := self._file.read(BLOCK_FRAMES * self._channel_count * _SAMPLE_BYTES):
            yield np.frombuffer(data, dtype="<f4").reshape(-1, self._channel_count)
