"""What is sent, what is never sent again, and what is written down, against a service and a clock that are scripted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from services.separator.core.cloud.errand import Errand, Parcel
from services.separator.core.cloud.journal import TaskJournal, TaskRecord, TaskState
from services.separator.core.cloud.ports import Clocks, Upload
from services.separator.core.cloud.products import PRODUCTS, Product
from services.separator.core.cloud.replies import Reply, TaskReport
from services.separator.core.ports import TaskControl
from stemhouse.errors import (
    BudgetExceeded,
    Cancelled,
    ChargeUncertain,
    EngineFailed,
    EngineUnavailable,
    StemhouseError,
    Unavailable,
)
from tests.fakes import MemoryObjectStore

DAY_S = 86_400.0
LABELS = ("vocals", "drum", "bass", "no_multistem")
DONE = TaskReport(1.0, {label: f"https://d.lalal.ai/{label}" for label in LABELS})
TAKEN = Reply(200, {"task_id": "task-1"})
NEW = TaskRecord("a" * 64, "11111111-1111-4111-8111-111111111111", "results/a/manifest.json", 0.2, 0.0)
PARCEL = Parcel(lambda: iter([b"fLaC", b"more"]), 8, 4.0)
PAID = {"cloud_minutes": "0.20"}
FREE = {"cloud_minutes": "0.00"}
WATCHED = TaskControl(is_cancelled=lambda: False)


def refused(code: str, status: int = 400) -> Reply:
    """A reply with an error."""
    return Reply(status, {"detail": f"no: {code}", "code": code})


@dataclass
class World:
    """CloudService, TaskWatch and clock in one; `replies` are those to submissions, None being a lost one."""

    replies: list[Reply | None] = field(default_factory=lambda: [TAKEN])
    reports: list[TaskReport | StemhouseError] = field(default_factory=lambda: [DONE])
    told_duration_s: float = 4.0
    upload_error: StemhouseError | None = None
    now_s: float = 0.0
    store: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    uploads: list[bytes] = field(default_factory=list)
    submissions: list[tuple[str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)

    def upload(self, chunks: Iterable[bytes], size_bytes: int, name: str) -> Upload:
        """See CloudService.upload."""
        assert name == f"{NEW.idempotency_key}.flac"
        if self.upload_error:
            raise self.upload_error
        self.uploads.append(b"".join(chunks))
        return Upload(f"source-{len(self.uploads)}", size_bytes, self.told_duration_s, self.now_s + DAY_S)

    def submit(self, product: Product, source_id: str, idempotency_key: str) -> Reply:
        """See CloudService.submit."""
        assert product is PRODUCTS[0]
        assert self.written.state is TaskState.SUBMITTING  # before the request goes out
        self.submissions.append((source_id, idempotency_key))
        reply = self.replies.pop(0)
        if reply is None:
            raise Unavailable("broke off")
        return reply

    def cancel(self, task_id: str) -> None:
        """See CloudService.cancel."""
        self.gone.append(task_id)

    def delete(self, source_id: str) -> None:
        """See CloudService.delete."""
        self.gone.append(source_id)

    def wait(self, task_id: str, control: TaskControl, longest_s: float) -> TaskReport:
        """See TaskWatch.wait: every report takes a minute."""
        assert (task_id, longest_s > 0.0) == ("task-1", True)
        self.now_s += 60.0
        report = self.reports.pop(0)
        if isinstance(report, StemhouseError):
            raise report
        control.report(report.progress)
        return report

    def refresh(self, task_id: str, control: TaskControl) -> TaskReport:
        """See TaskWatch.refresh."""
        return self.wait(task_id, control, 1.0)

    @property
    def written(self) -> TaskRecord:
        """The one record."""
        (record,) = TaskJournal(self.store).records()
        return record

    def run(self, record: TaskRecord = NEW, control: TaskControl = WATCHED) -> Mapping[str, str]:
        """An errand of a process that has just begun; gives the links by stem."""
        clocks = Clocks(lambda: self.now_s, self.pauses_s.append)
        return Errand(PRODUCTS[0], self, self, TaskJournal(self.store), clocks).run(record, PARCEL, dict, control)

    def has_written(self, state: TaskState, **facts: object) -> "World":
        """As an earlier process left it."""
        TaskJournal(self.store).write(replace(NEW, state=state, **facts))  # type: ignore[arg-type]  # of a record
        return self


def test_service_that_is_gone_before_a_submission_has_taken_nothing() -> None:
    """Neither while it takes no upload, nor while it is too busy for a submission; a later go begins there."""
    away = Unavailable("no answer")
    world = World(upload_error=away)
    with pytest.raises(Unavailable) as raised:
        world.run()
    assert (type(raised.value), raised.value.message, raised.value.details) == (Unavailable, away.message, FREE)
    world = World(replies=[Reply(429, {})] * 5)
    with pytest.raises(Unavailable) as raised:
        world.run()
    assert (type(raised.value), raised.value.details, world.written.state) == (Unavailable, FREE, TaskState.UPLOADED)
    world.replies = [refused("max_duration")]
    with pytest.raises(EngineFailed) as refusal:
        world.run()
    assert (type(refusal.value), refusal.value.details) == (EngineFailed, {})


def test_track_is_sent_once_and_its_stems_are_named_ours() -> None:
    """Upload, one submission, and the links of all stems."""
    world = World()
    assert world.run() == {
        "vocals": "https://d.lalal.ai/vocals",
        "drums": "https://d.lalal.ai/drum",
        "bass": "https://d.lalal.ai/bass",
        "other": "https://d.lalal.ai/no_multistem",
    }
    assert (world.uploads, world.submissions) == ([b"fLaCmore"], [("source-1", NEW.idempotency_key)])
    assert (world.written.state, world.written.task_id) == (TaskState.SUBMITTED, "task-1")


@pytest.mark.parametrize("lost", [None, Reply(503, {}), Reply(200, {}), refused("internal_error")])
def test_lost_submission_is_repeated_as_it_was(lost: Reply | None) -> None:
    """With the same key and source, after growing pauses."""
    world = World(replies=[lost, lost, TAKEN])
    world.run()
    assert (len(set(world.submissions)), len(world.submissions), world.pauses_s) == (1, 3, [0.5, 1.0])


def test_submission_that_stays_lost_may_have_been_charged() -> None:
    """It is told as such, and the next go asks for the same task: where it has begun, nobody can find it again."""
    world = World(replies=[None] * 5)
    with pytest.raises(Unavailable) as raised:
        world.run()
    assert (type(raised.value), raised.value.details) == (Unavailable, PAID)
    assert (world.written.state, world.pauses_s) == (TaskState.SUBMITTING, [0.5, 1.0, 2.0, 4.0])
    world.replies = [refused("idempotency_key_used")]
    for _ in range(2):  # the second finds it written down, and asks for nothing
        with pytest.raises(ChargeUncertain) as uncertain:
            world.run()
        assert uncertain.value.details == PAID
    assert (len(world.uploads), len(set(world.submissions)), len(world.submissions)) == (1, 1, 6)


@pytest.mark.parametrize(
    ("replies", "error", "details", "state"),
    [
        ([refused("max_duration")], EngineFailed, {}, TaskState.FAILED),
        ([Reply(422, {"detail": [{"loc": ["body"]}]})], EngineFailed, {}, TaskState.FAILED),
        ([refused("exceeded_duration")], BudgetExceeded, {}, TaskState.FAILED),
        ([refused("", 403)], EngineUnavailable, {}, TaskState.UPLOADED),
        ([Reply(429, {}), refused("max_duration")], EngineFailed, {}, TaskState.FAILED),
        ([None, refused("max_duration")], ChargeUncertain, PAID, TaskState.UNCERTAIN),
        ([Reply(500, {}), refused("", 403)], ChargeUncertain, PAID, TaskState.UNCERTAIN),
    ],
)
def test_refusal_costs_nothing_unless_something_was_lost_before(
    replies: list[Reply | None], error: type[StemhouseError], details: dict[str, str], state: TaskState
) -> None:
    """A reply of 429 has done nothing; of any other that is missing nobody knows."""
    world = World(replies=replies)
    with pytest.raises(error) as raised:
        world.run()
    assert (type(raised.value), raised.value.details, world.written.state) == (error, details, state)


@pytest.mark.parametrize(
    ("state", "expires_s", "uploads", "submissions"),
    [
        (TaskState.UPLOADED, DAY_S, 0, 1),
        (TaskState.UPLOADED, 60.0, 1, 1),
        (TaskState.SUBMITTING, 60.0, 0, 1),
        (TaskState.SUBMITTED, 60.0, 0, 0),
    ],
)
def test_next_process_goes_on_where_the_last_was_cut_off(
    state: TaskState, expires_s: float, uploads: int, submissions: int
) -> None:
    """A source that expires soon is sent anew, unless it may have been submitted."""
    task_id = "task-1" if state is TaskState.SUBMITTED else ""
    world = World().has_written(state, source_id="source-0", expires_s=expires_s, task_id=task_id)
    world.run()
    assert (len(world.uploads), len(world.submissions)) == (uploads, submissions)


def test_key_that_is_refused_later_does_not_undo_the_charge() -> None:
    """Whoever keeps the books is told, and the task can still be found."""
    world = World(reports=[EngineUnavailable("the key is refused")])
    with pytest.raises(EngineUnavailable) as raised:
        world.run()
    assert (type(raised.value), raised.value.details) == (EngineUnavailable, PAID)
    assert world.written.state is TaskState.SUBMITTED


def test_task_without_an_end_is_stopped() -> None:
    """It counts as paid."""
    world = World(reports=[TaskReport(0.5)])
    with pytest.raises(EngineFailed, match="to an end") as raised:
        world.run()
    assert (world.gone, raised.value.details, world.written.state) == (["task-1"], PAID, TaskState.FAILED)


def test_missing_stem_is_asked_for_again_a_few_times() -> None:
    """Then the track has failed."""
    without_bass = TaskReport(1.0, {label: link for label, link in (DONE.links or {}).items() if label != "bass"})
    assert len(World(reports=[without_bass, DONE]).run()) == 4
    with pytest.raises(EngineFailed, match="does not name bass") as raised:
        World(reports=[without_bass] * 9).run()
    assert raised.value.details == PAID


def test_file_that_arrived_otherwise_is_not_submitted() -> None:
    """It is sent once more, and given up then; both are deleted."""
    world = World(told_duration_s=11.0)
    with pytest.raises(EngineFailed, match="4 s of audio last 11 s") as raised:
        world.run()
    assert (world.submissions, world.gone, raised.value.details) == ([], ["source-1", "source-2"], FREE)


def test_caller_who_leaves_stops_the_upload() -> None:
    """In its middle, and before anything costs."""
    answers = iter([False, False, True])
    world = World()
    with pytest.raises(Cancelled):
        world.run(control=TaskControl(is_cancelled=lambda: next(answers)))
    assert (world.uploads, world.submissions) == ([], [])


def test_record_stays_young_while_its_task_is_waited_for() -> None:
    """Or another process would take it for abandoned."""
    world = World(reports=[TaskReport(0.1, {}), DONE])
    world.run()
    assert (world.now_s, world.written.changed_s) == (120.0, 120.0)
