"""Batches in words, as JSON and as CSV."""

import csv
import io
import shlex
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from stemhouse.batches import Batch, BatchItem, BatchPlan, BatchState, ItemState, VolumePlan, command_to_go_on
from stemhouse.cli.dj_steps import steps_of_batch
from stemhouse.cli.output import on_one_line
from stemhouse.tracks import ScanProblem, ScanProgress

_GB = 1e9
_COLUMNS = ("place", "state", "path", "folder", "engine_id", "work_s", "damage", "cause", "remedy")


def batch_line(batch: Batch) -> str:
    """Where a batch stands, on one line."""
    counts = batch.counts
    done = counts.total - counts.waiting - counts.active
    parts = [f"{batch.batch_id}  {batch.state.value}  {done}/{counts.total}"]
    numbers = {
        "done": counts.done,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
    }
    parts += [f"{count} {what}" for what, count in numbers.items() if count]
    if not batch.state.is_final and batch.tracks_per_hour is not None:
        parts.append(f"{batch.tracks_per_hour:.0f} tracks/h")
    if not batch.state.is_final and batch.remaining_s is not None:
        parts.append(f"{_duration(batch.remaining_s)} left")
    if batch.hindrance:
        parts.append(f"waiting: {batch.hindrance}")
    return ", ".join(parts)


def plan_text(plan: BatchPlan) -> str:
    """What a run would do and take."""
    work = f"about {_duration(plan.work_s)} of work" if plan.work_s is not None else "how long is not known yet"
    lines = [
        f"{plan.track_count} tracks, {_duration(plan.audio_s)} of music, {work}",
        *([f"{plan.skipped_count} are there already"] if plan.skipped_count else []),
        *([f"at most {plan.cloud_minutes:.0f} minutes in the cloud"] if plan.cloud_minutes else []),
        *map(_volume_line, plan.volumes),
        *(f"cannot start: {obstacle}" for obstacle in plan.obstacles),
    ]
    return "\n".join(lines)


def _volume_line(volume: VolumePlan) -> str:
    uses = ", ".join(f"{need.use} {need.peak_bytes / _GB:.2f}" for need in volume.needs)
    free = "free space not known" if volume.free_bytes is None else f"{volume.free_bytes / _GB:.2f} GB free"
    return f"{volume.folder}: at most {volume.peak_bytes / _GB:.2f} GB ({uses}), {free}"


def report_document(batch: Batch, items: Sequence[BatchItem]) -> dict[str, Any]:
    """The whole report as JSON shows it."""
    return {"batch": batch, "items": items}


def report_text(batch: Batch, items: Sequence[BatchItem]) -> str:
    """Where the batch stands and its files are, what failed and what helps, what is damaged, and what DJs do next."""
    failed = [item for item in items if item.state is ItemState.FAILED]
    damaged = [item for item in items if item.damage and item.state in {ItemState.DONE, ItemState.SKIPPED}]
    lines = [batch_line(batch), f"output: {batch.spec.output_dir}", *map(_failure_text, failed)]
    has_lists = batch.state is BatchState.DONE and bool(batch.counts.done + batch.counts.skipped)
    steps = steps_of_batch(batch.spec.targets, batch.spec.output_dir) if has_lists else []
    lines += [*map(_damage_text, damaged), *_cancelled_lines(batch)]
    return "\n".join([*lines, *(f"- {step}" for step in steps)])


def _cancelled_lines(batch: Batch) -> list[str]:
    command = f"`{on_one_line(command_to_go_on(batch))}`"
    if batch.counts.cancelled:
        return [f"{batch.counts.cancelled} tracks were cancelled: {command} goes on with them"]
    return [f"it was cancelled: {command} begins again"] if batch.state is BatchState.CANCELLED else []


def _damage_text(item: BatchItem) -> str:
    return f"done, but damaged: {on_one_line(item.path)}: {on_one_line(item.damage)}"


def scan_note(location: str, outcome: ScanProgress, problems: Sequence[ScanProblem]) -> str:
    """What the scan before a batch could not find or read; empty if there was nothing of the kind."""
    missing = f"{outcome.missing_count:,} files in crates are missing" if outcome.missing_count else ""
    others = f"the scan met {len(problems):,} problems" if len(problems) > outcome.missing_count else ""
    told = "; ".join(filter(None, (missing, others)))
    return f"{told}: `stemhouse library scan {on_one_line(shlex.quote(location))}` lists them" if told else ""


def _failure_text(item: BatchItem) -> str:
    cause = item.error.message if item.error else "unknown"
    return f"failed: {on_one_line(item.path)}\n  {cause}" + (f"\n  {item.remedy}" if item.remedy else "")


def csv_text(items: Iterable[BatchItem]) -> str:
    """A row for each track below a row of names (RFC 4180)."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows(_row(item) for item in items)
    return text.getvalue().removesuffix("\r\n")


def _row(item: BatchItem) -> dict[str, str]:
    return {
        "place": str(item.place),
        "state": item.state.value,
        "path": item.path,
        "folder": item.folder,
        "engine_id": item.engine_id,
        "work_s": f"{item.work_s:.1f}" if item.work_s else "",
        "damage": item.damage,
        "cause": item.error.message if item.error else "",
        "remedy": item.remedy,
    }


def _duration(seconds: float) -> str:
    minutes = round(timedelta(seconds=seconds) / timedelta(minutes=1))
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes else f"{seconds:.0f} s"
