"""The port of the links: plain GET, no key; links live as long as their source, and an hour after a deletion."""

import hashlib
import re
import uuid
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from tests.fake_lalal.api import Api
from tests.fake_lalal.entries import EXPIRED
from tests.fake_lalal.faults import DOWNLOAD, Fault, FaultKind, Faults
from tests.fake_lalal.journal import DOWNLOAD_PORT, Entry, Journal, Violation
from tests.fake_lalal.media import MIME_TYPES, MediaFile, shorter
from tests.fake_lalal.spoiling import failed, page
from tests.fake_lalal.wire import Answer, Handler

_LINK = re.compile(r"/media/split/([^/]+)/([^/]+)/([^/]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class DownloadHandler(Handler):
    """One connection of somebody who has a link."""

    api: Api
    journal: Journal
    faults: Faults

    def serve(self) -> None:
        """Send a track, or say why not."""
        content, entry = self.body(), self._open_entry()
        if content is None:
            self.drop()
            return
        fault = self.faults.take(DOWNLOAD)
        entry.fault = fault.kind if fault else ""
        if fault and fault.kind is FaultKind.DROP_BEFORE_REPLY:
            self.drop()
            return
        answer = self._answer(fault)
        entry.status = answer.status
        headers = {"Content-Type": "text/html", **answer.headers, "x-request-id": entry.request_id}
        entry.sent_bytes = self.send(replace(answer, headers=headers), fault)

    def _open_entry(self) -> Entry:
        entry = self.journal.open(
            time_s=self.api.clock.now_s(),
            port=DOWNLOAD_PORT,
            method=self.command,
            path=urlsplit(self.path).path,
            route=DOWNLOAD,
            headers=dict(self.headers.items()),
            has_key="X-License-Key" in self.headers,
            request_id=uuid.uuid4().hex,
        )
        if self.api.settings.key in "".join(self.headers.values()):
            entry.violations.append(Violation.KEY_ON_DOWNLOAD_PORT)
        if self.api.settings.key in self.path:
            entry.violations.append(Violation.KEY_IN_URL)
        if self.headers.get("Host", "").startswith("localhost"):
            entry.violations.append(Violation.FOLLOWED_TO_ANOTHER_HOST)
        return entry

    def _answer(self, fault: Fault | None) -> Answer:
        if self.command not in {"GET", "HEAD"}:
            return Answer(405, b"", {"Allow": "GET, HEAD"})
        if fault and (failure := failed(fault)):
            return Answer(failure.status, page(failure.status))
        if fault and fault.kind is FaultKind.REDIRECT_ELSEWHERE:
            origin = fault.origin or self.api.link_origin.replace("127.0.0.1", "localhost")
            return Answer(302, b"", {"Location": origin + self.path})
        path = unquote(urlsplit(self.path).path)
        if path.startswith(f"/media/{EXPIRED}/"):
            return Answer(403, page(403))
        file = self._file(path)
        return self._file_answer(file, fault) if file else Answer(404, page(404))

    def _file(self, path: str) -> MediaFile | None:
        link = _LINK.fullmatch(path)
        task = self.api.account.tasks.get(link[2]) if link else None
        if link is None or task is None or task.source.id != link[1]:
            return None
        if not task.has_links(self.api.clock.now_s(), self.api.settings.link_grace_s):
            return None
        return self.api.shelf.files(task).get(link[3])

    def _file_answer(self, file: MediaFile, fault: Fault | None) -> Answer:
        content = _content(file, fault.kind if fault else None)
        headers = {
            "Content-Type": MIME_TYPES[file.encoding],
            "Content-Disposition": f'attachment; filename="{file.name.encode("ascii", "replace").decode()}"',
            "ETag": f'"{hashlib.sha256(file.content).hexdigest()[:32]}"',
        }
        if not self.api.settings.knows_ranges:
            return Answer(200, content, headers)
        return _part(Answer(200, content, {**headers, "Accept-Ranges": "bytes"}), self._range(headers["ETag"]))

    def _range(self, etag: str) -> str:
        return self.headers.get("Range", "") if self.headers.get("If-Range", etag) == etag else ""


def _content(file: MediaFile, kind: FaultKind | None) -> bytes:
    match kind:
        case FaultKind.CORRUPT_AUDIO:
            return file.spoilt(0, 1)
        case FaultKind.CORRUPT_MIDDLE:
            return file.spoilt(1 / 3, 2 / 3)
        case FaultKind.WRONG_DURATION:
            return shorter(file.content)
        case _:
            return file.content


def _part(whole: Answer, wanted: str) -> Answer:
    """206 for a range that begins inside of the file, 416 for one that does not, the whole for anything else."""
    match = _RANGE.fullmatch(wanted)
    if match is None:
        return whole
    size_bytes, first = len(whole.body), int(match[1])
    last = min(int(match[2] or size_bytes), size_bytes - 1)
    if first > last:
        return Answer(416, b"", {"Content-Range": f"bytes */{size_bytes}"})
    ranged = {**whole.headers, "Content-Range": f"bytes {first}-{last}/{size_bytes}"}
    return Answer(206, whole.body[first : last + 1], ranged)
