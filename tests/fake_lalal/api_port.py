"""The port of the API: keys, methods, paths; the work itself is in api.py."""

import hashlib
import json
import uuid
from typing import Any
from urllib.parse import urlsplit

from tests.fake_lalal.api import Api, Payload, filename_of
from tests.fake_lalal.control import Control
from tests.fake_lalal.faults import ROUTES, UPLOAD, Fault, FaultKind, Faults
from tests.fake_lalal.journal import API_PORT, Entry, Journal, Violation
from tests.fake_lalal.refusals import Reply
from tests.fake_lalal.spoiling import failed, page, spoilt
from tests.fake_lalal.vocabulary import NO_KEY
from tests.fake_lalal.wire import Answer, Handler

PREFIX = "/api/v1/"


class ApiHandler(Handler):
    """One connection of a client of the API."""

    api: Api
    journal: Journal
    faults: Faults
    control: Control

    def serve(self) -> None:
        """Answer one request; only the control interface can be read."""
        path = urlsplit(self.path).path
        content = self.body()
        if content is not None and self.control.knows(path):
            self._send_json(self.control.answer(self.command, path, content), {})
            return
        entry = self._open_entry(path)
        if content is None:
            entry.body = {"is_complete": False}
            self.drop()
            return
        entry.body = self._facts(entry.route, content)
        self._reply(entry, content)

    def _open_entry(self, path: str) -> Entry:
        key = self.headers.get("X-License-Key")
        entry = self.journal.open(
            time_s=self.api.clock.now_s(),
            port=API_PORT,
            method=self.command,
            path=path,
            route=path.removeprefix(PREFIX).removesuffix("/"),
            headers=dict(self.headers.items()),
            has_key=bool(key),
            request_id=uuid.uuid4().hex,
        )
        if self.api.settings.key in self.path:
            entry.violations.append(Violation.KEY_IN_URL)
        return entry

    def _facts(self, route: str, content: bytes) -> dict[str, Any]:
        if route == UPLOAD:
            filename = filename_of(self.headers.get("Content-Disposition", ""))
            is_chunked = "Transfer-Encoding" in self.headers
            digest = hashlib.sha256(content).hexdigest()
            return {"bytes": len(content), "sha256": digest, "filename": filename, "is_chunked": is_chunked}
        try:
            return {"json": json.loads(content)} if content else {}
        except ValueError:
            return {"bytes": len(content)}

    def _reply(self, entry: Entry, content: bytes) -> None:
        fault = self.faults.take(entry.route) if entry.route in ROUTES else None
        entry.fault = fault.kind if fault else ""
        if fault and fault.kind is FaultKind.DROP_BEFORE_REPLY:
            self.drop()
            return
        reply = (failed(fault) if fault else None) or self._answer(entry.route, content, fault)
        entry.charged_minutes, entry.task_ids = reply.charged_minutes, reply.task_ids
        entry.violations.extend(reply.violations)
        if fault and fault.kind is FaultKind.DROP_AFTER_COMMIT:
            self.drop()
            return
        entry.status = reply.status
        headers = {"x-request-id": entry.request_id}
        entry.sent_bytes = self._send_json(spoilt(reply, entry.route, fault) if fault else reply, headers, fault)

    def _answer(self, route: str, content: bytes, fault: Fault | None) -> Reply:
        if route not in ROUTES or not urlsplit(self.path).path.endswith("/"):
            return Reply(404, {"detail": "Not Found"})
        if self.command != "POST":
            return Reply(405, {"detail": "Method Not Allowed"})
        key = self.headers.get("X-License-Key")
        if not key:
            return Reply(403, {"detail": NO_KEY})
        if key != self.api.settings.key:
            return Reply(self.api.settings.wrong_key_status, {"detail": "Invalid license key"})
        payload = Payload(content, self.headers.get("Content-Disposition"))
        return self.api.answer(route, payload, fault.kind if fault else None)

    def _send_json(self, reply: Reply, headers: dict[str, str], fault: Fault | None = None) -> int:
        if reply.status in {502, 503}:
            answer = Answer(reply.status, page(reply.status), {**headers, "Content-Type": "text/html"})
        else:
            allow = {"Allow": "POST"} if reply.status == 405 else {}
            typed = {**headers, **allow, "Content-Type": "application/json"}
            answer = Answer(reply.status, json.dumps(reply.body).encode(), typed)
        return self.send(answer, fault)
