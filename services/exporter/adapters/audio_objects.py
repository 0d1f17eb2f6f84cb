"""WAV, FLAC and AIFF objects of the store as float blocks, by libsndfile over a scratch file each."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

import soundfile

from services.exporter.adapters.scratch import scratch_file, scratch_unavailable
from services.exporter.core.parts import while_wanted
from services.exporter.core.ports import BLOCK_FRAMES
from services.exporter.core.production.ports import AudioShape, FloatBlock, IsWanted, OpenAudio
from stemhouse.errors import InternalFault, NotFound
from stemhouse.ports import ObjectStore

_BLOCKS_AHEAD = 4
_UP_TO_24_BITS = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24"})


class StoredAudioObjects:
    """AudioObjects over an object store."""

    def __init__(self, store: ObjectStore, scratch_dir: Path) -> None:
        """Keep the store and the folder."""
        self._store = store
        self._scratch_dir = scratch_dir

    @contextmanager
    def open(self, object_key: str, is_wanted: IsWanted) -> Iterator[OpenAudio]:
        """See AudioObjects.open."""
        with scratch_file(self._scratch_dir) as scratch, ExitStack() as readings:
            self._download(object_key, scratch, is_wanted)
            try:
                shape, fits_24_bits = read_shape(scratch), _fits_24_bits(scratch)
            except soundfile.LibsndfileError as error:
                raise _damaged(object_key, error) from error

            def read() -> Iterator[FloatBlock]:
                # Readings that are given up on the way end before the file does.
                blocks = readings.enter_context(closing(_blocks(scratch, object_key)))
                return while_wanted(readings.enter_context(closing(_ahead(blocks))), is_wanted)

            yield OpenAudio(shape, read, fits_24_bits)

    def _download(self, object_key: str, scratch: IO[bytes], is_wanted: IsWanted) -> None:
        try:
            for chunk in while_wanted(self._store.read(object_key), is_wanted):
                scratch.write(chunk)
            scratch.flush()
        except NotFound as error:
            message = f"{object_key} is not in the object store any more: give the command again"
            raise NotFound(message, {"object_key": object_key}) from error
        except OSError as error:
            raise scratch_unavailable(self._scratch_dir, error) from error


def read_shape(file: IO[bytes]) -> AudioShape:
    """What the file says of itself; raises LibsndfileError if it is no audio."""
    file.seek(0)
    with soundfile.SoundFile(file) as audio:
        return AudioShape(audio.samplerate, audio.channels, audio.frames)


def _fits_24_bits(file: IO[bytes]) -> bool:
    file.seek(0)
    with soundfile.SoundFile(file) as audio:
        return audio.subtype in _UP_TO_24_BITS


def read_blocks(file: IO[bytes]) -> Iterator[FloatBlock]:
    """All samples; raises LibsndfileError if the file is cut or damaged."""
    file.seek(0)
    with soundfile.SoundFile(file) as audio:
        while len(block := audio.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield block


def _ahead(blocks: Iterator[FloatBlock]) -> Generator[FloatBlock, None, None]:
    """Some blocks are decoded while the one before is used: libsndfile works beside Python."""
    with ThreadPoolExecutor(1) as decoder:
        coming = deque(decoder.submit(next, blocks, None) for _ in range(_BLOCKS_AHEAD))
        while (block := coming.popleft().result()) is not None:
            coming.append(decoder.submit(next, blocks, None))
            yield block


def _blocks(file: IO[bytes], object_key: str) -> Generator[FloatBlock, None, None]:
    try:
        yield from read_blocks(file)
    except soundfile.LibsndfileError as error:
        raise _damaged(object_key, error) from error


def _damaged(object_key: str, error: soundfile.LibsndfileError) -> InternalFault:
    return InternalFault(f"object {object_key} is damaged: {error}", {"object_key": object_key})
