"""What was asked of the fake, in order, and what a client must never do."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

API_PORT = "api"
DOWNLOAD_PORT = "download"

_KEPT_HEADERS = (
    "accept-encoding",
    "content-disposition",
    "content-length",
    "content-type",
    "host",
    "if-range",
    "range",
    "transfer-encoding",
    "user-agent",
)


class Violation(StrEnum):
    """What no client may do, however the service behaves."""

    KEY_ON_DOWNLOAD_PORT = "the licence key was sent to the download port"
    KEY_IN_URL = "the licence key stood in a URL"
    FOLLOWED_TO_ANOTHER_HOST = "a redirect to another host was followed"
    KEY_REUSED_WITH_ANOTHER_BODY = "an idempotency key came back with another request"
    DELETED_UNDER_A_RUNNING_TASK = "a source was deleted while one of its tasks was running"


@dataclass
class Entry:
    """One request. `status` is 0 where no reply was sent."""

    number: int
    time_s: float
    port: str
    method: str
    path: str
    route: str
    headers: dict[str, str]
    """Lower case; never the key itself."""
    has_key: bool
    request_id: str
    body: dict[str, Any] = field(default_factory=dict)
    """Of an upload: bytes, sha256, filename, is_chunked; of any other call with one: json."""
    status: int = 0
    charged_minutes: float = 0.0
    """What this call charged; 0 where the same key came again."""
    task_ids: list[str] = field(default_factory=list)
    """The tasks that this call made, or found by their idempotency key."""
    fault: str = ""
    sent_bytes: int = 0
    violations: list[Violation] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the control interface."""
        return asdict(self)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that tests look at."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: lower[name] for name in _KEPT_HEADERS if name in lower}


class Journal:
    """All requests since the start; safe to read while the fake serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def open(
        self,
        *,
        time_s: float,
        port: str,
        method: str,
        path: str,
        route: str,
        headers: Mapping[str, str],
        has_key: bool,
        request_id: str,
    ) -> Entry:
        """Begin the entry of a request; whoever serves it fills in the rest."""
        with self._lock:
            number = len(self._entries) + 1
            entry = Entry(number, time_s, port, method, path, route, kept_headers(headers), has_key, request_id)
            self._entries.append(entry)
            return entry

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All requests, in the order in which they came."""
        with self._lock:
            return tuple(self._entries)

    def of(self, route: str) -> tuple[Entry, ...]:
        """The requests of one route, such as `check` or `download`."""
        return tuple(entry for entry in self.entries if entry.route == route)

    @property
    def charging(self) -> tuple[Entry, ...]:
        """The requests that cost minutes."""
        return tuple(entry for entry in self.entries if entry.charged_minutes)

    @property
    def violations(self) -> tuple[tuple[int, Violation], ...]:
        """Each with the number of its request."""
        return tuple((entry.number, violation) for entry in self.entries for violation in entry.violations)
