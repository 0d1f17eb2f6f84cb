"""Calls that several jobs make at the same time for the same answer: made once."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from stemhouse.errors import StemhouseError

Answer = TypeVar("Answer")


class SharedCalls:
    """Whoever comes while a call with his key is under way waits for its answer."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._lock = threading.Lock()
        self._calls: dict[Hashable, Future[Any]] = {}

    def run(self, key: Hashable, call: Callable[[], Answer]) -> Answer:
        """The answer, or raises what the call raised: a fresh copy for each who waited."""
        with self._lock:
            under_way = self._calls.get(key)
            if under_way is None:
                own: Future[Any] = Future()
                self._calls[key] = own
        return _answer_of(under_way) if under_way else self._lead(key, own, call)

    def _lead(self, key: Hashable, own: "Future[Any]", call: Callable[[], Answer]) -> Answer:
        try:
            answer = call()
        except BaseException as error:  # whoever waits must be told of anything
            own.set_exception(error)
            raise
        else:
            own.set_result(answer)
            return answer
        finally:
            with self._lock:
                del self._calls[key]


def _answer_of(call: "Future[Any]") -> Any:
    try:
        return call.result()
    except StemhouseError as error:
        raise type(error)(error.message, error.details) from error
