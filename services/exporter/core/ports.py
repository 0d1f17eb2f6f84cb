"""What the exporter's core asks of the world.

Audio in motion is a stream of blocks of shape (frames, channels), in order, none empty; every block but the last has
`BLOCK_FRAMES` frames, so two streams of one track can be walked side by side.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stemhouse.audio import AudioRef
from stemhouse.delivery import SampleFormat

BLOCK_FRAMES = 65_536
"""As WAV a block stays below 1 MiB in every sample format."""

GridBlock = npt.NDArray[np.int32]
"""Stored samples: integers of 24 bits, full scale 2**23."""

SampleBlock = npt.NDArray[Any]
"""Samples of a file: int32 holding 16 or 24 bits, or float32 with full scale 1.0."""


@dataclass(frozen=True)
class FileSpec:
    """What a file holds."""

    sample_format: SampleFormat
    sample_rate_hz: int
    channel_count: int
    frame_count: int


@dataclass(frozen=True)
class EncodedFile:
    """A file's exact size, and its bytes in chunks of at most 1 MiB, to be read once."""

    size_bytes: int
    chunks: Iterator[bytes]


class StoredAudio(Protocol):
    """Reads FLAC objects of the store."""

    def blocks(self, object_key: str, audio: AudioRef) -> Iterator[GridBlock]:
        """The samples of an object, as they are stored.

        Raises StorageUnavailable if the store does not answer, and ResultGone without such an object, or if it is
        damaged or has not the frames, rate and channels of `audio`.
        """


class FileEncoder(Protocol):
    """Makes files of one format."""

    def encode(self, spec: FileSpec, blocks: Iterable[SampleBlock]) -> AbstractContextManager[EncodedFile]:
        """The file, as long as the context lasts; memory is bounded whatever the length.

        Equal samples give equal bytes. What `blocks` raises passes through unchanged.
        """
