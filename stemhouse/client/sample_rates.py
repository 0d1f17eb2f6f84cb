"""The sample rate that a file's head tells, without a decoder: WAV, AIFF and FLAC, as which high rates usually come.

Enough to tell before any work that a format cannot hold most of such tracks. Where a head tells nothing, or something
odd, the decoder's word comes later.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest

_MOST_CHUNKS = 64
_ID3_HEAD_BYTES = 10


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


def sample_rate_hz_from_head(path: Path) -> int | None:
    """The rate in Hz; None for another kind of file, one that cannot be read, or a head that tells none."""
    if not path.is_file():
        return None  # a pipe would be waited for
    try:
        with path.open("rb") as file:
            return _rate_hz(file) or None
    except (OSError, struct.error, ValueError, OverflowError):
        return None


def _rate_hz(file: BinaryIO) -> int:
    head = file.read(12)
    if head[:3] == b"ID3":
        file.seek(_ID3_HEAD_BYTES + _id3_bytes(head))
        head = file.read(12)
    if head[:4] == b"fLaC":
        # 34 bytes of STREAMINFO begin behind two heads of 4 bytes; the rate is 20 bits at byte 10 of them.
        return int.from_bytes((head + file.read(9))[18:21], "big") >> 4
    if head[:4] in {b"RIFF", b"RF64"} and head[8:] == b"WAVE":
        return _rate_from_fmt(_chunk(file, b"fmt ", "<"))
    if head[:4] == b"FORM" and head[8:] in {b"AIFF", b"AIFC"}:
        return _rate_from_comm(_chunk(file, b"COMM", ">"))
    return 0


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


def _rate_from_fmt(chunk: bytes) -> int:
    rate_hz: int = struct.unpack_from("<I", chunk, 4)[0]
    return rate_hz


def _rate_from_comm(chunk: bytes) -> int:
    """An 80-bit float, see Apple's AIFF 1.3: 15 bits of exponent, 64 of mantissa with a whole bit."""
    exponent, mantissa = struct.unpack_from(">HQ", chunk, 8)
    shift = 63 - (exponent - 16383)
    return round(mantissa / 2**shift) if 0 <= shift <= 63 else 0  # noqa: PLR2004  otherwise below 1 Hz, or no rate
