"""What a test may choose about the fake where the published contract leaves it open."""

from dataclasses import dataclass

DAY_S = 86_400
HOUR_S = 3_600


@dataclass(frozen=True)
class Settings:
    """One account and the habits of the service.

    `queue_s` and `stem_s` are seconds of the fake's clock: how long a task waits, and how long each stem takes.
    """

    key: str = "test-licence-key"
    minutes: float = 750.0
    queue_s: float = 10.0
    stem_s: float = 20.0
    wrong_key_status: int = 403
    max_bytes: int | None = None
    """Larger uploads are refused with `exceeded_size`."""
    max_duration_s: float | None = None
    """Longer sources are refused with `max_duration`."""
    refunds: bool = False
    """Whether failed and cancelled tasks give their minutes back."""
    has_batch: bool = True
    checks_per_minute: int | None = 30
    """None: as many as one likes, for tests against the real clock."""
    tells_names: bool | None = None
    """Whether tracks have name and size; None: every other track has."""
    wav_subtype: str = "FLOAT"
    """FLOAT or PCM_24."""
    knows_ranges: bool = True
    retention_s: float = DAY_S
    """How long sources, results and tasks are kept."""
    link_grace_s: float = HOUR_S
    """How long links outlive a deletion."""
