"""Audio files in and out: what an upload holds, and the tracks of a finished task."""

import io
import threading
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import soundfile

from tests.fake_lalal.dsp import Audio, separate
from tests.fake_lalal.tasks import Task

_BLOCK_FRAMES = 65_536
_HEADER_BYTES = 128
_SHELF_BYTES = 1 << 29
_LIBRARY_FORMATS = {"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "OGG"}
MIME_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "ogg": "audio/ogg"}


class NotAudio(Exception):
    """Nothing in it that can be decoded, or no way to encode what is wished for."""


@dataclass(frozen=True)
class MediaFile:
    """A track as it is downloaded. `encoding` is one of MIME_TYPES."""

    kind: str
    """stem or back."""
    label: str
    name: str
    encoding: str
    content: bytes

    def spoilt(self, first: float, last: float) -> bytes:
        """The content with noise between two fractions of it."""
        start, end = (int(len(self.content) * share) for share in (first, last))
        noise = np.random.default_rng(len(self.content)).bytes(end - start)
        return self.content[:start] + noise + self.content[end:]


def duration_s(content: bytes) -> float:
    """How long the audio in a file lasts.

    Raises:
        NotAudio: It holds none.
    """
    try:
        return float(soundfile.info(io.BytesIO(content)).duration)
    except soundfile.LibsndfileError as error:
        raise NotAudio(str(error)) from error


def encoding_of(content: bytes) -> str:
    """What a file is encoded as; what we cannot write is to be answered in WAV."""
    name = str(soundfile.info(io.BytesIO(content)).format).lower()
    return {"mpeg": "mp3", "mp3": "mp3"}.get(name, name if name in _LIBRARY_FORMATS else "wav")


def encode(audio: Audio, sample_rate_hz: int, encoding: str, wav_subtype: str = "FLOAT") -> bytes:
    """A file of float32 (channels, frames); steps of 2**-23 reach 24-bit files as they are.

    Raises:
        NotAudio: No encoder for that.
    """
    if encoding not in _LIBRARY_FORMATS:
        raise NotAudio(f"the fake has no encoder for {encoding}")
    subtype = {"wav": wav_subtype, "flac": "PCM_24"}.get(encoding)
    frames = audio.T
    file = io.BytesIO()
    container = _LIBRARY_FORMATS[encoding]
    with soundfile.SoundFile(file, "w", sample_rate_hz, len(audio), subtype, format=container) as writer:
        for start in range(0, len(frames), _BLOCK_FRAMES):  # the Vorbis encoder has a small stack
            writer.write(frames[start : start + _BLOCK_FRAMES])
    return _without_time(file.getvalue())


def shorter(content: bytes) -> bytes:
    """The same file with the last quarter of its frames missing, sound in itself."""
    audio, sample_rate_hz = _read(content)
    kept = audio[:, : audio.shape[1] * 3 // 4]
    return encode(kept, sample_rate_hz, encoding_of(content), str(soundfile.info(io.BytesIO(content)).subtype))


def render(task: Task, wav_subtype: str) -> dict[str, MediaFile]:
    """The tracks of a task by their labels, in the order in which they are told.

    Raises:
        NotAudio: No encoder for what the task asks for.
    """
    job, source = task.job, task.source
    audio, sample_rate_hz = _read(source.content)
    encoding = job.encoding or encoding_of(source.content)
    has_grid = encoding == "flac" or (encoding == "wav" and wav_subtype != "FLOAT")
    tracks = separate(audio, sample_rate_hz, job.stem_labels, job.backs, has_grid=has_grid)
    stem = PurePath(source.name).stem
    return {
        label: MediaFile(
            "back" if label in job.backs else "stem",
            label,
            f"{stem}_{label}_split_by_lalalai.{encoding}",
            encoding,
            encode(samples, sample_rate_hz, encoding, wav_subtype),
        )
        for label, samples in tracks.items()
    }


class MediaShelf:
    """Renders a task when somebody wants to know; the tasks that were asked for last are kept, within `size_bytes`."""

    def __init__(self, wav_subtype: str, size_bytes: int = _SHELF_BYTES) -> None:
        self._wav_subtype = wav_subtype
        self._size_bytes = size_bytes
        self._lock = threading.Lock()
        self._rendered: dict[str, dict[str, MediaFile]] = {}

    def files(self, task: Task) -> dict[str, MediaFile]:
        """See render."""
        with self._lock:
            files = self._rendered.pop(task.id, None) or render(task, self._wav_subtype)
            self._rendered[task.id] = files
            while len(self._rendered) > 1 and self._held_bytes() > self._size_bytes:
                del self._rendered[next(iter(self._rendered))]
            return files

    def _held_bytes(self) -> int:
        return sum(len(file.content) for files in self._rendered.values() for file in files.values())


def _read(content: bytes) -> tuple[Audio, int]:
    frames, sample_rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return np.ascontiguousarray(frames.T), int(sample_rate_hz)


def _without_time(content: bytes) -> bytes:
    """The same audio shall be the same file, but libsndfile writes the present into the PEAK chunk of float WAV."""
    at = content.find(b"PEAK", 0, _HEADER_BYTES)
    return content if at < 0 else content[: at + 12] + bytes(4) + content[at + 16 :]
