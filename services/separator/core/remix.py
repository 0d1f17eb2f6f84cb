"""How well a verifier finds the vocals of a result again, once they stand before an accompaniment that does not fit.

    remix = SI-SDR(v, vocals of the verifier in (v + a later by 1.7 s))

v and a being the vocals of the result and all its other stems. Where vocals are clean and unlike the rest they are
found again; what has bled into either of them is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.separator.core.control import until_cancelled
from services.separator.core.ports import Block, Engine, TaskControl
from services.separator.core.ratios import InnerProducts
from services.separator.core.stem_reading import StemReader, mixture_of, pieces, spread_spans
from services.separator.core.survey import Survey
from stemhouse.errors import InternalFault, InvalidRequest
from stemhouse.vocab import VOCALS

_LATER_S = 1.7
"""Of no usual tempo a whole number of beats."""
_EXCERPT_S, _EXCERPT_COUNT = 10.0, 2


@dataclass(frozen=True)
class Remix:
    """What the verifier found: SI-SDR in dB within [-60, 60]."""

    db: float
    engine_id: str


def remix_signal(reader: StemReader, survey: Survey, verifier: Engine, control: TaskControl) -> Remix:
    """By two excerpts of ten seconds in which vocals sound; `verifier` works at the audio's own rate and channels.

    Raises InvalidRequest for a verifier without vocals, InternalFault for one that breaks its contract, NotFound,
    StorageUnavailable, Cancelled.
    """
    if VOCALS not in verifier.spec.stems:
        message = f"{verifier.spec.engine_id} gives no {VOCALS} and cannot verify any"
        raise InvalidRequest(message, {"engine_id": verifier.spec.engine_id})
    vocals, rest = _excerpts(reader, survey)
    later_frames = round(_LATER_S * reader.stem_set.audio.format.sample_rate_hz)
    return Remix(remix_db(vocals, np.roll(rest, later_frames, axis=1), verifier, control), verifier.spec.engine_id)


def remix_db(vocals: Block, later_rest: Block, verifier: Engine, control: TaskControl) -> float:
    """SI-SDR of the vocals that the verifier finds in the sum; the vocals are not silent."""
    found = verifier.separate(_Held(vocals + later_rest))
    products, at = InnerProducts(), 0
    for stems in until_cancelled(found, control):
        block = stems[VOCALS]
        products.add(vocals[:, at : at + block.shape[1]], block)
        at += block.shape[1]
    if at != vocals.shape[1]:
        message = f"{verifier.spec.engine_id} gave {at} frames for {vocals.shape[1]}"
        raise InternalFault(message, {"engine_id": verifier.spec.engine_id})
    return products.si_sdr_db()


def _excerpts(reader: StemReader, survey: Survey) -> tuple[Block, Block]:
    audio = reader.stem_set.audio
    length_frames = round(_EXCERPT_S * audio.format.sample_rate_hz)
    spans = spread_spans(survey.sounding_centres(VOCALS), length_frames, _EXCERPT_COUNT, audio.frame_count)
    vocals, rest = [], []
    for blocks in reader.excerpts(pieces(spans, audio.format.sample_rate_hz)):
        vocals.append(blocks[VOCALS])
        rest.append(mixture_of(blocks) - blocks[VOCALS])
    return np.concatenate(vocals, axis=1), np.concatenate(rest, axis=1)


@dataclass(frozen=True)
class _Held:
    """Mixture in memory."""

    block: Block

    def blocks(self) -> Iterator[Block]:
        yield self.block
