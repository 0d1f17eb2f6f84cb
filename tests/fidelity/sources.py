"""Kinds of source files: which rates they hold, how they are written, and what is in them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import soundfile

from tests.fidelity.figures import lag_frames
from tests.fidelity.readers import Audio, by_ffmpeg, by_ffmpeg_untrimmed
from tests.signals import song

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
_UP_TO_48_KHZ = RATES_HZ[:7]
_UP_TO_96_KHZ = RATES_HZ[:9]
_LAYOUTS = {1: "mono", 2: "stereo"}
_PEAK = 1.5
_ODD_FRAMES = 345
_LENGTH_S = 0.5


@dataclass(frozen=True)
class Kind:
    """A kind of file. `bits` are those of its integers, 0 for floats, which go above full scale.

    `decode` is None for lossless kinds: there what went in must come out. A kind that tells no delay does not tell its
    length either.
    """

    name: str
    extension: str
    bits: int
    encode: Callable[[Audio, int], bytes]
    decode: Callable[[bytes], Audio] | None = None
    rates_hz: tuple[int, ...] = RATES_HZ
    tells_delay: bool = True

    def samples(self, rate_hz: int, channel_count: int) -> Audio:
        """A song of half a second; each sample has a half that the file can hold, too."""
        sound = song(int(_LENGTH_S * rate_hz) + _ODD_FRAMES, rate_hz, channel_count).astype(np.float64)
        if self.decode:
            return sound
        if self.bits == 0:
            return (_PEAK * sound).astype(np.float32).astype(np.float64)
        steps = 2.0 ** (self.bits - 2)
        return np.rint(sound * steps) / steps

    def decoded(self, data: bytes, samples: Audio) -> Audio:
        """What others make of a file in which `samples` went; where no reader knows its beginning, these show it."""
        if self.decode is None:
            return samples
        decoded = self.decode(data)
        return decoded if self.tells_delay else decoded[:, lag_frames(decoded, samples) :]


def _by_libsndfile(container: str, subtype: str, **settings: Any) -> Callable[[Audio, int], bytes]:
    """Integers are given as such: libsndfile would scale floats by another number in each container."""

    def encode(samples: Audio, rate_hz: int) -> bytes:
        file = io.BytesIO()
        is_pcm = subtype.startswith("PCM")
        given = np.rint(samples * 2.0**31).clip(-(2**31), 2**31 - 1).astype(np.int32) if is_pcm else samples
        soundfile.write(file, given.T, rate_hz, subtype, format=container, **settings)
        return file.getvalue()

    return encode


def _by_ffmpeg(container: str, codec: str, sample_format: str, bits_per_s: int = 0) -> Callable[[Audio, int], bytes]:
    types = {"s16p": (np.int16, 0), "s32p": (np.int32, 0), "fltp": (np.float32, 0)}
    dtype = types[sample_format][0]
    scale = 1.0 if sample_format == "fltp" else 2.0 ** (8 * np.dtype(dtype).itemsize - 1)

    def encode(samples: Audio, rate_hz: int) -> bytes:
        file = io.BytesIO()
        layout = _LAYOUTS[len(samples)]
        with av.open(file, "w", format=container, container_options=_options(container, rate_hz)) as output:
            stream = cast("av.AudioStream", output.add_stream(codec, rate=rate_hz, layout=layout))
            stream.codec_context.format = av.AudioFormat(sample_format)
            if bits_per_s:
                stream.bit_rate = bits_per_s
            planes = np.ascontiguousarray(samples * scale).astype(dtype)
            frame = av.AudioFrame.from_ndarray(planes, format=sample_format, layout=layout)
            frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return file.getvalue()

    return encode


def _options(container: str, rate_hz: int) -> dict[str, str]:
    """An edit list counts in milliseconds otherwise, and names no exact length."""
    return {"movie_timescale": str(rate_hz)} if container == "ipod" else {}


KINDS = (
    Kind("WAV 8", "wav", 8, _by_libsndfile("WAV", "PCM_U8")),
    Kind("WAV 16", "wav", 16, _by_libsndfile("WAV", "PCM_16")),
    Kind("WAV 24", "wav", 24, _by_libsndfile("WAV", "PCM_24")),
    Kind("WAV 32", "wav", 32, _by_libsndfile("WAV", "PCM_32")),
    Kind("WAV float32", "wav", 0, _by_libsndfile("WAV", "FLOAT")),
    Kind("WAV float64", "wav", 0, _by_libsndfile("WAV", "DOUBLE")),
    Kind("WAV EXTENSIBLE", "wav", 24, _by_libsndfile("WAVEX", "PCM_24")),
    Kind("WAV RF64", "wav", 16, _by_libsndfile("RF64", "PCM_16")),
    Kind("AIFF 16", "aiff", 16, _by_libsndfile("AIFF", "PCM_16")),
    Kind("AIFF 24", "aiff", 24, _by_libsndfile("AIFF", "PCM_24")),
    Kind("FLAC 16", "flac", 16, _by_libsndfile("FLAC", "PCM_16")),
    Kind("FLAC 24", "flac", 24, _by_libsndfile("FLAC", "PCM_24")),
    Kind("ALAC 16", "m4a", 16, _by_ffmpeg("ipod", "alac", "s16p")),
    Kind("ALAC 24", "m4a", 24, _by_ffmpeg("ipod", "alac", "s32p")),
    Kind(
        *("MP3 CBR", "mp3", 0),
        _by_libsndfile("MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.3),
        by_ffmpeg,
        _UP_TO_48_KHZ,
    ),
    Kind(
        *("MP3 VBR", "mp3", 0),
        _by_libsndfile("MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.3),
        by_ffmpeg,
        _UP_TO_48_KHZ,
    ),
    Kind("AAC", "m4a", 0, _by_ffmpeg("ipod", "aac", "fltp", 128_000), by_ffmpeg, _UP_TO_96_KHZ),
    Kind("Ogg Vorbis", "ogg", 0, _by_libsndfile("OGG", "VORBIS"), by_ffmpeg),
    Kind("Opus", "opus", 0, _by_libsndfile("OGG", "OPUS"), by_ffmpeg, (48_000,)),
    Kind(
        "WMA",
        "wma",
        0,
        _by_ffmpeg("asf", "wmav2", "fltp", 64_000),
        by_ffmpeg_untrimmed,
        _UP_TO_48_KHZ,
        tells_delay=False,
    ),
)
"""Those with the same samples share a separation."""
