"""The tracks that stems were made of, found again, and what programs know of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from services.library.adapters.cover_art import cover_art
from services.library.core.known_tracks import known_track
from services.library.core.ports import CatalogueEntry, FiledCrate, FileStamp, LibraryFile, LibraryRecord, NamedFile
from services.library.core.track_search import SearchPorts, TrackSearch
from stemhouse.dj import LARGEST_COVER_BYTES, FoundTrack, TrackClue
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts, LibraryKind, Track
from tests.tagged_files import TAGGED_FORMATS, TaggedFiles, tags_of, write_tags
from tests.unit.library.fakes import MemoryCatalogue

CLUE = TrackClue("a" * 64, 5000, "Jóga.mp3", 305.4)
GRID = (BeatMarker(0.125, 127.99, 1),)
CUES = (Cue(CueKind.CUE, 0.125, slot=0, name="Intro"),)


class Delivered:
    """What batches have delivered, and covers that are their paths."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}

    def paths_of(self, sha256s: Sequence[str]) -> Mapping[str, str]:
        """See DeliveredSources.paths_of."""
        return {sha256: self.paths[sha256] for sha256 in sha256s if sha256 in self.paths}

    def cover_art(self, path: str) -> bytes:
        """See CoverReader.cover_art."""
        return path.encode()


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    """One with tracks of one name in several folders."""
    catalogue = MemoryCatalogue()
    tracks = [
        Track("/music/a/Joga.mp3", 5000, duration_s=305.4),
        Track("/music/b/JO\u0301GA.mp3", 6000, duration_s=305.5),
        Track("/music/b/deep/Intro.mp3", 7000, duration_s=60.0),
        Track("/music/c/Intro.mp3", 8000, duration_s=60.1),
        Track("/usb/x/Copy.mp3", 900, duration_s=1.0),
        Track("/usb/y/Copy.mp3", 900, duration_s=1.0, dj_facts=(DJFacts("serato"),)),
    ]
    catalogue.upsert([CatalogueEntry(track, FileStamp(track.size_bytes, 1)) for track in tracks])
    catalogue.replace(LibraryRecord("/music/", LibraryKind.FOLDER, ""), [], [])
    catalogue.replace(LibraryRecord("/music/b/", LibraryKind.FOLDER, ""), [], [])
    return catalogue


def find(catalogue: MemoryCatalogue, *clues: TrackClue, delivered: Delivered | None = None) -> list[FoundTrack]:
    """With their covers."""
    known = delivered or Delivered()
    search = TrackSearch(SearchPorts(catalogue, catalogue, known, known))
    found = [*search.find(clues, "", with_cover_art=True)]
    assert [place for place, _ in found] == sorted(place for place, _ in found)
    return [track for _, track in found]


def test_retagged_file_is_found_by_name_and_length(catalogue: MemoryCatalogue) -> None:
    """Whatever way its name is written; it tells its folder as seen from the outermost scanned one, and its cover."""
    [found] = find(catalogue, CLUE)
    assert (found.path, found.folder) == ("/music/b/JO\u0301GA.mp3", "b")
    assert found.known.cover_art == found.path.encode()


def test_what_may_be_another_track_is_not_taken(catalogue: MemoryCatalogue) -> None:
    """Two of one name and length are told apart by their size, or by what a batch has delivered, or not at all."""
    intro = TrackClue("b" * 64, 1, "intro.mp3", 60.05)
    assert find(catalogue, intro, TrackClue("c" * 64, 2, "Nobody.mp3", 60.0)) == []
    assert [found.path for found in find(catalogue, TrackClue("b" * 64, 8000, "Intro.mp3", 99.0))] == [
        "/music/c/Intro.mp3"
    ]
    delivered = Delivered()
    delivered.paths["b" * 64] = "/music/b/deep/Intro.mp3"
    [found] = find(catalogue, intro, delivered=delivered)
    assert (found.path, found.folder) == ("/music/b/deep/Intro.mp3", "b/deep")


def test_of_copies_the_one_counts_that_programs_know(catalogue: MemoryCatalogue) -> None:
    """Outside of scanned folders a track's own folder is told from the root on."""
    [found] = find(catalogue, TrackClue("d" * 64, 900, "Copy.mp3", 1.0))
    assert (found.path, found.folder) == ("/usb/y/Copy.mp3", "usb/y")


def test_places_in_crates_are_told(catalogue: MemoryCatalogue) -> None:
    """Of a track that a crate has twice the first one; files that are missing count, too."""
    paths = ["/gone.mp3", "/usb/x/Copy.mp3", "/music/c/Intro.mp3"]
    files = [
        LibraryFile(NamedFile(path, LibraryKind.REKORDBOX, ""), path if place else "", None)
        for place, path in enumerate(paths)
    ]
    crates = [FiledCrate("House/Deep", (0, 1, 2, 2)), FiledCrate("All", (2, 0))]
    catalogue.replace(LibraryRecord("/lib.xml", LibraryKind.REKORDBOX, ""), files, crates)
    [found] = find(catalogue, TrackClue("b" * 64, 8000, "Intro.mp3", 99.0))
    assert dict(zip(found.crates, found.crate_places, strict=True)) == {"House/Deep": 2, "All": 0}


def test_grid_and_cues_come_from_one_program() -> None:
    """The one that is asked for, else one with a grid; texts from whoever has them, the track's own first."""
    serato = DJFacts("serato", key="Fm", cues=CUES, is_grid_locked=True)
    traktor = DJFacts("traktor", album="Homogenic", bpm=127.99, color="#FF0000", grid=GRID)
    track = Track("/a.mp3", 1, artist="Björk", title="Jóga", key="4A", bpm=128.0, dj_facts=(serato, traktor))
    known = known_track(track, "serato")
    assert (known.program, known.track.cues, known.track.grid, known.track.is_grid_locked) == ("serato", CUES, (), True)
    assert (known.track.key, known.track.album, known.track.bpm) == ("Fm", "Homogenic", 127.99)
    other = known_track(track, "rekordbox")
    assert (other.program, other.track.grid, other.track.cues) == ("traktor", GRID, ())
    assert (other.track.title, other.track.artist, other.track.color) == ("Jóga", "Björk", "#FF0000")
    assert known_track(Track("/b.mp3", 1, key="4A"), "").program == ""


@pytest.mark.parametrize("extension", TAGGED_FORMATS)
def test_cover_is_read_from_every_container(extension: str, tmp_path: Path) -> None:
    """As it was put there; a picture that is too large, or none, is left out, and so is what is no audio."""
    files, path = TaggedFiles(), tmp_path / f"a.{extension}"
    art = b"\xff\xd8\xff" + bytes(range(256))
    path.write_bytes(files.audio(extension))
    assert cover_art(path) == b""
    write_tags(path, tags_of(1), art)
    assert cover_art(path) == art
    path.write_bytes(files.audio(extension))
    write_tags(path, tags_of(1), art + bytes(LARGEST_COVER_BYTES))
    assert cover_art(path) == b""
    path.write_bytes(b"no audio at all" * 9)
    assert cover_art(path) == b""
