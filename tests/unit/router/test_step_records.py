"""What is recorded of a stage, however it ends."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.router.adapters.step_records import recording_final_errors
from stemhouse.errors import EngineUnavailable, StemhouseError, StorageUnavailable, UnreadableAudio, WorkerDied
from stemhouse.vocab import Stage

MOST_ATTEMPTS = 3


def record_of(*failures: StemhouseError) -> tuple[int, Any]:
    """How many attempts an action that fails like that had, and what was recorded then."""
    remaining = list(failures)

    def attempt() -> dict[str, Any]:
        if remaining:
            raise remaining.pop(0)
        return {"outcome": 42}

    recorded = recording_final_errors(Stage.ASSESS, attempt, MOST_ATTEMPTS)
    for number in range(1, MOST_ATTEMPTS + 1):
        try:
            return number, recorded()
        except StemhouseError:
            continue
    pytest.fail("the last attempt raised: its record would come back as another error")


AWAY, DEAD = StorageUnavailable("the store is away"), WorkerDied("killed")


@pytest.mark.parametrize(
    ("failures", "attempts", "reason", "message"),
    [
        ([UnreadableAudio("not audio")], 1, "UNREADABLE_AUDIO", "not audio"),
        ([EngineUnavailable("no model")], 1, "ENGINE_UNAVAILABLE", "no model"),
        ([DEAD, AWAY, DEAD], 3, "WORKER_DIED", "killed"),
        ([AWAY] * MOST_ATTEMPTS, 3, "UNAVAILABLE", "gave up on stage assess: the store is away"),
        ([AWAY, AWAY, UnreadableAudio("not audio")], 3, "UNREADABLE_AUDIO", "not audio"),
    ],
)
def test_error_that_ends_a_stage_is_recorded(
    failures: Sequence[StemhouseError], attempts: int, reason: str, message: str
) -> None:
    """At once where no retry can help, and at the last attempt where none has."""
    number, record = record_of(*failures)
    assert (number, record["error"]["reason"], record["error"]["message"]) == (attempts, reason, message)


def test_stage_that_recovers_is_recorded_as_done() -> None:
    """What passes leaves no trace."""
    assert record_of(AWAY, DEAD) == (3, {"outcome": 42})
