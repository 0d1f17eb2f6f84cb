"""Tracks by their links: without the key, from the service's hosts alone, checked before anybody hears them."""

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import urllib3

from services.separator.core.control import check_wanted
from services.separator.core.ports import TaskControl
from stemhouse.errors import Unavailable, UnreadableAudio

_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_MOST_REDIRECTS = 3
_CHUNK_BYTES = 1 << 20
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class TrackDownloads:
    """Fetches files. Links need no password, so they are in no log and no error."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """`hosts` are names, and what ends with a dot and one of them."""
        self._hosts = tuple(host.lower() for host in hosts)
        self._http = urllib3.PoolManager(retries=False)

    def fetch(self, link: str, path: Path, most_bytes: int, control: TaskControl) -> None:
        """The file behind a link.

        Raises Unavailable if it does not come whole, UnreadableAudio if it is larger than `most_bytes`, or lies where
        nobody should be led, and Cancelled.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                following = self._get(self._checked(link), path, most_bytes, control)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise Unavailable(f"a download broke off ({type(error).__name__})") from None
            if following is None:
                return
            link = urljoin(link, following)
        raise UnreadableAudio("a download is led from one place to the next without an end")

    def _checked(self, link: str) -> str:
        """Over TLS, unless it is on this machine."""
        parts = urlsplit(link)
        host = (parts.hostname or "").lower()
        if not any(host == allowed or host.endswith(f".{allowed}") for allowed in self._hosts):
            raise UnreadableAudio(f"a download is to come from {host or 'nowhere'}, which is not of the service")
        return link if host in _LOOPBACK else parts._replace(scheme="https").geturl()

    def _get(self, link: str, path: Path, most_bytes: int, control: TaskControl) -> str | None:
        """Where to go on; None if all is there."""
        response = self._http.request("GET", link, preload_content=False, timeout=_TIMEOUT, redirect=False)
        try:
            if response.status in {301, 302, 303, 307, 308}:
                return response.headers.get("Location", "")
            if response.status != HTTPStatus.OK:
                raise Unavailable(f"a download was refused with status {response.status}")
            _write(response.stream(_CHUNK_BYTES), path, most_bytes, lambda: check_wanted(control))
            return None
        finally:
            response.close()


def _write(chunks: Iterable[bytes], path: Path, most_bytes: int, before_each: Callable[[], None]) -> None:
    arrived_bytes = 0
    with path.open("wb") as file:
        for chunk in chunks:
            before_each()
            arrived_bytes += len(chunk)
            if arrived_bytes > most_bytes:
                raise UnreadableAudio("a track is larger than it can be")
            file.write(chunk)
