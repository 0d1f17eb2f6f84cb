"""Cloud engines: what they cost, what they may take, and whether they may be used at all."""

from dataclasses import dataclass

CLOUD_ENGINES = ("lalal",)
"""Engines that send audio away, by name: nothing is asked of them without an order."""


@dataclass(frozen=True)
class CloudTerms:
    """What a cloud engine costs: minutes of an account for each minute of audio.

    `account` tells accounts apart and is no secret. `minutes_left` is None where the service was not asked yet.
    """

    account: str
    rate: float
    minutes_left: float | None = None


@dataclass(frozen=True)
class CloudOrder:
    """What the router allows a cloud engine to spend on one track, once, whoever asks how often.

    `idempotency_key` is a random UUID of version 4, written down before it is used for the first time.
    """

    idempotency_key: str
    minutes: float


@dataclass(frozen=True)
class CloudAccount:
    """An account that a separator has a key of, and what was spent through this router.

    Nothing is sent before somebody has allowed it; then at most `minutes_per_day` in one day (UTC). Minutes are
    reserved for jobs at work, and uncertain if nobody knows whether a submission was charged: both count as spent.
    """

    account: str
    is_allowed: bool = False
    minutes_per_day: float = 0.0
    minutes_today: float = 0.0
    minutes_left: float | None = None
    minutes_reserved: float = 0.0
    minutes_uncertain: float = 0.0


CLOUD_STATEMENT = (
    "With the engine lalal the whole recording of a track leaves this machine: it is sent to LALAL.AI (OmniSale GmbH, "
    "Switzerland), which keeps it for up to 24 hours unless it is deleted before; Stemhouse deletes it as soon as the "
    "stems are here, but links to the stems, which need no password, may live for an hour more. Minutes of your "
    "account are taken: the length of the track for each stem. Unreleased music is better separated here."
)
"""What somebody who allows a cloud account has to know."""
