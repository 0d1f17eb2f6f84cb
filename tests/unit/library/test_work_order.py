"""CatalogueWorkOrder: what it takes from where, and what it refuses."""

import pytest

from services.library.core.ports import CatalogueEntry, FiledCrate, FileStamp, LibraryFile, LibraryRecord, NamedFile
from services.library.core.work_order import CatalogueWorkOrder
from stemhouse.errors import NotFound
from stemhouse.tracks import DJFacts, LibraryKind, Track
from tests.unit.library.fakes import MemoryCatalogue, MemoryFolders


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    """A scanned folder of three tracks, an empty one, and a library that names two tracks and one elsewhere."""
    catalogue = MemoryCatalogue()
    for path in ("/music/a.wav", "/music/b.wav", "/music/c.wav", "/drive/d.wav"):
        catalogue.upsert([CatalogueEntry(Track(path, 10, duration_s=60.0), FileStamp(10, 7))])
    for folder in ("/music/", "/empty/"):
        catalogue.replace(LibraryRecord(folder, LibraryKind.FOLDER, ""), [], [])
    paths = ["/music/c.wav", "/drive/d.wav", "/music/a.wav", ""]
    files = [LibraryFile(NamedFile(path, LibraryKind.REKORDBOX, ""), path, None) for path in paths[:-1]]
    files.append(LibraryFile(NamedFile("gone", LibraryKind.REKORDBOX, ""), "", DJFacts("rekordbox")))
    record = LibraryRecord("/music/c.xml/", LibraryKind.REKORDBOX, "1")
    catalogue.replace(
        record, files, [FiledCrate("Friday", (0, 1, 3)), FiledCrate("Été", (2,)), FiledCrate("friday", (2,))]
    )
    return catalogue


@pytest.fixture
def order(catalogue: MemoryCatalogue) -> CatalogueWorkOrder:
    """The core over the catalogue."""
    return CatalogueWorkOrder(catalogue, catalogue, MemoryFolders())


def paths(order: CatalogueWorkOrder, location: str, *crates: str, is_crates_only: bool = False) -> list[str]:
    """In the order of work."""
    files = order.files(location, crates, is_crates_only=is_crates_only)
    assert [file.place for file in files] == list(range(1, len(files) + 1))
    return [file.path for file in files]


def test_crates_that_were_asked_for_come_first(order: CatalogueWorkOrder) -> None:
    """All crates of that name, then those of the crates' order, then the rest."""
    assert paths(order, "/music", "FRIDAY") == ["/music/c.wav", "/drive/d.wav", "/music/a.wav", "/music/b.wav"]
    assert paths(order, "/music", "E\u0301te\u0301") == ["/music/a.wav", "/music/c.wav", "/drive/d.wav", "/music/b.wav"]
    assert paths(order, "/music", "Friday", "été", "friday")[0] == "/music/c.wav"
    assert paths(order, "/music", "été", is_crates_only=True) == ["/music/a.wav"]
    assert paths(order, "/music", is_crates_only=True) == []


def test_location_is_a_folder_or_a_library(order: CatalogueWorkOrder) -> None:
    """A folder below a scanned one will do; one without tracks has no work."""
    assert paths(order, "/music/c.xml") == ["/music/c.wav", "/drive/d.wav", "/music/a.wav"]
    assert paths(order, "/drive") == ["/drive/d.wav"]
    assert paths(order, "/empty") == []
    assert len(paths(order, "")) == 4


def test_file_has_what_a_batch_needs(order: CatalogueWorkOrder) -> None:
    """Size, time and length as the scan found them."""
    file = order.files("/drive", [], is_crates_only=False)[0]
    assert (file.size_bytes, file.modified_ns, file.duration_s, file.reasons) == (10, 7, 60.0, ())


def test_location_that_was_not_scanned_is_refused(order: CatalogueWorkOrder) -> None:
    """With the command that helps."""
    with pytest.raises(NotFound, match="stemhouse library scan '/my mus'"):
        order.files("/my mus", [], is_crates_only=False)


def test_unknown_crate_is_refused(order: CatalogueWorkOrder) -> None:
    """And where there is one, if it is in another library."""
    with pytest.raises(NotFound, match=r"no crate 'Sunday' in /music; `stemhouse library crates` lists all$"):
        order.files("/music", ["Sunday"], is_crates_only=False)
    with pytest.raises(NotFound, match=r"no crate 'Friday' in /drive; /music/c\.xml has one"):
        order.files("/drive", ["Friday"], is_crates_only=False)


def test_crate_brings_those_inside_of_it(catalogue: MemoryCatalogue, order: CatalogueWorkOrder) -> None:
    """A last part will do where it is the only one; near names are told where none is meant."""
    file = LibraryFile(NamedFile("/music/b.wav", LibraryKind.SERATO, ""), "/music/b.wav", None)
    other = LibraryFile(NamedFile("/music/c.wav", LibraryKind.SERATO, ""), "/music/c.wav", None)
    names = {
        "House/Deep": (0,),
        "House": (1,),
        "Housewife": (0, 1),
        "A/Late": (0,),
        "B/Late": (1,),
        "Clubs/Peak \N{DIVISION SLASH} Time": (0,),
    }
    crates = [FiledCrate(name, places) for name, places in names.items()]
    catalogue.replace(LibraryRecord("/music/", LibraryKind.FOLDER, "1"), [file, other], crates)
    assert paths(order, "/music", "house", is_crates_only=True) == ["/music/c.wav", "/music/b.wav"]
    assert paths(order, "/music", "deep", is_crates_only=True) == ["/music/b.wav"]
    for typed in ("Clubs/Peak / Time", "peak / time", "Peak \N{DIVISION SLASH} Time"):
        assert paths(order, "/music", typed, is_crates_only=True) == ["/music/b.wav"]
    for wrong, near in (
        ("Late", "more than one ends like that, 'A/Late', 'B/Late'$"),
        ("Hose", "'House', 'Housewife'$"),
        ("zzz", "library crates"),
    ):
        with pytest.raises(NotFound, match=near):
            paths(order, "/music", wrong)
