"""What a file holds apart from its tags: DJ programs write into them all the time, and the music stays the same.

Where the audio lies is told by the containers' own layouts: ID3v2 (id3.org, 2.4.0, section 3.1), ID3v1, APEv2 and
Lyrics3 at the end, FLAC's metadata blocks (RFC 9639, section 8), RIFF and AIFF chunks, boxes of ISO 14496-12.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

Span = tuple[int, int]
"""First byte, and the one behind the last."""

_CHUNK_BYTES = 1 << 20
_ID3_BYTES = 10
_ID3V1_BYTES = 128
_APE_BYTES = 32
_APE_HAS_HEADER = 0x80000000
_LYRICS_END, _LYRICS_SIZE_DIGITS = b"LYRICS200", 6
_UNKNOWN_SIZE = 0xFFFFFFFF
_BOX_HEAD_BYTES, _LONG_BOX_HEAD_BYTES = 8, 16
_SOUND_CHUNKS = {b"fmt ", b"data", b"COMM", b"SSND"}
_SOUND_BOXES = {b"mdat"}


def audio_sha256(path: str) -> str:
    """SHA-256 of the file's audio, as it is coded; empty if its container does not say where that is.

    Raises OSError.
    """
    with Path(path).open("rb") as file:
        spans = list(_spans(file, os.fstat(file.fileno()).st_size))
        return _digest(file, spans) if any(end > start for start, end in spans) else ""


def _digest(file: BinaryIO, spans: list[Span]) -> str:
    digest = hashlib.sha256()
    for start, end in spans:
        file.seek(start)
        remaining_bytes = end - start
        while remaining_bytes and (chunk := file.read(min(_CHUNK_BYTES, remaining_bytes))):
            digest.update(chunk)
            remaining_bytes -= len(chunk)
    return digest.hexdigest()


def _spans(file: BinaryIO, size_bytes: int) -> Iterator[Span]:
    start = _id3_end(file, size_bytes)
    head = _at(file, start, 12)
    if head[:4] == b"fLaC":
        yield _flac_frames(file, start + 4, size_bytes), _end_of_audio(file, size_bytes)
    elif head[:4] in {b"RIFF", b"RF64"} and head[8:] == b"WAVE":
        yield from _chunks(file, size_bytes, "little")
    elif head[:4] == b"FORM" and head[8:] in {b"AIFF", b"AIFC"}:
        yield from _chunks(file, size_bytes, "big")
    elif head[4:8] == b"ftyp":
        yield from _boxes(file, size_bytes)
    elif start or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
        yield start, _end_of_audio(file, size_bytes)


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(max(0, offset))
    return file.read(count)


def _id3_end(file: BinaryIO, size_bytes: int) -> int:
    """Behind all ID3v2 tags at the start; their sizes have seven bits a byte."""
    end = 0
    while (head := _at(file, end, _ID3_BYTES))[:3] == b"ID3" and len(head) == _ID3_BYTES:
        has_footer = bool(head[5] & 0x10)
        length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        end += _ID3_BYTES + length + (_ID3_BYTES if has_footer else 0)
    return min(end, size_bytes)


def _end_of_audio(file: BinaryIO, size_bytes: int) -> int:
    """Before the tags at the end, whatever their order."""
    end = size_bytes
    while (shorter := _without_last_tag(file, end)) < end:
        end = shorter
    return end


def _without_last_tag(file: BinaryIO, end: int) -> int:
    if _at(file, end - _ID3V1_BYTES, 3) == b"TAG" and end >= _ID3V1_BYTES:
        return end - _ID3V1_BYTES
    ape = _at(file, end - _APE_BYTES, _APE_BYTES)
    if ape[:8] == b"APETAGEX" and end >= _APE_BYTES:
        has_header = int.from_bytes(ape[20:24], "little") & _APE_HAS_HEADER
        return max(0, end - int.from_bytes(ape[12:16], "little") - (_APE_BYTES if has_header else 0))
    tail_bytes = len(_LYRICS_END) + _LYRICS_SIZE_DIGITS
    lyrics = _at(file, end - tail_bytes, tail_bytes)
    if lyrics.endswith(_LYRICS_END) and lyrics[:_LYRICS_SIZE_DIGITS].isdigit():
        return max(0, end - tail_bytes - int(lyrics[:_LYRICS_SIZE_DIGITS]))
    return end


def _flac_frames(file: BinaryIO, start: int, size_bytes: int) -> int:
    while start < size_bytes and len(head := _at(file, start, 4)) == 4:  # noqa: PLR2004  of a block's head
        start += 4 + int.from_bytes(head[1:], "big")
        if head[0] & 0x80:
            break
    return min(start, size_bytes)


def _chunks(file: BinaryIO, size_bytes: int, byte_order: Literal["little", "big"]) -> Iterator[Span]:
    """The payloads that describe and hold samples; a size that is not known, as in RF64, reaches to the end."""
    start = 12
    while len(head := _at(file, start, 8)) == 8:  # noqa: PLR2004  of a chunk's head
        length = int.from_bytes(head[4:], byte_order)
        end = size_bytes if length == _UNKNOWN_SIZE else min(start + 8 + length, size_bytes)
        if head[:4] in _SOUND_CHUNKS:
            yield start + 8, end
        start = end + length % 2


def _boxes(file: BinaryIO, size_bytes: int) -> Iterator[Span]:
    start = 0
    while len(head := _at(file, start, _LONG_BOX_HEAD_BYTES)) >= _BOX_HEAD_BYTES:
        length, head_bytes = int.from_bytes(head[:4], "big"), _BOX_HEAD_BYTES
        if length == 1:
            length, head_bytes = int.from_bytes(head[8:], "big"), _LONG_BOX_HEAD_BYTES
        end = min(start + length, size_bytes) if length >= head_bytes else size_bytes
        if head[4:8] in _SOUND_BOXES:
            yield start + head_bytes, end
        start = end
