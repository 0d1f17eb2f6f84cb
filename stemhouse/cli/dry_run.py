"""`stemhouse separate --dry-run`: what would be done with each file, and nothing done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from stemhouse.cli.output import error_document, path_text
from stemhouse.cli.separation import plan_of
from stemhouse.cli.wish import Wish, offers_for, with_model
from stemhouse.client.audio_heads import require_rate
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import StemhouseError
from stemhouse.jobs import SeparationPlan

_MB = 1e6


@dataclass(frozen=True)
class PlannedFile:
    """What would become of a file, or why nothing would."""

    file: Path
    plan: SeparationPlan | None = None
    error: StemhouseError | None = None


def plan_files(client: Stemhouse, files: Sequence[Path], wish: Wish) -> list[PlannedFile]:
    """The plan of each file, in order; none of their bytes travel.

    Raises InvalidRequest if no engine gives the stems that are wished for.
    """
    wish = with_model(offers_for(client, wish), wish)
    return [_planned(client, file, wish) for file in files]


def _planned(client: Stemhouse, file: Path, wish: Wish) -> PlannedFile:
    try:
        require_rate(file, wish.delivery.file_format, wish.delivery.sample_format)
        return PlannedFile(file, plan_of(client, file, wish))
    except StemhouseError as error:
        return PlannedFile(file, error=error)


def planned_document(planned: PlannedFile) -> dict[str, Any]:
    """One file's plan as JSON shows it."""
    return {"file": planned.file, "plan": planned.plan, "error": error_document(planned.error)}


def planned_text(planned: PlannedFile) -> str:
    """A short block about one file."""
    rows = _rows(planned.plan) if planned.plan else iter(())
    lines = [path_text(planned.file), *(f"  {label:<10}{text}" for label, text in rows)]
    if planned.error:
        lines.append(f"  {'failed':<10}{planned.error.message} ({planned.error.reason})")
    return "\n".join(lines)


def _rows(plan: SeparationPlan) -> Iterator[tuple[str, str]]:
    yield "engine", f"{plan.decision.engine} ({plan.decision.engine_id})"
    for reason in plan.decision.reasons:
        yield "why", reason
    if plan.is_known:
        yield "origin", "known: it was separated before, and nothing would be computed"
        return
    if plan.decision.fallbacks:
        yield "if not", f"{', then '.join(plan.decision.fallbacks)}, if that cannot be used"
    yield "length", _length_text(plan)
    yield "time", "not known yet" if plan.expected_s is None else f"about {_clock(plan.expected_s)} of work"
    store_mb, scratch_mb = plan.store_bytes / _MB, plan.scratch_bytes / _MB
    yield "disk", f"about {store_mb:.0f} MB in the store, and {scratch_mb:.0f} MB meanwhile"
    if plan.cloud_minutes:
        yield "cost", f"at most {plan.cloud_minutes:.2f} minutes of a cloud account"
    else:
        yield "cost", "nothing: no cloud engine would be asked"


def _length_text(plan: SeparationPlan) -> str:
    return f"{_clock(plan.duration_s)}{', guessed by the size of the file' if plan.is_duration_guessed else ''}"


def _clock(duration_s: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(duration_s)))
