"""Source files as other programs write them, made on the spot; samples are float32 (channels, frames)."""

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import lameenc
import numpy as np
import numpy.typing as npt

from tests.signals import Audio

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
JUNK = np.random.default_rng(3).bytes(30_000)
"""Sync words by chance among it."""
ID3V1 = b"TAG" + bytes(125)


def by_ffmpeg(
    samples: Audio,
    codec: str,
    container: str,
    sample_rate_hz: int = 44100,
    *,
    sample_type: str = "",
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    has_times: bool = True,
    path: Path | None = None,
) -> bytes:
    """Coded by FFmpeg; without times of the frames, it writes no edit list. At `path` if the muxer must read, too."""
    file = io.BytesIO()
    layout = LAYOUTS[samples.shape[0]]
    with av.open(file if path is None else str(path), "w", format=container, options=muxer or {}) as output:
        stream: Any = output.add_stream(codec, rate=sample_rate_hz, layout=layout, options=options or {})
        if sample_type:
            stream.format = sample_type
        context = stream.codec_context
        context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sample_rate_hz, 0, Fraction(1, sample_rate_hz)
        resampler = av.AudioResampler(context.format, layout, sample_rate_hz, context.frame_size or 4096)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            if not has_times:
                piece.pts = None
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return path.read_bytes() if path else file.getvalue()


def mp3_by_ffmpeg(samples: Audio, sample_rate_hz: int = 44100, *, has_header: bool = True, **options: str) -> bytes:
    """By libmp3lame; libavformat writes the header, "Lavf" where LAME writes its name."""
    muxer = {"write_xing": str(int(has_header)), "id3v2_version": "0"}
    return by_ffmpeg(samples, "libmp3lame", "mp3", sample_rate_hz, options=options or {"b": "320000"}, muxer=muxer)


def mp3_by_lameenc(samples: Audio, sample_rate_hz: int = 44100, vbr_mode: int | None = None) -> bytes:
    """By LAME as the package lameenc has it, which writes no header of its own."""
    encoder = lameenc.Encoder()
    encoder.set_bit_rate(320)
    encoder.set_in_sample_rate(sample_rate_hz)
    encoder.set_channels(samples.shape[0])
    encoder.silence()
    if vbr_mode is not None:
        encoder.set_vbr(vbr_mode)
    pcm = np.rint(samples.T * 32767).astype("<i2").tobytes()
    return bytes(encoder.encode(pcm)) + bytes(encoder.flush())


def without_coder_name(mp3: bytes) -> bytes:
    """The Xing or Info header as a coder writes it that does not tell its delay."""
    start = mp3.index(b"Lavf", mp3.index(b"Info"))
    return mp3[:start] + bytes(36) + mp3[start + 36 :]


def with_vbri(mp3: bytes) -> bytes:
    """A 44.1 kHz MP3 of 320 kbit/s behind a Fraunhofer header instead of its Info header."""
    header = bytearray(frame_bytes(mp3))
    header[:4] = mp3[:4]
    header[36 : 36 + 18] = b"VBRI" + struct.pack(">HHHII", 1, 1105, 75, len(mp3), len(mp3) // len(header))
    return bytes(header) + mp3[len(header) :]


def frame_bytes(mp3: bytes) -> int:
    """Size of the first frame of a 44.1 kHz MP3 of layer III."""
    kbps = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[mp3[2] >> 4]
    return 144_000 * kbps // 44100 + (mp3[2] >> 1 & 1)


def id3v2(size: int) -> bytes:
    """A tag of that many bytes behind its header, all padding."""
    return b"ID3\x04\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)


def lag_frames(samples: Audio, decoded: npt.NDArray[np.generic]) -> int:
    """By how many frames `decoded` is later than `samples`; below 0 if it begins within them."""
    size = samples.shape[1] + decoded.shape[1]
    spectrum = np.fft.rfft(decoded[0], size) * np.fft.rfft(samples[0], size).conj()
    lag = int(np.fft.irfft(spectrum, size).argmax())
    return lag if lag < decoded.shape[1] else lag - size
