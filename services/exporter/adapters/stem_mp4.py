"""NI's stem files by the FFmpeg inside PyAV; the box that makes them such is put in afterwards."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import av
import numpy as np
import numpy.typing as npt

from services.exporter.adapters.scratch import encoded_file, scratch_file, scratch_unavailable
from services.exporter.core.dj.stem_mp4 import last_box, stem_document, with_stems
from services.exporter.core.ports import EncodedFile, GridBlock
from stemhouse.errors import InternalFault

_FULL_SCALE = 2**23
_BITS_PER_S = 320_000
_HEAD_BYTES, _LONG_HEAD_BYTES = 8, 16


@dataclass(frozen=True)
class _Coding:
    """What a codec takes."""

    codec: str
    sample_format: str
    options: Mapping[str, str]


_AAC = _Coding("aac", "fltp", {})
_ALAC = _Coding("alac", "s32p", {"bits_per_raw_sample": "24"})


class StemMp4Encoder:
    """Makes `.stem.mp4`: AAC at 320 kbit/s a stream, as Traktor itself does, or ALAC, which is exact and larger."""

    def __init__(self, scratch_dir: Path) -> None:
        """Keep the folder of the spool."""
        self._scratch_dir = scratch_dir

    @contextmanager
    def encode(
        self, sample_rate_hz: int, streams: Sequence[Iterable[GridBlock]], *, is_lossless: bool
    ) -> Iterator[EncodedFile]:
        """The file, as long as the context lasts.

        `streams` are the mix, drums, bass, other and vocals: blocks of int32 (frames, 1 or 2), full scale 2**23, all
        cut alike. Mono is doubled. Raises Unavailable if the spool cannot be written, InternalFault if FFmpeg fails.
        """
        with scratch_file(self._scratch_dir) as spool:
            try:
                _write(spool, _ALAC if is_lossless else _AAC, sample_rate_hz, streams)
                _name_stems(spool)
                file = encoded_file(spool)
            except av.FFmpegError as error:
                message = f"FFmpeg cannot make a stem file at {sample_rate_hz} Hz: {error}"
                raise InternalFault(message) from error
            except OSError as error:
                raise scratch_unavailable(self._scratch_dir, error) from error
            yield file


def _write(spool: IO[bytes], coding: _Coding, rate_hz: int, blocks: Sequence[Iterable[GridBlock]]) -> None:
    options = {"movie_timescale": str(rate_hz), "brand": "M4A "}  # else the edit list would be rounded to milliseconds
    with av.open(spool, "w", format="mp4", container_options=options) as container:
        streams = [_stream(container, coding, rate_hz) for _ in blocks]
        position = 0
        for together in zip(*blocks, strict=True):
            for stream, block in zip(streams, together, strict=True):
                container.mux(stream.encode(_frame(block, coding, rate_hz, position)))
            position += len(together[0])
        for stream in streams:
            container.mux(stream.encode(None))


def _stream(container: av.container.OutputContainer, coding: _Coding, rate_hz: int) -> av.AudioStream:
    added = container.add_stream(coding.codec, rate=rate_hz, layout="stereo", options=dict(coding.options))
    stream = cast("av.AudioStream", added)
    stream.format = coding.sample_format
    if coding is _AAC:
        stream.bit_rate = _BITS_PER_S
    return stream


def _frame(block: GridBlock, coding: _Coding, rate_hz: int, position: int) -> av.AudioFrame:
    """Alac's 24 bits are the upper ones of 32; they fit a float32 exactly."""
    stereo = np.broadcast_to(block, (len(block), 2)).T
    frame = av.AudioFrame.from_ndarray(_coded(stereo, coding), format=coding.sample_format, layout="stereo")
    frame.sample_rate = rate_hz
    frame.time_base = Fraction(1, rate_hz)
    frame.pts = position
    return frame


def _coded(samples: GridBlock, coding: _Coding) -> npt.NDArray[np.int32] | npt.NDArray[np.float32]:
    if coding is _ALAC:
        return np.ascontiguousarray(samples << 8, dtype=np.int32)
    return np.ascontiguousarray(samples, dtype=np.float32) / np.float32(_FULL_SCALE)


def _name_stems(spool: IO[bytes]) -> None:
    """FFmpeg has written the box of all heads at the end, so that no place in the file is named by a later one."""
    moov_at = last_box(list(_boxes(spool)))
    spool.seek(moov_at)
    moov = with_stems(spool.read(), stem_document())
    spool.seek(moov_at)
    spool.write(moov)


def _boxes(spool: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    end, start = spool.seek(0, 2), 0
    while start < end:
        spool.seek(start)
        head = spool.read(_LONG_HEAD_BYTES)
        size = int.from_bytes(head[:4])
        size = int.from_bytes(head[_HEAD_BYTES:]) if size == 1 else size
        yield head[4:_HEAD_BYTES], size
        start += max(size, _HEAD_BYTES)
