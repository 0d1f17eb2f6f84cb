"""Fakes of the library's ports; the catalogue passes the suite of the real one."""

from collections.abc import Iterator, Mapping, Sequence

from services.library.core.ports import CatalogueEntry, FileStamp, FoundFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem, Track


class MemoryTrackCatalogue:
    """TrackCatalogue in a dictionary."""

    def __init__(self) -> None:
        self.entries: dict[str, CatalogueEntry] = {}

    def stamps(self, prefix: str) -> Mapping[str, FileStamp]:
        """See TrackCatalogue.stamps."""
        return {path: entry.stamp for path, entry in self.entries.items() if path.startswith(prefix)}

    def upsert(self, entries: Sequence[CatalogueEntry]) -> None:
        """See TrackCatalogue.upsert."""
        self.entries.update({entry.track.path: entry for entry in entries})

    def remove(self, paths: Sequence[str]) -> None:
        """See TrackCatalogue.remove."""
        for path in paths:
            self.entries.pop(path, None)

    def page(self, prefix: str, after: str, limit: int) -> Sequence[Track]:
        """See TrackCatalogue.page."""
        return [self.entries[path].track for path in sorted(self.stamps(prefix)) if path > after][:limit]

    def count(self, prefix: str) -> int:
        """See TrackCatalogue.count."""
        return len(self.stamps(prefix))


class MemoryFolders:
    """FolderReader and TagReader over a dictionary of what a walk meets, by path; `read_paths` tells what was read."""

    def __init__(self, *found: FoundFile | ScanProblem) -> None:
        self.met = {item.path: item for item in found}
        self.unreadable: set[str] = set()
        self.read_paths: list[str] = []

    def prefix(self, folder: str) -> str:
        """See FolderReader.prefix."""
        if not folder.startswith("/"):
            raise InvalidRequest(folder, {"folder": folder})
        return folder.rstrip("/") + "/"

    def walk(self, prefix: str) -> Iterator[FoundFile | ScanProblem]:
        """See FolderReader.walk."""
        below = [path for path in sorted(self.met) if path.startswith(prefix)]
        if not below:
            raise NotFound(prefix, {"folder": prefix})
        yield from (self.met[path] for path in below)

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """See TagReader.read; the title is the file's name and stamp."""
        self.read_paths.append(found.path)
        if found.path in self.unreadable:
            return ScanProblem(found.path, "damaged")
        title = f"{found.path.rpartition('/')[2]}@{found.stamp.modified_ns}"
        return Track(found.path, found.stamp.size_bytes, title=title)
