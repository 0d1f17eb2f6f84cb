"""Several files through one client: all are submitted, then each is watched and delivered, whatever the others do."""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import structlog

from stemhouse.audio import SourceRef
from stemhouse.cli.output import path_text
from stemhouse.cli.progress import ProgressView
from stemhouse.client.delivery import Delivered
from stemhouse.client.files import source_ref_from_file
from stemhouse.client.sdk import Stemhouse
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import Cancelled, InternalFault, InvalidRequest, StemhouseError, Unavailable, error_from_reason
from stemhouse.jobs import DEFAULT_PRIORITY, EngineOffer, Job, SeparationRequest, SeparationResult
from stemhouse.vocab import AUTO_ENGINE, BASE_STEMS, DERIVED_STEMS, EXTRA_STEMS, JobState

Take = Callable[[Path], SourceRef]
"""Makes a source of a file, with or without an upload."""


@dataclass(frozen=True)
class Wish:
    """What the options ask of every file. `references` are paths of true stems, by stem name."""

    output_dir: Path
    delivery: DeliveryOptions
    engine: str = AUTO_ENGINE
    model: str = ""
    priority: int = DEFAULT_PRIORITY
    force: bool = False
    sum_to_mix: bool = True
    references: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How far one file has come, and the error that ended its way, if any.

    `request_id` names the request to the router, and follows the file through every log.
    """

    file: Path
    request_id: str
    job: Job | None = None
    delivered: Delivered | None = None
    error: StemhouseError | None = None


def separate_files(client: Stemhouse, files: Sequence[Path], wish: Wish, progress: ProgressView) -> list[Outcome]:
    """The outcome of each file, in order. KeyboardInterrupt cancels what is not done, and goes on.

    Raises InvalidRequest before any upload if no engine gives the stems that are wished for. For an engine that nobody
    offers no bytes travel: the router is only asked whether it knows the answer.
    """
    offers = _offers(client, wish)
    wish = _with_stems(offers, wish)
    take = client.upload if offers or offers is None else source_ref_from_file
    outcomes = [Outcome(file, uuid.uuid4().hex) for file in files]
    try:
        for step in (partial(_submit, take), _finish):
            for index, outcome in enumerate(outcomes):
                progress.begin(_title(outcome.file, index, len(files)))
                with structlog.contextvars.bound_contextvars(request_id=outcome.request_id):
                    outcomes[index] = step(client, outcome, wish, progress)
    except KeyboardInterrupt:
        _cancel(client, outcomes)
        raise
    return outcomes


def reference_files(folder: Path) -> dict[str, Path]:
    """The files of a folder that are named after stems (`vocals.wav`), by stem; others are left alone.

    Raises InvalidRequest if there is none, or two for one stem.
    """
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        stem = file.stem.lower()
        if stem not in (*BASE_STEMS, *EXTRA_STEMS, *DERIVED_STEMS) or not file.is_file():
            continue
        if stem in found:
            message = f"{path_text(folder)} has two references for {stem}: {found[stem].name} and {file.name}"
            raise InvalidRequest(message)
        found[stem] = file
    if not found:
        message = f"{path_text(folder)} has no file that is named after a stem, such as vocals.wav"
        raise InvalidRequest(message)
    return found


def _offers(client: Stemhouse, wish: Wish) -> list[EngineOffer] | None:
    """The engines that the wish allows; None if that cannot be told now, or makes no difference."""
    if wish.engine == AUTO_ENGINE and not wish.model and not wish.delivery.stems:
        return None
    try:
        offers = client.survey().offers
    except Unavailable:
        return None  # while no separator answers, a job can wait for one
    return [offer for offer in offers if wish.engine in (AUTO_ENGINE, offer.name) and wish.model in ("", offer.model)]


def _with_stems(offers: Sequence[EngineOffer] | None, wish: Wish) -> Wish:
    """The wish, with a model that has all stems where the first one may not. Where nobody answers, it stays as it is.

    Raises InvalidRequest if no single model gives all: better now than after a long separation.
    """
    if not offers or not wish.delivery.stems:
        return wish
    wanted = set(wish.delivery.stems) - set(DERIVED_STEMS)
    able = next((offer for offer in offers if wanted <= set(offer.stems)), None)
    if able is None:
        there = "; ".join(f"{offer.model}: {', '.join(offer.stems)}" for offer in offers)
        message = f"no model gives {', '.join(wish.delivery.stems)}; there are {there}"
        raise InvalidRequest(message)
    return wish if wanted <= set(BASE_STEMS) else replace(wish, model=able.model)


def _title(file: Path, index: int, count: int) -> str:
    return path_text(Path(file.name)) if count == 1 else f"[{index + 1}/{count}] {path_text(Path(file.name))}"


def _submit(take: Take, client: Stemhouse, outcome: Outcome, wish: Wish, _progress: ProgressView) -> Outcome:
    try:
        request = SeparationRequest(
            source=take(outcome.file),
            engine=wish.engine,
            model=wish.model,
            priority=wish.priority,
            force=wish.force,
            sum_to_mix=wish.sum_to_mix,
            references={stem: take(path) for stem, path in wish.references.items()},
        )
        return replace(outcome, job=client.submit(request, outcome.request_id))
    except StemhouseError as error:
        return replace(outcome, error=error)


def _finish(client: Stemhouse, outcome: Outcome, wish: Wish, progress: ProgressView) -> Outcome:
    if outcome.job is None:
        return outcome
    job = outcome.job
    try:
        for change in _changes(client, outcome.job):
            job = change
            progress.show(job)
        delivered = client.deliver(_result(job), wish.delivery, wish.output_dir)
    except StemhouseError as error:
        return replace(outcome, job=job, error=error)
    return replace(outcome, job=job, delivered=delivered)


def _changes(client: Stemhouse, job: Job) -> Iterator[Job]:
    return iter([job]) if job.state.is_final else client.watch(job.job_id)


def _result(job: Job) -> SeparationResult:
    """The result of a final job; raises the error that the job failed with."""
    if job.error:
        raise error_from_reason(job.error.reason, job.error.message, job.error.details)
    if job.state is JobState.CANCELLED:
        message = f"job {job.job_id} was cancelled"
        raise Cancelled(message)
    if job.result is None:
        message = f"job {job.job_id} is {job.state.value} without a result"
        raise InternalFault(message)
    return job.result


def _cancel(client: Stemhouse, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.job and not outcome.delivered:
            with contextlib.suppress(StemhouseError):
                client.cancel(outcome.job.job_id)
