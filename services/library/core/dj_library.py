"""What the files of a DJ program say, before anybody has looked whether the audio files are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stemhouse.tracks import DJFacts


@dataclass(frozen=True)
class LibraryEntry:
    """A file of a DJ library as the program names it, and what it knows of it.

    `location` is a path with `/` as separator: absolute (`/Users/..`, `C:/..`), or relative to what the program's
    format says (a volume's root, the folder of a playlist).
    """

    location: str
    facts: DJFacts | None = None


@dataclass(frozen=True)
class CrateListing:
    """A crate or playlist: its path in the tree of crates, outermost first, and its files in order."""

    path: tuple[str, ...]
    locations: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path on one line; a `/` inside of a name becomes a division slash, so that it separates nothing."""
        return "/".join(part.replace("/", "\N{DIVISION SLASH}") for part in self.path)


@dataclass(frozen=True)
class DJLibrary:
    """Entries and crates in their order, and what could not be understood, one sentence each."""

    entries: tuple[LibraryEntry, ...] = ()
    crates: tuple[CrateListing, ...] = ()
    warnings: tuple[str, ...] = ()


def with_crate_entries(entries: Mapping[str, LibraryEntry], crates: Sequence[CrateListing]) -> tuple[LibraryEntry, ...]:
    """The entries by location in their order, and one for each file that only a crate names."""
    named = dict.fromkeys(location for crate in crates for location in crate.locations)
    return (*entries.values(), *(LibraryEntry(location) for location in named if location not in entries))
