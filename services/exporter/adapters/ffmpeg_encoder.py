"""MP3 and AAC files by the FFmpeg inside PyAV, spooled because their heads are completed at the end.

An encoder puts silence in front of the music and behind it. The first frame's time stamp and the length tell the
muxer how much, and it writes that down: in an MP3's Info header, in an M4A's edit list. Whoever reads those plays
exactly the frames that went in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import av
import numpy as np

from services.exporter.adapters.scratch import encoded_file, scratch_file, scratch_unavailable
from services.exporter.core.ports import EncodedFile, FileSpec, SampleBlock
from stemhouse.delivery import FileFormat
from stemhouse.errors import InternalFault

_FULL_SCALE = 2**23
_MOST_BITS_PER_S = 320_000
_LOWEST_MPEG_1_HZ = 32_000
_LOWEST_MPEG_2_HZ = 16_000
_LAMES_GAIN = 0.95
"""What LAME multiplies samples by at 160 kbit/s or less, for head room; from 256 on it leaves them alone."""
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class _Recipe:
    """How FFmpeg is to make a file; `own_gain` is what the coder multiplies samples by, below its most bits."""

    container: str
    codec: str
    most_bits_per_s: Callable[[FileSpec], int]
    options: Callable[[FileSpec], Mapping[str, str]]
    own_gain: float = 1.0


def _most_mp3_bits_per_s(spec: FileSpec) -> int:
    """What MPEG 1 and 2 define for their rates; LAME stops earlier for those of 2.5."""
    if spec.sample_rate_hz >= _LOWEST_MPEG_1_HZ:
        return _MOST_BITS_PER_S
    return 160_000 if spec.sample_rate_hz >= _LOWEST_MPEG_2_HZ else 64_000


def _most_aac_bits_per_s(spec: FileSpec) -> int:
    """A channel has at most 6144 bits in a block of 1024 frames."""
    return min(_MOST_BITS_PER_S, 6 * spec.sample_rate_hz * spec.channel_count)


_RECIPES = {
    FileFormat.MP3: _Recipe(
        "mp3", "libmp3lame", _most_mp3_bits_per_s, lambda _spec: {"id3v2_version": "0"}, _LAMES_GAIN
    ),
    # The edit list counts in the movie's time scale: at the default of milliseconds it would name other frames.
    FileFormat.M4A: _Recipe(
        "ipod", "aac", _most_aac_bits_per_s, lambda spec: {"movie_timescale": str(spec.sample_rate_hz)}
    ),
}


class FfmpegEncoder:
    """FileEncoder for MP3 or M4A, at 320 kbit/s or the most that the rate allows."""

    def __init__(self, file_format: FileFormat, scratch_dir: Path) -> None:
        """Keep the format and the folder of the spool."""
        self._recipe = _RECIPES[file_format]
        self._scratch_dir = scratch_dir

    @contextmanager
    def encode(self, spec: FileSpec, blocks: Iterable[SampleBlock]) -> Iterator[EncodedFile]:
        """See FileEncoder.encode; raises Unavailable if the spool cannot be written, InternalFault if FFmpeg fails."""
        with scratch_file(self._scratch_dir) as spool:
            try:
                _write(spool, self._recipe, spec, blocks)
                file = encoded_file(spool)
            except av.FFmpegError as error:
                message = f"FFmpeg's {self._recipe.codec} cannot encode {spec}: {error}"
                raise InternalFault(message) from error
            except OSError as error:
                raise scratch_unavailable(self._scratch_dir, error) from error
            yield file


def _write(spool: IO[bytes], recipe: _Recipe, spec: FileSpec, blocks: Iterable[SampleBlock]) -> None:
    with av.open(spool, "w", format=recipe.container, container_options=dict(recipe.options(spec))) as container:
        layout = _LAYOUTS[spec.channel_count]
        stream = cast("av.AudioStream", container.add_stream(recipe.codec, rate=spec.sample_rate_hz, layout=layout))
        stream.bit_rate = recipe.most_bits_per_s(spec)
        own_gain = recipe.own_gain if stream.bit_rate < _MOST_BITS_PER_S else 1.0
        for frame in _frames(blocks, spec, _FULL_SCALE * own_gain):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(blocks: Iterable[SampleBlock], spec: FileSpec, full_scale: float) -> Iterator[av.AudioFrame]:
    """The samples as FFmpeg takes them; 24 bits fit a float32 exactly."""
    position = 0
    for block in blocks:
        samples = np.ascontiguousarray(block.T, dtype=np.float32) / np.float32(full_scale)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=_LAYOUTS[spec.channel_count])
        frame.sample_rate = spec.sample_rate_hz
        frame.time_base = Fraction(1, spec.sample_rate_hz)
        frame.pts = position
        position += frame.samples
        yield frame
