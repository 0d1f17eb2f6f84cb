"""What the separator's core asks of the world.

Audio in motion is a stream of blocks: float32 arrays of shape (channels, frames), finite, in order, of any length
>= 1; all blocks of one stream have the same number of channels. Audio at rest is on the canonical 24-bit grid of
`stemhouse.audio`: int32 arrays of the same shape, in steps of 2**-23 of full scale.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from services.separator.core.demucs_options import DEFAULT_OPTIONS, DemucsOptions
from stemhouse.audio import AudioFormat, SourceFacts, SourceRef
from stemhouse.cloud import CloudTerms
from stemhouse.jobs import EngineGap
from stemhouse.ports import ObjectStore
from stemhouse.tenants import HOUSE, Tenant

Block = npt.NDArray[np.float32]
"""float32 (channels, frames)."""

PcmBlock = npt.NDArray[np.int32]
"""int32 (channels, frames) on the 24-bit grid; may exceed 24 bits until a common gain is found."""

SourceBlock = npt.NDArray[np.float64]
"""float64 (channels, frames) as a decoder gives them: full scale is 1.0, anything may exceed it or be NaN."""

StemBlocks = Mapping[str, Block]
"""One block of every stem, all of the same shape, over the same frames of the mixture."""


@dataclass(frozen=True)
class EngineSpec:
    """What an engine is: its name, model, the audio it works on, and the id that names its samples.

    `engine_id` holds everything that changes samples: engine, model, weights digest, parameters, precision.
    `grade` is a word for people: "basic" for the embedded starter. `cloud` if it sends audio away.
    """

    name: str
    model: str
    engine_id: str
    stems: tuple[str, ...]
    native_format: AudioFormat
    grade: str = "standard"
    device: str = "cpu"
    cloud: CloudTerms | None = None


class Mixture(Protocol):
    """The audio that an engine hears: a stream that can be read more than once."""

    def blocks(self) -> Iterator[Block]:
        """All frames from the start, as often as it is asked for."""


class Engine(Protocol):
    """Separates a stream at the engine's native rate and channel count."""

    @property
    def spec(self) -> EngineSpec:
        """The constant description."""

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """Give the stems of `mixture`, in order: lag 0, in total as many frames as it has.

        The call itself may read a pass of `mixture`, but computes nothing on a device: that is for the iterator.

        Reads `mixture` only as far ahead as it must, so memory is bounded whatever the length. The samples do not
        depend on how the stream is cut into blocks. An exception raised by `mixture` passes through unchanged.
        """


TRACKS_BESIDE = 2
"""So that a device never waits: while it computes a track the next one is fetched, and the one before encoded."""


@dataclass(frozen=True)
class DeviceGreeting:
    """What a device worker tells once it is loaded: engines that are always ready, and those that need a model.

    It works on `slot_count` tracks at once: those that its devices compute, and TRACKS_BESIDE. `gaps` are engines that
    it could run but for something that is missing. Models of demucs are run as `demucs` says.
    """

    specs: tuple[EngineSpec, ...]
    model_engines: tuple[str, ...] = ()
    slot_count: int = 1
    gaps: tuple[EngineGap, ...] = ()
    demucs: DemucsOptions = DEFAULT_OPTIONS


def _nothing(_share: float) -> None:
    """For callers that do not watch."""


@dataclass(frozen=True)
class TaskControl:
    """How a long task learns that nobody wants it any more, and tells how far it is (a share from 0 to 1)."""

    is_cancelled: Callable[[], bool]
    report: Callable[[float], None] = _nothing


class SourceAudio(Protocol):
    """A source file whose head a decoder has understood."""

    @property
    def format(self) -> AudioFormat:
        """Rate and channels; any number of channels."""

    @property
    def is_integer(self) -> bool:
        """Whether the codec holds integers, so that no sample exceeds full scale."""

    def blocks(self) -> Iterator[SourceBlock]:
        """All that can be decoded, from the start, as often as it is asked for; ends where a damaged file ends."""

    def facts(self) -> SourceFacts:
        """What the file told; complete once `blocks` has been read to its end."""


class PcmFile(Protocol):
    """Samples on the grid, in the scratch folder."""

    def blocks(self) -> Iterator[PcmBlock]:
        """All frames from the start, in blocks of `pcm.block_frames`, as often as it is asked for."""


Span = tuple[int, int]
"""First frame and end of a part of a stream."""


class StoredPcm(PcmFile, Protocol):
    """Samples that can be read in places."""

    def excerpts(self, spans: Sequence[Span]) -> Iterator[PcmBlock]:
        """The frames of each span, which lies within the file."""


class PcmSpool(PcmFile, Protocol):
    """Samples that are written before they are read."""

    def append(self, block: PcmBlock) -> None:
        """Write the next frames."""


class FlacFile(Protocol):
    """A new 24-bit FLAC in the scratch folder."""

    def append(self, block: PcmBlock) -> None:
        """Encode the next frames, which must fit 24 bits."""

    def upload(self, object_key: str) -> int:
        """Finish the file and put it into the store; gives its size in bytes."""


class AudioDesk(Protocol):
    """Where one task works on audio: objects of the store, and scratch files that vanish with the task.

    Whatever reads from the store raises NotFound or StorageUnavailable, and Cancelled within one chunk.
    """

    @property
    def store(self) -> ObjectStore:
        """The store, for small objects and questions."""

    def open_source(self, source: SourceRef) -> SourceAudio:
        """Fetch a source and begin to decode it.

        Raises UnreadableAudio if no decoder takes it, InternalFault if the object is not what its digest says.
        """

    def open_pcm(self, object_key: str, audio_format: AudioFormat) -> StoredPcm:
        """Fetch a stored 24-bit FLAC for reading. Raises InternalFault if it is of another format."""

    def create_flac(self, audio_format: AudioFormat) -> FlacFile:
        """A new FLAC. Raises UnsupportedAudio if FLAC cannot hold the sample rate."""

    def create_spool(self, audio_format: AudioFormat) -> PcmSpool:
        """New scratch samples of 32 bits, uncompressed."""


Result = TypeVar("Result")


class Task(Generic[Result]):
    """A piece of work for a worker process: a value that can be pickled, and whose answer is a `Result`.

    Of those that wait the lowest `priority` goes first; what is short goes before all tracks. All that it reads and
    writes in the store is the `tenant`'s.
    """

    priority: int = 0
    tenant: Tenant = HOUSE


class Worker(Protocol):
    """A process that runs a few tasks at a time and may die without harm."""

    def run(self, task: Task[Result], control: TaskControl) -> Result:
        """Wait for a turn, run the task, give its answer or raise its StemhouseError.

        Raises Cancelled within a few seconds of being cancelled, whatever runs beside it, and WorkerDied if the
        process ended.
        """

    def check_ready(self) -> None:
        """Return if the process is up and loaded; raises Unavailable if not (and starts it again if it died)."""

    @property
    def greeting(self) -> Any:
        """What the process told when it was loaded; None before."""


class SharedRuns(Protocol):
    """Computations that several callers wait for together."""

    def watch(
        self, key: str, compute: Callable[[TaskControl], Result], is_wanted: Callable[[], bool]
    ) -> Iterator[float | Result]:
        """Join the computation of that key or start it; give its progress, at least every 5 s, then its result.

        When no caller wants it any more it is cancelled, and the key is free at once. Raises what it raised, and
        Cancelled to a caller who does not want it any more.
        """

    @property
    def count(self) -> int:
        """Computations that run or wait for a worker."""
