"""The door to the choice of an engine: what is offered now, the policy, what failed lately, and what may be spent."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from services.router.core.breaker import CircuitBreaker
from services.router.core.durations import longest_s
from services.router.core.policy import Policy
from services.router.core.ports import Separators
from services.router.core.routing import decide, decide_again, most_minutes, why_not_again
from services.router.core.scene import Failure, Scene
from stemhouse.errors import Unavailable
from stemhouse.jobs import Attempt, Decision, EngineOffer, EngineSurvey, SeparationRequest


class Room(Protocol):
    """Where the minutes of cloud accounts are counted."""

    def room(self, account: str, batch_id: str, request_minutes: float) -> float:
        """The minutes that a job may still spend; 0 if the account was not allowed."""


@dataclass(frozen=True)
class Situation:
    """What a choice depends on besides the wish and the offers.

    `size_bytes` is of the source file, `batch_id` empty outside of batches, `duration_s` None before it is decoded.
    `failures` are engines that were chosen before and could not be used.
    """

    size_bytes: int = 0
    batch_id: str = ""
    failures: tuple[Failure, ...] = ()
    duration_s: float | None = None


class EngineChooser:
    """Chooses by what is offered now, by the policy, by what failed lately, and by what may be spent."""

    def __init__(self, separators: Separators, budget: Room, policy: Policy, *, now_s: Callable[[], float]) -> None:
        """Keep what it asks; `now_s` is a clock that never goes back."""
        self._separators = separators
        self._budget = budget
        self._policy = policy
        self._breaker = CircuitBreaker(policy.breaker)
        self._now_s = now_s

    @property
    def policy(self) -> Policy:
        """What it goes by."""
        return self._policy

    def choose(self, request: SeparationRequest, situation: Situation) -> Decision:
        """The engine that has the first go; see `decide`. Raises EngineUnavailable, BudgetExceeded, Unavailable."""
        decision = self.preview(request, situation)
        self._breaker.note_chosen(decision.engine_id, self._now_s())
        return decision

    def preview(self, request: SeparationRequest, situation: Situation) -> Decision:
        """What `choose` would say now, for whoever only wants to know. Raises likewise."""
        return decide(request, self._scene(request, situation))

    def most_minutes(self, request: SeparationRequest, situation: Situation, decision: Decision) -> float:
        """What a track that begins with a decision can cost at most. Raises Unavailable."""
        return most_minutes(request, self._scene(request, situation), decision)

    def second(self, request: SeparationRequest, situation: Situation, first: Attempt) -> Decision | None:
        """The engine that tries again after a low vocal score; None: no other one may. Raises Unavailable."""
        decision = self.preview_second(request, situation, first)
        if decision:
            self._breaker.note_chosen(decision.engine_id, self._now_s())
        return decision

    def preview_second(self, request: SeparationRequest, situation: Situation, first: Attempt) -> Decision | None:
        """What `second` would say now if the score is low. Raises likewise."""
        return decide_again(request, self._scene(request, situation), first)

    def why_no_second(self, request: SeparationRequest, situation: Situation, first: Attempt) -> str:
        """Why engines that are there may not try again; empty if there is none, or none can be asked now."""
        try:
            return "; ".join(why_not_again(request, self._scene(request, situation), first))
        except Unavailable:
            return ""

    def would_stand(
        self, request: SeparationRequest, duration_s: float, engine_id: str, *, is_in_batch: bool = False
    ) -> bool:
        """Whether what began with an engine is what the request would begin with, too. Raises as `choose` does.

        That the engine rests, or that there is nothing left to spend, makes no result worse that is there; and an
        engine of a separator that does not answer may be there again soon.
        """
        survey = self._separators.survey()
        if survey.is_partial and all(offer.engine_id != engine_id for offer in survey.offers):
            return True
        scene = Scene(survey, self._policy, request.source.size_bytes, duration_s, is_in_batch=is_in_batch)
        rooms = (self._rooms(request, "", survey), dict.fromkeys(_accounts(survey), math.inf))
        return any(decide(request, replace(scene, rooms=room)).engine_id == engine_id for room in rooms)

    def note_success(self, engine_id: str) -> None:
        """An engine has done a track."""
        self._breaker.note_success(engine_id)

    def note_failure(self, engine_id: str) -> None:
        """An engine could not do a track."""
        self._breaker.note_failure(engine_id, self._now_s())

    def offer(self, engine_id: str) -> EngineOffer | None:
        """The engine, if it can be asked for now. Raises Unavailable."""
        return next((offer for offer in self._separators.survey().offers if offer.engine_id == engine_id), None)

    def _scene(self, request: SeparationRequest, situation: Situation) -> Scene:
        survey, now_s = self._separators.survey(), self._now_s()
        return Scene(
            survey=survey,
            policy=self._policy,
            size_bytes=situation.size_bytes,
            longest_s=longest_s(request.source) if situation.duration_s is None else situation.duration_s,
            is_in_batch=bool(situation.batch_id),
            failures=situation.failures,
            resting=frozenset(
                offer.engine_id for offer in survey.offers if self._breaker.is_resting(offer.engine_id, now_s)
            ),
            rooms=self._rooms(request, situation.batch_id, survey),
        )

    def _rooms(self, request: SeparationRequest, batch_id: str, survey: EngineSurvey) -> Mapping[str, float]:
        if request.cloud_minutes <= 0.0:
            return {}  # the books need not be opened for most tracks
        return {account: self._budget.room(account, batch_id, request.cloud_minutes) for account in _accounts(survey)}


def _accounts(survey: EngineSurvey) -> set[str]:
    return {offer.cloud.account for offer in survey.offers if offer.cloud}
