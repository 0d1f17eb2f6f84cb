"""Does anybody sing? A few short excerpts through an engine, and in how much of them the vocals are clearly there."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.separator.core.blocks import Intake
from services.separator.core.control import until_cancelled
from services.separator.core.pcm import block_from_pcm
from services.separator.core.ports import AudioDesk, Block, Engine, PcmFile, Task, TaskControl
from services.separator.core.sung import SungShare
from stemhouse.audio import AudioRef
from stemhouse.errors import InternalFault, InvalidRequest
from stemhouse.tenants import HOUSE, Tenant
from stemhouse.vocab import VOCALS

_EXCERPT_CENTRES = (0.25, 0.45, 0.65, 0.80)
"""As shares of the track: past the intro, short of the outro."""
_EXCERPT_S = 7.0


@dataclass(frozen=True)
class ProbeVocalsTask(Task[float]):
    """Ask how much of a track is sung, by the ears of one engine."""

    audio: AudioRef
    engine_id: str
    tenant: Tenant = HOUSE


def probe_vocals(task: ProbeVocalsTask, engine: Engine, desk: AudioDesk, control: TaskControl) -> float:
    """The share of the excerpts in which somebody sings, as `sung` counts it: 0 to 1.

    `engine` works at the audio's own rate and channels. Raises InvalidRequest if it has no stem of vocals,
    InternalFault if it gives other frames than it got, Cancelled, NotFound, StorageUnavailable.
    """
    if VOCALS not in engine.spec.stems:
        message = f"{engine.spec.engine_id} gives no {VOCALS}"
        raise InvalidRequest(message, {"engine_id": engine.spec.engine_id})
    excerpts = _Excerpts(desk.open_pcm(task.audio.object_key, task.audio.format), task.audio)
    mixture, sung = Intake(excerpts.blocks()), SungShare(task.audio.format.sample_rate_hz)
    for stems in until_cancelled(engine.separate(excerpts), control):
        vocals = stems[VOCALS]
        heard = mixture.take(vocals.shape[1])
        if heard is None or heard.shape != vocals.shape:
            message = f"{engine.spec.engine_id} gave other frames than it was to hear"
            raise InternalFault(message, {"engine_id": engine.spec.engine_id})
        sung.add(heard, vocals)
    return sung.share()


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
