"""Rows of the batch tables as values, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from services.library.adapters.batch_tables import BatchItemRow, BatchRow
from services.library.core.batch_ports import BatchRun
from stemhouse.batches import Batch, BatchCounts, BatchItem, BatchSpec, BatchState, ItemState
from stemhouse.jobs import JobError

_SPECS = TypeAdapter(BatchSpec)


def run_to_row(run: BatchRun) -> dict[str, Any]:
    """A batch as the columns of its row."""
    batch = run.batch
    return {
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "spec": _SPECS.dump_python(batch.spec, mode="json"),
        "engine": run.engine,
        "state": batch.state.value,
        "created_at": batch.created_at.isoformat(),
        "ended_at": batch.ended_at.isoformat() if batch.ended_at else "",
        "sequence": batch.sequence,
        "hindrance": batch.hindrance,
    }


def run_from_row(row: BatchRow, count_by_state: Mapping[str, int]) -> BatchRun:
    """A row as a batch with its counts."""
    batch = Batch(
        batch_id=row.batch_id,
        request_id=row.request_id,
        spec=_SPECS.validate_python(row.spec),
        state=BatchState(row.state),
        created_at=datetime.fromisoformat(row.created_at),
        counts=_counts(count_by_state),
        sequence=row.sequence,
        ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
        tracks_per_hour=row.tracks_per_hour,
        remaining_s=row.remaining_s,
        hindrance=row.hindrance,
    )
    return BatchRun(batch, row.engine)


def _counts(count_by_state: Mapping[str, int]) -> BatchCounts:
    def of(*states: ItemState) -> int:
        return sum(count_by_state.get(state.value, 0) for state in states)

    return BatchCounts(
        waiting=of(ItemState.WAITING),
        active=of(ItemState.SENT, ItemState.SEPARATED),
        done=of(ItemState.DONE),
        skipped=of(ItemState.SKIPPED),
        failed=of(ItemState.FAILED),
        cancelled=of(ItemState.CANCELLED),
    )


def item_to_row(item: BatchItem) -> dict[str, Any]:
    """An item as the columns of its row, but for that of its batch."""
    columns = {name: getattr(item, name) for name in BatchItemRow.model_fields if name != "batch_id"}
    return {
        **columns,
        "reasons": list(item.reasons),
        "state": item.state.value,
        "error": asdict(item.error) if item.error else None,
    }


def item_from_row(row: BatchItemRow) -> BatchItem:
    """A row as an item."""
    columns = {name: getattr(row, name) for name in BatchItemRow.model_fields if name != "batch_id"}
    columns["reasons"] = tuple(row.reasons)
    columns["state"] = ItemState(row.state)
    columns["error"] = JobError(**row.error) if row.error else None
    return BatchItem(**columns)
