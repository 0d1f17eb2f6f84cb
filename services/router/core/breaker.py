"""A circuit breaker for each engine: one that fails again and again rests, then has one track to show that it can.

Pure but for what it remembers; the time comes as an argument, in seconds of a clock that never goes back.
"""

from dataclasses import dataclass, replace

from services.router.core.policy import BreakerPolicy


@dataclass(frozen=True)
class _Record:
    """Failures since the last success, when the engine began to rest, and when its trial began; None: it did not."""

    failed_at_s: tuple[float, ...] = ()
    rests_since_s: float | None = None
    trial_since_s: float | None = None


class CircuitBreaker:
    """Closed: the engine may be chosen. Open: it rests. Half open: it may have one track, and others wait for that."""

    def __init__(self, policy: BreakerPolicy) -> None:
        """All engines are well."""
        self._policy = policy
        self._records: dict[str, _Record] = {}

    def is_resting(self, engine_id: str, now_s: float) -> bool:
        """Whether the engine rests, or another track is its trial; one that is never told of ends after a rest."""
        record = self._records.get(engine_id, _Record())
        since_s = (record.rests_since_s, record.trial_since_s)
        return any(since is not None and now_s < since + self._policy.rest_s for since in since_s)

    def note_chosen(self, engine_id: str, now_s: float) -> None:
        """A track goes to the engine: after a rest, its trial."""
        record = self._records.get(engine_id)
        if record and record.rests_since_s is not None:
            self._records[engine_id] = replace(record, trial_since_s=now_s)

    def note_success(self, engine_id: str) -> None:
        """It has done a track: what was before counts no more."""
        self._records.pop(engine_id, None)

    def note_failure(self, engine_id: str, now_s: float) -> None:
        """It could not do one: it rests if that was the last of too many, or its trial."""
        record = self._records.get(engine_id, _Record())
        oldest_s = now_s - self._policy.within_s
        failed_at_s = (*(at_s for at_s in record.failed_at_s if at_s > oldest_s), now_s)
        is_tired = len(failed_at_s) >= self._policy.failures or record.rests_since_s is not None
        self._records[engine_id] = _Record(failed_at_s, now_s if is_tired else None)
