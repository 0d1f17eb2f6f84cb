"""An engine for whoever wants nothing but vocals and the rest."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.separator.core.blocks import Intake
from services.separator.core.ports import Block, Engine, EngineSpec, Mixture, StemBlocks
from stemhouse.errors import InternalFault
from stemhouse.vocab import OTHER, VOCALS


@dataclass(frozen=True)
class VocalsOnly:
    """Engine: the vocals of another one, and as `other` what the mixture has besides.

    `spec` says these two stems. The other engine need give nothing but vocals.
    """

    engine: Engine
    spec: EngineSpec

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate; the mixture is read once more beside what the other engine reads."""
        return _with_rest(self.engine.separate(mixture), mixture)


def _with_rest(given: Iterator[StemBlocks], mixture: Mixture) -> Iterator[StemBlocks]:
    heard = Intake(mixture.blocks())
    for stems in given:
        vocals = stems[VOCALS]
        yield {VOCALS: vocals, OTHER: _next(heard, vocals.shape[1]) - vocals}


def _next(heard: Intake[Block], frame_count: int) -> Block:
    block = heard.take(frame_count)
    if block is None or block.shape[1] < frame_count:
        message = "the engine gave more frames than the mixture has"
        raise InternalFault(message)
    return block
