"""The worker of the cloud flavour: no process of its own, no device, several tracks at once."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, cast

import structlog

from services.separator.adapters.audio_desk import open_desk
from services.separator.adapters.lalal.api import LalalApi
from services.separator.adapters.lalal.downloads import TrackDownloads
from services.separator.adapters.lalal.engine import LalalEngine
from services.separator.adapters.lalal.watch import PolledTasks
from services.separator.adapters.scratch import ScratchRoot
from services.separator.core.cloud.errand import Errand
from services.separator.core.cloud.journal import TaskJournal, TaskRecord
from services.separator.core.cloud.ports import Clocks
from services.separator.core.cloud.products import PRODUCTS, Product
from services.separator.core.cloud.sweeping import Sweeper
from services.separator.core.control import check_wanted
from services.separator.core.ports import DeviceGreeting, EngineSpec, Result, Task, TaskControl
from services.separator.core.results import CallOffTask, SeparateTask, find_result
from services.separator.core.separation import Bench, separate_track
from stemhouse.audio import AudioFormat, StemSet
from stemhouse.cloud import CloudOrder, CloudTerms
from stemhouse.errors import BudgetExceeded, EngineUnavailable, InternalFault, InvalidRequest, StemhouseError
from stemhouse.jobs import EngineGap
from stemhouse.ports import ObjectStore

log = structlog.get_logger(__name__)

ENGINE = "lalal"
_API_VERSION = "v1"
_ACCOUNT_DIGITS = 12
_TURN_S = 0.2
_NOTICING_S, _ENDING_S = 2.0, 20.0
"""Until a call that was cancelled knows it, and until it has ended: a submission waits for its reply."""
_HOUSEKEEPING_S = 60.0
_BALANCE_S = 300.0
_SPARE_MINUTES = 0.005
_ANY_FORMAT = AudioFormat(44_100, 2)


@dataclass(frozen=True)
class LalalAccount:
    """How the service is reached; see the settings of the same names."""

    key: str = field(repr=False)
    base_url: str
    download_hosts: tuple[str, ...]
    check_interval_s: float
    slots: int
    abandoned_after_s: float


class LalalWorker:
    """Worker for SeparateTask by LALAL.AI."""

    def __init__(self, account: LalalAccount, store: ObjectStore, scratch: ScratchRoot) -> None:
        """Begin to look after what earlier processes have left."""
        self._store = store
        self._scratch = scratch
        self._slot_count = account.slots
        self._account = hashlib.sha256(account.key.encode()).hexdigest()[:_ACCOUNT_DIGITS]
        self._api = LalalApi(account.base_url, account.key)
        self._watch = PolledTasks(self._api.check, account.check_interval_s)
        self._downloads = TrackDownloads(account.download_hosts)
        self._journal = TaskJournal(store)
        self._balance = _Balance(self._api)
        self._sweeper = Sweeper(self._journal, self._api, store, time.time)
        self._at_work: dict[str, TaskControl] = {}
        self._turns = threading.Condition()
        self._abandoned_after_s = account.abandoned_after_s
        self._stopped = threading.Event()
        threading.Thread(target=self._keep_house, name="lalal-house", daemon=True).start()

    @property
    def greeting(self) -> DeviceGreeting:
        """See Worker.greeting; nothing is offered while the key is refused."""
        if self._balance.refusal:
            remedy = "a valid key in STEMHOUSE_LALAL__KEY or STEMHOUSE_LALAL__KEY_FILE, then stemhouse down"
            return DeviceGreeting((), slot_count=0, gaps=(EngineGap(ENGINE, self._balance.refusal, remedy),))
        return DeviceGreeting(tuple(map(self._spec, PRODUCTS)), slot_count=self._slot_count)

    def check_ready(self) -> None:
        """See Worker.check_ready."""

    def stop(self) -> None:
        """End the threads; tasks go on with the service, and are found again."""
        self._stopped.set()
        self._watch.stop()

    def run(self, task: Task[Result], control: TaskControl) -> Result:
        """See Worker.run."""
        if isinstance(task, SeparateTask):
            product, order = _product(task), _order(task)
            with self._turn(order, control):
                return cast("Result", self._separated(task, product, order, control))
        if isinstance(task, CallOffTask):
            return cast("Result", self._called_off(task.separation, control))
        message = f"the cloud worker has no {type(task).__name__}"
        raise InternalFault(message)

    def _called_off(self, task: SeparateTask, control: TaskControl) -> float | None:
        """Once the call that was cancelled has left; a result that it has stored was paid for."""
        record = _record(task, _product(task), _order(task))
        if not self._takes_over(record.idempotency_key, control):
            return None
        try:
            stored = find_result(self._store, task)
            return stored.cloud_minutes if stored else self._sweeper.call_off(record)
        finally:
            self._balance.is_stale = True
            self._leave(record.idempotency_key)

    def _takes_over(self, key: str, control: TaskControl) -> bool:
        """Whether nobody is at a task; a call that was cancelled needs a moment to notice, and to end."""
        began_s = time.monotonic()
        with self._turns:
            while key in self._at_work:
                longest_s = _ENDING_S if self._at_work[key].is_cancelled() else _NOTICING_S
                if time.monotonic() - began_s > longest_s:
                    return False
                self._turns.wait(_TURN_S)
            self._at_work[key] = control
        return True

    def _separated(self, task: SeparateTask, product: Product, order: CloudOrder, control: TaskControl) -> StemSet:
        record = _record(task, product, order)
        errand = Errand(product, self._api, self._watch, self._journal, Clocks(time.time, time.sleep))
        with open_desk(self._store, self._scratch, control) as desk, self._scratch.folder() as folder:
            engine = LalalEngine(
                self._spec(product), task.audio, errand, record, self._downloads, desk, folder, control
            )
            bench = Bench(desk, control, time.monotonic, _versions(), cloud_minutes=record.minutes)
            stem_set = separate_track(task, engine, bench)
        errand.finish(record)
        self._balance.is_stale = True
        return stem_set

    @contextmanager
    def _turn(self, order: CloudOrder, control: TaskControl) -> Iterator[None]:
        """One go at a task at a time: a second would take the first one's open submission for a lost one."""
        key = order.idempotency_key
        with self._turns:
            while key in self._at_work or len(self._at_work) >= self._slot_count:
                self._turns.wait(_TURN_S)
                check_wanted(control)
            self._at_work[key] = control
        try:
            yield
        finally:
            self._leave(key)

    def _leave(self, key: str) -> None:
        with self._turns:
            del self._at_work[key]
            self._turns.notify_all()

    def _spec(self, product: Product) -> EngineSpec:
        return EngineSpec(
            name=ENGINE,
            model=product.model,
            engine_id=engine_id(product),
            stems=tuple(product.labels),
            native_format=_ANY_FORMAT,
            grade="cloud",
            device="cloud",
            cloud=CloudTerms(self._account, product.rate, self._balance.minutes_left),
        )

    def _keep_house(self) -> None:
        while not self._stopped.is_set():
            self._balance.refresh()
            try:
                self._sweeper.sweep(self._at_work, self._abandoned_after_s)
            except StemhouseError as error:
                log.warning("cannot clear up", error=error.message)
            self._balance.wait(self._stopped)


class _Balance:
    """What the service says of the account, asked for now and then."""

    def __init__(self, api: LalalApi) -> None:
        self._api = api
        self._asked_at_s = -_BALANCE_S
        self.is_stale = False
        self.minutes_left: float | None = None
        self.refusal = ""

    def refresh(self) -> None:
        """Ask, if it was long ago, or minutes have been spent."""
        if not self.is_stale and time.monotonic() - self._asked_at_s < _BALANCE_S:
            return
        self.is_stale, self._asked_at_s = False, time.monotonic()
        try:
            self.minutes_left = self._api.minutes_left()
            self.refusal = ""
        except EngineUnavailable as error:
            self.refusal = error.message
        except StemhouseError as error:
            log.info("balance not known", error=error.message)

    def wait(self, stopped: threading.Event) -> None:
        """For the next round."""
        stopped.wait(_HOUSEKEEPING_S)


def engine_id(product: Product) -> str:
    """The id of a product's samples; what the service computes may change without another id."""
    return f"{ENGINE}-{product.model}-{_API_VERSION}"


def _product(task: SeparateTask) -> Product:
    found = next((product for product in PRODUCTS if engine_id(product) == task.engine_id), None)
    if found is None:
        raise EngineUnavailable(f"no engine {task.engine_id} here", {"engine_id": task.engine_id})
    return found


def _order(task: SeparateTask) -> CloudOrder:
    """What may be spent; raises InvalidRequest without an order, BudgetExceeded if it does not do."""
    if task.cloud is None:
        message = "a cloud engine does nothing without an order of the router"
        raise InvalidRequest(message, {"cloud": message})
    minutes = _product(task).minutes(task.audio.duration_s)
    if minutes > task.cloud.minutes + _SPARE_MINUTES:
        raise BudgetExceeded(f"the track takes {minutes:.2f} minutes, and {task.cloud.minutes:.2f} are allowed")
    return task.cloud


def _record(task: SeparateTask, product: Product, order: CloudOrder) -> TaskRecord:
    minutes = product.minutes(task.audio.duration_s)
    return TaskRecord(task.audio.pcm_sha256, order.idempotency_key, task.manifest_key, minutes, time.time())


def _versions() -> dict[str, str]:
    packages: dict[str, Any] = {name: version(name) for name in ("numpy", "soundfile", "stemhouse", "urllib3")}
    return {**packages, "lalal-api": _API_VERSION}
