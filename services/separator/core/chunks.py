"""WAV, RF64, AIFF, CAF and FLAC: chunks, of which one holds the audio. Of interest is whether it is all there."""

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from struct import unpack
from typing import Literal

from services.separator.core.id3 import begin_of_end_tag, end_of_tags
from services.separator.core.layouts import Bytes, SourceLayout

_HEADER_BYTES, _CAF_HEADER_BYTES = 8, 12
_UNKNOWN_BYTES = 0x7FFF0000
"""Programs that write into a pipe, and do not know the size yet, write something from here up to 2**32 - 1."""
_SEE_DS64 = 2**32 - 1
_CUT = "the file is damaged: its end is missing"
_UNFINISHED = "the file was never finished and does not tell its length: it was read to its end"
_MOST_CHUNKS = 10_000

_BLOCK_CODECS = frozenset({0x02, 0x11})
"""ADPCM by Microsoft and by the IMA: blocks of one size, of which the last is padded."""
_PLAIN_CODECS = frozenset({0x01, 0x03, 0x06, 0x07, 0xFFFE})
"""Blocks of one frame: PCM, float, A-law, µ-law, and EXTENSIBLE, which is one of these."""


def wav_layout(data: Bytes) -> SourceLayout | None:
    """Of a file that is WAV or RF64; None if it is not."""
    begin = end_of_tags(data)
    if data[begin : begin + 4] not in {b"RIFF", b"RF64"} or data[begin + 8 : begin + 12] != b"WAVE":
        return None
    chunks = {name: (position, size) for name, position, size in _chunks(data, begin + 12, "little")}
    position, size = chunks.get(b"data", (0, 0))
    if position and not size and _is_unfinished(data, begin, position):
        # libsndfile takes it for empty.
        return SourceLayout("wav", begin, len(data), "wav", damage=_UNFINISHED)
    if size == _SEE_DS64 and b"ds64" in chunks:
        large = chunks[b"ds64"][0]
        size = int.from_bytes(data[large + 8 : large + 16], "little")
    elif size >= _UNKNOWN_BYTES:
        size = 0
    damage = _CUT if position + size > len(data) else ""
    return SourceLayout("wav", begin, len(data), end_s=_told_end_s(data, chunks, size), damage=damage)


def _is_unfinished(data: Bytes, begin: int, audio: int) -> bool:
    """Whether the size of the whole, too, is as it was before any audio came; then all that follows is audio."""
    return begin + _HEADER_BYTES + int.from_bytes(data[begin + 4 : begin + 8], "little") <= audio < len(data)


def _told_end_s(data: Bytes, chunks: dict[bytes, tuple[int, int]], size: int) -> Fraction | None:
    """Where audio of that size ends; None if that is not known.

    ADPCM ends where the "fact" chunk says, if that is within the last block: not all programs count alike.
    """
    at = chunks.get(b"fmt ", (len(data), 0))[0]
    codec, channel_count, rate_hz, block_bytes, sample_bits, block_frames = (
        int.from_bytes(data[at + a : at + b], "little")
        for a, b in ((0, 2), (2, 4), (4, 8), (12, 14), (14, 16), (18, 20))
    )
    if codec in _PLAIN_CODECS:  # libsndfile goes by bits and channels: some programs write another block size
        block_bytes = channel_count * -(-sample_bits // 8)
    if not rate_hz or not block_bytes or not size:
        return None
    if codec in _PLAIN_CODECS:
        return Fraction(size // block_bytes, rate_hz)
    fact = chunks.get(b"fact", (len(data), 0))[0]
    frame_count = int.from_bytes(data[fact : fact + 4], "little")
    missing = -(-size // block_bytes) * block_frames - frame_count
    return Fraction(frame_count, rate_hz) if codec in _BLOCK_CODECS and 0 <= missing < block_frames else None


def aiff_layout(data: Bytes) -> SourceLayout | None:
    """Of a file that is AIFF or AIFF-C; None if it is not."""
    begin = end_of_tags(data)
    if data[begin : begin + 4] != b"FORM" or data[begin + 8 : begin + 12] not in {b"AIFF", b"AIFC"}:
        return None
    ends = [position + size for name, position, size in _chunks(data, begin + 12, "big") if name == b"SSND"]
    return SourceLayout("aiff", begin, len(data), damage=_CUT if ends and ends[0] > len(data) else "")


def caf_layout(data: Bytes) -> SourceLayout | None:
    """Of a file that is Apple's Core Audio Format, whose packet table tells what a coder added; None if it is not."""
    if data[:4] != b"caff":
        return None
    chunks = {name: (position, size) for name, position, size in _caf_chunks(data)}
    position, size = chunks.get(b"data", (0, 0))
    layout = SourceLayout("caf", 0, len(data), "caf", damage=_CUT if position + size > len(data) else "")
    if b"pakt" not in chunks or b"desc" not in chunks:
        return layout
    description, table = chunks[b"desc"][0], chunks[b"pakt"][0]
    rate_hz = _whole_rate_hz(data[description : description + 8])
    frame_count, lead = (int.from_bytes(data[table + a : table + b], signed=True) for a, b in ((8, 16), (16, 20)))
    if not rate_hz or lead < 0 or frame_count <= 0:
        return layout
    return replace(layout, lead_s=Fraction(lead, rate_hz), end_s=Fraction(lead + frame_count, rate_hz))


def _whole_rate_hz(number: bytes) -> int:
    """From a floating-point number; 0 if it is none that a rate can be."""
    rate_hz = unpack(">d", number.rjust(8, b"\0"))[0]
    return int(rate_hz) if math.isfinite(rate_hz) and rate_hz >= 1.0 else 0


def flac_layout(data: Bytes) -> SourceLayout | None:
    """Of a file that is FLAC, whose first block tells the number of frames unless it is 0; None if it is not.

    Where nobody knows, a tag behind must be left out: a decoder takes it for damage.
    """
    begin = end_of_tags(data)
    if data[begin : begin + 4] != b"fLaC":
        return None
    rate_hz = int.from_bytes(data[begin + 18 : begin + 21]) >> 4
    frame_count = int.from_bytes(data[begin + 21 : begin + 26]) & 0xF_FFFF_FFFF
    end_s = Fraction(frame_count, rate_hz) if rate_hz and frame_count else None
    return SourceLayout("flac", begin, begin_of_end_tag(data), end_s=end_s)


def _chunks(data: Bytes, begin: int, byte_order: Literal["little", "big"]) -> Iterator[tuple[bytes, int, int]]:
    """Name, position and size of each chunk, but not of millions; they begin at even places."""
    position = begin
    for _ in range(_MOST_CHUNKS):
        if position + _HEADER_BYTES > len(data):
            return
        size = int.from_bytes(data[position + 4 : position + 8], byte_order)
        yield data[position : position + 4], position + _HEADER_BYTES, size
        position += _HEADER_BYTES + size + (size & 1)


def _caf_chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """As `_chunks`; a size of -1 reaches to the end."""
    position = 8
    for _ in range(_MOST_CHUNKS):
        if position + _CAF_HEADER_BYTES > len(data):
            return
        size = int.from_bytes(data[position + 4 : position + 12], signed=True)
        begin = position + _CAF_HEADER_BYTES
        size = len(data) - begin if size < 0 else size
        yield data[position : position + 4], begin, size
        position = begin + size
