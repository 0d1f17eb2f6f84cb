"""One suite for the catalogue of libraries and crates in databases and its fake."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine

from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.adapters.library_catalogue import SqlLibraryCatalogue
from services.library.core.locations import PathMap
from services.library.core.ports import (
    Candidate,
    CatalogueEntry,
    FiledCrate,
    FileStamp,
    KnownFile,
    LibraryCatalogue,
    LibraryFile,
    LibraryRecord,
    NamedFile,
    TrackCatalogue,
    VocalShare,
)
from stemhouse.tracks import BeatMarker, Crate, Cue, CueKind, DJFacts, LibraryKind, Track
from tests.unit.library.fakes import MemoryCatalogue

_Change = Callable[[], None]
XML = LibraryRecord("/dj/c.xml/", LibraryKind.REKORDBOX, "v1", (PathMap("D:/", "/music"),))
FACTS = DJFacts("rekordbox", genre="House", bpm=126.5, grid=(BeatMarker(0.1, 126.5, 1),))


@dataclass
class Catalogue:
    """Both halves."""

    tracks: TrackCatalogue
    libraries: LibraryCatalogue


@pytest.fixture
def catalogue(catalogue_kind: Engine | None) -> Catalogue:
    """Each catalogue in turn."""
    if catalogue_kind is None:
        memory = MemoryCatalogue()
        return Catalogue(memory, memory)
    return Catalogue(SqlTrackCatalogue(catalogue_kind), SqlLibraryCatalogue(catalogue_kind))


def add(catalogue: Catalogue, *paths: str, real_path: str = "", **values: object) -> None:
    """Tracks of files that tell nothing but these values."""
    stamp = FileStamp(10, 2**62)
    catalogue.tracks.upsert([CatalogueEntry(Track(path, 10, **values), stamp, real_path) for path in paths])  # type: ignore[arg-type] # by name


def file(path: str, facts: DJFacts | None = None, location: str = "") -> LibraryFile:
    """As a library names it; `path` is empty where it is missing."""
    return LibraryFile(NamedFile(location or f"file:{path}", LibraryKind.REKORDBOX, "/dj"), path, facts)


def names(catalogue: Catalogue, prefix: str) -> list[str]:
    """Paths of the tracks of a prefix, which its count and its candidates agree with."""
    paths = [track.path for track in catalogue.tracks.page(prefix, "", 100)]
    assert catalogue.tracks.count(prefix) == len(paths)
    assert sorted(each.path for each in catalogue.tracks.candidates(prefix)) == paths
    return paths


def test_library_comes_back_as_it_was(catalogue: Catalogue) -> None:
    """Files in order, crates in order, and what was scanned."""
    files = [file("/b"), file("", location="gone"), file("/a", FACTS)]
    crates = [FiledCrate("Z", (2, 0, 1)), FiledCrate("A", ()), FiledCrate("Z", (0,))]
    catalogue.libraries.replace(XML, files, crates)
    assert catalogue.libraries.record(XML.prefix) == XML
    assert catalogue.libraries.record("/dj/") is None
    assert catalogue.libraries.files(XML.prefix) == [KnownFile(each.named, each.path) for each in files]
    assert catalogue.libraries.filed_crates(XML.prefix) == crates
    assert catalogue.libraries.crates("") == [
        Crate("Z", "/dj/c.xml", 2, 1),
        Crate("A", "/dj/c.xml", 0, 0),
        Crate("Z", "/dj/c.xml", 1, 0),
    ]
    assert list(catalogue.libraries.crate_places("")) == [("/a", 0, 0), ("/b", 0, 1), ("/b", 2, 0)]


def test_replace_takes_one_library_for_another(catalogue: Catalogue) -> None:
    """And leaves the others alone."""
    other = LibraryRecord("/dj/t.nml/", LibraryKind.TRAKTOR, "x")
    catalogue.libraries.replace(other, [file("/c")], [FiledCrate("T", (0,))])
    catalogue.libraries.replace(XML, [file("/a"), file("/b")], [FiledCrate("Old", (0, 1)), FiledCrate("Older", (1,))])
    catalogue.libraries.replace(XML, [file("/b")], [FiledCrate("New", (0,))])
    assert [crate.name for crate in catalogue.libraries.crates("/dj/")] == ["New", "T"]
    assert list(catalogue.libraries.crate_places("")) == [("/b", 0, 0), ("/c", 1, 0)]
    assert list(catalogue.libraries.crate_places(other.prefix)) == [("/c", 0, 0)]
    catalogue.libraries.replace(XML, [], [])
    assert catalogue.libraries.files(XML.prefix) == []


def test_tracks_of_a_location_are_those_below_and_those_that_its_libraries_name(catalogue: Catalogue) -> None:
    """Libraries below the location count, those beside it do not."""
    add(catalogue, "/dj/x", "/music/a", "/music/b", "/other")
    catalogue.libraries.replace(XML, [file("/music/b"), file("/unknown"), file("")], [])
    assert names(catalogue, "/dj/c.xml/") == ["/music/b"]
    assert names(catalogue, "/dj/") == ["/dj/x", "/music/b"]
    assert names(catalogue, "/music/") == ["/music/a", "/music/b"]
    assert names(catalogue, "/d/") == []
    assert len(names(catalogue, "")) == 4


def test_values_that_a_file_does_not_tell_come_from_libraries(catalogue: Catalogue) -> None:
    """The first library that has one; what programs know is there for each."""
    nml = LibraryRecord("/dj/t.nml/", LibraryKind.TRAKTOR, "x")
    traktor = DJFacts("traktor", genre="Techno", key="Fm", bpm=90.0, cues=(Cue(CueKind.CUE, 1.0, slot=0),))
    add(catalogue, "/a", title="Own", dj_facts=(DJFacts("serato", bpm=1.0),))
    catalogue.libraries.replace(nml, [file("/a", traktor)], [])
    catalogue.libraries.replace(XML, [file("/a", FACTS), file("/a")], [])
    (track,) = catalogue.tracks.page("", "", 9)
    assert (track.title, track.genre, track.key, track.bpm, track.artist) == ("Own", "House", "Fm", 126.5, "")
    assert track.dj_facts == (FACTS, DJFacts("serato", bpm=1.0), traktor)
    assert catalogue.tracks.tracks(["/a", "/b"]) == {"/a": track}
    assert list(catalogue.tracks.candidates("")) == [Candidate("/a", 10, 2**62, 0.0, "Own", "House", 126.5, None)]


def test_track_tells_its_crates_once(catalogue: Catalogue) -> None:
    """By library and in the libraries' order."""
    add(catalogue, "/a")
    second = LibraryRecord("/dj/z.xml/", LibraryKind.REKORDBOX, "v1")
    catalogue.libraries.replace(second, [file("/a")], [FiledCrate("Friday", (0,)), FiledCrate("Alone", (0,))])
    catalogue.libraries.replace(XML, [file("/a"), file("/a")], [FiledCrate("Late", (1,)), FiledCrate("Friday", (0, 1))])
    assert catalogue.tracks.page("", "", 9)[0].crates == ("Late", "Friday", "Alone")


def test_removed_track_is_missing_in_its_crates(catalogue: Catalogue) -> None:
    """Until it is pointed to again."""
    add(catalogue, "/a", "/b")
    catalogue.libraries.replace(XML, [file("/a"), file("/b")], [FiledCrate("Friday", (0, 1))])
    catalogue.tracks.remove(["/a"])
    assert catalogue.libraries.crates("") == [Crate("Friday", "/dj/c.xml", 1, 1)]
    catalogue.libraries.repoint(XML.prefix, {0: "/moved/a"})
    assert catalogue.libraries.crates("") == [Crate("Friday", "/dj/c.xml", 2, 0)]
    assert [known.path for known in catalogue.libraries.files(XML.prefix)] == ["/moved/a", "/b"]
    assert catalogue.libraries.record(XML.prefix) == XML


def test_unclaimed_is_what_no_folder_holds_and_no_library_names(catalogue: Catalogue) -> None:
    """A library's own location is no folder."""
    add(catalogue, "/music/a", "/music2/b", "/c", "/dj/c.xml/d", "s3://bucket/e")
    catalogue.libraries.replace(LibraryRecord("/music/", LibraryKind.FOLDER, ""), [], [])
    catalogue.libraries.replace(LibraryRecord("s3://bucket/", LibraryKind.S3, ""), [], [])
    catalogue.libraries.replace(XML, [file("/c")], [])
    everything = ["/music/a", "/music2/b", "/c", "/dj/c.xml/d", "s3://bucket/e", "/unknown"]
    assert sorted(catalogue.libraries.unclaimed(everything)) == ["/dj/c.xml/d", "/music2/b"]


def test_aliases_are_paths_by_real_paths(catalogue: Catalogue) -> None:
    """Of tracks that links lead to, and of no others."""
    add(catalogue, "/link/a", real_path="/drive/a")
    add(catalogue, "/b")
    assert catalogue.libraries.aliases() == {"/drive/a": "/link/a"}


def test_vocals_are_known_until_the_file_changes(catalogue: Catalogue) -> None:
    """0 is a share, too."""
    add(catalogue, "/a", "/b")
    stamp, probed, separated = FileStamp(10, 2**62), VocalShare(0.0, is_probed=True), VocalShare(0.5, is_probed=False)
    for path, vocals in (("/a", probed), ("/b", separated), ("/nowhere", probed)):
        catalogue.tracks.record_vocals(path, stamp, vocals)
        catalogue.tracks.record_vocals(path, FileStamp(10, 1), VocalShare(0.9, is_probed=True))
    seen = [(each.path, each.vocal_share, each.is_probed) for each in catalogue.tracks.candidates("")]
    assert sorted(seen) == [("/a", 0.0, True), ("/b", 0.5, False)]
    assert [catalogue.tracks.vocals(path, stamp) for path in ("/a", "/b", "/nowhere")] == [probed, separated, None]
    assert catalogue.tracks.vocals("/a", FileStamp(10, 1)) is None
    add(catalogue, "/a", "/b")
    assert {(each.vocal_share, each.is_probed) for each in catalogue.tracks.candidates("")} == {(None, False)}
    assert catalogue.tracks.vocals("/a", stamp) is None


def test_stamps_of_paths(catalogue: Catalogue) -> None:
    """Of the known ones."""
    add(catalogue, "/a")
    assert catalogue.tracks.stamps_of(["/a", "/b"]) == {"/a": FileStamp(10, 2**62)}


def test_each_change_has_a_new_revision(catalogue: Catalogue) -> None:
    """So that whoever keeps an order knows when it is old."""
    seen = {(catalogue.tracks.revision(), catalogue.libraries.revision())}
    changes: list[_Change] = [
        lambda: add(catalogue, "/a"),
        lambda: catalogue.tracks.record_vocals("/a", FileStamp(10, 2**62), VocalShare(0.5, is_probed=True)),
        lambda: catalogue.libraries.replace(XML, [file("/a")], []),
        lambda: catalogue.libraries.repoint(XML.prefix, {0: ""}),
        lambda: catalogue.tracks.remove(["/a"]),
    ]
    for change in changes:
        change()
        seen.add((catalogue.tracks.revision(), catalogue.libraries.revision()))
    assert len(seen) == 1 + len(changes)


def test_more_paths_than_one_statement_takes(catalogue: Catalogue) -> None:
    """A page holds a thousand tracks."""
    paths = [f"/{number:04}" for number in range(1100)]
    add(catalogue, *paths)
    catalogue.libraries.replace(XML, [file(path) for path in paths], [FiledCrate("All", tuple(range(1100)))])
    page = catalogue.tracks.page("", "", 1001)
    assert [track.path for track in page] == paths[:1001]
    assert all(track.crates == ("All",) for track in page)
    assert list(catalogue.tracks.tracks(paths)) == paths


def test_prefixes_and_order_are_those_of_code_points(catalogue: Catalogue) -> None:
    """Whatever the order of the database's language: there, `a` and `A` are neighbours and `-` is nothing."""
    paths = ["/M/B.wav", "/M/Z.wav", "/M/a.wav", "/M/ä.wav", "/M-2/a.wav", "/m/a.wav"]
    add(catalogue, *paths)
    assert set(catalogue.tracks.stamps("/M/")) == set(paths[:4])
    assert [track.path for track in catalogue.tracks.page("", "", 9)] == sorted(paths)
    assert [track.path for track in catalogue.tracks.page("/M/", "/M/Z.wav", 9)] == paths[2:4]
