"""Who sings where: what is known is not asked again, what is found is remembered."""

from typing import Protocol

from services.library.core.batch_ports import Separations
from services.library.core.ports import FileStamp, VocalShare
from stemhouse.audio import SourceRef


class VocalRecord(Protocol):
    """The part of TrackCatalogue that this needs."""

    def vocals(self, path: str, stamp: FileStamp) -> VocalShare | None:
        """See TrackCatalogue.vocals."""

    def record_vocals(self, path: str, stamp: FileStamp, vocals: VocalShare) -> None:
        """See TrackCatalogue.record_vocals."""


class VocalHearing:
    """How much of each track is sung."""

    def __init__(self, record: VocalRecord, separations: Separations) -> None:
        """Keep the ports."""
        self._record = record
        self._separations = separations

    def share(self, path: str, stamp: FileStamp, source: SourceRef | None = None) -> VocalShare:
        """As recorded, or else as a few excerpts sound; the file is uploaded unless it is there as `source`.

        Raises what Separations.upload and detect_vocals do, and Unavailable if the database does not answer.
        """
        known = self._record.vocals(path, stamp)
        return known or self._probed(path, stamp, source or self._separations.upload(path))

    def note_result(self, path: str, stamp: FileStamp, share: float) -> None:
        """All of the track was heard, when it was separated."""
        self._record.record_vocals(path, stamp, VocalShare(share, is_probed=False))

    def _probed(self, path: str, stamp: FileStamp, source: SourceRef) -> VocalShare:
        heard = VocalShare(self._separations.detect_vocals(source), is_probed=True)
        self._record.record_vocals(path, stamp, heard)
        return heard
