"""Scanning: bring the catalogue up to date with a location, reading only what has changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from services.library.core.dj_facts import with_values_of
from services.library.core.library_scan import FileLocator, LibraryContents, contents_of, remembered_paths
from services.library.core.locations import PathMap
from services.library.core.lost_files import folders_of, map_hints
from services.library.core.ports import (
    CatalogueEntry,
    FileStamp,
    FolderReader,
    FoundFile,
    KnownFile,
    LibraryCatalogue,
    LibraryReader,
    LibraryRecord,
    OwnFile,
    TagReader,
    TrackCatalogue,
)
from services.library.core.scan_tally import ScanTally
from stemhouse.errors import LibraryRejected, NotFound
from stemhouse.tracks import LibraryKind, ScanProblem, ScanProgress, Track

BATCH_FILES = 100
"""Files between two reports, and in one transaction of the catalogue."""

_Item = TypeVar("_Item")
_Met = FoundFile | OwnFile | ScanProblem
_WALKED = (LibraryKind.FOLDER, LibraryKind.S3)


@dataclass(frozen=True)
class ScannerParts:
    """What the scanner works with."""

    tracks: TrackCatalogue
    libraries: LibraryCatalogue
    folders: FolderReader
    tags: TagReader
    readers: LibraryReader


class DJLibraryScanner:
    """Reads audio files, their tags, and the crates of DJ programs into the catalogue."""

    def __init__(self, parts: ScannerParts) -> None:
        """Keep the ports."""
        self._parts = parts

    def scan(
        self, location: str, kind: LibraryKind = LibraryKind.AUTO, path_maps: Sequence[PathMap] = ()
    ) -> Iterator[ScanProgress]:
        """Bring the catalogue up to date; one report for each 100 files or fewer, then the outcome.

        A folder is walked, and what DJ programs have left in it is read; a library's files are scanned wherever they
        are. A file whose size and time of change are known is not read again. A track whose file is gone is removed,
        unless a problem kept the scan from looking, or its volume is away, or the scan reads crates only. A file that
        cannot be read is a problem at each scan; what the catalogue knew of it stays, or else its name is all. Without
        path maps those of the last scan apply. Raises InvalidRequest if `location` is no absolute path, NotFound if
        there is nothing, LibraryRejected for a file that is no library.
        """
        prefix = self._parts.folders.prefix(location)
        try:
            found_kind = self._parts.readers.kind(location, kind)
            known = self._parts.libraries.record(prefix)
            maps = tuple(path_maps) or (known.path_maps if known else ())
            yield from _Scan(self._parts, location, LibraryRecord(prefix, found_kind, "", maps)).run()
        except NotFound as error:
            known_count = self._parts.tracks.count(prefix)
            kept = f"; {known_count} tracks that are known of it stay: is its volume mounted?" if known_count else ""
            raise NotFound(f"{error.message}{kept}", error.details) from error


class _Scan:
    """One scan of one location; `record` is what will be remembered of it, but for the fingerprint."""

    def __init__(self, parts: ScannerParts, location: str, record: LibraryRecord) -> None:
        self._parts = parts
        self._location = location
        self._record = record
        self._tally = ScanTally()
        self._aliases = dict(parts.libraries.aliases())
        self._unread = set(parts.tracks.unread())
        self._kept: set[str] = set()

    def run(self) -> Iterator[ScanProgress]:
        """See DJLibraryScanner.scan."""
        prefix, is_walked = self._record.prefix, self._record.kind in _WALKED
        known = self._parts.tracks.stamps(prefix) if is_walked else {}
        if is_walked:
            yield from self._take_all(self._parts.folders.walk(prefix))
        yield from self._follow_library()
        self._spare_bare_folders(known)
        self._remove(self._tally.vanished(known, self._kept))
        yield from self._tally.last_reports()

    def _spare_bare_folders(self, known: Mapping[str, FileStamp]) -> None:
        """A folder that is there and holds nothing is what is left where a volume was mounted."""
        lost = self._tally.vanished(known, self._kept)
        for folder in sorted(filter(self._parts.folders.is_bare, folders_of(lost, self._record.prefix))):
            count = sum(path.startswith(folder) for path in lost)
            reason = (
                f"the folder is empty; {count} tracks that are known of it stay: is its volume mounted? "
                "If they are gone, remove the folder"
            )
            self._tally.add_blind_spot(ScanProblem(folder, reason))

    def _follow_library(self) -> Iterator[ScanProgress]:
        """Scan the files that crates name, and replace what is known of the crates."""
        files = self._parts.libraries.files(self._record.prefix)
        try:
            fingerprint = self._parts.readers.fingerprint(self._location, self._record.kind)
            contents = self._contents(files, fingerprint)
        except LibraryRejected as error:
            if self._record.kind is not LibraryKind.FOLDER:
                raise
            self._kept.update(file.path for file in files)
            self._tally.problems.append(ScanProblem(self._location, f"{error.message}; its crates stay as they were"))
            return
        paths = self._paths(contents, files)
        unseen = dict.fromkeys(path for path in paths if path and path not in self._tally.seen)
        yield from self._take_all(map(self._parts.folders.look, (path for path in unseen if path not in self._kept)))
        self._note(contents, paths)
        self._save(contents, paths, files, fingerprint)

    def _contents(self, files: Sequence[KnownFile], fingerprint: str) -> LibraryContents:
        """What the libraries say, or said if they have not changed since."""
        libraries, kind = self._parts.libraries, self._record.kind
        if libraries.record(self._record.prefix) == self._record_with(fingerprint):
            return LibraryContents([file.named for file in files], (), libraries.filed_crates(self._record.prefix))
        return contents_of(self._parts.readers.read(self._location, kind) if fingerprint else ())

    def _paths(self, contents: LibraryContents, files: Sequence[KnownFile]) -> list[str]:
        """Where the files are that the libraries name; empty texts for those that are missing."""
        find, is_away = self._parts.readers.finder(self._record.path_maps), self._parts.folders.is_away
        locator = FileLocator(find, is_away, self._aliases, remembered_paths(files))
        paths = [locator.path(named) for named in contents.named]
        self._kept |= locator.kept
        return paths

    def _note(self, contents: LibraryContents, paths: Sequence[str]) -> None:
        missing = list(contents.missing(paths))
        self._tally.missing_count = len(missing)
        self._tally.crate_count = len(contents.crates)
        self._tally.problems += [ScanProblem(self._location, warning) for warning in contents.warnings]
        self._tally.problems += map_hints(contents.named, paths)
        self._tally.problems += missing
        if self._kept:
            reason = f"{len(self._kept)} files lie on a volume that is away; what is known of them stays"
            self._tally.problems.append(ScanProblem(min(self._kept), reason))

    def _save(
        self, contents: LibraryContents, paths: Sequence[str], files: Sequence[KnownFile], fingerprint: str
    ) -> None:
        """Remember the location, and forget tracks that were there for its libraries only."""
        is_unchanged = len(contents.facts) < len(paths)
        if is_unchanged:
            moved = {place: path for place, path in enumerate(paths) if path != files[place].path}
            self._parts.libraries.repoint(self._record.prefix, moved)
        else:
            kept = contents.without(paths, self._tally.own)
            self._parts.libraries.replace(self._record_with(fingerprint), *kept)
        gone = sorted({file.path for file in files if file.path}.difference(paths, self._tally.seen))
        for batch in _batches(iter(gone), BATCH_FILES):
            lost = {path for path in batch if isinstance(self._parts.folders.look(path), ScanProblem)}
            self._remove([*lost, *(path for path in self._parts.libraries.unclaimed(batch) if path not in lost)])

    def _record_with(self, fingerprint: str) -> LibraryRecord:
        record = self._record
        return LibraryRecord(record.prefix, record.kind, fingerprint, record.path_maps)

    def _take_all(self, found: Iterator[_Met]) -> Iterator[ScanProgress]:
        for batch in _batches(found, BATCH_FILES):
            self._take(batch)
            yield self._tally.report()

    def _take(self, batch: Sequence[_Met]) -> None:
        tally, files = self._tally, []
        for met in batch:
            if isinstance(met, ScanProblem):
                tally.add_blind_spot(met)
            elif isinstance(met, OwnFile):
                tally.own.add(met.path)
            else:
                tally.seen.add(met.path)
                files.append(met)
                if met.real_path:
                    self._aliases[met.real_path] = met.path
        self._read_changed(files, self._parts.tracks.stamps_of([file.path for file in files]))

    def _read_changed(self, files: Sequence[FoundFile], known: Mapping[str, FileStamp]) -> None:
        tally = self._tally
        changed = [file for file in files if known.get(file.path) != file.stamp or file.path in self._unread]
        entries = list(filter(None, (self._entry(file, known.get(file.path)) for file in changed)))
        self._parts.tracks.upsert(entries)
        updated_count = sum(entry.track.path in known for entry in entries)
        tally.unchanged_count += len(files) - len(changed)
        tally.updated_count += updated_count
        tally.added_count += len(entries) - updated_count

    def _entry(self, file: FoundFile, known: FileStamp | None) -> CatalogueEntry | None:
        """What is news of a file. One that cannot be read is known by its name: what separates it will judge it."""
        track, bare = self._parts.tags.read(file), Track(file.path, file.stamp.size_bytes)
        if isinstance(track, ScanProblem):
            self._tally.problems.append(track)
            is_kept = known is not None and file.path not in self._unread
            if is_kept or not isinstance(self._parts.folders.look(file.path), FoundFile):
                return None
            track = bare
        is_news = known != file.stamp or track != bare
        return CatalogueEntry(with_values_of(track, track.dj_facts), file.stamp, file.real_path) if is_news else None

    def _remove(self, paths: Sequence[str]) -> None:
        for start in range(0, len(paths), BATCH_FILES):
            self._parts.tracks.remove(paths[start : start + BATCH_FILES])
        self._tally.removed_count += len(paths)


def _batches(items: Iterator[_Item], size: int) -> Iterator[tuple[_Item, ...]]:
    while batch := tuple(islice(items, size)):
        yield batch
