"""Bags: the checkpoints of a model, checked by their digests before anything is parsed, and how they are weighed."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.separator.adapters.demucs.checkpoints import read_checkpoint
from services.separator.adapters.demucs.hybrid import TORCH, Backend
from services.separator.adapters.demucs.networks import Network, build_network
from services.separator.adapters.promised_files import read_promised
from services.separator.core.models import ModelEntry
from services.separator.core.segments import Schedule
from stemhouse.audio import AudioFormat
from stemhouse.errors import ModelRejected


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


def load_bag(folder: Path, entry: ModelEntry, backend: Backend = TORCH, stem: str = "") -> Bag:
    """The networks of the files in `folder` that the entry names; with a `stem`, only those that have a share in it.

    Raises ModelRejected if a file is not what the entry says, or no model, and EngineUnavailable if it cannot be read.
    """
    if not entry.files:
        raise ModelRejected(f"{entry.name} names no checkpoints", {"model": entry.name})
    places = _places_of(stem, folder, entry) if stem else list(range(len(entry.files)))
    networks = tuple(_load_network(folder, entry, place, backend) for place in places)
    bag = Bag(networks, _weights(entry, networks[0].sources)[places])
    if any((one.sources, one.audio_format) != (bag.sources, bag.audio_format) for one in networks):
        raise ModelRejected(f"the checkpoints of {entry.name} differ in sources or audio", {"model": entry.name})
    return bag


def _places_of(stem: str, folder: Path, entry: ModelEntry) -> list[int]:
    """Of the networks with a share in a stem. Only a checkpoint tells in which order the weights are meant."""
    sources = _load_network(folder, entry, 0, TORCH).sources
    if stem not in sources:
        raise ModelRejected(f"the checkpoints of {entry.name} give {', '.join(sources)}", {"model": entry.name})
    shares = _weights(entry, sources)[:, sources.index(stem)]
    return [place for place, share in enumerate(shares) if share]


def _load_network(folder: Path, entry: ModelEntry, place: int, backend: Backend) -> Network:
    file = entry.files[place]
    content = read_promised(folder, file)
    return build_network(read_checkpoint(content, file.name), file, entry.segment_s, backend)


def _weights(entry: ModelEntry, sources: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Each row over the sum of all; raises ModelRejected if they do not fit the networks."""
    source_count, network_count = len(sources), len(entry.files)
    rows = entry.weights or ((1.0,) * source_count,) * network_count
    sums = [sum(column) for column in zip(*rows, strict=False)]
    is_fitting = [len(row) for row in rows] == [source_count] * network_count
    if not is_fitting or not all(math.isfinite(one) and one > 0 for one in sums):
        message = f"the bag {entry.name} has {network_count} checkpoints of {source_count} sources, but weights {rows}"
        raise ModelRejected(message, {"model": entry.name})
    shares: npt.NDArray[np.float32] = (np.array(rows) / np.array(sums)).astype(np.float32)
    return shares
