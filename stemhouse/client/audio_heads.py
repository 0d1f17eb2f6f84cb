"""Sample rate and length that a file's head tells, without a decoder: WAV, AIFF and FLAC.

High rates usually come as one of these: enough to tell before any work that a format cannot hold most of such tracks,
and what a cloud engine would take of them. Where a head tells nothing, or something odd, the decoder's word comes
later.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest

_MOST_CHUNKS = 64
_ID3_HEAD_BYTES = 10
_UNKNOWN_BYTES = 0xFFFF_FFFF
"""The size of a chunk that is longer, or that nobody came back to write."""


def require_rate(path: Path, file_format: FileFormat, sample_format: SampleFormat) -> None:
    """Raises InvalidRequest if the format cannot hold the file's rate, as far as its head tells one."""
    rate_hz = sample_rate_hz_from_head(path)
    if not rate_hz or not file_format.sample_rates_hz or rate_hz in file_format.sample_rates_hz:
        return
    able = [other.value for other in FileFormat if _holds(other, rate_hz, sample_format)]
    rates = ", ".join(map(str, file_format.sample_rates_hz))
    obstacle = f"its rate is {rate_hz} Hz, not one of {rates}"
    message = f"{file_format.value} cannot hold {path.name}: {obstacle}; {', '.join(able)} can"
    raise InvalidRequest(message, {"file": str(path), "file_format": message})


def _holds(file_format: FileFormat, rate_hz: int, sample_format: SampleFormat) -> bool:
    rates_hz = file_format.sample_rates_hz
    return sample_format in file_format.sample_formats and (not rates_hz or rate_hz in rates_hz)


@dataclass(frozen=True)
class _Head:
    """Rate in Hz and length in seconds; 0 where the head tells none."""

    rate_hz: int = 0
    duration_s: float = 0.0


def sample_rate_hz_from_head(path: Path) -> int | None:
    """The rate in Hz; None for another kind of file, one that cannot be read, or a head that tells none."""
    return _head_of(path).rate_hz or None


def duration_s_from_head(path: Path) -> float | None:
    """How long the file says it lasts; None as for the rate. A damaged file may be shorter, and no longer."""
    return _head_of(path).duration_s or None


def _head_of(path: Path) -> _Head:
    if not path.is_file():
        return _Head()  # a pipe would be waited for
    try:
        with path.open("rb") as file:
            return _head(file)
    except (OSError, struct.error, ValueError, OverflowError):
        return _Head()


def _head(file: BinaryIO) -> _Head:
    head = file.read(12)
    if head[:3] == b"ID3":
        file.seek(_ID3_HEAD_BYTES + _id3_bytes(head))
        head = file.read(12)
    if head[:4] == b"fLaC":
        return _head_from_streaminfo(head[4:] + file.read(14))
    if head[:4] in {b"RIFF", b"RF64"} and head[8:] == b"WAVE":
        return _head_from_wav(file)
    if head[:4] == b"FORM" and head[8:] in {b"AIFF", b"AIFC"}:
        return _head_from_comm(_chunk(file, b"COMM", ">"))
    return _Head()


def _head_from_streaminfo(block: bytes) -> _Head:
    """Behind a head of 4 bytes: at byte 10 of STREAMINFO 20 bits of rate, 8 of others, 36 of frames (0: unknown)."""
    bits = int.from_bytes(block[14:22], "big")
    rate_hz, frame_count = (bits >> 44, bits & 0xF_FFFF_FFFF) if len(block) >= 22 else (0, 0)  # noqa: PLR2004
    return _Head(rate_hz, frame_count / rate_hz if rate_hz else 0.0)


def _id3_bytes(head: bytes) -> int:
    """The length of an ID3v2 tag behind its head: four bytes of seven bits."""
    return sum(octet << (7 * place) for place, octet in enumerate(reversed(head[6:10])))


def _chunk(file: BinaryIO, wanted: bytes, order: str) -> bytes:
    """The first bytes of the chunk of that name; nothing if it is not among the first."""
    for name, size_bytes in _chunk_heads(file, order):
        if name == wanted:
            return file.read(min(size_bytes, 18))
        file.seek(size_bytes + size_bytes % 2, 1)
    return b""


def _chunk_heads(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:  # noqa: PLR2004  a name and a size of four bytes each
            return
        yield struct.unpack(f"{order}4sI", head)


def _head_from_wav(file: BinaryIO) -> _Head:
    """The rate of `fmt `, and how long `data` plays at its bytes a second; a size that nobody wrote is that to the end.

    RF64 keeps the size in `ds64`.
    """
    rate_hz, byte_rate, long_bytes = 0, 0, 0
    for name, size_bytes in _chunk_heads(file, "<"):
        start = file.tell()
        if name == b"data":
            there_bytes = file.seek(0, 2) - start
            told_bytes = long_bytes if size_bytes == _UNKNOWN_BYTES else size_bytes
            data_bytes = min(told_bytes or there_bytes, there_bytes)
            return _Head(rate_hz, data_bytes / byte_rate if byte_rate else 0.0)
        if name == b"ds64":
            long_bytes = int(struct.unpack("<QQ", file.read(16))[1])
        if name == b"fmt ":
            rate_hz, byte_rate = struct.unpack("<4xII", file.read(12))
        file.seek(start + size_bytes + size_bytes % 2)
    return _Head(rate_hz)


def _head_from_comm(chunk: bytes) -> _Head:
    """See Apple's AIFF 1.3: 32 bits of frames; the rate is a float of 15 bits of exponent, 64 of mantissa."""
    frame_count, exponent, mantissa = struct.unpack_from(">2xI2xHQ", chunk)
    shift = 63 - (exponent - 16383)
    rate_hz = round(mantissa / 2**shift) if 0 <= shift <= 63 else 0  # noqa: PLR2004  otherwise below 1 Hz, or no rate
    return _Head(rate_hz, frame_count / rate_hz if rate_hz else 0.0)
