"""Where uploaded stems lie in the store, by digest, and for how long."""

from collections.abc import Callable
from datetime import date, timedelta

from stemhouse.ports import ObjectStore

PREFIX = "uploads"


class StemUploads:
    """Folders of uploads, one a day (UTC): today's and yesterday's count, those before are removed."""

    def __init__(self, store: ObjectStore, today: Callable[[], date]) -> None:
        """Keep the store and the calendar."""
        self._store = store
        self._today = today

    def new_key(self, sha256: str) -> str:
        """Where an upload of today goes."""
        return _key(self._today(), sha256)

    def find(self, sha256: str) -> str | None:
        """The key of an upload, or None."""
        today = self._today()
        keys = (_key(day, sha256) for day in (today, today - timedelta(days=1)))
        return next((key for key in keys if self._store.size_bytes(key) is not None), None)

    def sweep(self) -> None:
        """Remove what was uploaded before yesterday."""
        oldest = f"{PREFIX}/{self._today() - timedelta(days=1)}"
        for key in self._store.list_keys(f"{PREFIX}/"):
            if key < oldest:
                self._store.delete(key)


def _key(day: date, sha256: str) -> str:
    return f"{PREFIX}/{day.isoformat()}/{sha256}"
