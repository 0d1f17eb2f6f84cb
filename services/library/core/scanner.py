"""Scanning: bring the catalogue up to date with a folder, reading only what has changed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from services.library.core.ports import CatalogueEntry, FileStamp, FolderReader, FoundFile, TagReader, TrackCatalogue
from stemhouse.tracks import ScanProblem, ScanProgress

BATCH_FILES = 100
"""Files between two reports, and in one transaction of the catalogue."""


class DJLibraryScanner:
    """Reads a folder's audio files and their tags into the catalogue."""

    def __init__(self, catalogue: TrackCatalogue, folders: FolderReader, tags: TagReader) -> None:
        """Keep the ports."""
        self._catalogue = catalogue
        self._folders = folders
        self._tags = tags

    def scan(self, folder: str) -> Iterator[ScanProgress]:
        """Bring the catalogue up to date; one report for each 100 files or fewer, then the outcome.

        A file whose size and time of change are known is not read again. A track whose file is gone is removed,
        unless a problem kept the scan from looking. A file that cannot be read is a problem; what the catalogue
        knew of it stays. Raises InvalidRequest if `folder` is no absolute path and NotFound if there is none.
        """
        prefix = self._folders.prefix(folder)
        known = self._catalogue.stamps(prefix)
        tally = _Tally()
        for batch in _batches(self._folders.walk(prefix), BATCH_FILES):
            self._take(batch, known, tally)
            yield tally.report()
        vanished = tally.vanished(known)
        for start in range(0, len(vanished), BATCH_FILES):
            self._catalogue.remove(vanished[start : start + BATCH_FILES])
        tally.removed_count = len(vanished)
        yield tally.report(is_complete=True)

    def _take(self, batch: Iterable[FoundFile | ScanProblem], known: Mapping[str, FileStamp], tally: "_Tally") -> None:
        entries = []
        for met in batch:
            if isinstance(met, ScanProblem):
                tally.add_blind_spot(met)
                continue
            tally.found_paths.add(met.path)
            if known.get(met.path) == met.stamp:
                tally.unchanged_count += 1
            elif isinstance(track := self._tags.read(met), ScanProblem):
                tally.problems.append(track)
            else:
                entries.append(CatalogueEntry(track, met.stamp))
        self._catalogue.upsert(entries)
        updated_count = sum(entry.track.path in known for entry in entries)
        tally.updated_count += updated_count
        tally.added_count += len(entries) - updated_count


@dataclass
class _Tally:
    """What a scan has met so far."""

    found_paths: set[str] = field(default_factory=set)
    added_count: int = 0
    updated_count: int = 0
    unchanged_count: int = 0
    removed_count: int = 0
    problems: list[ScanProblem] = field(default_factory=list)
    blind_spots: list[str] = field(default_factory=list)

    def add_blind_spot(self, problem: ScanProblem) -> None:
        """Note a file or folder that could not be looked at: nothing is known to have vanished there."""
        self.problems.append(problem)
        self.blind_spots.append(problem.path)

    def vanished(self, known: Mapping[str, FileStamp]) -> list[str]:
        """Known paths that were not met, in order."""
        missing = sorted(known.keys() - self.found_paths)
        return [path for path in missing if not path.startswith(tuple(self.blind_spots))]

    def report(self, *, is_complete: bool = False) -> ScanProgress:
        """The counts so far; hands over the problems."""
        problems, self.problems = tuple(self.problems), []
        return ScanProgress(
            found_count=len(self.found_paths),
            added_count=self.added_count,
            updated_count=self.updated_count,
            unchanged_count=self.unchanged_count,
            removed_count=self.removed_count,
            problems=problems,
            is_complete=is_complete,
        )


def _batches(items: Iterator[FoundFile | ScanProblem], size: int) -> Iterator[tuple[FoundFile | ScanProblem, ...]]:
    while batch := tuple(islice(items, size)):
        yield batch
