"""The adapters around libsndfile: reading stored FLAC, writing delivered FLAC."""

import io
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from services.exporter.adapters.flac_encoder import FlacEncoder
from services.exporter.adapters.stored_audio import StoredFlac
from services.exporter.core.ports import BLOCK_FRAMES, FileSpec, GridBlock
from stemhouse.audio import AudioFormat, AudioRef
from stemhouse.delivery import SampleFormat
from stemhouse.errors import InternalFault, NotFound, StorageUnavailable, Unavailable
from tests.fakes import MemoryObjectStore
from tests.unit.exporter.results import FULL_SCALE, RATE_HZ, Units, flac_bytes

FRAMES = BLOCK_FRAMES + 1000
SPEC = FileSpec(SampleFormat.PCM24, RATE_HZ, 2, FRAMES)
AUDIO = AudioRef("audio/cafe.flac", "c" * 64, AudioFormat(RATE_HZ, 2), FRAMES)


@pytest.fixture
def units() -> Units:
    """Noise over the whole range of 24 bits, and its ends."""
    samples = np.random.default_rng(3).integers(-FULL_SCALE, FULL_SCALE, (FRAMES, 2))
    samples[0] = (FULL_SCALE - 1, -FULL_SCALE)
    return samples


@pytest.fixture
def store(units: Units) -> MemoryObjectStore:
    """A store that holds the samples as FLAC."""
    store = MemoryObjectStore()
    store.objects[AUDIO.object_key] = flac_bytes(units)
    return store


def read(store: MemoryObjectStore, scratch_dir: Path, audio: AudioRef = AUDIO) -> list[GridBlock]:
    """All blocks of the object."""
    return list(StoredFlac(store, scratch_dir).blocks(AUDIO.object_key, audio))


def test_stored_integers_come_in_blocks(store: MemoryObjectStore, units: Units, tmp_path: Path) -> None:
    """Exactly, all blocks but the last of one length, and nothing stays on the disk."""
    blocks = read(store, tmp_path)
    assert [len(block) for block in blocks] == [BLOCK_FRAMES, 1000]
    assert (np.concatenate(blocks) == units).all()
    assert list(tmp_path.iterdir()) == []


def test_mono_has_two_dimensions(store: MemoryObjectStore, units: Units, tmp_path: Path) -> None:
    """Frames by one channel."""
    store.objects[AUDIO.object_key] = flac_bytes(units[:10, :1])
    (block,) = read(store, tmp_path, replace(AUDIO, format=AudioFormat(RATE_HZ, 1), frame_count=10))
    assert (block == units[:10, :1]).all()


@pytest.mark.parametrize(
    "audio",
    [
        replace(AUDIO, frame_count=FRAMES - 1),
        replace(AUDIO, format=AudioFormat(48000, 2)),
        replace(AUDIO, format=AudioFormat(RATE_HZ, 1)),
    ],
)
def test_object_of_another_shape_is_a_fault(store: MemoryObjectStore, tmp_path: Path, audio: AudioRef) -> None:
    """The message names the object."""
    with pytest.raises(InternalFault, match=AUDIO.object_key):
        read(store, tmp_path, audio)


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage"])
def test_damaged_object_is_a_fault(store: MemoryObjectStore, tmp_path: Path, damage: str) -> None:
    """Never a shorter stem."""
    data = store.objects[AUDIO.object_key]
    store.objects[AUDIO.object_key] = {"cut": data[: len(data) // 2], "empty": b"", "garbage": b"no FLAC" * 99}[damage]
    with pytest.raises(InternalFault, match=AUDIO.object_key):
        read(store, tmp_path)


def test_missing_object_is_not_found(tmp_path: Path) -> None:
    """As the store says it."""
    with pytest.raises(NotFound, match=AUDIO.object_key):
        read(MemoryObjectStore(), tmp_path)


def test_store_that_breaks_off_is_unavailable(store: MemoryObjectStore, tmp_path: Path) -> None:
    """Its error passes unchanged, and is not taken for one of the scratch folder."""

    class BreakingStore(MemoryObjectStore):
        def read(self, key: str) -> Iterator[bytes]:
            yield store.objects[key][:1000]
            raise StorageUnavailable(key)

    with pytest.raises(StorageUnavailable):
        read(BreakingStore(), tmp_path)


@pytest.mark.parametrize(("sample_format", "bits"), [(SampleFormat.PCM16, 16), (SampleFormat.PCM24, 24)])
def test_flac_is_read_back_by_others(units: Units, tmp_path: Path, sample_format: SampleFormat, bits: int) -> None:
    """Every sample, by libsndfile and by FFmpeg; chunks are below 1 MiB and add up to the foretold size."""
    samples = (units >> (24 - bits)).astype(np.int32)
    spec = FileSpec(sample_format, RATE_HZ, 2, FRAMES)
    with FlacEncoder(tmp_path).encode(spec, [samples[:BLOCK_FRAMES], samples[BLOCK_FRAMES:]]) as file:
        chunks = list(file.chunks)
    data = b"".join(chunks)
    assert len(data) == file.size_bytes
    assert max(map(len, chunks)) <= 1024 * 1024
    assert soundfile.info(io.BytesIO(data)).subtype == f"PCM_{bits}"
    read_back, _ = soundfile.read(io.BytesIO(data), dtype="int32")
    assert (read_back >> (32 - bits) == samples).all()
    with av.open(io.BytesIO(data), "r") as container:
        decoded = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    shift = 0 if bits == 16 else 8
    assert (decoded.reshape(-1, 2).astype(np.int64) >> shift == samples).all()
    assert list(tmp_path.iterdir()) == []


def test_scratch_folder_that_is_gone_is_named(store: MemoryObjectStore, units: Units, tmp_path: Path) -> None:
    """By both adapters."""
    gone = tmp_path / "gone"
    with pytest.raises(Unavailable, match="gone"), FlacEncoder(gone).encode(SPEC, [units]):
        pass
    with pytest.raises(Unavailable, match="gone"):
        read(store, gone)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 100 kB, which fails like a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("full_disk")
def test_download_to_a_full_disk_is_unavailable(store: MemoryObjectStore, tmp_path: Path) -> None:
    """The scratch folder is named."""
    with pytest.raises(Unavailable, match="scratch"):
        read(store, tmp_path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # soundfile's callback reports it too
@pytest.mark.usefixtures("full_disk")
def test_spool_on_a_full_disk_is_unavailable(units: Units, tmp_path: Path) -> None:
    """Not a FLAC that ends early."""
    with pytest.raises(Unavailable, match="scratch"), FlacEncoder(tmp_path).encode(SPEC, [units.astype(np.int32)]):
        pass
