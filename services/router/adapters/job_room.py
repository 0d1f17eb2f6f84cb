"""As many jobs at once as the separators need to be kept busy, however many of them there are."""

import threading
import time
from collections.abc import Callable

import structlog

from stemhouse.errors import StemhouseError

log = structlog.get_logger(__name__)

_INTERVAL_S = 10.0
_JOBS_PER_SLOT = 2
"""One that is separated, and one that is decoded, measured or about to be next."""


def jobs_wanted(slot_count: int, least: int) -> int:
    """How many jobs are worked on at once."""
    return max(least, slot_count * _JOBS_PER_SLOT)


def start_job_room(slot_count: Callable[[], int], allow: Callable[[int], None], least: int) -> None:
    """Look after it as long as the process lives, in a thread of its own."""
    threading.Thread(target=_keep, args=(slot_count, allow, least), name="job-room", daemon=True).start()


def _keep(slot_count: Callable[[], int], allow: Callable[[int], None], least: int) -> None:
    while True:
        try:
            allow(jobs_wanted(slot_count(), least))
        except StemhouseError as error:  # no separator answers: what was allowed stays
            log.debug("slots are not known", error=error.message)
        except Exception:  # DBOS has errors of its own, and a defect of ours must not end this either
            log.exception("room for jobs could not be looked after")
        time.sleep(_INTERVAL_S)
