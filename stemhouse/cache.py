"""What the router's cache holds."""

from dataclasses import dataclass
from datetime import datetime

HOLDS_PREFIX = "holds/"
HOLD_S = 6 * 3600
"""For how long at most a hold keeps audio and its results in the store: whoever was killed has not removed it."""

DEFAULT_CLEARED_DAYS = 30.0
"""What nobody has used for so long is cleared, unless somebody says otherwise."""


@dataclass(frozen=True)
class CacheShare:
    """What the stems of one engine take in the store; of canonical audio where `engine_id` is empty.

    `oldest_use_at` is in UTC: when the entry that was not used for longest was used.
    """

    engine_id: str
    entry_count: int
    size_bytes: int
    oldest_use_at: datetime


@dataclass(frozen=True)
class CacheStats:
    """All shares, audio first, and the most that the cache may take (None: as much as there is).

    `kept_s` is for how long an entry stays after its last use, however full the cache is.
    """

    shares: tuple[CacheShare, ...]
    max_bytes: int | None
    kept_s: float

    @property
    def size_bytes(self) -> int:
        """Of everything."""
        return sum(share.size_bytes for share in self.shares)


@dataclass(frozen=True)
class Cleared:
    """What has gone so far: canonical audio of tracks, and results of engines.

    `kept_count` are entries as old that stay, since a job needs them or somebody has just asked for them; counted once
    the rest has gone.
    """

    audio_count: int = 0
    result_count: int = 0
    size_bytes: int = 0
    kept_count: int = 0


@dataclass(frozen=True)
class Hold:
    """An object without content that counts: it keeps an audio, and what was made of it, in the store until it ends.

    `ends_s` is in seconds since 1970; `token` tells holds apart.
    """

    pcm_sha256: str
    ends_s: int
    token: str

    @property
    def key(self) -> str:
        """All that there is to it."""
        return f"{HOLDS_PREFIX}{self.pcm_sha256}/{self.ends_s:012d}-{self.token}"


def hold_of(key: str) -> Hold:
    """The inverse; raises ValueError for the key of anything else."""
    pcm_sha256, end = key.removeprefix(HOLDS_PREFIX).split("/")
    ends_s, _, token = end.partition("-")
    return Hold(pcm_sha256, int(ends_s), token)
