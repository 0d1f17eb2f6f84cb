"""What is thought of a separation, and the one second go that a bad one gets. Never a loop, never a worse result.

Whoever asked for `auto` and gets vocals that are probably not clean has the track separated by the next engine, once.
One verifier, an engine that costs nothing, hears both, and the better result counts. Both are told, in words.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.router.core.choices import EngineChooser
from services.router.core.engine_runs import EngineRuns, situation_of
from services.router.core.policy import RetryPolicy
from services.router.core.ports import Accepted, Ingested, Separators, Steps
from services.router.core.routing import choose_listener, is_free_to_choose, may_try_again
from services.router.core.verdicts import doubt_text, is_better, is_in_doubt, is_low, remix_scores_db
from stemhouse.audio import QualityReport, StemSet
from stemhouse.errors import Cancelled, EngineUnavailable, StemhouseError, Unavailable
from stemhouse.jobs import Attempt, Decision, Job
from stemhouse.vocab import VOCALS, QualityStatus, Stage

_NO_REPORT = QualityReport("none")


@dataclass(frozen=True)
class Opinion:
    """What counts of a track's attempts, and what lost against it; None if there was no second one."""

    accepted: Accepted
    loser: StemSet | None = None


@dataclass(frozen=True)
class _Go:
    """An engine's stems, and what is thought of them."""

    decision: Decision
    stem_set: StemSet
    quality: QualityReport


class SecondOpinion:
    """Assesses results, and lets another engine try where that may help."""

    def __init__(self, separators: Separators, chooser: EngineChooser, runs: EngineRuns) -> None:
        """Keep what it asks."""
        self._separators = separators
        self._chooser = chooser
        self._runs = runs

    def form(self, job: Job, ingested: Ingested, decision: Decision, stem_set: StemSet, steps: Steps) -> Opinion:
        """Assess the first engine's stems, have a second engine try if need be. Raises Cancelled, and Unavailable."""
        first = _Go(decision, stem_set, self._quality(job, ingested, decision, stem_set, steps))
        if not is_free_to_choose(job.request) or not _has_estimate(first.quality):
            return self._alone(job, ingested, first)
        second = self._second(job, ingested, first, steps)
        return self._with_second(job, ingested, first, second, steps) if second else self._alone(job, ingested, first)

    def _second(self, job: Job, ingested: Ingested, first: _Go, steps: Steps) -> Decision | None:
        """Who tries again. That nobody can be asked just now is no reason to lose the result that is there."""
        attempt = Attempt(first.decision, first.quality, is_accepted=True)
        try:
            return steps.run(Stage.CHOOSE, self._choosing(job, ingested), attempt)
        except Unavailable:
            return None

    def _quality(
        self, job: Job, ingested: Ingested, decision: Decision, stem_set: StemSet, steps: Steps
    ) -> QualityReport:
        """Without the verifier, and with it where that is in doubt; each is a stage, since each may take its time.

        A verifier that fails is no reason to lose the result that is there.
        """
        quality = steps.run(Stage.ASSESS, self._separators.assess, stem_set, {})
        vocals = quality.stem(VOCALS)
        if vocals is None or vocals.status != QualityStatus.ESTIMATED:
            return quality
        try:
            return steps.run(Stage.ASSESS, self._verifying(job, ingested, decision), stem_set, quality)
        except Cancelled:
            raise
        except StemhouseError:
            return quality

    def _verifying(
        self, job: Job, ingested: Ingested, decision: Decision
    ) -> Callable[[StemSet, QualityReport], QualityReport]:
        def verify(stem_set: StemSet, quality: QualityReport) -> QualityReport:
            """The same report where there is no doubt, where a verifier would change nothing, or nobody is one."""
            first = Attempt(decision, quality, is_accepted=True)
            if not is_in_doubt(quality, self._policy) or not self._is_of_consequence(job, ingested, first):
                return quality
            try:
                verifier = choose_listener(self._separators.survey())
                return self._separators.assess(stem_set, {}, verifier.engine_id)
            except EngineUnavailable:
                return quality

        return verify

    def _is_of_consequence(self, job: Job, ingested: Ingested, first: Attempt) -> bool:
        """Whether another engine may try again, or somebody waits for a better figure than a borrowed one.

        In a batch nobody waits for that, and the device has other tracks to do.
        """
        is_for_the_figure = not first.quality.calibration_id and not job.batch_id
        return (
            is_for_the_figure
            or self._chooser.preview_second(job.request, situation_of(job, ingested), first) is not None
        )

    def _choosing(self, job: Job, ingested: Ingested) -> Callable[[Attempt], Decision | None]:
        def choose(first: Attempt) -> Decision | None:
            """Who tries again; None if the first result is good enough, could not be compared, or nobody else may."""
            if not first.quality.verifier_id or not is_low(first.quality, self._policy):
                return None
            decision = self._chooser.second(job.request, situation_of(job, ingested), first)
            return self._runs.without_damage(decision, ingested.audio, job.request) if decision else None

        return choose

    def _with_second(self, job: Job, ingested: Ingested, first: _Go, decision: Decision, steps: Steps) -> Opinion:
        try:
            stem_set = self._runs.run(job, ingested, decision, steps)
        except Cancelled:
            raise
        except StemhouseError as error:
            return self._after_failure(first, decision, error)
        try:
            quality = steps.run(Stage.ASSESS, self._separators.assess, stem_set, {}, first.quality.verifier_id)
        except Cancelled:
            raise
        except StemhouseError as error:
            return replace(self._after_failure(first, decision, error), loser=stem_set)
        return self._better_of(first, _Go(decision, stem_set, quality))

    def _alone(self, job: Job, ingested: Ingested, go: _Go) -> Opinion:
        is_bad = is_low(go.quality, self._policy)
        note = "" if _has_estimate(go.quality) and not is_bad else doubt_text(go.quality, self._policy)
        attempt = Attempt(go.decision, go.quality, is_accepted=True)
        if is_bad and is_free_to_choose(job.request):
            note += f"; {self._why_alone(job, ingested, attempt)}"
        return Opinion(_accepted(go, replace(attempt, note=_sentence(note))))

    def _why_alone(self, job: Job, ingested: Ingested, first: Attempt) -> str:
        if not may_try_again(job.request):
            return "--preset fast leaves it"
        why = self._chooser.why_no_second(job.request, situation_of(job, ingested), first)
        return ": ".join(filter(None, ("no other engine could try again", why)))

    def _after_failure(self, first: _Go, decision: Decision, error: StemhouseError) -> Opinion:
        doubt = doubt_text(first.quality, self._policy)
        kept = _sentence(f"{doubt}; {decision.engine} was to try again and could not, so this one is kept")
        failed = _sentence(f"{decision.engine} could not do this track: {error.message}")
        attempts = (
            Attempt(first.decision, first.quality, is_accepted=True, note=kept),
            Attempt(decision, _NO_REPORT, is_accepted=False, note=failed),
        )
        return Opinion(_accepted(first, *attempts))

    def _better_of(self, first: _Go, second: _Go) -> Opinion:
        is_second = is_better(second.quality, first.quality)
        comparison = _comparison(first, second)
        doubt = doubt_text(first.quality, self._policy)
        outcome = "did better, so this one is not used" if is_second else "did no better, so this one is kept"
        verdict = "taken" if is_second else "not taken"
        retold = f"{doubt}; {second.decision.engine} tried again and {outcome}"
        reason = f"tried because the vocals of {first.decision.engine} were in doubt"
        attempts = (
            Attempt(first.decision, first.quality, is_accepted=not is_second, note=_sentence(retold)),
            Attempt(
                second.decision,
                second.quality,
                is_accepted=is_second,
                note=f"{_sentence(reason)} {_sentence(f'{verdict}: {comparison}')}",
            ),
        )
        winner, loser = (second, first) if is_second else (first, second)
        return Opinion(_accepted(winner, *attempts), loser.stem_set)

    @property
    def _policy(self) -> RetryPolicy:
        return self._chooser.policy.retry


def _accepted(go: _Go, *attempts: Attempt) -> Accepted:
    return Accepted(go.stem_set, go.quality, go.decision, attempts)


def _has_estimate(quality: QualityReport) -> bool:
    vocals = quality.stem(VOCALS)
    return vocals is not None and vocals.estimated_si_sdr_db is not None


def _comparison(first: _Go, second: _Go) -> str:
    """How the two did, by the ears of the verifier."""
    scores_db = remix_scores_db(first.quality, second.quality)
    if scores_db is None:
        return "the two could not be compared, and then the first one counts"
    first_db, second_db = scores_db
    verifier = second.quality.verifier_id.partition("-")[0]  # an engine id begins with the engine's name
    found = f"in a mix made anew of its own stems, {verifier} found its vocals again at {second_db:z.1f} dB"
    return f"{found}, those of {first.decision.engine} at {first_db:z.1f} dB"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
