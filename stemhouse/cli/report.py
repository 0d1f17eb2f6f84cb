"""Outcomes and jobs as people and programs read them."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from stemhouse.audio import QualityReport, StemQuality
from stemhouse.cli.output import error_document, path_text
from stemhouse.cli.progress import stage_text
from stemhouse.cli.separation import Outcome
from stemhouse.jobs import CacheHit, Job, SeparationResult
from stemhouse.vocab import VOCALS, JobState, QualityStatus

_ORIGINS = {
    CacheHit.NONE: "computed now",
    CacheHit.FILE: "known: this file was separated before",
    CacheHit.PCM: "known: this audio was separated before",
}


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """One file's outcome; keys that cannot be known are null."""
    result = outcome.job.result if outcome.job else None
    return {
        "file": outcome.file,
        "status": outcome_status(outcome),
        "job_id": outcome.job.job_id if outcome.job else None,
        "request_id": outcome.request_id,
        "error": error_document(outcome.error),
        "folder": outcome.delivered.folder if outcome.delivered else None,
        "files": outcome.delivered.files if outcome.delivered else [],
        "is_reused": outcome.delivered.is_reused if outcome.delivered else None,
        "delivered_gain": outcome.delivered.gain if outcome.delivered else None,
        "speed": speed(result) if result else None,
        "result": result,
    }


def outcome_status(outcome: Outcome) -> str:
    """`done`, `failed` or `cancelled`."""
    if outcome.job and outcome.job.state is JobState.CANCELLED:
        return JobState.CANCELLED.value
    return (JobState.FAILED if outcome.error else JobState.DONE).value


def speed(result: SeparationResult) -> float | None:
    """How many times real time the separation took when it was computed; None if no time was taken."""
    stems = result.stem_set
    return round(stems.audio.duration_s / stems.processing_s, 3) if stems.processing_s > 0 else None


def outcome_text(outcome: Outcome) -> str:
    """A short block about one file."""
    lines = [path_text(outcome.file)]
    result = outcome.job.result if outcome.job else None
    if result:
        lines += _lines([*_result_rows(result), *_again_rows(result)])
    if outcome.delivered:
        state = " (unchanged since it was delivered)" if outcome.delivered.is_reused else ""
        lines.append(f"  {'level':<10}{_level(outcome.delivered.gain)}")
        lines.append(f"  {'folder':<10}{path_text(outcome.delivered.folder)}{state}")
        lines += [f"  {'':<10}  {file.name}" for file in outcome.delivered.files]
    if outcome.error:
        lines.append(f"  {'failed':<10}{outcome.error.message} ({outcome.error.reason}, request {outcome.request_id})")
    return "\n".join(lines)


def _result_rows(result: SeparationResult) -> Iterator[tuple[str, str]]:
    stems, audio = result.stem_set, result.stem_set.audio
    yield "engine", f"{stems.engine}, {stems.model} on {stems.device} ({stems.engine_id})"
    for reason in result.decision.reasons:
        yield "why", reason
    yield "origin", _ORIGINS[result.cache_hit]
    times = speed(result)
    if times:
        yield "speed", f"{times:.1f}x real time: {audio.duration_s:.1f} s in {stems.processing_s:.1f} s"
    yield (
        "audio",
        f"{audio.frame_count} frames, {audio.format.sample_rate_hz} Hz, {_channels(audio.format.channel_count)}",
    )
    if result.facts.damage:
        yield "WARNING", result.facts.damage
    if result.facts.timing_note:
        yield "note", result.facts.timing_note
    if stems.cloud_minutes:
        yield "cloud", f"{stems.cloud_minutes:.2f} minutes of the account were taken"
    yield "fidelity", f"sum of the stems against the mix: {stems.null_depth_db:.1f} dB"
    yield from _quality_rows(result.quality)


def _level(gain: float) -> str:
    if gain == 1.0:
        return "that of the source"
    return f"{20 * math.log10(gain):z.2f} dB against the source, so that no stem clips (--bit-depth 32f: none)"


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")


def _quality_rows(quality: QualityReport) -> Iterator[tuple[str, str]]:
    measured = [stem for stem in quality.stems if stem.status == QualityStatus.MEASURED]
    estimated = [stem for stem in quality.stems if stem.estimated_si_sdr_db is not None]
    for stem in measured:
        yield "quality", f"{stem.stem}: {_figures(stem)} ({quality.method})"
    for stem in () if measured else estimated:
        yield "quality", f"{stem.stem}: {_estimate(stem)}, the more the cleaner"
    if not measured and not estimated:
        vocals = quality.stem(VOCALS)
        # Of other stems only a reference could tell anything, and few people have one.
        notes = dict.fromkeys(stem.note for stem in ([vocals] if vocals else quality.stems) if stem.note)
        yield "quality", "; ".join(["not measured", *notes])


def _again_rows(result: SeparationResult) -> Iterator[tuple[str, str]]:
    """A line where another engine tried again, or where one should; `jobs show` tells more."""
    is_alone = len(result.attempts) == 1 and _is_estimated(result.attempts[0].quality)
    if is_alone and result.attempts[0].note and not _is_measured(result.quality):  # the truth needs no guess beside it
        yield "note", result.attempts[0].note
    if len(result.attempts) > 1:
        first, *others = (attempt.decision.engine for attempt in result.attempts)
        doubt = f"the vocals of {first} were in doubt, so {' and '.join(others)} tried, too"
        yield "again", f"{doubt}; what {result.decision.engine} made is taken"


def _is_measured(quality: QualityReport) -> bool:
    vocals = quality.stem(VOCALS)
    return vocals is not None and vocals.status == QualityStatus.MEASURED


def _is_estimated(quality: QualityReport) -> bool:
    vocals = quality.stem(VOCALS)
    return vocals is not None and vocals.estimated_si_sdr_db is not None


def _story_rows(result: SeparationResult) -> Iterator[tuple[str, str]]:
    """What was thought of each engine's work, who tried again, and which one counts."""
    is_worth_telling = len(result.attempts) > 1 or any(attempt.note for attempt in result.attempts)
    for attempt in result.attempts if is_worth_telling else ():
        mark = "taken" if attempt.is_accepted else "not taken"
        yield "attempt", f"{attempt.decision.engine}, {mark}. {attempt.note}".rstrip()
    has_second = len(result.attempts) > 1
    if result.decision.fallbacks and not has_second:  # which nobody follows
        yield "next", f"if that had failed: {', '.join(result.decision.fallbacks)}"


def _estimate(quality: StemQuality) -> str:
    give_or_take = f", give or take {quality.uncertainty_db:.1f}" if quality.uncertainty_db is not None else ""
    return f"SI-SDR about {quality.estimated_si_sdr_db:z.1f} dB{give_or_take}"


def _figures(quality: StemQuality) -> str:
    figures = {"SI-SDR": quality.si_sdr_db, "SDR": quality.sdr_db}
    return ", ".join(f"{name} {value_db:.2f} dB" for name, value_db in figures.items() if value_db is not None)


def _lines(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"  {label:<10}{text}" for label, text in rows]


def job_line(job: Job) -> str:
    """One job in a list."""
    engine = job.result.stem_set.engine if job.result else job.request.engine
    created = job.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
    state = f"{stage_text(job)} {job.progress:.0%}" if job.state is JobState.RUNNING else job.state.value
    return f"{job.job_id}  {created}  {state:<14}  {engine:<8}  {job.request.source.file_name}"


def job_text(job: Job) -> str:
    """Everything about one job."""
    lines = [job_line(job)]
    if job.result:
        lines += _lines([*_result_rows(job.result), *_story_rows(job.result)])
    if job.error:
        lines.append(f"  {job.state.value:<10}{job.error.message} ({job.error.reason})")
    return "\n".join(lines)
