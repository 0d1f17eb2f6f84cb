"""One engine's go at a track: chosen, paid for where it costs something, done, and told to whoever chooses next."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from services.router.core.choices import EngineChooser, Situation
from services.router.core.cloud_budget import CloudBudget
from services.router.core.ports import Ingested, JobLedger, SeparationTask, Separators, Steps
from services.router.core.routing import is_free_to_choose
from services.router.core.scene import Failure
from services.router.core.shelf import CacheShelf
from stemhouse.audio import AudioRef, StemSet, result_id
from stemhouse.cloud import CLOUD_ENGINES, CloudOrder
from stemhouse.errors import (
    BudgetExceeded,
    Cancelled,
    ChargeUncertain,
    EngineUnavailable,
    StemhouseError,
    Unavailable,
    WorkerDied,
)
from stemhouse.jobs import Decision, Job, SeparationRequest
from stemhouse.vocab import Stage

_MOST_FAILURES = 5
"""Engines that `auto` tries in vain before it gives up: whoever has more damaged models has another problem."""

_CHARGED = "cloud_minutes"
"""The detail of an error that says what a cloud engine has charged all the same; 0 if nothing was submitted."""


class EngineRuns:
    """Has tracks separated, each stage recorded."""

    def __init__(
        self,
        chooser: EngineChooser,
        separators: Separators,
        jobs: JobLedger,
        budget: CloudBudget,
        shelf: CacheShelf,
    ) -> None:
        """Keep what it asks."""
        self._chooser = chooser
        self._separators = separators
        self._jobs = jobs
        self._budget = budget
        self._shelf = shelf

    def first(self, job: Job, ingested: Ingested, steps: Steps) -> tuple[Decision, StemSet]:
        """The stems of the first engine that can be used: a model may turn out to be damaged when it is loaded.

        That it is still offered then, say by a volume that cannot be written to, makes no difference. A service that
        does not answer is no reason to wait for it where another engine may do the track. Raises what the last engine
        raised, and Cancelled.
        """
        failures: list[Failure] = []
        while True:
            situation = situation_of(job, ingested, tuple(failures))
            decision = steps.run(Stage.CHOOSE, self._choosing(ingested), job.request, situation)
            try:
                return decision, self.run(job, ingested, decision, steps)
            except Unavailable as error:
                failures.append(Failure(decision, error.message))
                is_over = isinstance(error, EngineUnavailable) or _has_another(decision)
                if not (is_over and is_free_to_choose(job.request)) or len(failures) == _MOST_FAILURES:
                    raise

    def run(self, job: Job, ingested: Ingested, decision: Decision, steps: Steps) -> StemSet:
        """The stems of a chosen engine. Raises EngineUnavailable, BudgetExceeded among it, and Cancelled.

        An order is closed as spent within the stage that spends it, as not spent only after that: a stage whose end
        was not recorded is run again with the same order, which has to count until then. What ends the stage from
        outside, a cancellation or a separator that does not come back, leaves it uncertain.
        """
        order = None
        if decision.engine in CLOUD_ENGINES:
            order = steps.run(Stage.RESERVE, self._reserving(job), ingested.audio, decision)
        try:
            return steps.run(Stage.SEPARATE, self._separating(job), job.request, ingested, decision, order)
        except StemhouseError as error:
            if order is None:
                raise
            if type(error) is Unavailable:  # a service that did not answer all the time
                self._chooser.note_failure(decision.engine_id)
            words = self._closed(_task(job.request, ingested, decision, order), order, error)
            raise type(error)(f"{error.message}{words}", error.details) from error

    def without_damage(self, decision: Decision, audio: AudioRef, request: SeparationRequest) -> Decision:
        """The decision, with a reason more if the engine's stored result was damaged: it is dropped then."""
        damage = self._shelf.drop_damaged_result(result_folder(audio, decision, request))
        if not damage:
            return decision
        reason = f"the result that {decision.engine} has made before is damaged ({damage}): it is made anew"
        return replace(decision, reasons=(*decision.reasons, reason))

    def _choosing(self, ingested: Ingested) -> Callable[[SeparationRequest, Situation], Decision]:
        def choose(request: SeparationRequest, situation: Situation) -> Decision:
            return self.without_damage(self._chooser.choose(request, situation), ingested.audio, request)

        return choose

    def _reserving(self, job: Job) -> Callable[[AudioRef, Decision], CloudOrder | None]:
        def reserve(audio: AudioRef, decision: Decision) -> CloudOrder | None:
            """None if the result is stored: it was paid for."""
            if self._shelf.has_result(result_folder(audio, decision, job.request)):
                return None
            offer = self._chooser.offer(decision.engine_id)
            if offer is None:
                message = f"no separator that answers offers {decision.engine_id} just now"
                raise Unavailable(message, {"engine_id": decision.engine_id})
            return self._budget.reserve(job, offer, audio)

        return reserve

    def _separating(self, job: Job) -> Callable[[SeparationRequest, Ingested, Decision, CloudOrder | None], StemSet]:
        def separate(
            request: SeparationRequest, ingested: Ingested, decision: Decision, order: CloudOrder | None
        ) -> StemSet:
            task = _task(request, ingested, decision, order)
            try:
                stem_set = self._separators.separate(
                    task,
                    on_progress=lambda share: self._jobs.report_progress(job.job_id, share),
                    cancellation=self._jobs.cancellation(job.job_id),
                )
            except Cancelled:
                self._jobs.cancellation(job.job_id).raise_if_requested()  # in our words
                raise
            except (EngineUnavailable, WorkerDied) as error:
                if not isinstance(error, BudgetExceeded):  # an empty account is no fault of the engine
                    self._chooser.note_failure(decision.engine_id)
                raise
            self._shelf.note_stems(stem_set)
            self._chooser.note_success(decision.engine_id)
            if order:
                self._budget.settle(order, stem_set.cloud_minutes)
            return stem_set

        return separate

    def _closed(self, task: SeparationTask, order: CloudOrder, error: StemhouseError) -> str:
        """Close an order that no result came of; what there is to be said about its minutes, after the error's words.

        The separator's own errors tell what they cost.
        """
        if isinstance(error, EngineUnavailable) and not isinstance(error, ChargeUncertain):
            self._budget.settle(order, float(error.details.get(_CHARGED, 0.0)))
            return ""
        minutes = self._known_minutes(task, error)
        if minutes is None:
            self._budget.mark_uncertain(order)
            words = f"; up to {order.minutes:.2f} minutes of the account may have been taken, nobody knows"
            return "" if isinstance(error, ChargeUncertain) else words
        self._budget.settle(order, minutes)
        return f"; {minutes:.2f} minutes of the account may have been taken for it" if minutes else ""

    def _known_minutes(self, task: SeparationTask, error: StemhouseError) -> float | None:
        """What was spent, if anybody knows. A job that was cancelled is called off at the service."""
        if isinstance(error, Cancelled):
            with suppress(StemhouseError):
                return self._separators.call_off(task)
        is_free = _CHARGED in error.details and float(error.details[_CHARGED]) == 0.0
        return 0.0 if is_free else None


def _has_another(decision: Decision) -> bool:
    """Whether a service was to do the track that others can do, too."""
    return decision.engine in CLOUD_ENGINES and bool(decision.fallbacks)


def situation_of(job: Job, ingested: Ingested, failures: tuple[Failure, ...] = ()) -> Situation:
    """What a choice of the job's engine depends on besides its wish."""
    return Situation(job.request.source.size_bytes, job.batch_id, failures, ingested.audio.duration_s)


def result_folder(audio: AudioRef, decision: Decision, request: SeparationRequest) -> str:
    """Where a result lies."""
    return f"results/{audio.pcm_sha256}/{result_id(decision.engine_id, sums_to_mix=request.sum_to_mix)}"


def _task(
    request: SeparationRequest, ingested: Ingested, decision: Decision, order: CloudOrder | None
) -> SeparationTask:
    """Nothing that was paid for is separated again by force."""
    is_forced = request.force and decision.engine not in CLOUD_ENGINES
    return SeparationTask(
        ingested.audio, decision.engine_id, request.sum_to_mix, is_forced, order, priority=request.priority
    )
