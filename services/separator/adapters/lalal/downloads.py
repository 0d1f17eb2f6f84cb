"""Tracks by their links: without the key, from the service's hosts alone, checked before anybody hears them."""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import urllib3

from services.separator.adapters.lalal.bodies import chunks_of
from services.separator.core.control import check_wanted
from services.separator.core.ports import TaskControl
from stemhouse.errors import Unavailable, UnreadableAudio

_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_MOST_REDIRECTS = 3
_LONGEST_S, _LEAST_BYTES_PER_S = 60.0, 32_000
"""Of a download; slower than this no track of a few minutes would ever be there."""
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


class TrackDownloads:
    """Fetches files. Links need no password, so they are in no log and no error."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """`hosts` are names, and what ends with a dot and one of them."""
        self._hosts = tuple(host.lower() for host in hosts)
        self._http = urllib3.PoolManager(retries=False)

    def fetch(self, link: str, path: Path, most_bytes: int, control: TaskControl) -> None:
        """The file behind a link.

        Raises Unavailable if it does not come whole or is larger than `most_bytes`, UnreadableAudio if it lies where
        nobody should be led, and Cancelled.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                following = self._get(self._checked(link), path, most_bytes, control)
                if following is None:
                    return
                link = urljoin(link, following)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # the last: of a link that is none
                raise Unavailable(f"a download broke off ({type(error).__name__})") from None
        raise UnreadableAudio("a download is led from one place to the next without an end")

    def _checked(self, link: str) -> str:
        """Over TLS, unless it is on this machine; split as the connection will split it, or it could go elsewhere."""
        parts = urllib3.util.parse_url(link)
        host = (parts.host or "").lower()
        if not any(host == allowed or host.endswith(f".{allowed}") for allowed in self._hosts):
            raise UnreadableAudio(f"a download is to come from {host or 'nowhere'}, which is not of the service")
        return parts.url if host in _LOOPBACK else parts._replace(scheme="https").url

    def _get(self, link: str, path: Path, most_bytes: int, control: TaskControl) -> str | None:
        """Where to go on; None if all is there."""
        response = self._http.request("GET", link, preload_content=False, timeout=_TIMEOUT, redirect=False)
        try:
            if response.status in {301, 302, 303, 307, 308}:
                return response.headers.get("Location", "")
            if response.status != HTTPStatus.OK:
                raise Unavailable(f"a download was refused with status {response.status}")
            longest_s = _LONGEST_S + most_bytes / _LEAST_BYTES_PER_S
            with path.open("wb") as file:
                for chunk in chunks_of(response, most_bytes, longest_s, lambda: check_wanted(control)):
                    file.write(chunk)
            return None
        finally:
            response.close()
