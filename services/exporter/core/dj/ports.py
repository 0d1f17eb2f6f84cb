"""What files for DJs ask of the world, beyond what the production tools do."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from services.exporter.core.ports import EncodedFile, GridBlock
from services.exporter.core.production.ports import AudioShape, FloatBlock
from stemhouse.delivery import FileFormat
from stemhouse.dj import DJTrack


class Resampler(Protocol):
    """Changes rates."""

    def resample(self, blocks: Iterable[FloatBlock], shape: AudioShape, target_hz: int) -> Iterator[FloatBlock]:
        """The same audio at another rate: `resampled_frames` of it, without a lag."""


class Tagger(Protocol):
    """Puts tags into files."""

    def tagged(
        self, file: EncodedFile, file_format: FileFormat, track: DJTrack, art: bytes = b""
    ) -> AbstractContextManager[EncodedFile]:
        """The file with its tags, as long as the context lasts; raises Unavailable if it cannot be kept aside.

        `art` is a JPEG or PNG, or empty.
        """


class StemFileEncoder(Protocol):
    """Makes NI's stem files."""

    def encode(
        self, sample_rate_hz: int, streams: Sequence[Iterable[GridBlock]], *, is_lossless: bool
    ) -> AbstractContextManager[EncodedFile]:
        """The file of mix, drums, bass, other and vocals, as long as the context lasts."""


def resampled_frames(shape: AudioShape, target_hz: int) -> int:
    """How many frames the same time has at another rate; at least one."""
    return max(1, round(shape.frame_count * target_hz / shape.sample_rate_hz))
