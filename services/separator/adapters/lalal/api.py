"""LALAL.AI's API of version 1 over HTTP: POST and JSON, the licence key in a header, to its own host and no other."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
import urllib3

from services.separator.adapters.lalal.bodies import chunks_of
from services.separator.core.cloud.ports import Upload
from services.separator.core.cloud.products import Product
from services.separator.core.cloud.replies import Meaning, Reply
from stemhouse.errors import EngineFailed, EngineUnavailable, Unavailable

log = structlog.get_logger(__name__)

_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_UPLOAD_TIMEOUT = urllib3.Timeout(connect=10.0, read=300.0)
_PIECE_BYTES = 1 << 16
"""Of an upload; each must be gone within the time for connecting, over a slow line, too."""
_REPLY_BYTES, _REPLY_S = 1 << 24, 60.0
"""The most of a reply; one to two hundred tasks has about 1 MB."""
_KEY_HEADER, _REQUEST_ID_HEADER = "X-License-Key", "x-request-id"
_JSON = {"Content-Type": "application/json"}
KEY_HELP = "the licence key of STEMHOUSE_LALAL__KEY or STEMHOUSE_LALAL__KEY_FILE"


class LalalApi:
    """CloudService of LALAL.AI; the key is in no log, error or representation."""

    def __init__(self, base_url: str, key: str) -> None:
        """`base_url` ends with the version. No request is made here."""
        self._base_url = base_url.rstrip("/")
        self._key_header = {_KEY_HEADER: key}
        self._http = urllib3.PoolManager(retries=False)

    def upload(self, chunks: Iterable[bytes], size_bytes: int, name: str) -> Upload:
        """See CloudService.upload."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(size_bytes),
        }
        reply = self._post("upload", headers, _in_pieces(chunks), _UPLOAD_TIMEOUT)
        if reply.meaning in {Meaning.REFUSED, Meaning.OUT_OF_MINUTES}:
            raise EngineFailed(f"LALAL.AI refuses the file: {reply.words}")
        body = _done(reply).body
        try:
            return Upload(str(body["id"]), int(body["size"]), _finite(body["duration"]), _finite(body["expires"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Unavailable("LALAL.AI's reply to an upload says too little") from error

    def submit(self, product: Product, source_id: str, idempotency_key: str) -> Reply:
        """See CloudService.submit."""
        wish = {"source_id": source_id, "presets": dict(product.presets), "idempotency_key": idempotency_key}
        return self._ask(product.route, wish)

    def cancel(self, task_id: str) -> None:
        """See CloudService.cancel."""
        _done(self._ask("cancel", {"task_ids": [task_id]}))

    def delete(self, source_id: str) -> None:
        """See CloudService.delete; one that is gone is no error."""
        reply = self._ask("delete", {"source_id": source_id})
        if reply.meaning is not Meaning.REFUSED:
            _done(reply)

    def check(self, task_ids: Sequence[str]) -> Mapping[str, Any]:
        """The entries of at most 200 tasks by their ids, as they come. Raises as the others do."""
        result = _done(self._ask("check", {"task_ids": list(task_ids)})).body.get("result")
        return result if isinstance(result, Mapping) else {}

    def minutes_left(self) -> float:
        """What the account still holds. Raises as the others do."""
        try:
            return max(0.0, _finite(_done(self._ask("limits/minutes_left", {})).body["minutes_left"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Unavailable("LALAL.AI does not say how many minutes are left") from error

    def _ask(self, route: str, wish: Mapping[str, Any]) -> Reply:
        return self._post(route, _JSON, json.dumps(wish).encode(), _TIMEOUT)

    def _post(
        self, route: str, headers: Mapping[str, str], body: bytes | Iterable[bytes], timeout: urllib3.Timeout
    ) -> Reply:
        """One request. A redirect is not followed: the key would go with it."""
        try:
            response = self._http.request(
                "POST",
                f"{self._base_url}/{route}/",
                headers={**headers, **self._key_header},
                body=body,
                timeout=timeout,
                redirect=False,
                preload_content=False,
            )
            data = _body(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            log.info("no reply", service="lalal", route=route, error=type(error).__name__)
            raise Unavailable(f"LALAL.AI does not answer ({type(error).__name__})") from None
        request_id = response.headers.get(_REQUEST_ID_HEADER, "")
        log.info("reply", service="lalal", route=route, status=response.status, x_request_id=request_id)
        return Reply(response.status, _json(data), request_id)


def _in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[start : start + _PIECE_BYTES]


def _body(response: urllib3.BaseHTTPResponse) -> bytes:
    """The connection is given back if it was read to its end, and closed if not."""
    try:
        data = b"".join(chunks_of(response, _REPLY_BYTES, _REPLY_S, lambda: None))
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return data


def _json(data: bytes) -> Mapping[str, Any]:
    """Empty for what is no object, such as the first half of one."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _finite(value: Any) -> float:
    """A number of a reply; raises TypeError or ValueError for another thing. Python's JSON knows NaN and Infinity."""
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        message = f"{value!r} is no number to go by"
        raise ValueError(message)
    return number


def _done(reply: Reply) -> Reply:
    """The reply, if it is a good one; raises EngineUnavailable for a refused key, else Unavailable."""
    if reply.meaning is Meaning.KEY_REFUSED:
        raise EngineUnavailable(f"LALAL.AI refuses {KEY_HELP}: {reply.words}")
    if reply.status != HTTPStatus.OK:
        raise Unavailable(f"LALAL.AI says: {reply.words}")
    return reply
