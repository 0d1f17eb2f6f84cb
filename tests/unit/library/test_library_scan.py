"""What several programs say at one location, put together."""

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.library_scan import contents_of
from services.library.core.ports import LibrarySource
from stemhouse.tracks import DJFacts, LibraryKind, ScanProblem

FACTS = DJFacts("serato", bpm=120.0)


def source(kind: LibraryKind, *crates: CrateListing, facts: DJFacts | None = None) -> LibrarySource:
    """A library of these crates; of the file `f` something is known."""
    locations = dict.fromkeys(location for crate in crates for location in crate.locations)
    entries = tuple(LibraryEntry(name, facts if name == "f" else None) for name in locations)
    return LibrarySource(kind, "/", DJLibrary(entries, crates, ("a warning",)))


def test_crate_that_serato_4_knows_is_not_taken_from_version_3() -> None:
    """Nor are files that only the older one names, unless something is known of them."""
    database = source(LibraryKind.SERATO, CrateListing(("House",), ("new",)))
    left = source(
        LibraryKind.SERATO,
        CrateListing(("House",), ("old", "shared", "f")),
        CrateListing(("Old",), ("shared",)),
        facts=FACTS,
    )
    playlists = source(LibraryKind.M3U, CrateListing(("House",), ("old",)))
    contents = contents_of([database, left, playlists])
    assert [file.location for file in contents.named] == ["new", "shared", "f", "old"]
    assert [file.kind for file in contents.named][-1] is LibraryKind.M3U
    assert list(contents.facts) == [None, None, FACTS, None]
    assert [(crate.name, crate.positions) for crate in contents.crates] == [
        ("House", (0,)),
        ("Old", (1,)),
        ("House", (3,)),
    ]
    assert list(contents.warnings) == ["a warning"] * 3


def test_missing_file_has_its_first_witness() -> None:
    """A file that two programs miss is missing once; one that no crate names is missing in the collection."""
    first = source(LibraryKind.SERATO, CrateListing(("Friday",), ("x", "y")))
    second = source(LibraryKind.M3U, CrateListing(("Late",), ("x",)))
    alone = LibrarySource(LibraryKind.TRAKTOR, "/", DJLibrary((LibraryEntry("z"),)))
    contents = contents_of([first, second, alone])
    assert list(contents.missing(["", "/y", "", ""])) == [
        ScanProblem("x", "crate Friday names it, and it is not there"),
        ScanProblem("z", "the collection names it, and it is not there"),
    ]
