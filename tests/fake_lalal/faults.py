"""What can go wrong, on which routes it means something, and when it happens."""

import math
import random
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

UPLOAD = "upload"
CHECK = "check"
DOWNLOAD = "download"
SUBMISSIONS = ("split/stem_separator", "split/multistem", "split/voice_clean", "split/demuser")
BATCHES = ("split/batch/stem_separator", "split/batch/voice_clean", "split/batch/demuser")
CANCEL, CANCEL_ALL, DELETE, MINUTES = "cancel", "cancel/all", "delete", "limits/minutes_left"
ROUTES = (UPLOAD, *SUBMISSIONS, *BATCHES, CHECK, CANCEL, CANCEL_ALL, DELETE, MINUTES)
"""Of the API, as they stand after `/api/v1/`; DOWNLOAD is the one of the other port."""


class FaultKind(StrEnum):
    """One way to fail; the words are those of the control interface."""

    DROP_BEFORE_REPLY = "drop_before_reply"
    """Nothing is done, the connection breaks."""
    DROP_AFTER_COMMIT = "drop_after_commit"
    """All is done (and charged), and the connection breaks before the reply."""
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_429 = "http_429"
    """Without Retry-After; a burst is a fault of many `calls`."""
    SLOW_DRIP = "slow_drip"
    """The body comes in small pieces, `pause_s` apart."""
    TRUNCATED_BODY = "truncated_body"
    """The connection breaks after half of the body."""
    WRONG_CONTENT_LENGTH = "wrong_content_length"
    """Content-Length promises half of the body and keeps that promise: to HTTP all is well."""
    EXTRA_FIELDS = "extra_fields"
    """Every object of the reply has a field that nobody knows."""
    WRONG_DURATION = "wrong_duration"
    """Upload and check tell 7 s too many; a download has a quarter of its audio too few."""
    SERVER_ERROR = "server_error"
    """Every task of this check is a `server_error`, once."""
    MISSING_ENTRY = "missing_entry"
    """Not one of the tasks is in the reply of this check."""
    STEM_MISSING = "stem_missing"
    """The last track of type stem is not there: `vocals@1` of a lead_back task."""
    HTTP_URL = "http_url"
    """Links begin with `http://` and a public name (`origin`)."""
    EXPIRED_URL = "expired_url"
    """The links of this check have expired already: 403."""
    CAPITALISED_SPLITTER = "capitalised_splitter"
    TASK_ERROR = "task_error"
    """The task that this call submits ends in `error`; of a batch, the first."""
    NULL_ERROR_CODE = "null_error_code"
    """Likewise, and the error's code is null."""
    CANCELLED_BY_SERVICE = "cancelled_by_service"
    """Likewise, and the task ends `cancelled`."""
    REDIRECT_ELSEWHERE = "redirect_elsewhere"
    """302 to another host (`origin`; unless told, `localhost`, which still serves the file)."""
    CORRUPT_AUDIO = "corrupt_audio"
    """Noise from the first byte on, as many bytes as promised: nothing that a decoder opens."""
    CORRUPT_MIDDLE = "corrupt_middle"
    """Noise in the middle third only: WAV decoders open it gladly."""


_ANYWHERE = (*ROUTES, DOWNLOAD)
_SUBMITTING = (*SUBMISSIONS, *BATCHES)
_COMMITTING = (UPLOAD, *_SUBMITTING, CANCEL, CANCEL_ALL, DELETE)

ROUTES_OF: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.DROP_BEFORE_REPLY: _ANYWHERE,
    FaultKind.DROP_AFTER_COMMIT: _COMMITTING,
    FaultKind.HTTP_500: _ANYWHERE,
    FaultKind.HTTP_502: _ANYWHERE,
    FaultKind.HTTP_503: _ANYWHERE,
    FaultKind.HTTP_429: _ANYWHERE,
    FaultKind.SLOW_DRIP: _ANYWHERE,
    FaultKind.TRUNCATED_BODY: _ANYWHERE,
    FaultKind.WRONG_CONTENT_LENGTH: _ANYWHERE,
    FaultKind.EXTRA_FIELDS: ROUTES,
    FaultKind.WRONG_DURATION: (UPLOAD, CHECK, DOWNLOAD),
    FaultKind.SERVER_ERROR: (CHECK,),
    FaultKind.MISSING_ENTRY: (CHECK,),
    FaultKind.STEM_MISSING: (CHECK,),
    FaultKind.HTTP_URL: (CHECK,),
    FaultKind.EXPIRED_URL: (CHECK,),
    FaultKind.CAPITALISED_SPLITTER: (CHECK,),
    FaultKind.TASK_ERROR: _SUBMITTING,
    FaultKind.NULL_ERROR_CODE: _SUBMITTING,
    FaultKind.CANCELLED_BY_SERVICE: _SUBMITTING,
    FaultKind.REDIRECT_ELSEWHERE: (DOWNLOAD,),
    FaultKind.CORRUPT_AUDIO: (DOWNLOAD,),
    FaultKind.CORRUPT_MIDDLE: (DOWNLOAD,),
}
"""Where each kind means something."""


@dataclass(frozen=True)
class Fault:
    """A kind of failure, for `calls` calls in a row."""

    kind: FaultKind
    calls: int = 1
    pause_s: float = 0.02
    """Seconds of the real clock between the pieces of a SLOW_DRIP."""
    origin: str = ""
    """Where HTTP_URL and REDIRECT_ELSEWHERE point; empty: where they usually do."""


@dataclass(frozen=True)
class PlannedFault:
    """The `nth` call of the route from now on fails; 1 is the next."""

    route: str
    nth: int
    fault: Fault

    def as_json(self) -> dict[str, Any]:
        """For the control interface."""
        return {"route": self.route, "nth": self.nth, "fault": asdict(self.fault)}


def planned_from_json(wish: Mapping[str, Any]) -> PlannedFault:
    """The other way round."""
    fault = dict(wish["fault"])
    return PlannedFault(wish["route"], wish["nth"], Fault(**{**fault, "kind": FaultKind(fault["kind"])}))


class Faults:
    """Counts the calls of each route and knows which of them fail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._due: dict[tuple[str, int], Fault] = {}
        self.planned: list[PlannedFault] = []
        self.happened: list[tuple[str, FaultKind]] = []

    def add(self, route: str, nth: int, fault: Fault) -> None:
        """Let the `nth` call of the route from now on fail; 1 is the next.

        Raises:
            ValueError: The fault means nothing on that route, or the call has passed.
        """
        if route not in ROUTES_OF[fault.kind] or nth < 1:
            raise ValueError(f"{fault.kind} means nothing on call {nth} of {route}")
        with self._lock:
            self.planned.append(PlannedFault(route, nth, fault))
            first = self._calls[route] + nth
            for number in range(first, first + fault.calls):
                self._due[route, number] = fault

    def add_all(self, plan: Iterable[PlannedFault]) -> None:
        """Add a whole plan."""
        for planned in plan:
            self.add(planned.route, planned.nth, planned.fault)

    def clear(self) -> None:
        """Let all that has not happened yet go well."""
        with self._lock:
            self._due.clear()

    @property
    def pending(self) -> int:
        """How many calls are still to fail."""
        return len(self._due)

    def take(self, route: str) -> Fault | None:
        """Count a call of the route, and tell what goes wrong with it."""
        with self._lock:
            self._calls[route] += 1
            fault = self._due.pop((route, self._calls[route]), None)
            if fault:
                self.happened.append((route, fault.kind))
            return fault


class FaultPlan(tuple[PlannedFault, ...]):
    """Faults in their order, the same for the same seed."""

    __slots__ = ()

    @classmethod
    def seeded(
        cls,
        seed: int,
        count: int,
        routes: Iterable[str] = (UPLOAD, "split/multistem", CHECK, DOWNLOAD),
        kinds: Iterable[FaultKind] = FaultKind,
        share: float = 0.25,
    ) -> "FaultPlan":
        """`count` faults that go through all the kinds that mean something on the routes before any comes again.

        On each route they are spread over as many calls that `share` of them fails; later ones go well.
        """
        source = random.Random(seed)  # noqa: S311 - a plan, not a secret
        wanted = tuple(routes)
        known = [kind for kind in kinds if set(wanted) & set(ROUTES_OF[kind])]
        drawn: dict[str, list[FaultKind]] = {route: [] for route in wanted}
        while (missing := count - sum(map(len, drawn.values()))) > 0:
            for kind in source.sample(known, min(len(known), missing)):
                drawn[source.choice([route for route in wanted if route in ROUTES_OF[kind]])].append(kind)
        return cls(
            PlannedFault(route, nth, Fault(kind))
            for route, on_route in drawn.items()
            for nth, kind in zip(_calls(source, len(on_route), share), on_route, strict=True)
        )


def _calls(source: random.Random, count: int, share: float) -> list[int]:
    """Which calls of a route fail, in their order."""
    return sorted(source.sample(range(1, math.ceil(count / share) + 1), count))
