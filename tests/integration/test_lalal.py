"""The cloud worker against a faithful fake of LALAL.AI: every state, every fault, and no charge twice."""

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import structlog

from services.separator.adapters.lalal.worker import LalalAccount, LalalWorker, engine_id
from services.separator.adapters.scratch import ScratchRoot
from services.separator.core.cloud.journal import TaskJournal, TaskState
from services.separator.core.cloud.products import PRODUCTS
from services.separator.core.ports import TaskControl
from services.separator.core.results import CallOffTask, SeparateTask
from stemhouse.audio import AudioFormat, AudioRef, StemSet
from stemhouse.cloud import CloudOrder
from stemhouse.errors import (
    BudgetExceeded,
    Cancelled,
    ChargeUncertain,
    EngineFailed,
    EngineUnavailable,
    InvalidRequest,
    StemhouseError,
)
from tests.fake_lalal.clocks import RealClock
from tests.fake_lalal.faults import Fault, FaultKind
from tests.fake_lalal.server import FakeLalal
from tests.fakes import MemoryObjectStore
from tests.signals import song

RATE_HZ = 44_100
FRAMES = 4 * RATE_HZ
KEY_1, KEY_2 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
MULTISTEM, VOCALS = PRODUCTS
WATCHED = TaskControl(is_cancelled=lambda: False)


class Killed(BaseException):
    """The process is gone."""


class DyingStore(MemoryObjectStore):
    """Dies at the n-th write of a task's record, before or after it is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_at: int | None = None
        self.is_after = False

    def put(self, key: str, source: Any) -> None:
        """See ObjectStore.put."""
        if self.dies_at is None or not key.startswith("cloud/"):
            super().put(key, source)
            return
        self.dies_at -= 1
        if self.dies_at == 0 and not self.is_after:
            raise Killed
        super().put(key, source)
        if self.dies_at == 0:
            raise Killed


@pytest.fixture
def store() -> DyingStore:
    """With one song."""
    store = DyingStore()
    samples = np.round(song(FRAMES, RATE_HZ) * 2**23).astype(np.int32) << 8
    flac = io.BytesIO()
    soundfile.write(flac, samples.T, RATE_HZ, "PCM_24", format="FLAC")
    store.put("audio/song.flac", io.BytesIO(flac.getvalue()))
    return store


@pytest.fixture
def fake() -> Iterator[FakeLalal]:
    """The service, in a hurry."""
    with FakeLalal(RealClock(), queue_s=0.05, stem_s=0.02, checks_per_minute=None) as fake:
        yield fake


AUDIO = AudioRef("audio/song.flac", "a" * 64, AudioFormat(RATE_HZ, 2), FRAMES)


def task(key: str = KEY_1, product: Any = MULTISTEM, minutes: float = 0.2) -> SeparateTask:
    """The song by a product, with an order."""
    return SeparateTask(AUDIO, engine_id(product), cloud=CloudOrder(key, minutes))


@contextmanager
def worker(fake: FakeLalal, store: MemoryObjectStore, folder: Path, **wishes: Any) -> Iterator[LalalWorker]:
    """A cloud worker."""
    account = LalalAccount(fake.key, fake.base_url, ("127.0.0.1",), 0.02, 4, 600.0)
    made = LalalWorker(replace(account, **wishes), store, ScratchRoot(folder))
    try:
        yield made
    finally:
        made.stop()


def separated(fake: FakeLalal, store: MemoryObjectStore, folder: Path, wished: SeparateTask) -> StemSet:
    """By a worker of its own, as after a restart."""
    with worker(fake, store, folder) as made:
        return made.run(wished, WATCHED)


def records(store: MemoryObjectStore) -> list[TaskState]:
    """What is written down."""
    return [record.state for record in TaskJournal(store).records()]


@pytest.mark.parametrize(("product", "minutes"), [(MULTISTEM, 0.2), (VOCALS, 0.07)])
def test_stems_sum_to_the_mix_and_nothing_is_left(
    fake: FakeLalal, store: DyingStore, tmp_path: Path, product: Any, minutes: float
) -> None:
    """With the service, in the journal, or on the wrong port; what it took is told, and charged once."""
    with structlog.testing.capture_logs() as logs:
        stem_set = separated(fake, store, tmp_path, task(product=product))
    assert [stem.name for stem in stem_set.stems] == list(product.labels)
    assert stem_set.null_depth_db <= -120.0
    assert stem_set.cloud_minutes == pytest.approx(minutes, abs=0.005)
    assert fake.charges.total_minutes == pytest.approx(stem_set.cloud_minutes, abs=0.01)
    assert (records(store), list(store.list_keys("cloud/"))) == ([], [])
    assert fake.journal.violations == ()
    assert len(fake.journal.of("delete")) == 1
    assert fake.key not in json.dumps(logs, default=str)


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_kill_at_each_state_charges_once(
    fake: FakeLalal,
    store: DyingStore,
    tmp_path: Path,
    dies_at: int,
    is_after: bool,  # noqa: FBT001  a case
) -> None:
    """Another process goes on where the first was cut off; where nobody can know, nothing is sent again."""
    store.dies_at, store.is_after = dies_at, is_after
    with pytest.raises(Killed):
        separated(fake, store, tmp_path, task())
    store.dies_at = None
    try:
        assert len(separated(fake, store, tmp_path, task()).stems) == 4
    except ChargeUncertain:
        assert (dies_at, is_after) == (3, False)  # the reply was not written down, and its task has begun
        assert records(store) == [TaskState.UNCERTAIN]
    assert len(fake.charges.by_task) == 1
    assert fake.journal.violations == ()


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        ("upload", FaultKind.DROP_BEFORE_REPLY),
        ("upload", FaultKind.WRONG_DURATION),
        ("split/multistem", FaultKind.HTTP_503),
        ("split/multistem", FaultKind.DROP_BEFORE_REPLY),
        ("split/multistem", FaultKind.EXTRA_FIELDS),
        ("check", FaultKind.HTTP_429),
        ("check", FaultKind.TRUNCATED_BODY),
        ("check", FaultKind.SERVER_ERROR),
        ("check", FaultKind.MISSING_ENTRY),
        ("check", FaultKind.CAPITALISED_SPLITTER),
        ("download", FaultKind.HTTP_500),
        ("download", FaultKind.TRUNCATED_BODY),
        ("download", FaultKind.WRONG_CONTENT_LENGTH),
        ("download", FaultKind.WRONG_DURATION),
        ("download", FaultKind.CORRUPT_AUDIO),
        ("download", FaultKind.CORRUPT_MIDDLE),
        ("download", FaultKind.REDIRECT_ELSEWHERE),
        ("delete", FaultKind.HTTP_500),
    ],
)
def test_faults_that_pass_cost_nothing(
    fake: FakeLalal, store: DyingStore, tmp_path: Path, route: str, kind: FaultKind
) -> None:
    """The stems are whole in the end, by one task; what the router repeats is repeated here."""
    fake.faults.add(route, 1, Fault(kind))
    try:
        stem_set = separated(fake, store, tmp_path, task())
    except StemhouseError as error:
        assert type(error).__name__ == "Unavailable"  # noqa: PT017  its router asks again
        stem_set = separated(fake, store, tmp_path, task())
    assert stem_set.null_depth_db <= -120.0
    assert len(fake.charges.by_task) == 1
    assert [violation for violation in fake.journal.violations if "elsewhere" not in str(violation)] == []


@pytest.mark.parametrize("kind", [FaultKind.STEM_MISSING, FaultKind.HTTP_URL, FaultKind.EXPIRED_URL])
def test_links_that_do_not_do_are_asked_for_again(
    fake: FakeLalal, store: DyingStore, tmp_path: Path, kind: FaultKind
) -> None:
    """Those of the look that finds the task done."""
    fake.faults.add("check", 1, Fault(kind, calls=5))  # one look less than are made, if the first finds it done
    assert separated(fake, store, tmp_path, task()).null_depth_db <= -120.0
    assert len(fake.charges.by_task) == 1


def test_lost_reply_of_a_submission_is_asked_for_with_the_same_key(
    fake: FakeLalal, store: DyingStore, tmp_path: Path
) -> None:
    """Once the task has begun, the service does not tell which one it is: nothing is sent, a person has to decide."""
    fake.faults.add("split/multistem", 1, Fault(FaultKind.DROP_AFTER_COMMIT))
    with pytest.raises(ChargeUncertain, match="cannot be found") as raised:
        separated(fake, store, tmp_path, task())
    assert raised.value.details["cloud_minutes"] == "0.20"
    assert "0.20 minutes of the account may have been taken" in raised.value.message
    for _ in range(2):
        with pytest.raises(ChargeUncertain):
            separated(fake, store, tmp_path, task())
    assert len(fake.charges.by_task) == 1
    assert len(fake.journal.charging) == 1


@pytest.mark.parametrize("kind", [FaultKind.TASK_ERROR, FaultKind.NULL_ERROR_CODE, FaultKind.CANCELLED_BY_SERVICE])
def test_task_that_fails_counts_as_paid(fake: FakeLalal, store: DyingStore, tmp_path: Path, kind: FaultKind) -> None:
    """What is refunded nobody has published; another engine may do the track."""
    fake.faults.add("split/multistem", 1, Fault(kind))
    with pytest.raises(EngineFailed) as raised:
        separated(fake, store, tmp_path, task())
    assert raised.value.details == {"cloud_minutes": "0.20"}
    with pytest.raises(EngineFailed):
        separated(fake, store, tmp_path, task())
    assert len(fake.charges.by_task) == 1


def test_nothing_is_sent_without_an_order_that_does(fake: FakeLalal, store: DyingStore, tmp_path: Path) -> None:
    """Nor by a key that is refused, nor from an empty account."""
    with worker(fake, store, tmp_path) as made:
        with pytest.raises(InvalidRequest, match="order"):
            made.run(replace(task(), cloud=None), WATCHED)
        with pytest.raises(BudgetExceeded, match=r"0\.20"):
            made.run(task(minutes=0.19), WATCHED)
    assert fake.journal.of("upload") == ()
    with worker(fake, store, tmp_path, key="wrong") as made, pytest.raises(EngineUnavailable, match="LALAL__KEY"):
        made.run(task(), WATCHED)
    with FakeLalal(RealClock(), minutes=0.1) as poor, pytest.raises(BudgetExceeded, match="too few minutes"):
        separated(poor, store, tmp_path, task(KEY_2))


def test_offers_tell_account_rate_and_minutes(fake: FakeLalal, store: DyingStore, tmp_path: Path) -> None:
    """The key is in none of it; a refused one is a gap with its remedy."""
    with worker(fake, store, tmp_path) as made:
        wait_for(lambda: bool(made.greeting.specs[0].cloud and made.greeting.specs[0].cloud.minutes_left))
        terms = [spec.cloud for spec in made.greeting.specs]
        assert [(term.rate, term.minutes_left) for term in terms if term] == [(3.0, 750.0), (1.0, 750.0)]
        assert fake.key not in repr(made.greeting)
    with worker(fake, store, tmp_path, key="wrong") as made:
        wait_for(lambda: bool(made.greeting.gaps))
        assert (made.greeting.specs, made.greeting.gaps[0].engine) == ((), "lalal")


def test_caller_who_leaves_and_comes_back_finds_the_task(fake: FakeLalal, store: DyingStore, tmp_path: Path) -> None:
    """A router that was killed must not cost its user a second charge."""
    looks = iter([False] * 20 + [True] * 1000)
    fake.faults.add("check", 1, Fault(FaultKind.HTTP_503, calls=3))
    with pytest.raises(Cancelled), worker(fake, store, tmp_path) as made:
        made.run(task(), TaskControl(is_cancelled=lambda: next(looks)))
    assert separated(fake, store, tmp_path, task()).null_depth_db <= -120.0
    assert len(fake.charges.by_task) == 1


def test_cancelled_job_is_called_off_at_the_service(store: DyingStore, tmp_path: Path) -> None:
    """As soon as its call has ended; before a submission it costs nothing."""
    is_cancelled = threading.Event()
    leaving = TaskControl(is_cancelled=is_cancelled.is_set)
    with FakeLalal(RealClock(), queue_s=30.0, checks_per_minute=None) as slow, ThreadPoolExecutor(1) as pool:
        with worker(slow, store, tmp_path) as made:
            assert made.run(CallOffTask(task()), WATCHED) == 0.0
            run = pool.submit(made.run, task(), leaving)
            wait_for(lambda: records(store) == [TaskState.SUBMITTED])
            is_cancelled.set()
            assert [made.run(CallOffTask(task()), WATCHED) for _ in range(2)] == [0.2, 0.2]
            assert (type(run.exception()), records(store)) == (Cancelled, [TaskState.CANCELLED])
        assert (len(slow.journal.of("cancel")), len(slow.journal.of("delete")), slow.journal.violations) == (1, 1, ())


def test_order_whose_result_is_stored_was_paid_for(fake: FakeLalal, store: DyingStore, tmp_path: Path) -> None:
    """Though its job was cancelled before it heard of that."""
    with worker(fake, store, tmp_path) as made:
        stem_set = made.run(task(), WATCHED)
        assert made.run(CallOffTask(task()), WATCHED) == stem_set.cloud_minutes > 0.0


def test_order_that_somebody_else_waits_for_is_not_called_off(store: DyingStore, tmp_path: Path) -> None:
    """Nobody can know then what it will cost, and it goes on."""
    is_cancelled = threading.Event()
    slow = FakeLalal(RealClock(), queue_s=30.0, checks_per_minute=None)
    with slow, ThreadPoolExecutor(1) as pool, worker(slow, store, tmp_path) as made:
        run = pool.submit(made.run, task(), TaskControl(is_cancelled=is_cancelled.is_set))
        wait_for(lambda: records(store) == [TaskState.SUBMITTED])
        assert made.run(CallOffTask(task()), WATCHED) is None
        assert (records(store), slow.journal.of("delete")) == ([TaskState.SUBMITTED], ())
        is_cancelled.set()
        assert isinstance(run.exception(), Cancelled)


def test_two_goes_at_one_order_come_one_after_the_other(fake: FakeLalal, store: DyingStore, tmp_path: Path) -> None:
    """A router that begins again while its last call still ends must not find a submission that looks lost."""
    with worker(fake, store, tmp_path) as made, ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(made.run, task(), WATCHED) for _ in range(2))
        assert first.result() == second.result()
    assert (len(fake.journal.of("upload")), len(fake.journal.charging)) == (1, 1)


def test_what_nobody_asks_for_any_more_is_deleted(fake: FakeLalal, store: DyingStore, tmp_path: Path) -> None:
    """Its minutes count as taken, and whoever comes later is told."""
    store.dies_at, store.is_after = 3, True
    with pytest.raises(Killed):
        separated(fake, store, tmp_path, task())
    store.dies_at = None
    with worker(fake, store, tmp_path, abandoned_after_s=1e-9):
        wait_for(lambda: records(store) == [TaskState.CANCELLED])
    assert len(fake.journal.of("delete")) == 1
    with pytest.raises(EngineFailed, match="nobody has asked"):
        separated(fake, store, tmp_path, task())


def wait_for(holds: Any) -> None:
    """For something that another thread does."""
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError
