"""Ingest: a source file becomes canonical PCM, once.

Nothing is normalised. Samples that exceed full scale (lossy and float sources have them) are lowered by one power
of two for the whole track, which is recorded and undone on delivery.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from services.separator.core.control import until_cancelled
from services.separator.core.pcm import MAX_RATE_HZ, MIN_RATE_HZ, PcmDigest, fitting_gain, pcm_from_source
from services.separator.core.ports import AudioDesk, SourceAudio, SourceBlock, Task, TaskControl
from stemhouse.audio import AudioFormat, AudioRef, SourceFacts, SourceRef
from stemhouse.errors import UnreadableAudio, UnsupportedAudio
from stemhouse.tenants import HOUSE, Tenant

_MOST_CHANNELS = 2
LONGEST_S = 24 * 3600.0
"""Unless somebody says otherwise: a small file can hold years of silence."""
_LOUDEST = 2.0**24
"""Float files with integers for samples come this far; above lies damage."""


@dataclass(frozen=True)
class IngestedTrack:
    """The canonical audio, and what decoding told."""

    audio: AudioRef
    facts: SourceFacts


@dataclass(frozen=True)
class IngestTask(Task[IngestedTrack]):
    """Ingest one source."""

    source: SourceRef
    tenant: Tenant = HOUSE


def audio_key(pcm_sha256: str) -> str:
    """Where canonical PCM lies."""
    return f"audio/{pcm_sha256}.flac"


def ingest_track(
    source: SourceRef, desk: AudioDesk, control: TaskControl, longest_s: float = LONGEST_S
) -> IngestedTrack:
    """Decode a source into the store, unless the same samples are there already.

    Raises UnreadableAudio (no audio, no frames, a sample that is not finite), UnsupportedAudio (channels, rate, more
    than `longest_s`), NotFound, StorageUnavailable, Cancelled.
    """
    sound = desk.open_source(source)
    _require_supported(sound.format, source.file_name)
    new_meter = partial(_Meter, source.file_name, sound.format.sample_rate_hz, longest_s)
    gain = 1.0 if sound.is_integer else fitting_gain(_peak_of(sound, new_meter(), control))
    meter = new_meter()
    digest = PcmDigest(sound.format, gain)
    flac = desk.create_flac(sound.format)
    for samples in until_cancelled(meter.metered(sound.blocks()), control):
        block = pcm_from_source(samples, gain)
        digest.update(block)
        flac.append(block)
    meter.require_frames()
    key = audio_key(digest.hexdigest())
    size_bytes = desk.store.size_bytes(key)
    if size_bytes is None:
        size_bytes = flac.upload(key)
    audio = AudioRef(key, digest.hexdigest(), sound.format, meter.frame_count, gain, meter.peak, size_bytes)
    return IngestedTrack(audio, sound.facts())


def _peak_of(sound: SourceAudio, meter: "_Meter", control: TaskControl) -> float:
    """Decoding twice is cheaper than keeping float samples on disk: an MP3 decodes at hundreds of times real time."""
    for _ in until_cancelled(meter.metered(sound.blocks()), control):
        pass
    return meter.peak


def _require_supported(audio_format: AudioFormat, file_name: str) -> None:
    rate_hz = audio_format.sample_rate_hz
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        message = f"{file_name} has a rate of {rate_hz} Hz: Stemhouse takes {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
        raise UnsupportedAudio(message, {"file": file_name, "sample_rate_hz": str(rate_hz)})
    if audio_format.channel_count > _MOST_CHANNELS:
        message = f"{file_name} has {audio_format.channel_count} channels: Stemhouse takes mono and stereo"
        raise UnsupportedAudio(message, {"file": file_name, "channels": str(audio_format.channel_count)})


class _Meter:
    """Counts frames, finds the peak, and stops at the first sample that cannot be one, or is one too many."""

    def __init__(self, file_name: str, sample_rate_hz: int, longest_s: float) -> None:
        self._file_name = file_name
        self._longest_s = longest_s
        self._longest_frames = longest_s * sample_rate_hz
        self.frame_count = 0
        self.peak = 0.0

    def metered(self, blocks: Iterator[SourceBlock]) -> Iterator[SourceBlock]:
        """The same blocks; raises UnreadableAudio that names the first bad frame, and UnsupportedAudio for too many."""
        for samples in blocks:
            peaks = np.abs(samples).max(axis=0)
            is_bad = ~(peaks <= _LOUDEST)  # true for NaN, too
            if is_bad.any():
                self._reject(self.frame_count + int(np.argmax(is_bad)))
            self.peak = max(self.peak, float(peaks.max()))
            self.frame_count += samples.shape[1]
            if self.frame_count > self._longest_frames:
                self._reject_length()
            yield samples

    def _reject(self, frame: int) -> None:
        message = f"{self._file_name} is damaged: the sample at frame {frame} is not finite or absurdly large"
        raise UnreadableAudio(message, {"file": self._file_name, "frame": str(frame)})

    def _reject_length(self) -> None:
        message = f"{self._file_name} is longer than {self._longest_s:g} s: this service takes no more"
        raise UnsupportedAudio(message, {"file": self._file_name, "most_s": f"{self._longest_s:g}"})

    def require_frames(self) -> None:
        """Raises UnreadableAudio for a file without a single frame."""
        if self.frame_count == 0:
            message = f"{self._file_name} holds no audio: not one frame could be decoded"
            raise UnreadableAudio(message, {"file": self._file_name})
