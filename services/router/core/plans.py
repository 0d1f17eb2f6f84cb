"""What a separation would be, told before anything is done."""

from dataclasses import dataclass, replace
from typing import Protocol

from services.router.core.choices import EngineChooser, Situation
from services.router.core.durations import usual_s
from services.router.core.pipeline import StemPipeline
from services.router.core.scene import CPU
from stemhouse.footprint import SCRATCH_BYTES_PER_S, stored_bytes_per_s
from stemhouse.jobs import Decision, EngineOffer, SeparationPlan, SeparationRequest
from stemhouse.vocab import BASE_STEMS


class Speeds(Protocol):
    """How fast engines were."""

    def audio_s_per_s(self, engine_id: str) -> float | None:
        """Seconds of audio that an engine separates in a second, by its latest results; None if there are none."""


class Budget(Protocol):
    """Where the minutes of cloud accounts are counted."""

    def require_room(self, request: SeparationRequest, offer: EngineOffer, pcm_sha256: str, duration_s: float) -> None:
        """See CloudBudget.require_room."""


@dataclass(frozen=True)
class _Length:
    """How long a track is, as far as anybody knows; `known_s` is None where it was guessed.

    `pcm_sha256` is empty before it is decoded.
    """

    usual_s: float
    known_s: float | None
    pcm_sha256: str = ""


class SeparationPlans:
    """Plans of separations."""

    def __init__(self, pipeline: StemPipeline, chooser: EngineChooser, speeds: Speeds, budget: Budget) -> None:
        """Keep what it asks."""
        self._budget = budget
        self._pipeline = pipeline
        self._chooser = chooser
        self._speeds = speeds

    def plan(self, request: SeparationRequest, duration_s: float | None) -> SeparationPlan:
        """The plan; `duration_s` is what the caller knows of the track.

        What is known already costs nothing. Raises EngineUnavailable, BudgetExceeded among it, Unavailable, and the
        InputRejected that an earlier ingest ended with.
        """
        ingested, accepted = self._pipeline.look_up_file(request)
        known_s = ingested.audio.duration_s if ingested else duration_s
        pcm_sha256 = ingested.audio.pcm_sha256 if ingested else ""
        length = _Length(usual_s(request.source) if known_s is None else known_s, known_s, pcm_sha256)
        if accepted and not request.references:
            return _plan_of_nothing(accepted.decision, length)
        situation = Situation(request.source.size_bytes, duration_s=known_s)
        return self._plan_of_work(request, situation, length)

    def _plan_of_work(self, request: SeparationRequest, situation: Situation, length: _Length) -> SeparationPlan:
        decision = self._chooser.preview(request, situation)
        offer = self._chooser.offer(decision.engine_id)
        if offer and offer.cloud:
            self._budget.require_room(request, offer, length.pcm_sha256, length.known_s or 0.0)
        most_minutes = self._chooser.most_minutes(request, situation, decision)
        stem_count = len(offer.stems if offer else BASE_STEMS)
        return replace(
            _plan_of_nothing(decision, length),
            is_known=False,
            expected_s=self._expected_s(decision, offer, length.usual_s),
            store_bytes=round(length.usual_s * stored_bytes_per_s(stem_count)),
            scratch_bytes=round(length.usual_s * SCRATCH_BYTES_PER_S),
            cloud_minutes=min(most_minutes, request.cloud_minutes),
        )

    def _expected_s(self, decision: Decision, offer: EngineOffer | None, audio_s: float) -> float | None:
        speed = self._speeds.audio_s_per_s(decision.engine_id)
        if speed is None and offer and offer.device == CPU:
            speed = self._chooser.policy.speeds.get(decision.engine)
        return audio_s / speed if speed else None


def _plan_of_nothing(decision: Decision, length: _Length) -> SeparationPlan:
    return SeparationPlan(
        decision=decision,
        duration_s=length.usual_s,
        is_duration_guessed=length.known_s is None,
        expected_s=0.0,
        store_bytes=0,
        scratch_bytes=0,
        cloud_minutes=0.0,
        is_known=True,
    )
