"""The shapes of the published contract, as a table of facts, and a check of any reply against them.

Source: the vendor's OpenAPI document 1.1.0, as it was in August 2026. Nothing here knows how the fake makes its
replies, so that both can be held against each other.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.fake_lalal.faults import BATCHES, CANCEL, CANCEL_ALL, CHECK, DELETE, MINUTES, SUBMISSIONS, UPLOAD
from tests.fake_lalal.vocabulary import JOB_KINDS


class WrongShape(AssertionError):
    """A reply that the contract does not allow."""


@dataclass(frozen=True)
class Plain:
    """A value by a name and a test."""

    name: str
    is_right: Callable[[Any], bool]


@dataclass(frozen=True)
class Fields:
    """An object; nothing else may be in it unless it `is_open`."""

    needed: Mapping[str, "Shape"] = field(default_factory=dict)
    optional: Mapping[str, "Shape"] = field(default_factory=dict)
    is_open: bool = False


@dataclass(frozen=True)
class ListOf:
    """An array of one shape."""

    item: "Shape"


@dataclass(frozen=True)
class ById:
    """An object whose names are task ids."""

    entry: "Shape"


@dataclass(frozen=True)
class ByStatus:
    """An object whose `status` tells what else is in it."""

    entries: Mapping[str, Fields]


Shape = Plain | Fields | ListOf | ById | ByStatus


def _is_uuid4(value: Any) -> bool:
    try:
        return isinstance(value, str) and uuid.UUID(value).version == 4
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _constant(*values: Any) -> Plain:
    return Plain(" or ".join(map(repr, values)), lambda value: value in values)


def _or_null(plain: Plain) -> Plain:
    return Plain(f"{plain.name} or null", lambda value: value is None or plain.is_right(value))


TEXT = Plain("a text", lambda value: isinstance(value, str))
WHOLE = Plain("a whole number from 0", lambda value: _is_whole(value) and value >= 0)
NUMBER = Plain("a number", _is_number)
UUID4 = Plain("a UUID of version 4", _is_uuid4)
PERCENT = Plain("0 to 100", lambda value: _is_whole(value) and 0 <= value <= 100)
LINK = Plain("a link", lambda value: isinstance(value, str) and urlsplit(value).scheme in {"http", "https"})
PLACE = ListOf(Plain("a text or a whole number", lambda value: isinstance(value, str) or _is_whole(value)))
ANY_DETAIL = Plain("a text, an object or an array", lambda value: isinstance(value, str | dict | list))

SERVER_ERROR = Fields({"status": _constant("server_error"), "error": TEXT})
PRESETS = Fields({"task_type": _constant("split"), "label": _constant(*JOB_KINDS)}, is_open=True)
"""Published inconsistently: only these two are the same everywhere."""
TRACK = Fields(
    {"type": _constant("stem", "back"), "label": TEXT, "url": LINK},
    {"name": _or_null(TEXT), "size": _or_null(WHOLE), "playlist_file": _or_null(LINK), "waveform": _or_null(LINK)},
)
FAILURE = Fields({"detail": TEXT, "code": TEXT, "id": TEXT})
_ABOUT: Mapping[str, Shape] = {"source_id": UUID4, "presets": PRESETS}
ENTRY = ByStatus(
    {
        "progress": Fields({"status": TEXT, "progress": PERCENT, **_ABOUT}),
        "success": Fields({"status": TEXT, "result": Fields({"duration": WHOLE, "tracks": ListOf(TRACK)}), **_ABOUT}),
        "error": Fields({"status": TEXT, "error": FAILURE, **_ABOUT}),
        "cancelled": Fields({"status": TEXT, **_ABOUT}),
        "server_error": SERVER_ERROR,
    }
)
CANCELLED = ByStatus({"success": Fields({"status": TEXT}), "server_error": SERVER_ERROR})
BATCH_ITEM = ByStatus(
    {
        "success": Fields({"status": TEXT, "task_id": UUID4, "source_id": UUID4}),
        "error": Fields({"status": TEXT, "error": TEXT, "code": _or_null(TEXT), "source_id": UUID4}),
    }
)
UPLOADED = Fields({"id": UUID4, "name": TEXT, "size": WHOLE, "duration": WHOLE, "expires": WHOLE})

SUCCESSES: Mapping[str, Shape] = {
    UPLOAD: UPLOADED,
    **dict.fromkeys(SUBMISSIONS, Fields({"task_id": UUID4})),
    **dict.fromkeys(BATCHES, Fields({"results": ListOf(BATCH_ITEM)})),
    CHECK: Fields({"result": ById(ENTRY)}),
    CANCEL: Fields({"result": ById(CANCELLED)}),
    CANCEL_ALL: Fields({"result": ById(CANCELLED)}),
    DELETE: Fields(),
    MINUTES: Fields({"minutes_left": NUMBER}),
}
"""200, by route."""
_TOLD = Fields({"detail": TEXT})
FAILURES: Mapping[int, Shape] = {
    400: Fields({"detail": ANY_DETAIL}, {"code": TEXT}),
    401: _TOLD,
    403: _TOLD,
    404: _TOLD,
    405: _TOLD,
    422: Fields({"detail": ListOf(Fields({"loc": PLACE, "msg": TEXT, "type": TEXT}))}),
}
"""By status, on any route."""


def check_reply(route: str, status: int, body: object) -> None:
    """Hold a reply against the contract; `route` is one of faults.ROUTES.

    Raises:
        WrongShape: It names each place that is wrong.
    """
    problems = list(_problems(body, _shape(route, status), "body"))
    if problems:
        raise WrongShape(f"{route} {status}: " + "; ".join(problems))


def _shape(route: str, status: int) -> Shape:
    if status == 200 and route in SUCCESSES:
        return SUCCESSES[route]
    if status == 429 and route == CHECK:
        return Fields({"detail": ANY_DETAIL})
    if status not in FAILURES:
        raise WrongShape(f"the contract has no reply {status} on {route}")
    return FAILURES[status]


def _problems(value: Any, shape: Shape, place: str) -> Iterator[str]:
    match shape:
        case Plain(name, is_right):
            if not is_right(value):
                yield f"{place} is {value!r}, not {name}"
        case ListOf(item):
            yield from _list_problems(value, item, place)
        case _ if not isinstance(value, dict):
            yield f"{place} is {value!r}, not an object"
        case Fields():
            yield from _field_problems(value, shape, place)
        case ById(entry):
            for task_id, each in value.items():
                yield from _problems(task_id, UUID4, place)
                yield from _problems(each, entry, f"{place}.{task_id}")
        case ByStatus(entries):
            if value.get("status") in entries:
                yield from _field_problems(value, entries[value["status"]], place)
            else:
                yield f"{place}.status is {value.get('status')!r}, not one of {', '.join(entries)}"


def _list_problems(value: Any, item: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place} is {value!r}, not an array"
        return
    for number, each in enumerate(value):
        yield from _problems(each, item, f"{place}[{number}]")


def _field_problems(value: dict[str, Any], shape: Fields, place: str) -> Iterator[str]:
    known = {**shape.needed, **shape.optional}
    yield from (f"{place} has no {name}" for name in shape.needed if name not in value)
    if not shape.is_open:
        yield from (f"{place} has {name}, which nobody published" for name in value if name not in known)
    for name in known.keys() & value.keys():
        yield from _problems(value[name], known[name], f"{place}.{name}")
