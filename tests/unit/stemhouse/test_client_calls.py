"""Calls that are repeated: who let go of them matters."""

from functools import partial

import pytest

from stemhouse.client.calls import Calls
from stemhouse.errors import Cancelled, Unavailable


def ending(answers: list[str]) -> str:
    """The next answer; an empty one stands for a service that lets go of its calls as it ends."""
    answer = answers.pop(0)
    if not answer:
        raise Cancelled("CANCELLED")
    return answer


def test_call_that_a_service_has_let_go_of_is_repeated() -> None:
    """Another life of the service answers it; if none comes, it counts as one that cannot be reached."""
    calls = Calls(lambda: None)
    assert calls.patiently(partial(ending, ["", "", "done"]), 10.0) == "done"
    with pytest.raises(Unavailable, match="the service ended"):
        calls.patiently(partial(ending, [""]), 0.0)


def test_call_that_ends_with_its_client_is_not_repeated() -> None:
    """Closing means it."""
    calls = Calls(lambda: None)
    calls.close()
    with pytest.raises(Cancelled):
        calls.patiently(partial(ending, [""]), 10.0)
