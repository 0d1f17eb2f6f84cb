"""How long a caller goes on while a service does not answer."""

import time
from collections.abc import Callable

from stemhouse.errors import DeadlineExceeded, Unavailable

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0


class Patience:
    """Counts the time without contact, and pauses a little longer after each failure."""

    def __init__(
        self,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        require_servers: Callable[[], None] = lambda: None,
    ) -> None:
        """Allow `limit_s` seconds between the loss of contact and the next answer.

        `require_servers` raises if it knows that no answer will come.
        """
        self._limit_s = limit_s
        self._require_servers = require_servers
        self._clock = clock
        self._sleep = sleep
        self._lost_at_s: float | None = None
        self._pause_s = _FIRST_PAUSE_S

    def renew(self) -> None:
        """Somebody answered: start over."""
        self._lost_at_s = None
        self._pause_s = _FIRST_PAUSE_S

    def wait_or_raise(self, error: Unavailable) -> None:
        """Pause before the next attempt; raise `error` if the service did answer with it, or time is up.

        A service that answers may itself be unable (EngineUnavailable, StorageUnavailable): trying on is not for
        its caller. Only a lost connection and the end of the call's own deadline are waited out.
        """
        now_s = self._clock()
        if self._lost_at_s is None:
            self._lost_at_s = now_s
        if type(error) not in {Unavailable, DeadlineExceeded}:
            raise error
        self._require_servers()
        if now_s - self._lost_at_s >= self._limit_s:
            raise error
        self._sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
