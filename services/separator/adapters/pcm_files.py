"""Samples on the canonical grid in scratch files: 24-bit FLAC by libsndfile, and raw 32-bit spools."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from services.separator.core.pcm import block_frames
from services.separator.core.ports import PcmBlock, Span
from stemhouse.audio import AudioFormat
from stemhouse.errors import ResultGone, StemhouseError, StorageUnavailable, UnsupportedAudio
from stemhouse.ports import ObjectStore

_UNUSED_BITS = np.int32(8)
"""libsndfile has 24-bit samples in the upper bits of 32."""
_LARGEST_RATE_CODE = 2**16 - 1
_SYSTEM_ERROR = 2
"""SF_ERR_SYSTEM of sndfile.h: a disk that fails, whatever is in the file."""


class StoredFlac:
    """StoredPcm of a FLAC that was fetched from the store."""

    def __init__(self, path: Path, object_key: str, audio_format: AudioFormat) -> None:
        """Check the head; raises ResultGone."""
        self._path = path
        self._object_key = object_key
        self._format = audio_format
        with self._open() as sound:
            if (sound.samplerate, sound.channels) != (audio_format.sample_rate_hz, audio_format.channel_count):
                raise self._fault(f"has {sound.channels} channels at {sound.samplerate} Hz, not {audio_format}")

    def blocks(self) -> Iterator[PcmBlock]:
        """See PcmFile.blocks. Raises ResultGone for a damaged object."""
        with self._open() as sound:
            while True:
                interleaved = self._read(sound, block_frames(self._format))
                if not len(interleaved):
                    return
                yield (interleaved >> _UNUSED_BITS).T

    def excerpts(self, spans: Sequence[Span]) -> Iterator[PcmBlock]:
        """See StoredPcm.excerpts. Raises ResultGone for a damaged object, or one that ends before a span does."""
        with self._open() as sound:
            for first, end in spans:
                interleaved = self._read(sound, end - first, first)
                if len(interleaved) != end - first:
                    raise self._fault(f"ends before frame {end}")
                yield (interleaved >> _UNUSED_BITS).T

    def _open(self) -> Any:
        try:
            return soundfile.SoundFile(self._path)
        except soundfile.LibsndfileError as error:
            raise self._reading_error("is not audio", error) from error

    def _read(self, sound: Any, frame_count: int, first: int | None = None) -> PcmBlock:
        """The next frames, or those from `first` on."""
        try:
            if first is not None:
                sound.seek(min(first, sound.frames))
            interleaved: PcmBlock = sound.read(frame_count, dtype="int32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise self._reading_error("is damaged", error) from error
        return interleaved

    def _reading_error(self, what: str, error: Any) -> StemhouseError:
        if error.code == _SYSTEM_ERROR:
            return StorageUnavailable(f"the scratch file of {self._object_key} cannot be read: {error.error_string}")
        return self._fault(f"{what}: {error.error_string}")

    def _fault(self, what: str) -> ResultGone:
        return ResultGone(f"{self._object_key} {what}", {"object_key": self._object_key})


class NewFlac:
    """FlacFile: encodes as it is written to."""

    def __init__(self, path: Path, audio_format: AudioFormat, store: ObjectStore) -> None:
        """Begin the file; raises UnsupportedAudio."""
        self._path = path
        self._store = store
        _require_flac_rate(audio_format.sample_rate_hz)
        with _writing():
            self._sound = soundfile.SoundFile(
                path, "w", audio_format.sample_rate_hz, audio_format.channel_count, subtype="PCM_24", format="FLAC"
            )

    def append(self, block: PcmBlock) -> None:
        """See FlacFile.append."""
        with _writing():
            self._sound.write(np.ascontiguousarray(block.T) << _UNUSED_BITS)

    def upload(self, object_key: str) -> int:
        """See FlacFile.upload."""
        with _writing():
            self._sound.close()
        with self._path.open("rb") as file:
            self._store.put(object_key, file)
        return self._path.stat().st_size

    def close(self) -> None:
        """Let the file go."""
        self._sound.close()


@contextmanager
def _writing() -> Iterator[None]:
    """What fails while our own samples are written is the disk."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise StorageUnavailable(f"a scratch file cannot be written, is the disk full? {error.error_string}") from error


def _require_flac_rate(rate_hz: int) -> None:
    """FLAC frames have 16 bits for the rate, in Hz or in tens of Hz; libsndfile would tell only later."""
    if rate_hz > _LARGEST_RATE_CODE and (rate_hz % 10 or rate_hz > 10 * _LARGEST_RATE_CODE):
        message = f"FLAC cannot hold a sample rate of {rate_hz} Hz"
        raise UnsupportedAudio(message, {"sample_rate_hz": str(rate_hz)})


class RawSpool:
    """PcmSpool: interleaved native int32."""

    def __init__(self, path: Path, audio_format: AudioFormat) -> None:
        """Begin the file."""
        self._file = path.open("w+b")
        self._format = audio_format

    def append(self, block: PcmBlock) -> None:
        """See PcmSpool.append."""
        self._file.write(np.ascontiguousarray(block.T, dtype=np.int32).data)

    def blocks(self) -> Iterator[PcmBlock]:
        """See PcmFile.blocks."""
        self._file.seek(0)
        channel_count = self._format.channel_count
        block_bytes = block_frames(self._format) * channel_count * np.dtype(np.int32).itemsize
        while chunk := self._file.read(block_bytes):
            yield np.frombuffer(chunk, dtype=np.int32).reshape(-1, channel_count).T

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
