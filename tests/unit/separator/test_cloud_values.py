"""What replies mean, what tracks cost, whether what came back is the track, and what is cleared up behind it."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.separator.core.cloud.checks import is_foreign, lag_frames
from services.separator.core.cloud.journal import TaskJournal, TaskRecord, TaskState
from services.separator.core.cloud.products import PRODUCTS
from services.separator.core.cloud.replies import Meaning, Reply, TaskReport, report_from_entry
from services.separator.core.cloud.sweeping import Sweeper
from stemhouse.errors import InternalFault, Unavailable
from tests.fakes import MemoryObjectStore
from tests.signals import song

RATE_HZ = 8000
HOUR_S = 3600.0
NOW_S = 1_000_000.0
ABANDONED_S = 600.0
RECORD = TaskRecord("a" * 64, "key-1", "results/a/manifest.json", 0.2, NOW_S, source_id="source-1")


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, {}, Meaning.DONE),
        (401, {"detail": "?"}, Meaning.KEY_REFUSED),
        (403, {"detail": "Provide license key"}, Meaning.KEY_REFUSED),
        (429, {"detail": "slow down"}, Meaning.AGAIN),
        (502, {}, Meaning.AGAIN),
        (400, {"detail": "?", "code": "internal_error"}, Meaning.AGAIN),
        (400, {"detail": "?", "code": "exceeded_duration"}, Meaning.OUT_OF_MINUTES),
        (400, {"detail": "?", "code": "idempotency_key_used"}, Meaning.KEY_USED),
        (400, {"detail": "?", "code": "of tomorrow"}, Meaning.REFUSED),
        (400, {"detail": {"code": "internal_error"}, "code": ["internal_error"]}, Meaning.REFUSED),
        (422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, Meaning.REFUSED),
        (302, {}, Meaning.REFUSED),
    ],
)
def test_reply_means(status: int, body: Mapping[str, Any], meaning: Meaning) -> None:
    """Only status and code decide, and there are words for people whatever `detail` is."""
    reply = Reply(status, body)
    assert reply.meaning is meaning
    assert isinstance(reply.words, str)


@pytest.mark.parametrize(
    ("entry", "report"),
    [
        ({"status": "progress", "progress": 42, "unknown": {}}, TaskReport(0.42)),
        ({"status": "progress", "progress": float("nan")}, TaskReport(0.0)),
        ({"status": "progress", "progress": "half"}, TaskReport(0.0)),
        ({"status": "progress", "progress": 1e9}, TaskReport(1.0)),
        ({"status": "success", "result": {"tracks": 5}}, TaskReport(1.0, {})),
        ({"status": "success", "result": None}, TaskReport(1.0, {})),
        (
            {"status": "success", "result": {"tracks": [{"label": "bass", "url": "u"}, {"label": "x", "url": 1}, 7]}},
            TaskReport(1.0, {"bass": "u"}),
        ),
        ({"status": "error", "error": {"detail": "no voice", "code": None}}, TaskReport(failure="no voice")),
        ({"status": "error", "error": "words"}, TaskReport(failure="words")),
        ({"status": "cancelled"}, TaskReport(failure="the task was cancelled")),
        ({"status": "server_error", "error": "['deleted']"}, TaskReport(is_lost=True)),
        ({"status": "of tomorrow"}, TaskReport(is_lost=True)),
        (None, TaskReport(is_lost=True)),
    ],
)
def test_entry_tells(entry: object, report: TaskReport) -> None:
    """Whatever JSON it is: what raised here would end the looks at all tasks."""
    assert report_from_entry(entry) == report


@pytest.mark.parametrize(("duration_s", "minutes"), [(60.0, (3.0, 1.0)), (4.0, (0.2, 0.07)), (240.1, (12.01, 4.01))])
def test_track_takes_minutes_by_its_stems(duration_s: float, minutes: tuple[float, float]) -> None:
    """Rounded up to hundredths."""
    assert tuple(product.minutes(duration_s) for product in PRODUCTS) == minutes


@pytest.mark.parametrize("lag", [-37, 0, 5, 700])
def test_lag_is_found(lag: int) -> None:
    """To the frame, up to a tenth of a second; silence has none."""
    ours = song(4 * RATE_HZ, RATE_HZ)
    assert lag_frames(ours, np.roll(ours, lag, axis=1), RATE_HZ) == lag
    assert lag_frames(ours, np.zeros_like(ours), RATE_HZ) == 0


def test_noise_in_one_second_is_foreign() -> None:
    """A sum that misses the mixture by a little everywhere is not."""
    ours = song(4 * RATE_HZ, RATE_HZ)
    damaged = ours.copy()
    damaged[:, 2 * RATE_HZ : 3 * RATE_HZ] = np.random.default_rng(1).uniform(-1.0, 1.0, (2, RATE_HZ))
    assert is_foreign([ours], [damaged], RATE_HZ)
    assert not is_foreign([ours], [0.5 * ours], RATE_HZ)
    assert not is_foreign([], [], RATE_HZ)


@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_another_recording_is_foreign(gain: float) -> None:
    """As loud as it may be, and silence is one; of a silent mixture nothing can be told."""
    ours = song(4 * RATE_HZ, RATE_HZ)
    other = np.random.default_rng(1).normal(0.0, 0.2 * gain, ours.shape).astype(np.float32)
    assert is_foreign([ours], [other], RATE_HZ)
    assert is_foreign([ours], [np.zeros_like(ours)], RATE_HZ)
    assert not is_foreign([ours], [ours * gain], RATE_HZ)
    assert not is_foreign([np.zeros_like(ours)], [np.zeros_like(ours)], RATE_HZ)


class Deletions:
    """What a sweeper asks of the service."""

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.deleted: list[str] = []
        self.cancelled: list[str] = []
        self._is_deaf = is_deaf

    def cancel(self, task_id: str) -> None:
        """See CloudService.cancel."""
        assert not self.deleted  # the source of a task that runs is not deleted
        if self._is_deaf:
            raise Unavailable("does not answer")
        self.cancelled.append(task_id)

    def delete(self, source_id: str) -> None:
        """See CloudService.delete."""
        if self._is_deaf:
            raise Unavailable("does not answer")
        self.deleted.append(source_id)


def swept(store: MemoryObjectStore, began_s: float = 0.0, at_work: frozenset[str] = frozenset()) -> list[str]:
    """The sources that were deleted, by a process that has run since `began_s`."""
    service, times_s = Deletions(), iter([began_s])
    sweeper = Sweeper(TaskJournal(store), service, store, lambda: next(times_s, NOW_S))  # type: ignore[arg-type]  # no more is asked
    sweeper.sweep(at_work, ABANDONED_S)
    return service.deleted


def stored(record: TaskRecord) -> MemoryObjectStore:
    """A store with one record."""
    store = MemoryObjectStore()
    TaskJournal(store).write(record)
    return store


@pytest.mark.parametrize(
    ("state", "age_s", "left", "is_deleted"),
    [
        (TaskState.SUBMITTED, ABANDONED_S - 1, TaskState.SUBMITTED, False),
        (TaskState.SUBMITTED, ABANDONED_S + 1, TaskState.CANCELLED, True),
        (TaskState.UPLOADED, ABANDONED_S + 1, TaskState.CANCELLED, True),
        (TaskState.SUBMITTING, ABANDONED_S + 1, TaskState.UNCERTAIN, True),
        (TaskState.FAILED, 24 * HOUR_S, TaskState.FAILED, False),
        (TaskState.FAILED, 26 * HOUR_S, None, False),
        (TaskState.UNCERTAIN, 1000 * HOUR_S, TaskState.UNCERTAIN, False),
    ],
)
def test_sweep_leaves(state: TaskState, age_s: float, left: TaskState | None, is_deleted: bool) -> None:  # noqa: FBT001  a case
    """What may still be asked for, and every charge that nobody can tell."""
    store = stored(replace(RECORD, state=state, changed_s=NOW_S - age_s))
    assert swept(store) == (["source-1"] if is_deleted else [])
    assert [record.state for record in TaskJournal(store).records()] == ([left] if left else [])


def test_nobody_could_ask_while_no_process_ran() -> None:
    """A task of an hour is not abandoned because its separator was killed, and begins again."""
    old = replace(RECORD, state=TaskState.SUBMITTED, changed_s=NOW_S - HOUR_S)
    assert swept(stored(old), began_s=NOW_S - 1.0) == []
    assert swept(stored(old), at_work=frozenset({"key-1"})) == []
    assert swept(stored(old)) == ["source-1"]


def test_source_of_a_stored_result_is_deleted() -> None:
    """Whoever stored it was killed before."""
    store = stored(replace(RECORD, state=TaskState.SUBMITTED))
    store.put(RECORD.manifest_key, io.BytesIO(b"{}"))
    assert (swept(store), list(TaskJournal(store).records())) == (["source-1"], [])


def test_record_that_is_none_keeps_no_other() -> None:
    """Whoever asks for that very task is told."""
    store = stored(replace(RECORD, state=TaskState.SUBMITTED, changed_s=0.0))
    broken = replace(RECORD, pcm_sha256="0" * 64)
    store.put(broken.object_key, io.BytesIO(b'{"state": "of tomorrow"}'))
    assert swept(store) == ["source-1"]
    with pytest.raises(InternalFault, match="no record"):
        TaskJournal(store).find(broken)


def test_abandoned_task_is_written_down_though_the_service_is_deaf() -> None:
    """Its source expires by itself."""
    store = stored(replace(RECORD, state=TaskState.SUBMITTED, task_id="task-1", changed_s=0.0))
    times_s = iter([0.0])
    sweeper = Sweeper(TaskJournal(store), Deletions(is_deaf=True), store, lambda: next(times_s, NOW_S))  # type: ignore[arg-type]  # likewise
    sweeper.sweep(frozenset(), ABANDONED_S)
    (record,) = TaskJournal(store).records()
    assert (record.state, record.was_paid) == (TaskState.CANCELLED, True)


@pytest.mark.parametrize(
    ("state", "was_paid", "minutes", "left", "is_deleted"),
    [
        (None, False, 0.0, None, False),
        (TaskState.UPLOADED, False, 0.0, None, True),
        (TaskState.SUBMITTED, False, 0.2, TaskState.CANCELLED, True),
        (TaskState.SUBMITTING, False, None, TaskState.UNCERTAIN, True),
        (TaskState.CANCELLED, True, 0.2, TaskState.CANCELLED, False),
        (TaskState.FAILED, False, 0.0, TaskState.FAILED, False),
        (TaskState.UNCERTAIN, True, None, TaskState.UNCERTAIN, False),
    ],
)
def test_task_that_is_called_off_costs(
    state: TaskState | None,
    was_paid: bool,  # noqa: FBT001  a case
    minutes: float | None,
    left: TaskState | None,
    is_deleted: bool,  # noqa: FBT001  likewise
) -> None:
    """Nothing before it is submitted, and its price from then on; to ask again tells the same."""
    task_id = "task-1" if state is TaskState.SUBMITTED else ""
    store = stored(replace(RECORD, state=state, was_paid=was_paid, task_id=task_id)) if state else MemoryObjectStore()
    service = Deletions()
    sweeper = Sweeper(TaskJournal(store), service, store, lambda: NOW_S)  # type: ignore[arg-type]  # no more is asked
    assert [sweeper.call_off(RECORD), sweeper.call_off(RECORD)] == [minutes, minutes]
    assert (service.deleted, service.cancelled) == (["source-1"] if is_deleted else [], [task_id] if task_id else [])
    assert [record.state for record in TaskJournal(store).records()] == ([left] if left else [])
