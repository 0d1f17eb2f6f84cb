"""Fakes and stand-ins for the separator's tests; those that worker processes load can be pickled."""

import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile

from services.separator.adapters.audio_desk import ScratchAudioDesk, open_desk
from services.separator.adapters.scratch import ScratchRoot
from services.separator.core.assessment import AssessTask, assess_stems
from services.separator.core.blocks import recut
from services.separator.core.ingest import LONGEST_S, IngestedTrack, ingest_track
from services.separator.core.listening import Judges
from services.separator.core.ports import Block, Engine, EngineSpec, Mixture, StemBlocks, TaskControl
from services.separator.core.results import SeparateTask
from services.separator.core.separation import Bench, separate_track
from services.separator.core.sources import model_upload_key, source_key
from stemhouse.audio import AudioFormat, AudioRef, QualityReport, SourceRef, StemSet
from stemhouse.errors import NotFound
from stemhouse.ports import ObjectStore
from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS
from tests.fakes import MemoryObjectStore

_CHUNK_BYTES = 1024 * 1024

CD_STEREO = AudioFormat(44100, 2)

SHARES: Mapping[str, float] = {VOCALS: 0.37, DRUMS: 0.21, BASS: 0.11, OTHER: 0.29}
"""What the fake engine gives to each stem: odd numbers, and not quite all of the mixture."""

UNWATCHED = TaskControl(lambda: False)


@dataclass(frozen=True)
class FakeMixture:
    """Mixture of blocks in memory, or of what a function gives at each pass."""

    source: Iterable[Block] | Callable[[], Iterable[Block]]

    def blocks(self) -> Iterator[Block]:
        """See Mixture.blocks."""
        return iter(self.source() if callable(self.source) else self.source)


class FakeEngine:
    """Engine at any format: stems are fixed shares of the mixture, in blocks of its own size, some blocks late."""

    def __init__(
        self, shares: Mapping[str, float] = SHARES, audio_format: AudioFormat = CD_STEREO, block_frames: int = 9_999
    ) -> None:
        self._shares = dict(shares)
        self._block_frames = block_frames
        self.spec = EngineSpec("fake", "shares", "fake-shares-1", tuple(shares), audio_format, grade="basic")

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        for block in recut(mixture.blocks(), self._block_frames):
            yield {stem: block * np.float32(share) for stem, share in self._shares.items()}


class FolderObjectStore:
    """ObjectStore in a folder, so that several processes see the same objects."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, source: BinaryIO) -> None:
        """See ObjectStore.put."""
        written = self._new_path()
        with written.open("wb") as file:
            shutil.copyfileobj(source, file)
        written.replace(self._path(key))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ObjectStore.put_if_absent."""
        written = self._new_path()
        written.write_bytes(data)
        try:
            os.link(written, self._path(key))
        except FileExistsError:
            return False
        finally:
            written.unlink()
        return True

    def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """See ObjectStore.read."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(offset_bytes)
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as error:
            message = f"no object {key}"
            raise NotFound(message, {"object_key": key}) from error

    def size_bytes(self, key: str) -> int | None:
        """See ObjectStore.size_bytes."""
        path = self._path(key)
        return path.stat().st_size if path.exists() else None

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        self._path(key).unlink(missing_ok=True)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.list_keys."""
        names = (path.name.replace("~", "/") for path in self._folder.iterdir() if not path.name.startswith("."))
        return iter(sorted(name for name in names if name.startswith(prefix)))

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "~")

    def _new_path(self) -> Path:
        return self._folder / f".{uuid.uuid4().hex}"


def encoded(
    samples: npt.NDArray[np.floating], sample_rate_hz: int = 44100, container: str = "WAV", subtype: str = "PCM_24"
) -> bytes:
    """A file of samples (channels, frames), by libsndfile; as integers where the coding has them.

    libsndfile itself would scale floats by 2**23 - 1 for WAV, and otherwise for FLAC.
    """
    file = io.BytesIO()
    bits = {"PCM_16": 16, "PCM_24": 24}.get(subtype)
    data = np.rint(samples * 2.0 ** (bits - 1)).astype(np.int32) << (32 - bits) if bits else samples
    soundfile.write(file, data.T, sample_rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def stored_source(store: ObjectStore, data: bytes, file_name: str = "track.wav") -> SourceRef:
    """Put the bytes where the upload of a track would, and name them."""
    source = _source_of(data, file_name)
    store.put(source_key(source.sha256), io.BytesIO(data))
    return source


def stored_model_file(store: ObjectStore, data: bytes, file_name: str) -> SourceRef:
    """Put the bytes where the upload of a model's file would, and name them."""
    source = _source_of(data, file_name)
    store.put(model_upload_key(source.sha256), io.BytesIO(data))
    return source


def _source_of(data: bytes, file_name: str) -> SourceRef:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return SourceRef(hashlib.sha256(data).hexdigest(), md5, len(data), file_name)


def source_of_file(store: ObjectStore, path: Path) -> SourceRef:
    """Put a file that is too large for memory where an upload would, and name it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        store.put(source_key(sha256), file)
    return SourceRef(sha256, "0" * 32, path.stat().st_size, path.name)


def decoded_integers(store: ObjectStore, object_key: str) -> npt.NDArray[np.int64]:
    """The 24-bit integers of a stored FLAC: (channels, frames)."""
    samples, _ = soundfile.read(io.BytesIO(b"".join(store.read(object_key))), dtype="int32", always_2d=True)
    integers: npt.NDArray[np.int64] = samples.T.astype(np.int64) >> 8
    return integers


@contextmanager
def desk_over(store: ObjectStore, folder: Path, control: TaskControl = UNWATCHED) -> Iterator[ScratchAudioDesk]:
    """A desk for one task, in `folder`."""
    scratch = ScratchRoot(folder)
    try:
        with open_desk(store, scratch, control) as desk:
            yield desk
    finally:
        scratch.close()


@dataclass
class SeparatorHouse:
    """The separator's three core functions over real files in `folder` and a store in memory."""

    folder: Path
    store: MemoryObjectStore = field(default_factory=MemoryObjectStore)

    def ingest(
        self,
        data: bytes,
        file_name: str = "track.wav",
        control: TaskControl = UNWATCHED,
        longest_s: float = LONGEST_S,
    ) -> IngestedTrack:
        """Ingest a file as if it had been uploaded."""
        return self.ingest_source(stored_source(self.store, data, file_name), control, longest_s)

    def ingest_source(
        self, source: SourceRef, control: TaskControl = UNWATCHED, longest_s: float = LONGEST_S
    ) -> IngestedTrack:
        """Ingest what the source names."""
        with desk_over(self.store, self.folder, control) as desk:
            return ingest_track(source, desk, control, longest_s)

    def audio(
        self, samples: npt.NDArray[np.floating], sample_rate_hz: int = 44100, subtype: str = "PCM_24"
    ) -> AudioRef:
        """Ingest samples."""
        return self.ingest(encoded(samples, sample_rate_hz, subtype=subtype)).audio

    def separate(
        self,
        audio: AudioRef,
        engine: Engine,
        control: TaskControl = UNWATCHED,
        *,
        raw: bool = False,
        force: bool = False,
    ) -> StemSet:
        """Separate by an engine that works in the audio's format; each look at the clock takes one second."""
        task = SeparateTask(audio, engine.spec.engine_id, sum_to_mix=not raw, force=force)
        ticks_s = count()
        with desk_over(self.store, self.folder, control) as desk:
            return separate_track(task, engine, Bench(desk, control, lambda: next(ticks_s), {"engine": "1.0"}))

    def assess(self, stem_set: StemSet, control: TaskControl = UNWATCHED, **references: AudioRef) -> QualityReport:
        """Assess stems."""
        with desk_over(self.store, self.folder, control) as desk:
            return assess_stems(AssessTask(stem_set, references), desk, Judges(), control)

    def integers(self, object_key: str) -> npt.NDArray[np.int64]:
        """The samples of a stored FLAC in steps of 24 bits."""
        return decoded_integers(self.store, object_key)

    def stems(self, stem_set: StemSet) -> dict[str, npt.NDArray[np.int64]]:
        """The samples of all stored stems."""
        return {stem.name: self.integers(stem.object_key) for stem in stem_set.stems}


def separated(engine: Engine, signal: Block, *cuts: int) -> dict[str, Block]:
    """The stems of a signal, float32 (channels, frames), that comes in blocks cut at those frames; none is empty."""
    blocks = [signal[:, start:end] for start, end in pairwise([0, *cuts, signal.shape[1]])]
    given = list(engine.separate(FakeMixture(blocks)))
    assert all(stem.size for stems in given for stem in stems.values())
    return {name: np.concatenate([stems[name] for stems in given], axis=1) for name in engine.spec.stems}
