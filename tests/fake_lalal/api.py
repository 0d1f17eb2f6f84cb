"""The routes of the API: bytes in, a reply out; it knows nothing of HTTP connections."""

import json
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from tests.fake_lalal import forms
from tests.fake_lalal.account import Account
from tests.fake_lalal.clocks import Clock
from tests.fake_lalal.entries import entry_of, server_error
from tests.fake_lalal.faults import BATCHES, CANCEL, CANCEL_ALL, CHECK, DELETE, MINUTES, SUBMISSIONS, UPLOAD, FaultKind
from tests.fake_lalal.media import MediaShelf
from tests.fake_lalal.refusals import Json, Refused, Reply
from tests.fake_lalal.settings import Settings
from tests.fake_lalal.vocabulary import NO_BATCH, NO_SOURCE, NO_TASK, NOT_YOURS

FATES = (FaultKind.TASK_ERROR, FaultKind.NULL_ERROR_CODE, FaultKind.CANCELLED_BY_SERVICE)
_MINUTE_S = 60


@dataclass(frozen=True)
class Payload:
    """What the request brought."""

    content: bytes
    disposition: str | None = None
    """The header Content-Disposition."""

    def json(self) -> object:
        """The body as JSON.

        Raises:
            Refused: 422.
        """
        try:
            return json.loads(self.content)
        except ValueError as error:
            problem = {"loc": ["body", 0], "msg": "JSON decode error", "type": "json_invalid"}
            raise Refused(422, [problem]) from error


def filename_of(disposition: str) -> str | None:
    """The file name of a Content-Disposition; `filename*` goes before `filename`."""
    wide = re.search(r"""filename\*\s*=\s*([\w-]+)'[^']*'([^;\s]+)""", disposition, re.IGNORECASE)
    if wide:
        return unquote(wide[2], encoding=wide[1])
    plain = re.search(r"""filename\s*=\s*(?:"([^"]*)"|([^;\s"]+))""", disposition, re.IGNORECASE)
    return (plain[1] or plain[2]) if plain else None


class Api:
    """One account behind its routes."""

    def __init__(self, settings: Settings, clock: Clock, shelf: MediaShelf) -> None:
        self.settings = settings
        self.clock = clock
        self.shelf = shelf
        self.account = Account(settings)
        self.link_origin = ""
        self.foreign_task_ids: set[str] = set()
        self._lock = threading.Lock()
        self._checks_s: deque[float] = deque()

    def answer(self, route: str, payload: Payload, fault: FaultKind | None = None) -> Reply:
        """What the service says to an authenticated call of a known route."""
        fate = fault if fault in FATES else None
        try:
            if route == CHECK:  # may have to render first, which takes its time
                return self._check(payload.json())
            with self._lock:
                return self._answer(route, payload, fate)
        except Refused as refused:
            return refused.reply

    def _answer(self, route: str, payload: Payload, fate: FaultKind | None) -> Reply:
        if route in SUBMISSIONS:
            return self._submit(payload.json(), route.rpartition("/")[2], fate)
        if route in BATCHES:
            return self._batch(payload.json(), route.rpartition("/")[2], fate)
        simple: dict[str, Callable[[], Reply]] = {
            UPLOAD: lambda: self._upload(payload),
            CANCEL: lambda: self._cancel(forms.task_ids(payload.json())),
            CANCEL_ALL: lambda: self._cancel([task.id for task in self.account.running(self._now_s)]),
            DELETE: lambda: self._delete(payload.json()),
            MINUTES: lambda: Reply(200, {"minutes_left": self.account.minutes_left(self._now_s)}),
        }
        return simple[route]()

    @property
    def _now_s(self) -> float:
        return self.clock.now_s()

    def _upload(self, payload: Payload) -> Reply:
        if payload.disposition is None:
            place = ["header", "content-disposition"]
            raise Refused(422, [{"loc": place, "msg": "Field required", "type": "missing"}])
        name = filename_of(payload.disposition)
        if not name:
            raise Refused(400, "No file name (use the Content-Disposition header)")
        source = self.account.upload(payload.content, name, self._now_s)
        duration, expires = round(source.duration_s), int(source.expires_s)
        size = len(source.content)
        return Reply(200, {"id": source.id, "name": name, "size": size, "duration": duration, "expires": expires})

    def _submit(self, body: object, kind: str, fate: FaultKind | None) -> Reply:
        return self._accept(forms.submission(body, kind), fate)

    def _accept(self, wish: forms.Submission, fate: FaultKind | None) -> Reply:
        accepted = self.account.submit(wish, self._now_s, fate)
        task = accepted.task
        charged = task.minutes if accepted.is_new else 0.0
        return Reply(200, {"task_id": task.id}, charged, [task.id], accepted.violations)

    def _batch(self, body: object, kind: str, fate: FaultKind | None) -> Reply:
        if not self.settings.has_batch:
            raise Refused(400, "Batch processing is not available", NO_BATCH)
        replies, results = [], []
        for number, wish in enumerate(forms.batch(body, kind)):
            try:
                reply = self._accept(wish, fate if number == 0 else None)
            except Refused as refused:
                told: Json = {"status": "error", "error": refused.detail, "code": refused.code}
            else:
                replies.append(reply)
                told = {"status": "success", **reply.body}
            results.append({**told, "source_id": wish.source_id})
        return _joined(results, replies)

    def _check(self, body: object) -> Reply:
        with self._lock:
            self._count_check()
        return Reply(200, {"result": {task_id: self._entry(task_id) for task_id in forms.task_ids(body)}})

    def _count_check(self) -> None:
        most, now_s = self.settings.checks_per_minute, self._now_s
        while self._checks_s and self._checks_s[0] <= now_s - _MINUTE_S:
            self._checks_s.popleft()
        if most is not None and len(self._checks_s) >= most:
            raise Refused(429, f"Rate limit exceeded: {most} per 1 minute")
        self._checks_s.append(now_s)

    def _entry(self, task_id: str) -> Json:
        if task_id in self.foreign_task_ids:
            return server_error(NOT_YOURS)
        task = self.account.tasks.get(task_id)
        if task is None:
            return server_error(NO_TASK)
        if not task.is_known(self._now_s, self.settings.retention_s):
            return server_error(f"['{NO_SOURCE}']")
        return entry_of(task, self._now_s, self.shelf, self.link_origin, tells_names=self.settings.tells_names)

    def _cancel(self, task_ids: Iterable[str]) -> Reply:
        reasons = {task_id: self._cancel_one(task_id) for task_id in task_ids}
        told = {task_id: server_error(text) if text else {"status": "success"} for task_id, text in reasons.items()}
        return Reply(200, {"result": told})

    def _cancel_one(self, task_id: str) -> str | None:
        if task_id in self.foreign_task_ids:
            return NOT_YOURS
        return self.account.cancel(task_id, self._now_s)

    def _delete(self, body: object) -> Reply:
        violations = self.account.delete(forms.source_id(body), self._now_s)
        return Reply(200, {}, violations=violations)

    def foreign_task(self) -> str:
        """The id of a task that belongs to somebody else."""
        task_id = str(uuid.uuid4())
        self.foreign_task_ids.add(task_id)
        return task_id


def _joined(results: list[Json], replies: list[Reply]) -> Reply:
    return Reply(
        200,
        {"results": results},
        sum(reply.charged_minutes for reply in replies),
        [task_id for reply in replies for task_id in reply.task_ids],
        tuple(violation for reply in replies for violation in reply.violations),
    )
