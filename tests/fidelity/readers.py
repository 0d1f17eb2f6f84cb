"""Readers of files that share no code with what wrote them, or with what decoded them for Stemhouse.

All give float64 (channels, frames), full scale 1.0, and cut a file where it says that its music ends.
"""

import io
import struct
import wave

import av
import miniaudio
import numpy as np
import numpy.typing as npt
import soundfile
from av.codec.context import Flags2

Audio = npt.NDArray[np.float64]

TAG_PCM = 1
TAG_FLOAT = 3


def wav_tag(data: bytes) -> int:
    """The format tag: 1 is PCM, 3 float, 0xFFFE EXTENSIBLE."""
    (tag,) = struct.unpack_from("<H", data, data.index(b"fmt ") + 8)
    return int(tag)


def by_wave(data: bytes) -> Audio:
    """A WAV of 16 or 24 bits by Python's own reader, which takes nothing but plain PCM."""
    with wave.open(io.BytesIO(data)) as reader:
        width = reader.getsampwidth()
        octets = np.frombuffer(reader.readframes(reader.getnframes()), np.uint8)
        octets = octets.reshape(-1, reader.getnchannels(), width)
    wide = np.zeros((*octets.shape[:2], 4), np.uint8)
    wide[..., 4 - width :] = octets
    return (wide.view("<i4")[..., 0] / 2.0**31).T


def by_ffmpeg(data: bytes) -> Audio:
    """Anything, by PyAV. FFmpeg leaves the padding behind an M4A; its edit list, the stream's duration, says how much.

    FFmpeg's muxer of MP4 counts edit lists in milliseconds unless told otherwise, hence no cut by less than one.
    """
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        frames = [_planar(frame) for frame in container.decode(stream)]
        decoded = np.concatenate(frames, axis=1)
        if stream.duration is None or stream.time_base is None:
            return decoded
        return decoded[:, : round(stream.duration * stream.time_base * stream.rate)]


def by_ffmpeg_untrimmed(data: bytes) -> Audio:
    """All that FFmpeg's decoder gives, the encoder's delay included."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        stream.codec_context.flags2 |= Flags2.skip_manual
        return np.concatenate([_planar(frame) for frame in container.decode(stream)], axis=1)


def _planar(frame: av.AudioFrame) -> Audio:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    full_scale = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.dtype.itemsize - 1)
    return samples.astype(np.float64) / full_scale


def by_libsndfile(data: bytes) -> Audio:
    """WAV, AIFF, FLAC, Ogg, and MP3 by mpg123."""
    samples: Audio = soundfile.read(io.BytesIO(data), always_2d=True)[0].T
    return samples


def by_miniaudio(data: bytes) -> Audio:
    """An MP3, by dr_mp3."""
    info = miniaudio.mp3_get_info(data)
    decoded = miniaudio.decode(data, miniaudio.SampleFormat.FLOAT32, info.nchannels, info.sample_rate)
    return np.array(decoded.samples, np.float64).reshape(-1, info.nchannels).T
