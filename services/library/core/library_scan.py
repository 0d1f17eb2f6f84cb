"""The part of a scan that concerns DJ libraries: which files they name, where those are, and what is kept of it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.library.core.dj_library import DJLibrary
from services.library.core.ports import FiledCrate, KnownFile, LibraryFile, LibrarySource, NamedFile
from stemhouse.tracks import DJFacts, LibraryKind, ScanProblem


@dataclass(frozen=True)
class LibraryContents:
    """The files that a location's libraries name, what is known of each, and the crates.

    `facts` is empty where the libraries are those of the last scan: what they say is known.
    """

    named: Sequence[NamedFile]
    facts: Sequence[DJFacts | None]
    crates: Sequence[FiledCrate]
    warnings: Sequence[str] = ()

    def missing(self, paths: Sequence[str]) -> Iterator[ScanProblem]:
        """A problem for each file whose path is empty."""
        crates: dict[int, str] = {}
        for crate in self.crates:
            for position in crate.positions:
                crates.setdefault(position, crate.name)
        for location, position in self.missing_positions(paths).items():
            witness = f"crate {crates[position]}" if position in crates else "the collection"
            yield ScanProblem(location, f"{witness} names it, and it is not there")

    def missing_positions(self, paths: Sequence[str]) -> Mapping[str, int]:
        """By location, the first position that names it."""
        found: dict[str, int] = {}
        for position, path in enumerate(paths):
            if not path:
                found.setdefault(self.named[position].location, position)
        return found

    def without(self, paths: Sequence[str], unwanted: set[str]) -> tuple[list[LibraryFile], list[FiledCrate]]:
        """What is to be kept, with paths that are not wanted left out of the crates, too."""
        kept = [position for position, path in enumerate(paths) if path not in unwanted]
        moved = {position: new for new, position in enumerate(kept)}
        files = [LibraryFile(self.named[position], paths[position], self.facts[position]) for position in kept]
        crates = [
            FiledCrate(crate.name, tuple(moved[position] for position in crate.positions if position in moved))
            for crate in self.crates
        ]
        return files, crates


def contents_of(sources: Sequence[LibrarySource]) -> LibraryContents:
    """What several programs say.

    Of two crates of Serato with the same name the first counts: what version 4 knows, not what version 3 has left.
    """
    named: list[NamedFile] = []
    facts: list[DJFacts | None] = []
    crates: list[FiledCrate] = []
    serato_names: set[str] = set()
    for source in sources:
        is_serato = source.kind is LibraryKind.SERATO
        library = _without_crates(source.library, serato_names if is_serato else frozenset())
        serato_names |= {crate.name for crate in library.crates} if is_serato else set()
        positions = {entry.location: len(named) + number for number, entry in enumerate(library.entries)}
        named += (NamedFile(entry.location, source.kind, source.folder) for entry in library.entries)
        facts += (entry.facts for entry in library.entries)
        for crate in library.crates:
            inside = (positions[location] for location in crate.locations if location in positions)
            crates.append(FiledCrate(crate.name, tuple(inside)))
    return LibraryContents(named, facts, crates, [text for source in sources for text in source.library.warnings])


def _without_crates(library: DJLibrary, names: Collection[str]) -> DJLibrary:
    """Without crates of these names, and without files that nothing else names."""
    dropped = [crate for crate in library.crates if crate.name in names]
    if not dropped:
        return library
    crates = tuple(crate for crate in library.crates if crate.name not in names)
    kept = {location for crate in crates for location in crate.locations}
    gone = {location for crate in dropped for location in crate.locations} - kept
    entries = tuple(entry for entry in library.entries if entry.location not in gone or entry.facts)
    return DJLibrary(entries, crates, library.warnings)


@dataclass
class FileLocator:
    """Finds the paths of named files.

    A path that was known at the last scan stays if its volume is away; `kept` are those.
    """

    find: Callable[[NamedFile], str | None]
    is_away: Callable[[str], bool]
    aliases: Mapping[str, str]
    remembered: Mapping[NamedFile, str]
    kept: set[str] = field(default_factory=set)
    _is_folder_away: dict[str, bool] = field(default_factory=dict)

    def path(self, named: NamedFile) -> str:
        """Where the file is, by the name that the catalogue has for it; empty if it is missing."""
        real_path = self.find(named)
        if real_path:
            return self.aliases.get(real_path, real_path)
        known = self.remembered.get(named, "")
        if not known or not self._is_known_away(known):
            return ""
        self.kept.add(known)
        return known

    def _is_known_away(self, path: str) -> bool:
        folder = path.rpartition("/")[0]
        if folder not in self._is_folder_away:
            self._is_folder_away[folder] = self.is_away(path)
        return self._is_folder_away[folder]


def remembered_paths(files: Sequence[KnownFile]) -> Mapping[NamedFile, str]:
    """Of the files that were there."""
    return {file.named: file.path for file in files if file.path}
