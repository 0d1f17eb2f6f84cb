"""Several files through one client: all are submitted, then each is watched and delivered, whatever the others do."""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from stemhouse.audio import SourceRef
from stemhouse.cli.output import path_text
from stemhouse.cli.progress import ProgressView
from stemhouse.cli.wish import NO_SUM_FLAG, Wish, may_be_taken, offers_for, with_model
from stemhouse.client.audio_heads import duration_s_from_head, require_rate
from stemhouse.client.delivery import Delivered
from stemhouse.client.files import source_ref_from_file
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import (
    BudgetExceeded,
    Cancelled,
    InternalFault,
    InvalidRequest,
    ResultGone,
    StemhouseError,
    error_from_reason,
)
from stemhouse.jobs import Job, JobError, SeparationPlan, SeparationRequest, SeparationResult
from stemhouse.vocab import BASE_STEMS, DERIVED_STEMS, EXTRA_STEMS, JobState

Take = Callable[[Path], SourceRef]
"""Makes a source of a file, with or without an upload."""


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
    offers, or that costs money and got no cap, no bytes travel: the router is only asked whether it knows the answer.
    """
    offers = offers_for(client, wish)
    wish = with_model(offers, wish)
    take = client.upload if may_be_taken(offers, wish) else source_ref_from_file
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


def request_for(file: Path, wish: Wish, take: Take) -> SeparationRequest:
    """What is asked of the router for a file."""
    return SeparationRequest(
        source=take(file),
        engine=wish.engine,
        model=wish.model,
        priority=wish.priority,
        force=wish.force,
        sum_to_mix=wish.sum_to_mix,
        references={stem: take(path) for stem, path in wish.references.items()},
        preset=wish.preset,
        is_difficult=wish.is_difficult,
        is_vocals_only=wish.is_vocals_only,
        cloud_minutes=wish.cloud_minutes,
    )


def plan_of(client: Stemhouse, file: Path, wish: Wish) -> SeparationPlan:
    """What the router would do with a file; none of its bytes travel, but its length, if its head tells one."""
    return client.plan(request_for(file, wish, source_ref_from_file), duration_s_from_head(file))


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


def _title(file: Path, index: int, count: int) -> str:
    return path_text(Path(file.name)) if count == 1 else f"[{index + 1}/{count}] {path_text(Path(file.name))}"


def _submit(take: Take, client: Stemhouse, outcome: Outcome, wish: Wish, _progress: ProgressView) -> Outcome:
    try:
        require_rate(outcome.file, wish.delivery.file_format, wish.delivery.sample_format)
        return replace(outcome, job=client.submit(request_for(outcome.file, wish, take), outcome.request_id))
    except BudgetExceeded as error:
        return replace(outcome, error=_exactly(error, client, outcome.file, wish))
    except StemhouseError as error:
        return replace(outcome, error=error)


def _exactly(refusal: StemhouseError, client: Stemhouse, file: Path, wish: Wish) -> StemhouseError:
    """A submission knows a file by its size, from which a price is no more than guessed; a plan is told its length."""
    try:
        plan_of(client, file, wish)
    except StemhouseError as error:
        return error
    return refusal


def _finish(client: Stemhouse, outcome: Outcome, wish: Wish, progress: ProgressView) -> Outcome:
    if outcome.job is None:
        return outcome
    finished = _delivered(client, outcome, outcome.job, wish, progress)
    is_gone = isinstance(finished.error, ResultGone)
    return _once_more(client, finished, wish, progress) if is_gone and not _was_paid_for(finished) else finished


def _delivered(client: Stemhouse, outcome: Outcome, job: Job, wish: Wish, progress: ProgressView) -> Outcome:
    try:
        for change in _changes(client, job):
            job = change
            progress.show(job)
        delivered = client.deliver(_result(job), wish.delivery, wish.output_dir)
    except StemhouseError as error:
        return replace(outcome, job=job, error=error)
    return replace(outcome, job=job, delivered=delivered, error=None)


def _once_more(client: Stemhouse, outcome: Outcome, wish: Wish, progress: ProgressView) -> Outcome:
    """The second and last go of a file whose stored result is of no use: the rest of that is let go first."""
    progress.begin(f"{path_text(Path(outcome.file.name))}, once more")
    again = replace(outcome, request_id=uuid.uuid4().hex)
    try:
        if outcome.job and outcome.job.result:
            client.release_result(outcome.job.job_id)
        job = client.submit(request_for(outcome.file, wish, client.upload), again.request_id)
    except StemhouseError as error:
        return replace(outcome, error=error)
    return _delivered(client, again, job, wish, progress)


def _was_paid_for(outcome: Outcome) -> bool:
    """Nobody pays twice without a word."""
    return bool(outcome.job and outcome.job.result and outcome.job.result.stem_set.cloud_minutes)


def _changes(client: Stemhouse, job: Job) -> Iterator[Job]:
    return iter([job]) if job.state.is_final else client.watch(job.job_id)


def _result(job: Job) -> SeparationResult:
    """The result of a final job; raises the error that the job failed with."""
    if job.error:
        raise _error(job.error)
    if job.state is JobState.CANCELLED:
        message = f"job {job.job_id} was cancelled"
        raise Cancelled(message)
    if job.result is None:
        message = f"job {job.job_id} is {job.state.value} without a result"
        raise InternalFault(message)
    return job.result


def _error(told: JobError) -> StemhouseError:
    """The error that a job failed with; a field of the request that has a flag of another name is told by that."""
    flag = f" ({NO_SUM_FLAG})" if "sum_to_mix" in told.details else ""
    return error_from_reason(told.reason, f"{told.message}{flag}", told.details)


def _cancel(client: Stemhouse, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.job and not outcome.delivered:
            with contextlib.suppress(StemhouseError):
                client.cancel(outcome.job.job_id)
