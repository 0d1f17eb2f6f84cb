"""One account: its sources, its tasks and its minutes. Every method takes the present as unix seconds."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tests.fake_lalal import vocabulary
from tests.fake_lalal.faults import FaultKind
from tests.fake_lalal.forms import Submission
from tests.fake_lalal.journal import Violation
from tests.fake_lalal.media import NotAudio, duration_s
from tests.fake_lalal.refusals import Refused
from tests.fake_lalal.settings import Settings
from tests.fake_lalal.tasks import RUNNING, Source, State, Task


@dataclass(frozen=True)
class Charges:
    """Minutes, as the account was charged for them; what was refunded is not counted."""

    by_task: Mapping[str, float]

    @property
    def total_minutes(self) -> float:
        """Of all tasks."""
        return sum(self.by_task.values())


@dataclass(frozen=True)
class Accepted:
    """A task, and whether this submission made it."""

    task: Task
    is_new: bool
    violations: tuple[Violation, ...] = ()


@dataclass
class Account:
    """What the service remembers of one customer."""

    settings: Settings
    sources: dict[str, Source] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    _keys: dict[str, tuple[str, str]] = field(default_factory=dict)

    def charges(self, now_s: float) -> Charges:
        """What each task costs at that moment."""
        return Charges({task.id: self._minutes(task, now_s) for task in self.tasks.values()})

    def minutes_left(self, now_s: float) -> float:
        """What may still be spent."""
        return self.settings.minutes - self.charges(now_s).total_minutes

    def upload(self, content: bytes, name: str, now_s: float) -> Source:
        """Keep a file.

        Raises:
            Refused: 400; too large, or not audio.
        """
        most = self.settings.max_bytes
        if most is not None and len(content) > most:
            raise Refused(400, f"The file is larger than {most} bytes", vocabulary.EXCEEDED_SIZE)
        try:
            length_s = duration_s(content)
        except NotAudio as error:
            raise Refused(400, "Unable to recognise the file as audio or video") from error
        digest = hashlib.sha256(content).hexdigest()
        expires_s = now_s + self.settings.retention_s
        source = Source(str(uuid.uuid4()), name, content, digest, length_s, expires_s)
        self.sources[source.id] = source
        return source

    def submit(self, wish: Submission, now_s: float, fate: FaultKind | None = None) -> Accepted:
        """Charge for a task and queue it, unless its key is known.

        Raises:
            Refused: 400; key used, no source, a splitter that does not know the stem, too long, no minutes.
        """
        known = self._keys.get(wish.idempotency_key or "")
        if known:
            return self._again(*known, wish, now_s)
        source = self._source(wish.source_id, now_s)
        job, minutes = wish.job, source.duration_s / 60 * len(wish.job.stems)
        if not set(job.stems) <= set(vocabulary.STEMS_OF[job.splitter]):
            raise Refused(400, f"The splitter {job.splitter} does not support {', '.join(job.stems)}")
        if self.settings.max_duration_s is not None and source.duration_s > self.settings.max_duration_s:
            raise Refused(400, "The file is too long", vocabulary.MAX_DURATION)
        if minutes > self.minutes_left(now_s):
            raise Refused(400, "Not enough minutes left", vocabulary.EXCEEDED_DURATION)
        starts_s = now_s + self.settings.queue_s
        ends_s = starts_s + self.settings.stem_s * len(job.stems)
        if job.encoding == "aac":  # that the fake cannot encode
            fate = fate or FaultKind.TASK_ERROR
        task = Task(str(uuid.uuid4()), source, job, minutes, now_s, starts_s, ends_s, fate)
        self.tasks[task.id] = task
        if wish.idempotency_key:
            self._keys[wish.idempotency_key] = (task.id, _digest(wish))
        return Accepted(task, is_new=True)

    def cancel(self, task_id: str, now_s: float) -> str | None:
        """Stop a task; the reason why not, where it could not be stopped."""
        task = self.tasks.get(task_id)
        if task is None:
            return vocabulary.NO_TASK
        if task.state(now_s) not in RUNNING:
            return vocabulary.NOT_IN_PROGRESS
        task.cancelled_s = now_s
        return None

    def running(self, now_s: float) -> list[Task]:
        """What has not ended."""
        return [task for task in self.tasks.values() if task.state(now_s) in RUNNING]

    def delete(self, source_id: str, now_s: float) -> tuple[Violation, ...]:
        """Forget a source and stop its tasks; a second time nothing happens.

        Raises:
            Refused: 400; there never was one.
        """
        if source_id not in self.sources:
            raise Refused(400, vocabulary.NO_SOURCE)
        source = self.sources[source_id]
        stopped = [task for task in self.running(now_s) if task.source is source]
        for task in stopped:
            task.cancelled_s = now_s
        source.deleted_s = now_s if source.deleted_s is None else source.deleted_s
        return (Violation.DELETED_UNDER_A_RUNNING_TASK,) if stopped else ()

    def _again(self, task_id: str, digest: str, wish: Submission, now_s: float) -> Accepted:
        task = self.tasks[task_id]
        if task.state(now_s) is not State.QUEUED:
            raise Refused(400, "Idempotency key has already been used.", vocabulary.IDEMPOTENCY_KEY_USED)
        other = () if digest == _digest(wish) else (Violation.KEY_REUSED_WITH_ANOTHER_BODY,)
        return Accepted(task, is_new=False, violations=other)

    def _source(self, source_id: str, now_s: float) -> Source:
        source = self.sources.get(source_id)
        if source is None or not source.is_there(now_s):
            raise Refused(400, vocabulary.NO_SOURCE)
        return source

    def _minutes(self, task: Task, now_s: float) -> float:
        ended_badly = task.state(now_s) in {State.ERROR, State.CANCELLED}
        return 0.0 if self.settings.refunds and ended_badly else task.minutes


def _digest(wish: Submission) -> str:
    return json.dumps([wish.source_id, asdict(wish.job)], sort_keys=True)
