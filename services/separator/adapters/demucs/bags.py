"""Bags: the checkpoints of a model, checked by their digests before anything is parsed, and how they are weighed."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.separator.adapters.demucs.checkpoints import read_checkpoint
from services.separator.adapters.demucs.hybrid import Backend, TorchBackend
from services.separator.adapters.demucs.networks import Network, build_network
from services.separator.core.models import ModelEntry, ModelFile
from services.separator.core.segments import Schedule
from stemhouse.audio import AudioFormat
from stemhouse.errors import EngineUnavailable, ModelRejected

_TORCH = TorchBackend()


class BagNetwork(Protocol):
    """What a bag asks of a network; see `networks.Network`."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of what it gives, in its own order."""

    @property
    def audio_format(self) -> AudioFormat:
        """What it works on."""

    @property
    def schedule(self) -> Schedule:
        """How it goes through a track."""

    def separate(self, heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Of float32 (segments, channels, frames): float32 (segments, sources, channels, frames)."""


@dataclass(frozen=True)
class Bag:
    """Networks that agree in sources and audio; `weights` has a row for each network, a column for each source."""

    networks: tuple[BagNetwork, ...]
    weights: npt.NDArray[np.float32]

    @property
    def sources(self) -> tuple[str, ...]:
        """In the networks' own order."""
        return self.networks[0].sources

    @property
    def audio_format(self) -> AudioFormat:
        """What the networks work on."""
        return self.networks[0].audio_format


def narrowed(bag: Bag, stem: str) -> Bag:
    """The networks that have a share in a stem, and their shares in it alone."""
    counts = bag.weights[:, bag.sources.index(stem)] > 0
    networks = tuple(network for network, does_count in zip(bag.networks, counts, strict=True) if does_count)
    return Bag(networks, bag.weights[counts])


def load_bag(folder: Path, entry: ModelEntry, backend: Backend = _TORCH) -> Bag:
    """The networks of the files in `folder` that the entry names.

    Raises ModelRejected if a file is not what the entry says, or no model, and EngineUnavailable if it cannot be read.
    """
    if not entry.files:
        raise ModelRejected(f"{entry.name} names no checkpoints", {"model": entry.name})
    networks = tuple(_load_network(folder / file.name, file, entry.segment_s, backend) for file in entry.files)
    bag = Bag(networks, _weights(entry, networks))
    if any((one.sources, one.audio_format) != (bag.sources, bag.audio_format) for one in networks):
        raise ModelRejected(f"the checkpoints of {entry.name} differ in sources or audio", {"model": entry.name})
    return bag


def _load_network(path: Path, file: ModelFile, segment_s: float | None, backend: Backend) -> Network:
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror}"
        raise EngineUnavailable(message, {"file": str(path)}) from error
    _require_promised(content, file)
    return build_network(read_checkpoint(content, file.name), file, segment_s, backend)


def _require_promised(content: bytes, file: ModelFile) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    if (len(content), sha256) != (file.size_bytes, file.sha256):
        message = (
            f"{file.name} is not the file that was promised: {len(content)} bytes of SHA-256 {sha256}, "
            f"not {file.size_bytes} bytes of {file.sha256}"
        )
        raise ModelRejected(message, {"file": file.name, "found_sha256": sha256, "expected_sha256": file.sha256})


def _weights(entry: ModelEntry, networks: tuple[Network, ...]) -> npt.NDArray[np.float32]:
    """Each row over the sum of all; raises ModelRejected if they do not fit the networks."""
    source_count = len(networks[0].sources)
    rows = entry.weights or ((1.0,) * source_count,) * len(networks)
    sums = [sum(column) for column in zip(*rows, strict=False)]
    is_fitting = [len(row) for row in rows] == [source_count] * len(networks)
    if not is_fitting or not all(math.isfinite(one) and one > 0 for one in sums):
        message = f"the bag {entry.name} has {len(networks)} checkpoints of {source_count} sources, but weights {rows}"
        raise ModelRejected(message, {"model": entry.name})
    shares: npt.NDArray[np.float32] = (np.array(rows) / np.array(sums)).astype(np.float32)
    return shares
