"""WAV files as players of every age read them: format tag 1 (PCM) or 3 (float), never EXTENSIBLE; RF64 past 4 GiB.

Written here and not by libsndfile, because the size is known before the first sample, so that nothing has to be
spooled, and because libsndfile puts the time of day into float files. RF64 is EBU Tech 3306.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from services.exporter.core.ports import EncodedFile, FileSpec, SampleBlock
from stemhouse.delivery import SampleFormat

_LARGEST_RIFF = 2**32 - 1
_TAG_PCM = 1
_TAG_FLOAT = 3
_SAMPLE_BYTES = {SampleFormat.PCM16: 2, SampleFormat.PCM24: 3, SampleFormat.FLOAT32: 4}


class WavEncoder:
    """FileEncoder for WAV; a pure function of its input."""

    def encode(self, spec: FileSpec, blocks: Iterable[SampleBlock]) -> AbstractContextManager[EncodedFile]:
        """See FileEncoder.encode."""
        return nullcontext(EncodedFile(wav_bytes(spec), _chunks(wav_header(spec), spec, blocks)))


def wav_bytes(spec: FileSpec) -> int:
    """The size of the whole file."""
    return len(wav_header(spec)) + _data_bytes(spec) + _data_bytes(spec) % 2


def wav_header(spec: FileSpec) -> bytes:
    """All that stands before the first sample."""
    data_bytes = _data_bytes(spec)
    chunks = _format_chunks(spec)
    riff_bytes = len(b"WAVE") + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= _LARGEST_RIFF:
        return struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE") + chunks + struct.pack("<4sI", b"data", data_bytes)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes + 36, data_bytes, spec.frame_count, 0)
    return (
        struct.pack("<4sI4s", b"RF64", _LARGEST_RIFF, b"WAVE")
        + sizes
        + chunks
        + struct.pack("<4sI", b"data", _LARGEST_RIFF)
    )


def _format_chunks(spec: FileSpec) -> bytes:
    """`fmt `, and for float the `fact` that its definition asks for."""
    sample_bytes = _SAMPLE_BYTES[spec.sample_format]
    is_float = spec.sample_format is SampleFormat.FLOAT32
    frame_bytes = sample_bytes * spec.channel_count
    fields = struct.pack(
        "<HHIIHH",
        _TAG_FLOAT if is_float else _TAG_PCM,
        spec.channel_count,
        spec.sample_rate_hz,
        spec.sample_rate_hz * frame_bytes,
        frame_bytes,
        sample_bytes * 8,
    )
    if not is_float:
        return struct.pack("<4sI", b"fmt ", 16) + fields
    fact = struct.pack("<4sII", b"fact", 4, min(spec.frame_count, _LARGEST_RIFF))
    return struct.pack("<4sI", b"fmt ", 18) + fields + struct.pack("<H", 0) + fact


def _data_bytes(spec: FileSpec) -> int:
    return spec.frame_count * spec.channel_count * _SAMPLE_BYTES[spec.sample_format]


def _chunks(header: bytes, spec: FileSpec, blocks: Iterable[SampleBlock]) -> Iterator[bytes]:
    yield header
    for block in blocks:
        yield _packed(block, spec.sample_format)
    if _data_bytes(spec) % 2:
        yield b"\0"


def _packed(block: SampleBlock, sample_format: SampleFormat) -> bytes:
    """Little-endian samples, frame by frame."""
    if sample_format is SampleFormat.FLOAT32:
        return block.astype("<f4").tobytes()
    octets = np.ascontiguousarray(block, dtype="<i4").view(np.uint8).reshape(-1, 4)
    packed = np.empty((len(octets), _SAMPLE_BYTES[sample_format]), np.uint8)
    for place in range(packed.shape[1]):  # three times as fast as all of them at once
        packed[:, place] = octets[:, place]
    return packed.tobytes()
