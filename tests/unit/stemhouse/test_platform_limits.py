"""How many calls a service takes, and how it says that these are too many."""

from contextlib import ExitStack

import pytest
from pydantic import ValidationError

from stemhouse.errors import LimitExceeded
from stemhouse.platform.limits import LimitSettings, Turnstile


class Clock:
    """Goes when it is told to."""

    now_s = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.now_s


def test_one_caller_cannot_take_all_places() -> None:
    """Nor can all together take more than there are; who has left makes room."""
    turnstile = Turnstile(LimitSettings(calls_at_once=3, calls_at_once_of_one=2))
    with ExitStack() as inside, turnstile.inside("other"):
        inside.enter_context(turnstile.inside("greedy"))
        with turnstile.inside("greedy"), pytest.raises(LimitExceeded, match="3 calls at a time"):
            inside.enter_context(turnstile.inside("third"))
        inside.enter_context(turnstile.inside("greedy"))
    with turnstile.inside("greedy"), turnstile.inside("greedy"), pytest.raises(LimitExceeded) as caught:
        inside.enter_context(turnstile.inside("greedy"))
    assert caught.value.message == "the token greedy may have 2 calls at a time: try again later"
    assert caught.value.details == {"limit": "calls_at_once_of_one"}


def test_rate_is_of_each_token_and_forgives_a_burst() -> None:
    """Ten seconds' worth at once, then as many as the rate says; a refused call costs nothing."""
    clock = Clock()
    turnstile = Turnstile(LimitSettings(calls_per_s=2.0), clock)

    def calls(name: str) -> int:
        """How many pass now."""
        for count in range(100):
            try:
                with turnstile.inside(name):
                    pass
            except LimitExceeded:
                return count
        return 100

    assert calls("one") == 20
    assert calls("other") == 20
    clock.now_s = 1.5
    assert calls("one") == 3
    with pytest.raises(LimitExceeded, match="the token one may call 2 times a second"), turnstile.inside("one"):
        pass
    clock.now_s = 1000.0
    assert calls("one") == 20


def test_nobody_is_counted_by_rate_where_nobody_has_a_name() -> None:
    """On one machine without tokens."""
    turnstile = Turnstile(LimitSettings(calls_per_s=0.1, calls_at_once_of_one=1), Clock())
    for _ in range(100):
        with turnstile.inside(""), turnstile.inside(""):
            pass


@pytest.mark.parametrize(
    "wrong", [{"calls_at_once": 0}, {"calls_per_s": 0}, {"message_bytes": "1KiB"}, {"streams": -1}]
)
def test_limits_are_checked(wrong: dict[str, object]) -> None:
    """A message must hold a chunk, and a cover."""
    with pytest.raises(ValidationError):
        LimitSettings.model_validate(wrong)
