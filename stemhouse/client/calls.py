"""The calls of one client: each with a deadline, errors as StemhouseError, lost connections waited out."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stemhouse.client.patience import Patience
from stemhouse.errors import Cancelled, Unavailable
from stemhouse.platform.status import rpc_errors

UNARY_DEADLINE_S = 30.0

CALL_PATIENCE_S = 10.0
"""How long single calls are repeated while nobody listens: a restart of a service, or a wrong address."""
JOB_PATIENCE_S = 40.0
"""How long a watch, a delivery or a pull, which have work behind them, go on without contact."""

SLOWEST_BYTES_PER_S = 250_000
"""Of an upload or a delivery: one that is slower on the whole is given up, an hour after it should have been done."""
_TRANSFER_MARGIN_S = 3600.0

Answer = TypeVar("Answer")


def transfer_deadline_s(size_bytes: int) -> float:
    """How long so many bytes may be on their way, with what is done to them at either end."""
    return _TRANSFER_MARGIN_S + size_bytes / SLOWEST_BYTES_PER_S


def stream(method: Callable[..., Any], request: Any, deadline_s: float) -> Iterator[Any]:
    """The responses of a stream, which ends when the caller wants no more."""
    with rpc_errors():
        responses = method(request, timeout=deadline_s)
        try:
            yield from responses
        finally:
            responses.cancel()


class Calls:
    """Repeats what failed because nobody listened."""

    def __init__(self, require_servers: Callable[[], None]) -> None:
        """`require_servers` is called whenever contact is lost; it raises where waiting is known to be in vain."""
        self.require_servers = require_servers
        self._is_closed = False

    def close(self) -> None:
        """From now on calls that are cancelled were meant to be."""
        self._is_closed = True

    def call(
        self,
        method: Callable[..., Answer],
        request: Any,
        deadline_s: float = UNARY_DEADLINE_S,
        patience_s: float = CALL_PATIENCE_S,
    ) -> Answer:
        """The answer of a call, which is repeated while nobody listens."""

        def attempt() -> Answer:
            with rpc_errors():
                return method(request, timeout=deadline_s)

        return self.patiently(attempt, patience_s)

    def patiently(self, action: Callable[[], Answer], limit_s: float) -> Answer:
        """The action's value, repeated while its service cannot be reached, for about `limit_s` seconds."""
        patience = self.patience(limit_s)
        while True:
            try:
                return action()
            except Unavailable as error:
                patience.wait_or_raise(error)
            except Cancelled as error:
                if self._is_closed:
                    raise
                # Not by anybody here: a service that ends lets go of its calls.
                patience.wait_or_raise(Unavailable("the service ended during the call", error.details))

    def patience(self, limit_s: float) -> Patience:
        """For a stream that is taken up again where it broke."""
        return Patience(limit_s, require_servers=self.require_servers)
