"""The upkeep of the cache beside everything else that the router does."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from services.router.core.cache_care import CacheCare
from stemhouse.errors import StemhouseError

log = structlog.get_logger(__name__)

_INTERVAL_S = 15.0


def start_cache_keeper(cares: Callable[[], Sequence[CacheCare]], interval_s: float = _INTERVAL_S) -> None:
    """Look after the caches that there are as long as the process lives, in a thread of its own."""
    threading.Thread(target=_keep, args=(cares, interval_s), name="cache-keeper", daemon=True).start()


def _keep(cares: Callable[[], Sequence[CacheCare]], interval_s: float) -> None:
    opened: set[CacheCare] = set()
    while True:
        for care in cares():
            _look_after(care, opened)
        time.sleep(interval_s)


def _look_after(care: CacheCare, opened: set[CacheCare]) -> None:
    try:
        if care not in opened:
            log.info("cache counted", new_entry_count=care.open())
            opened.add(care)
        cleared = care.tend()
        if cleared.size_bytes:
            log.info("cache has made room", cleared_bytes=cleared.size_bytes, result_count=cleared.result_count)
    except StemhouseError as error:  # the store or the database is away: the next look finds out
        log.warning("cache could not be looked after", reason=error.reason, error=error.message)
    except Exception:  # a defect must not end the upkeep
        log.exception("cache could not be looked after")
