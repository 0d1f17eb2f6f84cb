"""MP3 and M4A by FFmpeg: exactly the frames that went in, for whoever reads what the file says about them."""

import io
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from services.exporter.adapters.ffmpeg_encoder import FfmpegEncoder
from services.exporter.core.ports import BLOCK_FRAMES, FileSpec, SampleBlock
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import Cancelled, InternalFault, Unavailable
from tests.fidelity.figures import level_db
from tests.fidelity.readers import by_ffmpeg, by_libsndfile, by_miniaudio
from tests.signals import Audio, song

FULL_SCALE = 2**23
LOSSY = [FileFormat.MP3, FileFormat.M4A]


def encode(folder: Path, file_format: FileFormat, rate_hz: int, samples: Audio) -> bytes:
    """A file of samples (channels, frames); its size was foretold, and nothing stays on the disk."""
    units = np.rint(samples.T * FULL_SCALE).astype(np.int32)
    spec = FileSpec(SampleFormat.PCM24, rate_hz, units.shape[1], len(units))
    blocks = [units[:BLOCK_FRAMES], *([units[BLOCK_FRAMES:]] if len(units) > BLOCK_FRAMES else [])]
    with FfmpegEncoder(file_format, folder).encode(spec, blocks) as file:
        chunks = list(file.chunks)
    assert sum(map(len, chunks)) == file.size_bytes
    assert max(map(len, chunks)) <= 1024 * 1024
    assert list(folder.iterdir()) == []
    return b"".join(chunks)


READERS = {FileFormat.MP3: [by_ffmpeg, by_libsndfile, by_miniaudio], FileFormat.M4A: [by_ffmpeg]}


@pytest.mark.parametrize("file_format", LOSSY)
@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channel_count", [1, 2])
def test_every_reader_finds_the_frames_where_they_were(
    tmp_path: Path, file_format: FileFormat, rate_hz: int, channel_count: int
) -> None:
    """As many as went in, each at its place and level: moved by one frame they would fit worse."""
    samples = song(rate_hz // 2 + 345, rate_hz, channel_count)
    data = encode(tmp_path, file_format, rate_hz, samples)
    for read in READERS[file_format]:
        decoded = read(data)
        assert decoded.shape == samples.shape, read.__doc__
        apart_db = [level_db((np.roll(decoded, lag) - samples)[:, 9:-9], samples) for lag in (-1, 0, 1)]
        assert np.argmin(apart_db) == 1, read.__doc__
        assert apart_db[1] < -20.0, read.__doc__


@pytest.mark.parametrize("rate_hz", [64_000, 88_200, 96_000])
def test_m4a_goes_up_to_96_khz(tmp_path: Path, rate_hz: int) -> None:
    """Where an MP3 has no rate any more."""
    samples = song(rate_hz // 4, rate_hz)
    assert by_ffmpeg(encode(tmp_path, FileFormat.M4A, rate_hz, samples)).shape == samples.shape
    with pytest.raises(InternalFault, match="libmp3lame"):
        encode(tmp_path, FileFormat.MP3, rate_hz, samples)


@pytest.mark.parametrize("file_format", LOSSY)
@pytest.mark.parametrize("frame_count", [47, 700, BLOCK_FRAMES, 2 * BLOCK_FRAMES - 1])
def test_any_length_comes_back(tmp_path: Path, file_format: FileFormat, frame_count: int) -> None:
    """Shorter than one of the codec's own blocks, and across ours."""
    data = encode(tmp_path, file_format, 44_100, song(frame_count, 44_100, 1))
    assert [read(data).shape for read in READERS[file_format]] == [(1, frame_count)] * len(READERS[file_format])


@pytest.mark.parametrize(
    ("file_format", "rate_hz", "channel_count", "bits_per_s"),
    [
        (FileFormat.MP3, 44_100, 1, 320_000),
        (FileFormat.MP3, 32_000, 2, 320_000),
        (FileFormat.MP3, 22_050, 2, 160_000),
        (FileFormat.MP3, 8_000, 2, 64_000),
        (FileFormat.M4A, 48_000, 2, 320_000),
    ],
)
def test_bit_rate_is_the_highest_of_the_rate(
    tmp_path: Path, file_format: FileFormat, rate_hz: int, channel_count: int, bits_per_s: int
) -> None:
    """Constant for MP3; AAC borrows between its blocks, and spends it on noise only."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (channel_count, 2 * rate_hz)).astype(np.float32)
    with av.open(io.BytesIO(encode(tmp_path, file_format, rate_hz, noise)), "r") as container:
        tolerance = 0.0 if file_format is FileFormat.MP3 else 0.05
        assert container.streams.audio[0].bit_rate == pytest.approx(bits_per_s, rel=tolerance)


def test_m4a_is_named_and_timed_as_players_expect(tmp_path: Path) -> None:
    """Brand M4A, no dates, and an edit list that counts in frames."""
    data = encode(tmp_path, FileFormat.M4A, 44_100, song(44_445, 44_100))
    assert data[4:12] == b"ftypM4A "
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        assert data[data.index(name) + 8 :][:8] == bytes(8), name
    assert struct.unpack_from(">I", data, data.index(b"mvhd") + 16) == (44_100,)
    assert struct.unpack_from(">III", data, data.index(b"elst") + 8) == (1, 44_445, 1024)


@pytest.mark.parametrize("file_format", LOSSY)
def test_equal_samples_give_equal_bytes(tmp_path: Path, file_format: FileFormat) -> None:
    """Without a date or a serial number."""
    samples = song(60_000, 44_100)
    assert encode(tmp_path, file_format, 44_100, samples) == encode(tmp_path, file_format, 44_100, samples)


@pytest.mark.parametrize("file_format", LOSSY)
def test_error_of_the_samples_passes_unchanged(tmp_path: Path, file_format: FileFormat) -> None:
    """It is not the encoder's."""

    def blocks() -> Iterator[SampleBlock]:
        yield np.zeros((BLOCK_FRAMES, 2), np.int32)
        raise Cancelled("not wanted")

    spec = FileSpec(SampleFormat.PCM24, 44_100, 2, 2 * BLOCK_FRAMES)
    with pytest.raises(Cancelled), FfmpegEncoder(file_format, tmp_path).encode(spec, blocks()):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 100 kB, which fails like a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("file_format", LOSSY)
@pytest.mark.parametrize("seconds", [2.6, 6.0])
def test_spool_on_a_full_disk_is_unavailable(tmp_path: Path, file_format: FileFormat, seconds: float) -> None:
    """Not a file that ends early, whether the disk is full in the middle or at the end."""
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (2, int(seconds * 44_100))).astype(np.float32)
    with pytest.raises(Unavailable, match="scratch folder"):
        encode(tmp_path, file_format, 44_100, samples)
