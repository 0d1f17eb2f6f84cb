"""What the production tools ask of the world.

Audio in motion is a stream of blocks as everywhere in the exporter, here of float32: full scale is 1.0, which files of
users may exceed. Samples of 24 bits are exact in it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatBlock = npt.NDArray[np.float32]
"""Shape (frames, channels)."""

IsWanted = Callable[[], bool]
"""Whether anybody still listens."""


@dataclass(frozen=True)
class AudioShape:
    """Rate, number of channels, length."""

    sample_rate_hz: int
    channel_count: int
    frame_count: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frame_count / self.sample_rate_hz


@dataclass(frozen=True)
class OpenAudio:
    """Audio at hand: `read` gives its blocks from the beginning, once for each call; one reading at a time.

    `fits_24_bits` says that no sample needs more, without a reading; if not, some may.
    """

    shape: AudioShape
    read: Callable[[], Iterator[FloatBlock]]
    fits_24_bits: bool = False


class AudioObjects(Protocol):
    """Reads WAV, FLAC and AIFF objects of the store."""

    def open(self, object_key: str, is_wanted: IsWanted) -> AbstractContextManager[OpenAudio]:
        """The object's audio as long as the context lasts; memory is bounded whatever the length.

        Raises NotFound without such an object, StorageUnavailable if the store does not answer, InternalFault if the
        object is damaged, and Cancelled, within a block, once `is_wanted` says no.
        """


class BlockSpool(Protocol):
    """Keeps one stream of blocks aside, to be read again."""

    def write(self, block: FloatBlock) -> None:
        """Append a block."""

    def read(self) -> Iterator[FloatBlock]:
        """All of it, in blocks, from the beginning."""


class Spools(Protocol):
    """Makes spools."""

    def open(self, channel_count: int) -> AbstractContextManager[BlockSpool]:
        """An empty spool as long as the context lasts; raises Unavailable if it cannot be written."""


class Downmixer(Protocol):
    """Makes of audio what an analysis hears."""

    def mono(self, blocks: Iterable[FloatBlock], sample_rate_hz: int, target_hz: int) -> npt.NDArray[np.float32]:
        """The mean of the channels at another rate, shape (frames,); the first one where they cancel each other out."""
