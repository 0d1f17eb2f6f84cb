"""Finding the LIST/INFO chunk of a WAV file."""

from collections.abc import Mapping
from typing import BinaryIO

from services.library.core.riff_info import names_from_info

_RIFF_HEAD_BYTES, _CHUNK_HEAD_BYTES = 12, 8
_MOST_CHUNKS = 64
_LARGEST_INFO_BYTES = 1 << 20


def wave_info(file: BinaryIO) -> Mapping[str, str]:
    """The names that the file's INFO chunk tells; none if it has none. Reads no audio; raises OSError."""
    file.seek(0)
    head = file.read(_RIFF_HEAD_BYTES)
    if not (head.startswith(b"RIFF") and head.endswith(b"WAVE")):
        return {}
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(_CHUNK_HEAD_BYTES)
        if len(chunk) < _CHUNK_HEAD_BYTES:
            break
        length = int.from_bytes(chunk[4:], "little")
        start = file.tell()
        if chunk.startswith(b"LIST") and file.read(4) == b"INFO":
            return names_from_info(file.read(min(length, _LARGEST_INFO_BYTES) - 4))
        file.seek(start + length + length % 2)
    return {}
