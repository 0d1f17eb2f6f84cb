"""WAV files as others read them: Python's wave, libsndfile, FFmpeg, and the bytes themselves."""

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from services.exporter.core.ports import FileSpec, SampleBlock
from services.exporter.core.wav import WavEncoder, wav_header
from stemhouse.delivery import SampleFormat
from tests.unit.exporter.results import FULL_SCALE, RATE_HZ


def chunks(data: bytes) -> dict[bytes, bytes]:
    """RIFF chunks by name, as their sizes say; `data` may be cut short."""
    found, at = {}, 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def encoded(samples: SampleBlock, sample_format: SampleFormat) -> bytes:
    """A whole file, made from two blocks."""
    spec = FileSpec(sample_format, RATE_HZ, samples.shape[1], len(samples))
    with WavEncoder().encode(spec, [samples[:2], samples[2:]]) as file:
        data = b"".join(file.chunks)
        assert len(data) == file.size_bytes
    return data


@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize(("sample_format", "bits"), [(SampleFormat.PCM16, 16), (SampleFormat.PCM24, 24)])
def test_pcm_is_read_back_by_others(sample_format: SampleFormat, bits: int, channel_count: int) -> None:
    """Every sample, with an odd number of data bytes too, and format tag 1 without an extension."""
    full_scale = 1 << (bits - 1)
    column = np.array([[0], [-1], [full_scale - 1], [-full_scale], [4660]], np.int32)
    samples = np.repeat(column, channel_count, axis=1)
    data = encoded(samples, sample_format)
    parts = chunks(data)
    frame_bytes = channel_count * bits // 8
    assert list(parts) == [b"fmt ", b"data"]
    assert parts[b"fmt "] == struct.pack("<HHIIHH", 1, channel_count, RATE_HZ, RATE_HZ * frame_bytes, frame_bytes, bits)
    assert struct.unpack_from("<4sI4s", data) == (b"RIFF", len(data) - 8, b"WAVE")
    assert len(data) % 2 == 0
    with wave.open(io.BytesIO(data)) as reader:
        assert reader.getparams()[:4] == (channel_count, bits // 8, RATE_HZ, 5)
        assert len(reader.readframes(5)) == 5 * frame_bytes
    read, _ = soundfile.read(io.BytesIO(data), dtype="int32", always_2d=True)
    assert (read >> (32 - bits) == samples).all()


def test_float_has_tag_3_and_no_clock_in_it() -> None:
    """Samples above full scale stay; equal input gives equal bytes."""
    samples = np.array([[0.0, 1.5], [-3.25, 2**-23], [1e-30, -1.0]], np.float32)
    data = encoded(samples, SampleFormat.FLOAT32)
    parts = chunks(data)
    assert list(parts) == [b"fmt ", b"fact", b"data"]
    assert struct.unpack_from("<HHIIHHH", parts[b"fmt "]) == (3, 2, RATE_HZ, RATE_HZ * 8, 8, 32, 0)
    assert struct.unpack("<I", parts[b"fact"]) == (3,)
    read, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (read == samples).all()
    with av.open(io.BytesIO(data), "r") as container:
        decoded = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert (decoded.reshape(-1, 2) == samples).all()


@pytest.mark.parametrize(
    ("sample_format", "codec"),
    [(SampleFormat.PCM16, "pcm_s16le"), (SampleFormat.PCM24, "pcm_s24le"), (SampleFormat.FLOAT32, "pcm_f32le")],
)
def test_file_past_4_gib_is_rf64(sample_format: SampleFormat, codec: str, tmp_path: Path) -> None:
    """Sizes of 64 bits, as libsndfile and FFmpeg read them from a file with a hole instead of samples."""
    frame_count = 1_100_000_000
    spec = FileSpec(sample_format, RATE_HZ, 2, frame_count)
    header = wav_header(spec)
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(header)
        file.truncate(WavEncoder().encode(spec, []).__enter__().size_bytes)
    assert header[:8] == b"RF64\xff\xff\xff\xff"
    assert struct.unpack_from("<Q", header, 20)[0] == path.stat().st_size - 8
    info = soundfile.info(str(path))
    assert (info.format, info.frames, info.samplerate, info.channels) == ("RF64", frame_count, RATE_HZ, 2)
    with av.open(str(path), "r") as container:
        assert container.streams.audio[0].codec_context.name == codec
        assert container.duration == pytest.approx(frame_count / RATE_HZ * 1e6, abs=1)


def test_largest_plain_file_is_riff() -> None:
    """RF64 only where it must be: not every player knows it."""
    frames = (2**32 - 1 - 36) // 4
    headers = [wav_header(FileSpec(SampleFormat.PCM16, RATE_HZ, 2, count)) for count in (frames, frames + 1)]
    assert [header[:4] for header in headers] == [b"RIFF", b"RF64"]


def test_block_of_two_channels_is_below_1_mib() -> None:
    """What gRPC carries as one chunk."""
    block = np.full((65_536, 2), 0.5, np.float32)
    spec = FileSpec(SampleFormat.FLOAT32, RATE_HZ, 2, len(block))
    with WavEncoder().encode(spec, [block]) as file:
        assert max(len(chunk) for chunk in file.chunks) <= 1024 * 1024


def test_scale_of_the_grid_is_that_of_24_bits() -> None:
    """Half of full scale reads as half."""
    data = encoded(np.array([[FULL_SCALE // 2]] * 3, np.int32), SampleFormat.PCM24)
    read, _ = soundfile.read(io.BytesIO(data))
    assert (read == 0.5).all()
