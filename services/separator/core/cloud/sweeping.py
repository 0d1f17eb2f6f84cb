"""What was left behind: tasks that nobody asks for any more, sources of tracks that are stored, old records."""

import contextlib
from collections.abc import Callable, Collection
from dataclasses import replace

from services.separator.core.cloud.journal import TaskJournal, TaskRecord, TaskState
from services.separator.core.cloud.ports import CloudService
from stemhouse.errors import ChargeUncertain, EngineFailed, Unavailable
from stemhouse.ports import ObjectStore

_KEPT_S = 25 * 3600.0
"""The service forgets everything after a day."""


class Sweeper:
    """Clears up behind errands."""

    def __init__(
        self, journal: TaskJournal, service: CloudService, store: ObjectStore, now_s: Callable[[], float]
    ) -> None:
        """Keep what it works with; `now_s` is since 1970. Nobody could ask for a task before now."""
        self._journal = journal
        self._service = service
        self._store = store
        self._now_s = now_s
        self._began_s = now_s()

    def sweep(self, at_work: Collection[str], abandoned_after_s: float) -> None:
        """Once over all records but those `at_work`, which are named by their idempotency keys.

        A task that nobody has asked for in so many seconds is cancelled, and what belongs to it deleted: its minutes
        count as taken. Records of uncertain charges stay. `at_work` may change meanwhile. Raises StorageUnavailable.
        """
        for record in self._journal.records():
            age_s = self._now_s() - record.changed_s
            unasked_s = self._now_s() - max(record.changed_s, self._began_s)
            if record.idempotency_key in at_work:
                continue
            if self._store.size_bytes(record.manifest_key) is not None:
                self._drop(record)
                self._journal.forget(record)
            elif record.state.is_final:
                if age_s > _KEPT_S and record.state is not TaskState.UNCERTAIN:
                    self._journal.forget(record)
            elif unasked_s > abandoned_after_s:
                self._abandon(record, "nobody has asked for the track any more while it was with the service")

    def call_off(self, record: TaskRecord) -> float | None:
        """End a task that its user has cancelled, at once; nobody may be at it.

        What it has cost in minutes, 0 if it was never submitted; None if nobody can know. Raises StorageUnavailable.
        """
        written = self._journal.find(record)
        if written is None:
            return 0.0
        if not (written.state.is_final or written.state.is_paid):
            self._drop(written)
            self._journal.forget(written)
            return 0.0
        if not written.state.is_final:
            written = self._abandon(written, "its job was cancelled while the track was with the service")
        if written.state is TaskState.UNCERTAIN:
            return None
        return written.minutes if written.was_paid else 0.0

    def _abandon(self, record: TaskRecord, words: str) -> TaskRecord:
        if record.task_id:
            with contextlib.suppress(Unavailable):
                self._service.cancel(record.task_id)
        self._drop(record)
        is_lost = record.state is TaskState.SUBMITTING
        error = ChargeUncertain if is_lost else EngineFailed
        ended = replace(
            record,
            state=TaskState.UNCERTAIN if is_lost else TaskState.CANCELLED,
            changed_s=self._now_s(),
            reason=error.reason,
            message=words,
            was_paid=record.state.is_paid,
        )
        self._journal.write(ended)
        return ended

    def _drop(self, record: TaskRecord) -> None:
        """Deleting a source cancels those of its tasks that were never found."""
        with contextlib.suppress(Unavailable):
            if record.source_id:
                self._service.delete(record.source_id)
