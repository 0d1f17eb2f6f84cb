"""Does anybody sing? A few short excerpts through an engine, and how much of the mixture's energy the vocals have.

Measured with the starter on 24 s excerpts: a rap track sings in 0.54 of its frames, a rock track with a quiet singer in
0.10; the same two without their vocals in 0.02 and 0.02, an instrumental funk track in 0.10.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.separator.core.blocks import Intake
from services.separator.core.control import until_cancelled
from services.separator.core.pcm import block_from_pcm
from services.separator.core.ports import AudioDesk, Block, Engine, PcmFile, Task, TaskControl
from stemhouse.audio import AudioRef
from stemhouse.errors import InvalidRequest
from stemhouse.vocab import VOCALS

_EXCERPT_CENTRES = (0.25, 0.45, 0.65, 0.80)
"""As shares of the track: past the intro, short of the outro."""
_EXCERPT_S = 7.0
_FRAME_S = 0.5
_SILENCE_DB = -50.0
"""Frames of the mixture below this mean power, against full scale, tell nothing."""
_SUNG_DB = -15.0
"""Of the vocals' energy against that of the mixture, for a frame to count as sung."""


@dataclass(frozen=True)
class ProbeVocalsTask(Task[float]):
    """Ask how much of a track is sung, by the ears of one engine."""

    audio: AudioRef
    engine_id: str


def probe_vocals(task: ProbeVocalsTask, engine: Engine, desk: AudioDesk, control: TaskControl) -> float:
    """The share of half seconds, among those of the excerpts that are not silent, in which somebody sings: 0 to 1.

    `engine` works at the audio's own rate and channels. Raises InvalidRequest if it has no stem of vocals, Cancelled,
    NotFound, StorageUnavailable.
    """
    if VOCALS not in engine.spec.stems:
        message = f"{engine.spec.engine_id} gives no {VOCALS}"
        raise InvalidRequest(message, {"engine_id": engine.spec.engine_id})
    excerpts = _Excerpts(desk.open_pcm(task.audio.object_key, task.audio.format), task.audio)
    stems = until_cancelled(engine.separate(excerpts), control)
    frame_frames = max(1, round(_FRAME_S * task.audio.format.sample_rate_hz))
    mixture_db = _powers_db(excerpts.blocks(), frame_frames)
    vocals_db = _powers_db((blocks[VOCALS] for blocks in stems), frame_frames)
    heard = [vocals - mixture for mixture, vocals in zip(mixture_db, vocals_db, strict=True) if mixture > _SILENCE_DB]
    return sum(difference > _SUNG_DB for difference in heard) / len(heard) if heard else 0.0


class _Excerpts:
    """Mixture of parts of a track, one behind the other; a short track is taken whole."""

    def __init__(self, pcm: PcmFile, audio: AudioRef) -> None:
        self._pcm = pcm
        self._gain = audio.gain
        self._spans = list(_spans(audio))

    def blocks(self) -> Iterator[Block]:
        """See Mixture.blocks."""
        start = 0
        for block in self._pcm.blocks():
            end = start + block.shape[1]
            for first, last in self._spans:
                wanted = block[:, max(first - start, 0) : max(last - start, 0)]
                if wanted.size:
                    yield block_from_pcm(wanted, self._gain)
            start = end
            if start >= self._spans[-1][1]:
                return


def _spans(audio: AudioRef) -> Iterator[tuple[int, int]]:
    """First frame and end of each excerpt, in order; they do not overlap."""
    length_frames = round(_EXCERPT_S * audio.format.sample_rate_hz)
    count, spare_frames = len(_EXCERPT_CENTRES), audio.frame_count - len(_EXCERPT_CENTRES) * length_frames
    if spare_frames <= 0:
        yield 0, audio.frame_count
        return
    for number, centre in enumerate(_EXCERPT_CENTRES):
        is_long = spare_frames >= count * length_frames
        spread = number * (length_frames + spare_frames // (count - 1))
        first = round(centre * audio.frame_count) - length_frames // 2 if is_long else spread
        yield first, first + length_frames


def _powers_db(blocks: Iterator[Block], frame_frames: int) -> Iterator[float]:
    """The mean power of each frame, in dB against full scale."""
    intake = Intake(blocks)
    while (frame := intake.take(frame_frames)) is not None:
        power = float(np.mean(np.square(frame, dtype=np.float64)))
        yield 10.0 * float(np.log10(power + np.finfo(np.float32).tiny))
