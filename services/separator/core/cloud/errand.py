"""One track's way through the service, from wherever an earlier go at it was cut off.

The rule of all of it: what may have been paid for is never asked for a second time. Each state is written down before
the step that it names; a submission whose reply is lost is repeated with the same key and the same body, which the
service takes for the same task while that still waits, and refuses later; then nobody can find the task any more, and
a person has to decide.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar

from services.separator.core.cloud.journal import TaskJournal, TaskRecord, TaskState
from services.separator.core.cloud.ports import Clocks, CloudService, TaskWatch, Upload
from services.separator.core.cloud.products import Product
from services.separator.core.cloud.replies import Meaning, Reply, TaskReport
from services.separator.core.control import check_wanted, until_cancelled
from services.separator.core.ports import TaskControl
from stemhouse.errors import (
    BudgetExceeded,
    ChargeUncertain,
    EngineFailed,
    EngineUnavailable,
    StemhouseError,
    StorageUnavailable,
    Unavailable,
    UnreadableAudio,
    error_from_reason,
)

T = TypeVar("T")

CHARGED = "cloud_minutes"
"""The detail of an error that tells what was paid all the same."""

_FREE = {CHARGED: "0.00"}
"""Of errors before anything was submitted."""

_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Between submissions of which nothing came back."""
_MOST_UPLOADS = 2
_MOST_LOOKS = 6
"""At a task that is done, and whose tracks cannot be had."""
_SPARE_S = 1800.0
"""Before a source expires it is sent anew, so that its tracks can be fetched."""
_DURATION_SPARE_S = 1.5
"""The service tells whole seconds."""
_LONGEST_WAIT_S, _LONGEST_WAIT_SHARE = 1800.0, 3.0
_TOO_MANY_REQUESTS = 429
_RENEWED_S = 60.0
"""How often a record says anew that somebody waits for its task."""


@dataclass(frozen=True)
class Parcel:
    """What is sent: the file as a stream that can be opened again, its size, and how long it plays."""

    open: Callable[[], Iterator[bytes]]
    size_bytes: int
    duration_s: float


class Errand:
    """Takes one track to the service and its stems home."""

    def __init__(
        self, product: Product, service: CloudService, watch: TaskWatch, journal: TaskJournal, clocks: Clocks
    ) -> None:
        """Keep what it works with."""
        self._product = product
        self._service = service
        self._watch = watch
        self._journal = journal
        self._clocks = clocks

    def run(
        self, record: TaskRecord, parcel: Parcel, take: Callable[[Mapping[str, str]], T], control: TaskControl
    ) -> T:
        """What `take` makes of the links by stem; it raises UnreadableAudio or Unavailable if they will not do.

        Raises EngineFailed if the service cannot do the track, ChargeUncertain, BudgetExceeded for an empty account,
        EngineUnavailable for a refused key, Unavailable while the service does not answer, and Cancelled: the task goes
        on then, and another call finds it.
        """
        record = self._journal.find(record) or record
        if record.state.is_final:
            raise _recorded_error(record)
        may_have_arrived = record.state is TaskState.SUBMITTING
        if record.state in {TaskState.NEW, TaskState.UPLOADED}:
            with _telling_that_it_is_free():
                record = self._with_source(record, parcel, control)
        if not record.task_id:
            check_wanted(control)
            record = self._submitted(self._noted(record, TaskState.SUBMITTING), may_have_arrived=may_have_arrived)
        with _telling_price(record):
            return self._taken(record, parcel, take, self._renewing(record, control))

    def finish(self, record: TaskRecord) -> None:
        """The stems are stored: nothing of the track is to be left with the service."""
        written = self._journal.find(record)
        if written and written.source_id:
            with contextlib.suppress(Unavailable):  # it expires by itself within a day
                self._service.delete(written.source_id)
        self._journal.forget(record)

    def _with_source(self, record: TaskRecord, parcel: Parcel, control: TaskControl) -> TaskRecord:
        if record.source_id and record.expires_s > self._clocks.now_s() + _SPARE_S:
            return record
        for _ in range(_MOST_UPLOADS):
            check_wanted(control)
            chunks = until_cancelled(parcel.open(), control)
            upload = self._service.upload(chunks, parcel.size_bytes, f"{record.idempotency_key}.flac")
            if _is_whole(upload, parcel):
                return self._noted(
                    replace(record, source_id=upload.source_id, expires_s=upload.expires_s), TaskState.UPLOADED
                )
            self._service.delete(upload.source_id)
        message = f"the service says that {parcel.duration_s:.0f} s of audio last {upload.duration_s:.0f} s"
        return self._failed(record, EngineFailed(message))

    def _submitted(self, record: TaskRecord, *, may_have_arrived: bool) -> TaskRecord:
        """Repeats itself with the same body and key alone."""
        for pause_s in (*_PAUSES_S, None):
            reply = self._sent(record)
            task_id = reply.body.get("task_id") if reply else None
            if reply and reply.meaning is Meaning.DONE and isinstance(task_id, str):
                return self._noted(replace(record, task_id=task_id), TaskState.SUBMITTED)
            if reply and reply.meaning not in {Meaning.DONE, Meaning.AGAIN}:
                self._refused(record, reply, may_have_arrived=may_have_arrived)
            may_have_arrived |= not (reply and reply.status == _TOO_MANY_REQUESTS)
            if pause_s is not None:
                self._clocks.pause(pause_s)
        if not may_have_arrived:
            self._noted(record, TaskState.UPLOADED)
            raise Unavailable("the service is too busy to take the track", _FREE)
        raise Unavailable("the service does not say whether it took the track", _price(record))

    def _sent(self, record: TaskRecord) -> Reply | None:
        try:
            return self._service.submit(self._product, record.source_id, record.idempotency_key)
        except EngineUnavailable:
            raise
        except Unavailable:
            return None

    def _refused(self, record: TaskRecord, reply: Reply, *, may_have_arrived: bool) -> NoReturn:
        if reply.meaning is Meaning.KEY_USED or may_have_arrived:
            message = (
                "a submission got lost on its way back, and the service says: "
                f"{reply.words} Minutes may have been taken for a task that cannot be found again"
            )
            self._failed(record, ChargeUncertain(message), TaskState.UNCERTAIN)
        if reply.meaning is Meaning.OUT_OF_MINUTES:
            self._failed(record, BudgetExceeded(f"the account has too few minutes: {reply.words}"), is_paid=False)
        if reply.meaning is Meaning.KEY_REFUSED:
            self._noted(record, TaskState.UPLOADED)
            raise EngineUnavailable(f"the service refuses the licence key: {reply.words}")
        self._failed(record, EngineFailed(f"the service refuses the track: {reply.words}"), is_paid=False)

    def _taken(
        self, record: TaskRecord, parcel: Parcel, take: Callable[[Mapping[str, str]], T], control: TaskControl
    ) -> T:
        report = self._watch.wait(record.task_id, control, _LONGEST_WAIT_S + _LONGEST_WAIT_SHARE * parcel.duration_s)
        if not report.is_final:
            with contextlib.suppress(Unavailable):
                self._service.cancel(record.task_id)
            self._failed(record, EngineFailed("the service has not come to an end with the track"))
        problem = ""
        for _ in range(_MOST_LOOKS):
            if report.failure:
                self._failed(record, EngineFailed(f"the service cannot separate the track: {report.failure}"))
            try:
                return take(self._links(report))
            except EngineUnavailable:
                raise
            except (UnreadableAudio, Unavailable) as error:
                problem = error.message
            report = self._watch.refresh(record.task_id, control)
        return self._failed(record, EngineFailed(f"the stems cannot be had from the service: {problem}"))

    def _links(self, report: TaskReport) -> Mapping[str, str]:
        """By stem; raises Unavailable if one is missing."""
        found = report.links or {}
        missing = [label for label in self._product.labels.values() if label not in found]
        if missing:
            message = f"the service does not name {', '.join(missing)}"
            raise Unavailable(message)
        return {stem: found[label] for stem, label in self._product.labels.items()}

    def _renewing(self, record: TaskRecord, control: TaskControl) -> TaskControl:
        """Keeps the record young while its task is waited for, so that no other process takes it for abandoned."""
        renewed_s = self._clocks.now_s()

        def report(share: float) -> None:
            nonlocal renewed_s
            if self._clocks.now_s() - renewed_s >= _RENEWED_S:
                renewed_s = self._clocks.now_s()
                with contextlib.suppress(StorageUnavailable):
                    self._noted(record, record.state)
            control.report(share)

        return replace(control, report=report)

    def _noted(self, record: TaskRecord, state: TaskState) -> TaskRecord:
        noted = replace(record, state=state, changed_s=self._clocks.now_s())
        self._journal.write(noted)
        return noted

    def _failed(
        self,
        record: TaskRecord,
        error: StemhouseError,
        state: TaskState = TaskState.FAILED,
        *,
        is_paid: bool | None = None,
    ) -> NoReturn:
        """Write the end down, and raise it; paid for is what was submitted, unless the service has refused it."""
        was_paid = record.state.is_paid if is_paid is None else is_paid
        ended = replace(record, reason=error.reason, message=error.message, was_paid=was_paid)
        raise _recorded_error(self._noted(ended, state))


def _recorded_error(record: TaskRecord) -> StemhouseError:
    if not record.was_paid:
        return error_from_reason(record.reason, record.message)
    message = f"{record.message}; {record.minutes:.2f} minutes of the account may have been taken for it"
    return error_from_reason(record.reason, message, _price(record))


@contextlib.contextmanager
def _telling_price(record: TaskRecord) -> Iterator[None]:
    """The task was paid for, even if the key is refused now: whoever keeps the books must hear of it."""
    try:
        yield
    except EngineUnavailable as error:
        raise type(error)(error.message, {**_price(record), **error.details}) from error


@contextlib.contextmanager
def _telling_that_it_is_free() -> Iterator[None]:
    """Nothing was submitted yet: whoever gives up now has spent nothing."""
    try:
        yield
    except Unavailable as error:
        raise type(error)(error.message, {**_FREE, **error.details}) from error


def _price(record: TaskRecord) -> dict[str, str]:
    return {CHARGED: f"{record.minutes:.2f}"}


def _is_whole(upload: Upload, parcel: Parcel) -> bool:
    has_length = abs(upload.duration_s - parcel.duration_s) <= _DURATION_SPARE_S
    return has_length and upload.size_bytes == parcel.size_bytes
