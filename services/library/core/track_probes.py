"""Listening to tracks before they are listed in the order of work."""

from collections.abc import Iterator, Sequence

from services.library.core.hearing import VocalHearing
from services.library.core.listing import checked_page_size
from services.library.core.ordering import OrderedFile, WorkOrder
from services.library.core.ports import FileStamp
from services.library.core.remedies import TRACK_FAULTS
from stemhouse.tracks import ProbeProgress, ScanProblem


class TrackProbes:
    """Finds out who sings where nothing tells, and where it makes a difference to the order."""

    def __init__(self, order: WorkOrder, hearing: VocalHearing) -> None:
        """Keep what it asks."""
        self._order = order
        self._hearing = hearing

    def probe(
        self, location: str, crates: Sequence[str], *, is_crates_only: bool, limit: int
    ) -> Iterator[ProbeProgress]:
        """Listen to those of the first 1 to 1000 tracks (100 if `limit` is 0); tells at the start and behind each.

        Raises InvalidRequest for another limit, what WorkOrder.files does, and Unavailable or EngineUnavailable when
        no track can be listened to.
        """
        size = checked_page_size(limit, "limit")
        files = self._order.files(location, crates, is_crates_only=is_crates_only)[:size]
        unknown = [file for file in files if file.tier]
        yield ProbeProgress(0, len(unknown))
        for done_count, file in enumerate(unknown, start=1):
            yield ProbeProgress(done_count, len(unknown), self._problem(file))

    def _problem(self, file: OrderedFile) -> ScanProblem | None:
        try:
            self._hearing.share(file.path, FileStamp(file.size_bytes, file.modified_ns))
        except TRACK_FAULTS as error:
            return ScanProblem(file.path, error.message)
        return None
