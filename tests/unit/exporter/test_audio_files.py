"""The adapters around libsndfile: reading stored FLAC, writing delivered FLAC and AIFF."""

import io
import resource
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from services.exporter.adapters.libsndfile_encoder import LibsndfileEncoder
from services.exporter.adapters.stored_audio import StoredFlac
from services.exporter.core.ports import BLOCK_FRAMES, FileSpec, GridBlock, SampleBlock
from stemhouse.audio import AudioFormat, AudioRef
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import ResultGone, StorageUnavailable, Unavailable
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
def test_object_of_another_shape_is_of_no_use(store: MemoryObjectStore, tmp_path: Path, audio: AudioRef) -> None:
    """The message names the object."""
    with pytest.raises(ResultGone, match=AUDIO.object_key):
        read(store, tmp_path, audio)


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage"])
def test_damaged_object_is_of_no_use(store: MemoryObjectStore, tmp_path: Path, damage: str) -> None:
    """Never a shorter stem."""
    data = store.objects[AUDIO.object_key]
    store.objects[AUDIO.object_key] = {"cut": data[: len(data) // 2], "empty": b"", "garbage": b"no FLAC" * 99}[damage]
    with pytest.raises(ResultGone, match=AUDIO.object_key):
        read(store, tmp_path)


def test_missing_object_is_gone(tmp_path: Path) -> None:
    """Whoever wants it has to have the track separated again."""
    with pytest.raises(ResultGone, match=AUDIO.object_key):
        read(MemoryObjectStore(), tmp_path)


def test_store_that_breaks_off_is_unavailable(store: MemoryObjectStore, tmp_path: Path) -> None:
    """Its error passes unchanged, and is not taken for one of the scratch folder."""

    class BreakingStore(MemoryObjectStore):
        def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
            yield store.objects[key][:1000]
            raise StorageUnavailable(key)

    with pytest.raises(StorageUnavailable):
        read(BreakingStore(), tmp_path)


def encode(folder: Path, file_format: FileFormat, spec: FileSpec, samples: SampleBlock) -> list[bytes]:
    """The chunks of a file, whose size was foretold; each is below 1 MiB, and nothing stays on the disk."""
    blocks = [samples[:BLOCK_FRAMES], samples[BLOCK_FRAMES:]]
    with LibsndfileEncoder(file_format, folder).encode(spec, blocks) as file:
        chunks = list(file.chunks)
    assert sum(map(len, chunks)) == file.size_bytes
    assert max(map(len, chunks)) <= 1024 * 1024
    assert list(folder.iterdir()) == []
    return chunks


@pytest.mark.parametrize("file_format", [FileFormat.FLAC, FileFormat.AIFF])
@pytest.mark.parametrize(("sample_format", "bits"), [(SampleFormat.PCM16, 16), (SampleFormat.PCM24, 24)])
def test_file_is_read_back_by_others(
    units: Units, tmp_path: Path, file_format: FileFormat, sample_format: SampleFormat, bits: int
) -> None:
    """Every sample, by libsndfile and by FFmpeg."""
    samples = (units >> (24 - bits)).astype(np.int32)
    spec = FileSpec(sample_format, RATE_HZ, 2, FRAMES)
    data = b"".join(encode(tmp_path, file_format, spec, samples))
    assert soundfile.info(io.BytesIO(data)).subtype == f"PCM_{bits}"
    read_back, _ = soundfile.read(io.BytesIO(data), dtype="int32")
    assert (read_back >> (32 - bits) == samples).all()
    with av.open(io.BytesIO(data), "r") as container:
        decoded = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    shift = 0 if bits == 16 else 8
    assert (decoded.reshape(-1, 2).astype(np.int64) >> shift == samples).all()


@pytest.mark.parametrize("sample_format", [SampleFormat.PCM16, SampleFormat.PCM24])
def test_aiff_is_the_plain_one(tmp_path: Path, sample_format: SampleFormat) -> None:
    """No AIFC, whose chunks old players refuse; sizes fit, and an odd number of bytes is padded within its chunk."""
    data = b"".join(
        encode(tmp_path, FileFormat.AIFF, FileSpec(sample_format, 96_000, 1, 3), np.zeros((3, 1), np.int32))
    )
    bits = int(sample_format.value)
    data_bytes = 3 * bits // 8 + bits // 8 % 2
    assert data[:12] == struct.pack(">4sI4s", b"FORM", len(data) - 8, b"AIFF")
    assert data[12:28] == struct.pack(">4sIHIH", b"COMM", 18, 1, 3, bits)
    assert data[38:54] == struct.pack(">4sIII", b"SSND", 8 + data_bytes, 0, 0)
    assert len(data) == 54 + data_bytes


@pytest.mark.parametrize("file_format", [FileFormat.FLAC, FileFormat.AIFF])
def test_equal_samples_give_equal_bytes(units: Units, tmp_path: Path, file_format: FileFormat) -> None:
    """Without a date or a serial number."""
    samples = units.astype(np.int32)
    assert encode(tmp_path, file_format, SPEC, samples) == encode(tmp_path, file_format, SPEC, samples)


def test_scratch_folder_that_is_gone_is_named(store: MemoryObjectStore, units: Units, tmp_path: Path) -> None:
    """By both adapters."""
    gone = tmp_path / "gone"
    with pytest.raises(Unavailable, match="gone"):
        encode(gone, FileFormat.FLAC, SPEC, units)
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
@pytest.mark.parametrize("file_format", [FileFormat.FLAC, FileFormat.AIFF])
def test_spool_on_a_full_disk_is_unavailable(units: Units, tmp_path: Path, file_format: FileFormat) -> None:
    """Not a file that ends early."""
    with pytest.raises(Unavailable, match=r"scratch folder .*: it took only a part"):
        encode(tmp_path, file_format, SPEC, units.astype(np.int32))
