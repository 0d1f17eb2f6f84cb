"""Tracks that came back: decoded, put in their place in time, and held against the mixture."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import soundfile

from services.separator.adapters.adapting import resampled
from services.separator.core.cloud.checks import TOLERATED_S, is_foreign, lag_frames
from services.separator.core.pcm import MAX_RATE_HZ, MIN_RATE_HZ, block_from_pcm
from services.separator.core.ports import Block, StemBlocks, StoredPcm
from stemhouse.audio import AudioRef
from stemhouse.errors import UnreadableAudio

_EXCERPT_S = 10.0
_BLOCK_FRAMES = 65_536
_USUAL_RATE_HZ = 48_000


class ReturnedTracks:
    """Files of all stems of one track, by stem; all at the level of what was sent."""

    def __init__(self, paths: Mapping[str, Path], audio: AudioRef, mixture: StoredPcm) -> None:
        """Check them; raises UnreadableAudio for what is not the track, or damaged."""
        self._audio = audio
        for path in paths.values():
            _require_shape(path, audio)
        self._paths = {stem: _at_rate(path, audio.format.sample_rate_hz) for stem, path in paths.items()}
        self._lag = self._lag_against(mixture)
        if is_foreign(self._mixture_blocks(mixture), self._totals(mixture), audio.format.sample_rate_hz):
            raise UnreadableAudio("the stems hold something that is not in the track")

    def blocks(self) -> Iterator[StemBlocks]:
        """The stems on the source's own scale, as many frames as the source has."""
        gain = np.float32(1.0 / self._audio.gain)
        for start in range(0, self._audio.frame_count, _BLOCK_FRAMES):
            end = min(start + _BLOCK_FRAMES, self._audio.frame_count)
            yield {stem: self._read(path, start, end) * gain for stem, path in self._paths.items()}

    def _lag_against(self, mixture: StoredPcm) -> int:
        length = min(round(_EXCERPT_S * self._audio.format.sample_rate_hz), self._audio.frame_count)
        first = (self._audio.frame_count - length) // 2
        ours = block_from_pcm(next(iter(mixture.excerpts([(first, first + length)]))), 1.0)
        theirs = sum(_frames(path, self._audio, first, first + length) for path in self._paths.values())
        return lag_frames(ours, np.asarray(theirs), self._audio.format.sample_rate_hz)

    def _mixture_blocks(self, mixture: StoredPcm) -> Iterator[Block]:
        """On the scale of what was sent."""
        return (block_from_pcm(block, 1.0) for block in mixture.blocks())

    def _totals(self, mixture: StoredPcm) -> Iterator[Block]:
        start = 0
        for block in mixture.blocks():
            end = start + block.shape[1]
            total = sum(self._read(path, start, end) for path in self._paths.values())
            yield np.asarray(total, dtype=np.float32)
            start = end

    def _read(self, path: Path, start: int, end: int) -> Block:
        return _frames(path, self._audio, start + self._lag, end + self._lag)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    with ExitStack() as stack:
        try:
            sound = stack.enter_context(soundfile.SoundFile(path))
        except soundfile.LibsndfileError as error:
            raise UnreadableAudio("a stem is no audio that can be decoded") from error
        yield sound


def _require_shape(path: Path, audio: AudioRef) -> None:
    with _opened(path) as sound:
        has_rate = MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ
        if not has_rate or sound.channels < audio.format.channel_count:
            raise UnreadableAudio(f"a stem has {sound.channels} channels at {sound.samplerate} Hz")
        missing_s = audio.duration_s - sound.frames / sound.samplerate
        if abs(missing_s) > TOLERATED_S:
            raise UnreadableAudio(f"a stem is {abs(missing_s):.1f} s too {'short' if missing_s > 0 else 'long'}")


def _at_rate(path: Path, rate_hz: int) -> Path:
    """The file, or one beside it: at which rate the service answers nobody has published, and it was paid for."""
    with _opened(path) as sound:
        if sound.samplerate == rate_hz:
            return path
        converted = path.with_suffix(".converted")
        with soundfile.SoundFile(converted, "w", rate_hz, sound.channels, "FLOAT", format="RF64") as file:
            for block in resampled(_blocks(sound), sound.samplerate, rate_hz):
                file.write(block.T)
    return converted


def _blocks(sound: soundfile.SoundFile) -> Iterator[Block]:
    while (block := _decoded(sound, _BLOCK_FRAMES)).shape[1]:
        yield block


def _frames(path: Path, audio: AudioRef, start: int, end: int) -> Block:
    """Finite samples (channels, frames); silence where the file has none; of mono sources the mean of the channels."""
    block = np.zeros((audio.format.channel_count, end - start), dtype=np.float32)
    with _opened(path) as sound:
        first, last = max(start, 0), min(end, sound.frames)
        if first < last:
            sound.seek(first)
            samples = _decoded(sound, last - first)
            block[:, first - start : first - start + samples.shape[1]] = _in_channels(samples, block.shape[0])
    return block


def _decoded(sound: soundfile.SoundFile, frame_count: int) -> Block:
    try:
        samples: Block = sound.read(frame_count, dtype="float32", always_2d=True).T
    except soundfile.LibsndfileError as error:
        raise UnreadableAudio("a stem is damaged") from error
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


def _in_channels(samples: Block, channel_count: int) -> Block:
    return samples.mean(axis=0, keepdims=True) if channel_count == 1 else samples[:channel_count]


def most_bytes(audio: AudioRef) -> int:
    """What a stem of a track may have at most: twice float stereo at its rate or the usual one, and room for heads."""
    rate_hz = max(audio.format.sample_rate_hz, _USUAL_RATE_HZ)
    return round(audio.duration_s * rate_hz) * 2 * 4 * 2 + (1 << 20)


def stem_paths(folder: Path, stems: Sequence[str]) -> Mapping[str, Path]:
    """A file for each stem."""
    return {stem: folder / stem for stem in stems}
