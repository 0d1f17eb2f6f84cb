"""The circuit breaker: who rests, and when it may try again."""

import pytest

from services.router.core.breaker import CircuitBreaker
from services.router.core.policy import BreakerPolicy

POLICY = BreakerPolicy(failures=3, within_s=100.0, rest_s=30.0)


@pytest.fixture
def breaker() -> CircuitBreaker:
    """One that has seen nothing."""
    return CircuitBreaker(POLICY)


def fail(breaker: CircuitBreaker, *moments_s: float) -> None:
    """Let an engine fail at these moments."""
    for at_s in moments_s:
        breaker.note_failure("a", at_s)


@pytest.mark.parametrize(
    ("failed_at_s", "is_resting"),
    [
        ((), False),
        ((0.0, 1.0), False),
        ((0.0, 1.0, 2.0), True),
        ((0.0, 99.0, 99.9), True),
        ((0.0, 99.0, 100.0), False),
        ((0.0, 99.0, 100.0, 101.0), True),
    ],
)
def test_rests_after_so_many_failures_within_the_window(
    breaker: CircuitBreaker, failed_at_s: tuple[float, ...], *, is_resting: bool
) -> None:
    """Neither fewer, nor such that lie too far apart; and each engine for itself."""
    fail(breaker, *failed_at_s)
    assert breaker.is_resting("a", max(failed_at_s, default=0.0)) is is_resting
    assert not breaker.is_resting("b", 0.0)


def test_success_between_counts_the_failures_anew(breaker: CircuitBreaker) -> None:
    """They must come one after the other."""
    fail(breaker, 0.0, 1.0)
    breaker.note_success("a")
    fail(breaker, 2.0, 3.0)
    assert not breaker.is_resting("a", 3.0)


def test_rest_ends_with_one_trial(breaker: CircuitBreaker) -> None:
    """One track goes to it, and others wait for what becomes of that; a success closes it for good."""
    fail(breaker, 0.0, 1.0, 2.0)
    assert breaker.is_resting("a", 31.9)
    assert not breaker.is_resting("a", 32.0)
    breaker.note_chosen("a", 32.0)
    assert breaker.is_resting("a", 33.0)
    breaker.note_success("a")
    assert not breaker.is_resting("a", 33.0)
    fail(breaker, 34.0, 35.0)
    assert not breaker.is_resting("a", 35.0)


def test_failed_trial_is_another_rest(breaker: CircuitBreaker) -> None:
    """At once, though the older failures have left the window by then."""
    fail(breaker, 0.0, 1.0, 2.0)
    breaker.note_chosen("a", 500.0)
    breaker.note_failure("a", 510.0)
    assert breaker.is_resting("a", 539.9)
    assert not breaker.is_resting("a", 540.0)


def test_trial_that_nobody_hears_of_ends_after_a_rest(breaker: CircuitBreaker) -> None:
    """Its job may have been cancelled: the next track is the trial then."""
    fail(breaker, 0.0, 1.0, 2.0)
    breaker.note_chosen("a", 32.0)
    assert breaker.is_resting("a", 61.9)
    assert not breaker.is_resting("a", 62.0)


def test_being_chosen_while_it_is_well_is_no_trial(breaker: CircuitBreaker) -> None:
    """Tracks do not wait for each other."""
    breaker.note_chosen("a", 0.0)
    fail(breaker, 1.0)
    breaker.note_chosen("a", 2.0)
    assert not breaker.is_resting("a", 3.0)
