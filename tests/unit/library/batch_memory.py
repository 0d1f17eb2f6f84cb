"""BatchStore and ExportRecord in memory; they pass the suite of those in SQLite (tests/contract)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from services.library.core.batch_ports import BatchPage, BatchRun, Export, ExportKey, Outlook, Remainder
from services.library.core.ports import FileStamp
from stemhouse.batches import Batch, BatchCounts, BatchItem, BatchState, ItemState
from stemhouse.errors import InvalidRequest, NotFound

_ACTIVE = {ItemState.SENT, ItemState.SEPARATED}
_RECALLABLE = {ItemState.WAITING, ItemState.CANCELLED}


class MemoryExportRecord:
    """ExportRecord in dictionaries."""

    def __init__(self) -> None:
        self.exports: dict[tuple[str, str], tuple[ExportKey, Export]] = {}
        self.work: dict[str, tuple[float, float]] = {}
        self.stored: dict[str, tuple[float, int]] = {}

    def remember(self, key: ExportKey, export: Export) -> None:
        """In the place of an older one, and of others whose files these have replaced."""
        self.exports = {
            name: (known, older)
            for name, (known, older) in self.exports.items()
            if known.wish == key.wish or older.folder != export.folder or not _shares_names(older, export)
        }
        self.exports[key.path, key.wish] = key, export

    def find(self, keys: Sequence[ExportKey]) -> Mapping[ExportKey, Export]:
        """See ExportRecord.find."""
        known = dict(self.exports.values())
        return {key: known[key] for key in keys if key in known}

    def of_files_of_size(self, wish: str, size_bytes: int) -> Sequence[Export]:
        """See ExportRecord.of_files_of_size."""
        wanted = (wish, size_bytes)
        return [
            export
            for key, export in self.exports.values()
            if export.source_sha256 and (key.wish, key.stamp.size_bytes) == wanted
        ]

    def of_path(self, path: str, wish: str) -> Export | None:
        """See ExportRecord.of_path."""
        return self.exports[path, wish][1] if (path, wish) in self.exports else None

    def output_bytes_per_s(self, size_class: str) -> float | None:
        """See ExportRecord.output_bytes_per_s."""
        found = [export for key, export in self.exports.values() if key.size_class == size_class]
        audio_s = sum(export.audio_s for export in found)
        return sum(sum(export.file_sizes_bytes.values()) for export in found) / audio_s if audio_s else None

    def record_work(self, engine_id: str, audio_s: float, wall_s: float, stored_bytes: int) -> None:
        """See ExportRecord.record_work."""
        known = self.work.get(engine_id, (0.0, 0.0))
        self.work[engine_id] = known[0] + audio_s, known[1] + wall_s
        if stored_bytes:
            stored = self.stored.get(engine_id, (0.0, 0))
            self.stored[engine_id] = stored[0] + audio_s, stored[1] + stored_bytes

    def stored_bytes_per_s(self, engine_id: str) -> float | None:
        """See ExportRecord.stored_bytes_per_s."""
        audio_s, stored_bytes = self.stored.get(engine_id, (0.0, 0))
        return stored_bytes / audio_s if audio_s else None

    def audio_s_per_wall_s(self, engine_id: str) -> float | None:
        """See ExportRecord.audio_s_per_wall_s."""
        audio_s, wall_s = self.work.get(engine_id, (0.0, 0.0))
        return audio_s / wall_s if wall_s > 0.0 else None


class MemoryBatchStore:
    """BatchStore in dictionaries."""

    def __init__(self, exports: MemoryExportRecord) -> None:
        self._exports = exports
        self._runs: dict[str, BatchRun] = {}
        self._items: dict[str, dict[int, BatchItem]] = {}

    def create(self, run: BatchRun, items: Iterable[BatchItem]) -> Batch:
        """See BatchStore.create."""
        found = self.find(run.batch.request_id)
        if found is None:
            self._runs[run.batch.batch_id] = run
            self._items[run.batch.batch_id] = {item.place: item for item in items}
        return found or self.run(run.batch.batch_id).batch

    def find(self, request_id: str) -> Batch | None:
        """See BatchStore.find."""
        names = [run.batch.batch_id for run in self._runs.values() if run.batch.request_id == request_id]
        return self.run(names[0]).batch if names else None

    def run(self, batch_id: str) -> BatchRun:
        """See BatchStore.run."""
        if batch_id not in self._runs:
            raise NotFound(batch_id)
        run = self._runs[batch_id]
        states = [item.state for item in self._items[batch_id].values()]
        counts = BatchCounts(
            waiting=states.count(ItemState.WAITING),
            active=sum(state in _ACTIVE for state in states),
            done=states.count(ItemState.DONE),
            skipped=states.count(ItemState.SKIPPED),
            failed=states.count(ItemState.FAILED),
            cancelled=states.count(ItemState.CANCELLED),
        )
        return replace(run, batch=replace(run.batch, counts=counts))

    def page(self, page_size: int, page_token: str) -> BatchPage:
        """See BatchStore.page."""
        if page_token and not page_token.isdecimal():
            raise InvalidRequest(page_token)
        names = list(self._runs)[: int(page_token) if page_token else None]
        shown = names[-page_size:][::-1]
        left = len(names) - len(shown)
        return BatchPage(tuple(self.run(name).batch for name in shown), str(left) if left else "")

    def unfinished(self) -> Sequence[str]:
        """See BatchStore.unfinished."""
        return [name for name in self._runs if self._is_unfinished(name)]

    def _is_unfinished(self, batch_id: str) -> bool:
        is_active = any(item.state in _ACTIVE for item in self._items[batch_id].values())
        is_running = self._runs[batch_id].batch.state is BatchState.RUNNING
        return is_running or is_active or bool(self.recalled(batch_id))

    def items(
        self, batch_id: str, states: Collection[ItemState], *, after_place: int = 0, limit: int
    ) -> Sequence[BatchItem]:
        """See BatchStore.items."""
        found = self._where(batch_id, lambda item: not states or item.state in states)
        return [item for item in found if item.place > after_place][:limit]

    def waiting(self, batch_id: str, *, limit: int) -> Sequence[BatchItem]:
        """See BatchStore.waiting."""
        return self._where(batch_id, lambda item: item.state is ItemState.WAITING and not item.job_id)[:limit]

    def recalled(self, batch_id: str) -> Sequence[BatchItem]:
        """See BatchStore.recalled."""
        return self._where(batch_id, lambda item: item.state in _RECALLABLE and bool(item.job_id))

    def stamps(self, batch_id: str) -> Mapping[str, FileStamp]:
        """See BatchStore.stamps."""
        items = self._where(batch_id, lambda _item: True)
        return {item.path: FileStamp(item.size_bytes, item.modified_ns) for item in items}

    def append(self, batch_id: str, items: Iterable[BatchItem]) -> None:
        """See BatchStore.append."""
        for item in items:
            place = max(self._items[batch_id], default=0) + 1
            self._items[batch_id][place] = replace(item, place=place)
            self._set(batch_id)

    def change(
        self, batch_id: str, before: BatchItem, after: BatchItem, exported: tuple[ExportKey, Export] | None = None
    ) -> bool:
        """See BatchStore.change."""
        if exported:
            self._exports.remember(*exported)
        known = self._items[batch_id][before.place]
        if (known.state, known.attempt) != (before.state, before.attempt):
            return False
        self._items[batch_id][before.place] = after
        self._set(batch_id)
        return True

    def remainder(self, batch_id: str) -> Remainder:
        """See BatchStore.remainder."""
        left = self._where(batch_id, lambda item: not item.state.is_final)
        return Remainder(len(left), sum(item.audio_s for item in left))

    def set_state(self, batch_id: str, state: BatchState, *, among: Collection[BatchState]) -> bool:
        """See BatchStore.set_state."""
        return self._set_if(batch_id, among, state=state)

    def cancel(self, batch_id: str, ended_at: datetime) -> bool:
        """See BatchStore.cancel."""
        is_open = {BatchState.RUNNING, BatchState.PAUSED}
        is_cancelled = self._set_if(batch_id, is_open, **_ending(BatchState.CANCELLED, ended_at))
        if is_cancelled:
            for item in self._where(batch_id, lambda item: not item.state.is_final):
                self._items[batch_id][item.place] = replace(item, state=ItemState.CANCELLED)
        return is_cancelled

    def retry(self, batch_id: str) -> bool:
        """See BatchStore.retry."""
        found = self._where(batch_id, lambda item: item.state in {ItemState.FAILED, ItemState.CANCELLED})
        for item in found:
            job_id = "" if item.state is ItemState.FAILED else item.job_id
            self._items[batch_id][item.place] = replace(
                item, state=ItemState.WAITING, attempt=item.attempt + 1, job_id=job_id, error=None, remedy=""
            )
        if found:
            self._set(batch_id, state=BatchState.RUNNING, ended_at=None)
        return bool(found)

    def finish(self, batch_id: str, ended_at: datetime) -> bool:
        """See BatchStore.finish."""
        is_over = not self.remainder(batch_id).track_count
        return is_over and self._set_if(batch_id, {BatchState.RUNNING}, **_ending(BatchState.DONE, ended_at))

    def tell(self, batch_id: str, outlook: Outlook) -> None:
        """See BatchStore.tell."""
        batch = self._runs[batch_id].batch
        told = asdict(outlook)
        if any(getattr(batch, name) != value for name, value in told.items()):
            self._set(batch_id, **told)

    def _where(self, batch_id: str, is_wanted: Callable[[BatchItem], bool]) -> list[BatchItem]:
        items = self._items[batch_id]
        return [items[place] for place in sorted(items) if is_wanted(items[place])]

    def _set_if(self, batch_id: str, among: Collection[BatchState], **changes: Any) -> bool:
        is_among = batch_id in self._runs and self._runs[batch_id].batch.state in among
        if is_among:
            self._set(batch_id, **changes)
        return is_among

    def _set(self, batch_id: str, **changes: Any) -> None:
        run = self._runs[batch_id]
        batch = replace(run.batch, sequence=run.batch.sequence + 1, **changes)
        self._runs[batch_id] = replace(run, batch=batch)


def _ending(state: BatchState, ended_at: datetime) -> dict[str, Any]:
    return {"state": state, "ended_at": ended_at, "hindrance": "", "remaining_s": None}


def _shares_names(one: Export, other: Export) -> bool:
    return bool(one.file_sizes_bytes.keys() & other.file_sizes_bytes.keys())
