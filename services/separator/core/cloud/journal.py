"""What has been done for a track in the cloud, written down before each step that cannot be taken back."""

import contextlib
import dataclasses
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from stemhouse.errors import InternalFault, NotFound
from stemhouse.ports import ObjectStore

_FOLDER = "cloud/lalal/"
_ENDING = ".json"


class TaskState(StrEnum):
    """How far a task is; the last three are final.

    SUBMITTING is written before the submission goes out: whoever finds it does not know whether it has arrived.
    """

    NEW = "new"
    UPLOADED = "uploaded"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCERTAIN = "uncertain"

    @property
    def is_final(self) -> bool:
        """Whether the service will not be asked for anything more."""
        return self in {TaskState.FAILED, TaskState.CANCELLED, TaskState.UNCERTAIN}

    @property
    def is_paid(self) -> bool:
        """Whether the minutes may be gone; what a task that failed is refunded nobody has published."""
        return self not in {TaskState.NEW, TaskState.UPLOADED}


@dataclass(frozen=True)
class TaskRecord:
    """A task. `pcm_sha256` and `idempotency_key` name it; times are seconds since 1970.

    `manifest_key` is where the result will lie. `reason` and `message` are those of the error that ended it, and
    `was_paid` tells whether minutes were taken for it.
    """

    pcm_sha256: str
    idempotency_key: str
    manifest_key: str
    minutes: float
    changed_s: float
    state: TaskState = TaskState.NEW
    source_id: str = ""
    expires_s: float = 0.0
    task_id: str = ""
    reason: str = ""
    message: str = ""
    was_paid: bool = False

    @property
    def object_key(self) -> str:
        """Where it is written down."""
        return f"{_FOLDER}{self.pcm_sha256}/{self.idempotency_key}{_ENDING}"


class TaskJournal:
    """Task records in the object store."""

    def __init__(self, store: ObjectStore) -> None:
        """Keep the store."""
        self._store = store

    def find(self, record: TaskRecord) -> TaskRecord | None:
        """What is written of the same task. Raises InternalFault for an object that is no record."""
        return self._read(record.object_key)

    def write(self, record: TaskRecord) -> None:
        """Replace what was written of it; an object is seen whole or not at all."""
        text = json.dumps(dataclasses.asdict(record), indent=1, sort_keys=True)
        self._store.put(record.object_key, io.BytesIO(text.encode()))

    def forget(self, record: TaskRecord) -> None:
        """Remove it."""
        self._store.delete(record.object_key)

    def records(self) -> Iterator[TaskRecord]:
        """All that are written down, each as it is when its turn comes; what is no record is passed over."""
        for key in list(self._store.list_keys(_FOLDER)):
            with contextlib.suppress(InternalFault):
                record = self._read(key)
                if record:
                    yield record

    def _read(self, object_key: str) -> TaskRecord | None:
        try:
            text = b"".join(self._store.read(object_key))
        except NotFound:
            return None
        try:
            fields = json.loads(text)
            return TaskRecord(**{**fields, "state": TaskState(fields["state"])})
        except (ValueError, TypeError, KeyError) as error:
            message = f"{object_key} is no record of a task: {error!r}"
            raise InternalFault(message, {"object_key": object_key}) from error
