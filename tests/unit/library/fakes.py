"""Fakes of the library's ports; the catalogue passes the suite of the real one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.library.core.dj_facts import merged_facts, with_values_of
from services.library.core.dj_library import DJLibrary
from services.library.core.locations import PathMap, candidate_paths
from services.library.core.ports import (
    Candidate,
    CatalogueEntry,
    FiledCrate,
    FileStamp,
    FoundFile,
    KnownFile,
    LibraryFile,
    LibraryRecord,
    LibrarySource,
    NamedFile,
    OwnFile,
    VocalShare,
)
from stemhouse.errors import InvalidRequest, LibraryRejected, NotFound
from stemhouse.tracks import Crate, DJFacts, LibraryKind, ScanProblem, Track


class MemoryCatalogue:
    """TrackCatalogue and LibraryCatalogue in dictionaries."""

    def __init__(self) -> None:
        self.entries: dict[str, CatalogueEntry] = {}
        self.shares: dict[str, VocalShare] = {}
        self.records: dict[str, LibraryRecord] = {}
        self.named: dict[str, list[LibraryFile]] = {}
        self.filed: dict[str, list[FiledCrate]] = {}
        self.changes = 0

    def stamps(self, prefix: str) -> Mapping[str, FileStamp]:
        """See TrackCatalogue.stamps."""
        return {path: entry.stamp for path, entry in self.entries.items() if path.startswith(prefix)}

    def stamps_of(self, paths: Sequence[str]) -> Mapping[str, FileStamp]:
        """See TrackCatalogue.stamps_of."""
        return {path: self.entries[path].stamp for path in paths if path in self.entries}

    def unread(self) -> Sequence[str]:
        """See TrackCatalogue.unread."""
        tracks = [entry.track for entry in self.entries.values()]
        return [track.path for track in tracks if track == Track(track.path, track.size_bytes)]

    def upsert(self, entries: Sequence[CatalogueEntry]) -> None:
        """See TrackCatalogue.upsert."""
        for entry in entries:
            self.entries[entry.track.path] = entry
            self.shares.pop(entry.track.path, None)
        self.changes += 1

    def remove(self, paths: Sequence[str]) -> None:
        """See TrackCatalogue.remove."""
        for path in paths:
            self.entries.pop(path, None)
        for files in self.named.values():
            files[:] = [replace(file, path="") if file.path in paths else file for file in files]
        self.changes += 1

    def page(self, prefix: str, after: str, limit: int) -> Sequence[Track]:
        """See TrackCatalogue.page."""
        return list(self.tracks([path for path in self._paths(prefix) if path > after][:limit]).values())

    def tracks(self, paths: Sequence[str]) -> Mapping[str, Track]:
        """See TrackCatalogue.tracks."""
        return {path: self._track(path) for path in paths if path in self.entries}

    def count(self, prefix: str) -> int:
        """See TrackCatalogue.count."""
        return len(self._paths(prefix))

    def candidates(self, prefix: str) -> Iterable[Candidate]:
        """See TrackCatalogue.candidates."""
        for path in self._paths(prefix):
            track, stamp = self._track(path), self.entries[path].stamp
            told = (track.duration_s, track.title, track.genre, track.bpm)
            vocals = self.shares.get(path, VocalShare(-1.0, is_probed=False))
            heard = (vocals.share if path in self.shares else None, vocals.is_probed)
            yield Candidate(path, stamp.size_bytes, stamp.modified_ns, *told, *heard)

    def record_vocals(self, path: str, stamp: FileStamp, vocals: VocalShare) -> None:
        """See TrackCatalogue.record_vocals."""
        if self.stamps_of([path]).get(path) == stamp:
            self.shares[path] = vocals
        self.changes += 1

    def vocals(self, path: str, stamp: FileStamp) -> VocalShare | None:
        """See TrackCatalogue.vocals."""
        return self.shares.get(path) if self.stamps_of([path]).get(path) == stamp else None

    def revision(self) -> int:
        """See TrackCatalogue.revision."""
        return self.changes

    def record(self, prefix: str) -> LibraryRecord | None:
        """See LibraryCatalogue.record."""
        return self.records.get(prefix)

    def files(self, prefix: str) -> Sequence[KnownFile]:
        """See LibraryCatalogue.files."""
        return [KnownFile(file.named, file.path) for file in self.named.get(prefix, ())]

    def filed_crates(self, prefix: str) -> Sequence[FiledCrate]:
        """See LibraryCatalogue.filed_crates."""
        return self.filed.get(prefix, [])

    def replace(self, record: LibraryRecord, files: Sequence[LibraryFile], crates: Sequence[FiledCrate]) -> None:
        """See LibraryCatalogue.replace."""
        self.records[record.prefix] = record
        self.named[record.prefix], self.filed[record.prefix] = list(files), list(crates)
        self.changes += 1

    def repoint(self, prefix: str, paths: Mapping[int, str]) -> None:
        """See LibraryCatalogue.repoint."""
        for position, path in paths.items():
            self.named[prefix][position] = replace(self.named[prefix][position], path=path)
        self.changes += 1

    def unclaimed(self, paths: Sequence[str]) -> Sequence[str]:
        """See LibraryCatalogue.unclaimed."""
        kinds = (LibraryKind.FOLDER, LibraryKind.S3)
        walked = tuple(prefix for prefix, record in self.records.items() if record.kind in kinds)
        named = {file.path for files in self.named.values() for file in files}
        return [path for path in paths if path in self.entries and path not in named and not path.startswith(walked)]

    def aliases(self) -> Mapping[str, str]:
        """See LibraryCatalogue.aliases."""
        return {entry.real_path: path for path, entry in self.entries.items() if entry.real_path}

    def crates(self, prefix: str) -> Sequence[Crate]:
        """See LibraryCatalogue.crates."""
        found = []
        for library, crate in self._crates(prefix):
            paths = [self.named[library][position].path for position in crate.positions]
            missing_count = paths.count("")
            found.append(Crate(crate.name, library.rstrip("/"), len(paths) - missing_count, missing_count))
        return found

    def crate_places(self, prefix: str) -> Iterable[tuple[str, int, int]]:
        """See LibraryCatalogue.crate_places."""
        for index, (library, crate) in enumerate(self._crates(prefix)):
            for place, position in enumerate(crate.positions):
                if path := self.named[library][position].path:
                    yield path, index, place

    def _crates(self, prefix: str) -> list[tuple[str, FiledCrate]]:
        return [(key, crate) for key in sorted(self.filed) if key.startswith(prefix) for crate in self.filed[key]]

    def _paths(self, prefix: str) -> list[str]:
        named = {file.path for key, files in self.named.items() if key.startswith(prefix) for file in files}
        return sorted(path for path in self.entries if path.startswith(prefix) or path in named)

    def _track(self, path: str) -> Track:
        names = [crate.name for _, crate in self._crates("")]
        crates = tuple(dict.fromkeys(names[index] for at, index, _ in self.crate_places("") if at == path))
        files = [file for key in sorted(self.named) for file in self.named[key] if file.path == path]
        known = [file.facts for file in files if file.facts]
        track = with_values_of(self.entries[path].track, known)
        return replace(track, crates=crates, dj_facts=merged_facts((*track.dj_facts, *known)))


class MemoryFolders:
    """FolderReader and TagReader over a dictionary of what a walk meets, by path; `read_paths` tells what was read."""

    def __init__(self, *found: FoundFile | OwnFile | ScanProblem) -> None:
        self.met = {item.path: item for item in found}
        self.unreadable: set[str] = set()
        self.facts: dict[str, DJFacts] = {}
        self.read_paths: list[str] = []
        self.away: tuple[str, ...] = ()
        self.bare: set[str] = set()

    def prefix(self, folder: str) -> str:
        """See FolderReader.prefix."""
        if not folder.startswith("/"):
            raise InvalidRequest(folder, {"folder": folder})
        return folder.rstrip("/") + "/"

    def walk(self, prefix: str) -> Iterator[FoundFile | OwnFile | ScanProblem]:
        """See FolderReader.walk."""
        below = [path for path in sorted(self.met) if path.startswith(prefix)]
        if not below and prefix not in self.bare:
            raise NotFound(prefix, {"folder": prefix})
        yield from (self.met[path] for path in below)

    def look(self, path: str) -> FoundFile | OwnFile | ScanProblem:
        """See FolderReader.look."""
        return self.met.get(path, ScanProblem(path, "not there"))

    def is_bare(self, prefix: str) -> bool:
        """See FolderReader.is_bare."""
        return prefix in self.bare

    def is_away(self, path: str) -> bool:
        """See FolderReader.is_away."""
        return path.startswith(self.away) if self.away else False

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """See TagReader.read; the title is the file's name and stamp."""
        self.read_paths.append(found.path)
        if found.path in self.unreadable:
            return ScanProblem(found.path, "damaged")
        title = f"{found.path.rpartition('/')[2]}@{found.stamp.modified_ns}"
        facts = [self.facts[found.path]] if found.path in self.facts else []
        return Track(found.path, found.stamp.size_bytes, title=title, dj_facts=tuple(facts))


@dataclass
class MemoryLibraries:
    """LibraryReader: one library of a kind at each location; its files are those that the folders have."""

    folders: MemoryFolders
    libraries: dict[str, tuple[LibraryKind, DJLibrary]] = field(default_factory=dict)
    version: int = 1
    read_count: int = 0
    is_broken: bool = False

    def kind(self, location: str, kind: LibraryKind) -> LibraryKind:
        """See LibraryReader.kind."""
        found, _ = self.libraries.get(location, (LibraryKind.FOLDER, None))
        return found if kind is LibraryKind.AUTO else kind

    def fingerprint(self, location: str, kind: LibraryKind) -> str:
        """See LibraryReader.fingerprint."""
        return f"{self.version}" if location in self.libraries else ""

    def read(self, location: str, kind: LibraryKind) -> Sequence[LibrarySource]:
        """See LibraryReader.read."""
        self.read_count += 1
        if self.is_broken:
            raise LibraryRejected("damaged beyond reading")
        found, library = self.libraries[location]
        naming = LibraryKind.M3U if found is LibraryKind.FOLDER else found
        return (LibrarySource(naming, location if found is LibraryKind.FOLDER else "/", library),)

    def finder(self, path_maps: Sequence[PathMap]) -> Callable[[NamedFile], str | None]:
        """See LibraryReader.finder."""
        files = [item for item in self.folders.met.values() if not isinstance(item, ScanProblem)]
        real = {item.path if isinstance(item, OwnFile) else item.real_path or item.path for item in files}

        def find(named: NamedFile) -> str | None:
            paths = candidate_paths(named.location, named.kind, named.folder, path_maps)
            return next((path for path in paths if path in real), None)

        return find
