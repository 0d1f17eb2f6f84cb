"""Folders of stems as what a DJ program takes: files in a folder for each track, and lists of all of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from stemhouse.analysis import AnalysisHints
from stemhouse.client.dj_lists import StemLists
from stemhouse.client.dj_locations import ProgramLocations
from stemhouse.client.dj_mirror import mirrored_folder
from stemhouse.client.dj_records import RecordedTree, note_on_doubles, recorded_trees
from stemhouse.client.dj_room import tree_bytes
from stemhouse.client.documents import Documents
from stemhouse.client.library import LibraryClient
from stemhouse.client.production import ProductionClient
from stemhouse.client.stem_folders import LocalStems, read_stem_folder
from stemhouse.client.trees import Made
from stemhouse.dj import (
    DJCollection,
    DJFile,
    DJOrder,
    DJTarget,
    FoundTrack,
    KnownTrack,
    OrganizeOptions,
    PlaylistOptions,
    StemFileOptions,
    TrackClue,
)
from stemhouse.errors import InputRejected, InternalFault, InvalidRequest, NotFound, StemhouseError
from stemhouse.wire.dj import organize_request_to_proto, stem_file_request_to_proto

_FOUND_AT_ONCE = 20
"""Tracks whose covers are held in memory."""
_NO_ROOM = frozenset({"ENOSPC", "EDQUOT", "EROFS"})
"""What keeps a disk from taking any file."""
_OF_ALL = frozenset({"name_template"})
"""What is asked for all folders alike."""

Options = OrganizeOptions | StemFileOptions


@dataclass(frozen=True)
class Surveyed:
    """What would become of a folder: files that are there already, or so many bytes; or why it cannot be read."""

    path: Path
    stems: LocalStems | None = None
    is_there: bool = False
    size_bytes: int = 0
    library_track: str | None = None
    error: StemhouseError | None = None


@dataclass(frozen=True)
class Organized:
    """What became of a folder: files that were made or found, or why there are none; and what the library knew."""

    path: Path
    made: Made | None = None
    error: StemhouseError | None = None
    found: FoundTrack | None = None


class TrackFinder(Protocol):
    """Who knows tracks."""

    def find(self, clues: Sequence[TrackClue | None], *, with_cover_art: bool) -> Mapping[int, FoundTrack]:
        """The tracks that are known, by the places of their clues."""


@dataclass(frozen=True)
class DJLibrary:
    """Who is asked about tracks; `program` is the one whose grids and cues count first, or empty."""

    client: LibraryClient
    program: str = ""

    def find(self, clues: Sequence[TrackClue | None], *, with_cover_art: bool) -> Mapping[int, FoundTrack]:
        """See TrackFinder.find."""
        places = [place for place, clue in enumerate(clues) if clue]
        told = [clue for clue in clues if clue]
        found = self.client.find_tracks(told, self.program, with_cover_art=with_cover_art) if told else ()
        return {places[index]: track for index, track in found}


@dataclass(frozen=True)
class DJPlace:
    """Where files go, in a folder for each track: side by side, or (`is_mirror`) as the library has its own.

    `volume_root` is that of the drive, of which crates name files relative to it; found if it is not given.
    `path_maps` say where the files of lists are here, by where a program on another machine finds them.
    """

    output_dir: Path
    volume_root: Path | None = None
    is_mirror: bool = False
    path_maps: Mapping[str, str] = field(default_factory=dict)


class StemOrganizer:
    """Writes to one place for one target: what is there stays, what is missing is made, lists name all of it.

    `own_place` must hold while it is used. Without a library nothing is known but what stems tell themselves.
    """

    def __init__(
        self, production: ProductionClient, target: DJTarget, place: DJPlace, library: TrackFinder | None = None
    ) -> None:
        """Keep them; nothing is called yet."""
        self._production = production
        self._target = target
        self._output_dir = place.output_dir.resolve()
        self._locations = ProgramLocations(place.path_maps)
        self._volume_root = place.volume_root.resolve() if place.volume_root else None
        self._is_mirror = place.is_mirror
        self._library = library

    def survey(self, stem_dirs: Sequence[Path], options: Options, hints: AnalysisHints) -> Iterator[Surveyed]:
        """What `organize` would do, with nothing done; a folder that cannot be read does not stop the rest."""
        for start in range(0, len(stem_dirs), _FOUND_AT_ONCE):
            read = [_read(path, hints) for path in stem_dirs[start : start + _FOUND_AT_ONCE]]
            clues = [clue_of(one.stems) if one.stems else None for one in read]
            found = self._find(clues, with_cover_art=True)
            for place, one in enumerate(read):
                yield self._surveyed(one, one.stems, options, found.get(place)) if one.stems else one

    def _surveyed(self, read: Surveyed, stems: LocalStems, options: Options, found: FoundTrack | None) -> Surveyed:
        known = found.known if found else KnownTrack()
        earlier = self._earlier.get(_request_key(stems, options, known))
        return replace(
            read,
            is_there=earlier is not None and earlier.whole() is not None,
            size_bytes=tree_bytes(stems, options, len(known.cover_art)),
            library_track=found.path if found else None,
        )

    def organize(self, folders: Sequence[LocalStems], options: Options) -> Iterator[Organized]:
        """Make the files of each folder, one after the other; a folder that cannot be made does not stop the rest.

        Raises what would fail every folder: Unavailable above all, InvalidRequest for a full disk or a bad template.
        """
        for start in range(0, len(folders), _FOUND_AT_ONCE):
            some = folders[start : start + _FOUND_AT_ONCE]
            found = self._find([clue_of(stems) for stems in some], with_cover_art=True)
            for place, stems in enumerate(some):
                yield self.organize_one(stems, options, found.get(place))

    def organize_one(self, stems: LocalStems, options: Options, found: FoundTrack | None) -> Organized:
        """The same of one folder, whose track has been found, or is not known."""
        try:
            return Organized(stems.path, self._made(stems, options, found), found=found)
        except (InvalidRequest, InputRejected, NotFound, InternalFault) as error:
            if error.details.get("errno") in _NO_ROOM or _OF_ALL & error.details.keys():
                raise
            return Organized(stems.path, error=error, found=found)

    def _made(self, stems: LocalStems, options: Options, found: FoundTrack | None) -> Made:
        known = found.known if found else KnownTrack()
        order = DJOrder(known, _request_key(stems, options, known))
        earlier = self._earlier.get(order.request_key)
        whole = earlier.whole() if earlier else None
        if whole:
            return whole
        folder = mirrored_folder(self._output_dir, found) if self._is_mirror else self._output_dir
        if isinstance(options, OrganizeOptions):
            return self._production.organize(stems, options, folder, order)
        return self._production.export_stem_file(stems, options, folder, order)

    @cached_property
    def _earlier(self) -> Mapping[str, RecordedTree]:
        """What was there before, by what it was asked for with."""
        trees = recorded_trees(self._output_dir)
        return {tree.request_key: tree for tree in trees if tree.request_key and tree.kind == self._target.file_kind}

    def _find(self, clues: Sequence[TrackClue | None], *, with_cover_art: bool) -> Mapping[int, FoundTrack]:
        return self._library.find(clues, with_cover_art=with_cover_art) if self._library else {}

    def write_lists(self) -> Documents | None:
        """Make all files that are now below the folder known to the target; None if there is none.

        There is a list of each stem, and one in each crate that the library has, in its order.
        """
        trees = [tree for tree in recorded_trees(self._output_dir) if tree.kind == self._target.file_kind]
        found = self._find([tree.source for tree in trees], with_cover_art=False)
        files: list[DJFile] = []
        lists = StemLists()
        for index, tree in enumerate(trees):
            for told in tree.files():
                lists.add(len(files), told.stem, found.get(index))
                location = self._locations.of(Path(told.file.location))
                files.append(replace(told.file, location=location))
        if not files:
            return None
        root = self._volume_root
        volume_root = self._locations.of(root) if root else self._locations.volume_root(self._output_dir)
        options = PlaylistOptions(self._target, self._locations.of(self._output_dir), volume_root)
        collection = DJCollection(tuple(files), lists.playlists())
        written = self._production.export_playlists(collection, options, self._output_dir)
        return replace(written, warnings=(*written.warnings, *note_on_doubles(trees)))


def _read(path: Path, hints: AnalysisHints) -> Surveyed:
    try:
        return Surveyed(path, read_stem_folder(path, hints))
    except (InvalidRequest, InputRejected) as error:
        return Surveyed(path, error=error)


def clue_of(stems: LocalStems) -> TrackClue | None:
    """By which the library finds the track of a folder; None if its metadata.json tells nothing."""
    if not stems.folder.result:
        return None
    source, audio = stems.folder.result.source, stems.folder.result.stem_set.audio
    return TrackClue(source.sha256, source.size_bytes, source.file_name, audio.duration_s)


def _request_key(stems: LocalStems, options: Options, known: KnownTrack) -> str:
    """Equal for what gives equal files."""
    if isinstance(options, OrganizeOptions):
        asked = organize_request_to_proto(stems.folder, options, DJOrder(known)).SerializeToString(deterministic=True)
    else:
        asked = stem_file_request_to_proto(stems.folder, options, DJOrder(known)).SerializeToString(deterministic=True)
    return hashlib.sha256(version("stemhouse").encode() + b"\0" + asked).hexdigest()
