"""How a fault changes a reply that would have been right. Pure: bodies in, bodies out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tests.fake_lalal.entries import EXPIRED, server_error
from tests.fake_lalal.faults import CHECK, UPLOAD, Fault, FaultKind
from tests.fake_lalal.refusals import Json, Reply
from tests.fake_lalal.vocabulary import INTERNAL_ERROR, NO_TASK

PUBLIC_ORIGIN = "http://d.lalal.example"
"""A name that nobody can own, so that a client that is wrong reaches nobody."""
WRONG_BY_S = 7
_ID_LENGTH = 36

STATUSES: Mapping[FaultKind, int] = {
    FaultKind.HTTP_429: 429,
    FaultKind.HTTP_500: 500,
    FaultKind.HTTP_502: 502,
    FaultKind.HTTP_503: 503,
}


def failed(fault: Fault) -> Reply | None:
    """The reply in place of any work, if the fault is one of a status.

    502 and 503 come from what stands before the service, and not in JSON: here their body is empty, see `page`.
    """
    status = STATUSES.get(fault.kind)
    if status is None:
        return None
    if status == 500:
        return Reply(status, {"detail": "Internal error", "code": INTERNAL_ERROR})
    return Reply(status, {"detail": "Too many requests"} if status == 429 else {})


def page(status: int) -> bytes:
    """What a gateway says instead of JSON."""
    return f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>".encode()


def spoilt(reply: Reply, route: str, fault: Fault) -> Reply:
    """The reply as the fault leaves it; refusals are left alone, but for fields that nobody knows."""
    if fault.kind is FaultKind.EXTRA_FIELDS:
        return replace(reply, body=_with_extras(reply.body))
    if reply.status != 200:
        return reply
    if route == UPLOAD and fault.kind is FaultKind.WRONG_DURATION:
        return replace(reply, body={**reply.body, "duration": reply.body["duration"] + WRONG_BY_S})
    if route == CHECK:
        return replace(reply, body={"result": _entries(reply.body["result"], fault)})
    return reply


def _entries(entries: Json, fault: Fault) -> Json:
    if fault.kind is FaultKind.MISSING_ENTRY:
        return {}
    spoil = _ENTRY_SPOILERS.get(fault.kind)
    return {task_id: spoil(entry, fault) for task_id, entry in entries.items()} if spoil else entries


def _with_extras(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_extras(each) for each in value]
    if not isinstance(value, dict):
        return value
    known = {name: _with_extras(each) for name, each in value.items()}
    return known if _is_by_id(value) else {**known, "x_new": [{}]}


def _is_by_id(value: Json) -> bool:
    return bool(value) and all(len(name) == _ID_LENGTH for name in value)


def _wrong_duration(entry: Json, _fault: Fault) -> Json:
    return _with_result(entry, lambda result: {**result, "duration": result["duration"] + WRONG_BY_S})


def _stem_missing(entry: Json, _fault: Fault) -> Json:
    def without_last_stem(result: Json) -> Json:
        last = [track for track in result["tracks"] if track["type"] == "stem"][-1]
        return {**result, "tracks": [track for track in result["tracks"] if track is not last]}

    return _with_result(entry, without_last_stem)


def _http_url(entry: Json, fault: Fault) -> Json:
    return _with_links(entry, lambda url: (fault.origin or PUBLIC_ORIGIN) + urlsplit(url).path)


def _expired_url(entry: Json, _fault: Fault) -> Json:
    return _with_links(entry, lambda url: url.replace("/media/", f"/media/{EXPIRED}/", 1))


def _capitalised(entry: Json, _fault: Fault) -> Json:
    if "presets" not in entry:
        return entry
    presets = entry["presets"]
    return {**entry, "presets": {**presets, "splitter": presets["splitter"].capitalize()}}


def _with_result(entry: Json, change: Callable[[Json], Json]) -> Json:
    return {**entry, "result": change(entry["result"])} if "result" in entry else entry


def _with_links(entry: Json, change: Callable[[str], str]) -> Json:
    def changed(result: Json) -> Json:
        return {**result, "tracks": [{**track, "url": change(track["url"])} for track in result["tracks"]]}

    return _with_result(entry, changed)


_ENTRY_SPOILERS: Mapping[FaultKind, Callable[[Json, Fault], Json]] = {
    FaultKind.SERVER_ERROR: lambda _entry, _fault: server_error(NO_TASK),
    FaultKind.WRONG_DURATION: _wrong_duration,
    FaultKind.STEM_MISSING: _stem_missing,
    FaultKind.HTTP_URL: _http_url,
    FaultKind.EXPIRED_URL: _expired_url,
    FaultKind.CAPITALISED_SPLITTER: _capitalised,
}
