"""Finding the track that stems were made of, by what their metadata.json tells.

DJ programs write into the files that they play, so digest and size need not be those of before: name and length stay.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.library.core.known_tracks import known_track
from services.library.core.own_files import comparable_name
from services.library.core.ports import Candidate, LibraryCatalogue, TrackCatalogue
from stemhouse.dj import FoundTrack, TrackClue
from stemhouse.tracks import LibraryKind, Track

_SAME_LENGTH_S = 0.2
"""How far apart a tag reader and a decoder are about the length of a file."""


class DeliveredSources(Protocol):
    """Remembers what batches have delivered; raises Unavailable if the database does not answer."""

    def paths_of(self, sha256s: Sequence[str]) -> Mapping[str, str]:
        """Where the files of those digests were, as far as they are known."""


class CoverReader(Protocol):
    """Reads pictures."""

    def cover_art(self, path: str) -> bytes:
        """The front cover in an audio file, a JPEG or PNG of at most LARGEST_COVER_BYTES, or nothing."""


@dataclass(frozen=True)
class SearchPorts:
    """What the search asks."""

    catalogue: TrackCatalogue
    libraries: LibraryCatalogue
    delivered: DeliveredSources
    covers: CoverReader


class TrackSearch:
    """Finds tracks."""

    def __init__(self, ports: SearchPorts) -> None:
        """Keep the ports."""
        self._ports = ports

    def find(
        self, clues: Sequence[TrackClue], program: str, *, with_cover_art: bool
    ) -> Iterator[tuple[int, FoundTrack]]:
        """Those that are found, with the places of their clues; see `known_track` for the program."""
        paths = self._paths(clues)
        tracks = self._ports.catalogue.tracks([path for found in paths for path in found])
        places = self._crate_places(tracks)
        for place, found in enumerate(paths):
            # Copies are one track: the one that DJ programs know counts.
            there = [tracks[path] for path in found if path in tracks]
            if there:
                track = max(there, key=lambda track: len(track.dj_facts))
                found_track = self._found(track, program, with_cover_art=with_cover_art)
                in_crates = tuple(places.get((track.path, crate), 0) for crate in track.crates)
                yield place, replace(found_track, crate_places=in_crates)

    def of_path(self, path: str, program: str) -> FoundTrack | None:
        """A track of the catalogue, with its cover; None if it is not known."""
        track = self._ports.catalogue.tracks([path]).get(path)
        return self._found(track, program, with_cover_art=True) if track else None

    def _found(self, track: Track, program: str, *, with_cover_art: bool) -> FoundTrack:
        known = known_track(track, program)
        if with_cover_art:
            known = replace(known, cover_art=self._ports.covers.cover_art(track.path))
        return FoundTrack(track.path, known, track.crates, self._folder(track.path))

    def _crate_places(self, tracks: Mapping[str, Track]) -> Mapping[tuple[str, str], int]:
        """The first place of each track in each of its crates, in one reading of them."""
        if not any(track.crates for track in tracks.values()):
            return {}
        names = [crate.name for crate in self._ports.libraries.crates("")]
        places: dict[tuple[str, str], int] = {}
        for path, crate, place in self._ports.libraries.crate_places(""):
            if path in tracks:
                places.setdefault((path, names[crate]), place)
        return places

    def _folder(self, path: str) -> str:
        """Seen from the outermost scanned folder, so that one that is scanned within it later changes nothing."""
        parts = path.split("/")
        for depth in range(1, len(parts)):
            record = self._ports.libraries.record("/".join(parts[:depth]) + "/")
            if record and record.kind in {LibraryKind.FOLDER, LibraryKind.S3}:
                return "/".join(parts[depth:-1])
        return "/".join(parts[1:-1])

    def _paths(self, clues: Sequence[TrackClue]) -> Sequence[Sequence[str]]:
        """For each clue the files that it may mean; none where they are not all alike."""
        delivered = self._ports.delivered.paths_of([clue.sha256 for clue in clues])
        named = self._candidates({comparable_name(clue.file_name).casefold() for clue in clues})
        return [
            _alike(clue, named[comparable_name(clue.file_name).casefold()], delivered.get(clue.sha256))
            for clue in clues
        ]

    def _candidates(self, names: set[str]) -> Mapping[str, Sequence[Candidate]]:
        """The tracks of those names, in one reading of the catalogue."""
        found: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in self._ports.catalogue.candidates(""):
            name = comparable_name(_file_name(candidate.path)).casefold()
            if name in names:
                found[name].append(candidate)
        return found


def _alike(clue: TrackClue, named: Sequence[Candidate], delivered: str | None) -> Sequence[str]:
    """The file that was delivered, else all of the same size, else the one of the same length."""
    of_length = [found for found in named if _is_as_long(found, clue)]
    if delivered and any(found.path == delivered for found in of_length):
        return [delivered]
    of_size = sorted(found.path for found in of_length if found.size_bytes == clue.size_bytes)
    return of_size or ([of_length[0].path] if len(of_length) == 1 else [])


def _is_as_long(found: Candidate, clue: TrackClue) -> bool:
    """A file of the same size is, whatever a tag reader makes of its length."""
    is_of_length = found.duration_s > 0.0 and abs(found.duration_s - clue.duration_s) <= _SAME_LENGTH_S
    return is_of_length or found.size_bytes == clue.size_bytes


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
