"""FLAC objects of the store, by libsndfile over one scratch file at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import soundfile

from services.exporter.adapters.scratch import scratch_file, scratch_unavailable
from services.exporter.core.ports import BLOCK_FRAMES, GridBlock
from stemhouse.audio import AudioRef
from stemhouse.errors import NotFound, ResultGone
from stemhouse.ports import ObjectStore

_SPARE_BITS = 8
"""libsndfile gives 24 bits in the upper part of 32."""


class StoredFlac:
    """StoredAudio over an object store."""

    def __init__(self, store: ObjectStore, scratch_dir: Path) -> None:
        """Keep the store and the folder."""
        self._store = store
        self._scratch_dir = scratch_dir

    def blocks(self, object_key: str, audio: AudioRef) -> Iterator[GridBlock]:
        """See StoredAudio.blocks."""
        with scratch_file(self._scratch_dir) as scratch:
            self._download(object_key, scratch)
            try:
                yield from _decoded(scratch, object_key, audio)
            except soundfile.LibsndfileError as error:
                raise _damaged(object_key, str(error)) from error

    def _download(self, object_key: str, scratch: IO[bytes]) -> None:
        try:
            for chunk in self._store.read(object_key):
                scratch.write(chunk)
            scratch.seek(0)  # writes what is still in a buffer
        except NotFound as error:
            message = f"{object_key} is not in the object store any more: separate the track again"
            raise ResultGone(message, {"object_key": object_key}) from error
        except OSError as error:
            raise scratch_unavailable(self._scratch_dir, error) from error


def _decoded(scratch: IO[bytes], object_key: str, audio: AudioRef) -> Iterator[GridBlock]:
    """The blocks; libsndfile raises for a FLAC that ends before the frames that it names."""
    with soundfile.SoundFile(scratch) as flac:
        shape = (flac.samplerate, flac.channels, flac.frames)
        expected = (audio.format.sample_rate_hz, audio.format.channel_count, audio.frame_count)
        if shape != expected:
            raise _damaged(object_key, f"(Hz, channels, frames) are {shape}, not {expected}")
        while len(block := flac.read(BLOCK_FRAMES, dtype="int32", always_2d=True)):
            block >>= _SPARE_BITS
            yield block


def _damaged(object_key: str, cause: str) -> ResultGone:
    message = f"{object_key} is not what its result says ({cause}): separate the track again"
    return ResultGone(message, {"object_key": object_key})
