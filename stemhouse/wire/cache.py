"""The cache in stemhouse/v1/router.proto <-> stemhouse.cache."""

from stemhouse.cache import DEFAULT_CLEARED_DAYS, CacheShare, CacheStats, Cleared
from stemhouse.v1 import router_pb2 as pb
from stemhouse.wire.jobs import moment_from_proto, timestamp
from stemhouse.wire.validation import FieldChecks

_MOST_DAYS = 36_500.0


def cache_stats_to_proto(stats: CacheStats) -> pb.CacheStatsResponse:
    """Value to message."""
    return pb.CacheStatsResponse(
        shares=map(_share_to_proto, stats.shares), max_bytes=stats.max_bytes, kept_s=stats.kept_s
    )


def cache_stats_from_proto(message: pb.CacheStatsResponse) -> CacheStats:
    """Message to value."""
    return CacheStats(
        shares=tuple(map(_share_from_proto, message.shares)),
        max_bytes=message.max_bytes if message.HasField("max_bytes") else None,
        kept_s=message.kept_s,
    )


def cleared_to_proto(cleared: Cleared) -> pb.ClearCacheResponse:
    """Value to message."""
    return pb.ClearCacheResponse(
        audio_count=cleared.audio_count,
        result_count=cleared.result_count,
        size_bytes=cleared.size_bytes,
        kept_count=cleared.kept_count,
    )


def cleared_from_proto(message: pb.ClearCacheResponse) -> Cleared:
    """Message to value."""
    return Cleared(message.audio_count, message.result_count, message.size_bytes, message.kept_count)


def older_than_days_from_proto(request: pb.ClearCacheRequest) -> float:
    """The days since the last use; raises InvalidRequest."""
    days = request.older_than_days if request.HasField("older_than_days") else DEFAULT_CLEARED_DAYS
    checks = FieldChecks()
    checks.within("older_than_days", days, 0.0, _MOST_DAYS)
    checks.done()
    return days


def _share_to_proto(share: CacheShare) -> pb.CacheShare:
    return pb.CacheShare(
        engine_id=share.engine_id,
        entry_count=share.entry_count,
        size_bytes=share.size_bytes,
        oldest_use_time=timestamp(share.oldest_use_at),
    )


def _share_from_proto(message: pb.CacheShare) -> CacheShare:
    return CacheShare(
        engine_id=message.engine_id,
        entry_count=message.entry_count,
        size_bytes=message.size_bytes,
        oldest_use_at=moment_from_proto("oldest_use_time", message.oldest_use_time),
    )
