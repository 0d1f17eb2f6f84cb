"""DJLibraryScanner on fakes: what it makes of crates, of missing files, and of our own ones."""

import pytest

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.locations import PathMap
from services.library.core.ports import FileStamp, FoundFile, OwnFile
from services.library.core.scanner import DJLibraryScanner, ScannerParts
from stemhouse.errors import LibraryRejected, NotFound
from stemhouse.tracks import Crate, DJFacts, LibraryKind, ScanProblem, ScanProgress
from tests.unit.library.fakes import MemoryCatalogue, MemoryFolders, MemoryLibraries

XML = "/dj/collection.xml"


class World:
    """A scanner over fakes; files are there until they are taken away."""

    def __init__(self, *paths: str) -> None:
        self.folders = MemoryFolders(*(FoundFile(path, FileStamp(1000, 1)) for path in paths))
        self.libraries = MemoryLibraries(self.folders)
        self.catalogue = MemoryCatalogue()
        self.parts = ScannerParts(self.catalogue, self.catalogue, self.folders, self.folders, self.libraries)

    def put_library(self, location: str, kind: LibraryKind, *crates: CrateListing, **facts: DJFacts) -> None:
        """A library with these crates, changed since the last scan; facts by the names of files in `/music`."""
        known = {f"/music/{name}.wav": value for name, value in facts.items()}
        locations = dict.fromkeys([*known, *(location for crate in crates for location in crate.locations)])
        entries = tuple(LibraryEntry(name, known.get(name)) for name in locations)
        self.libraries.libraries[location] = (kind, DJLibrary(entries, crates, ()))
        self.libraries.version += 1

    def scan(self, location: str, *path_maps: PathMap) -> tuple[ScanProgress, list[ScanProblem]]:
        """The outcome, and all problems."""
        reports = list(DJLibraryScanner(self.parts).scan(location, path_maps=path_maps))
        return reports[-1], [problem for report in reports for problem in report.problems]

    def crates(self) -> list[tuple[str, int, int]]:
        """Names, and how many of their files are there and how many missing."""
        return [(crate.name, crate.track_count, crate.missing_count) for crate in self.catalogue.crates("")]


def crate(name: str, *names: str) -> CrateListing:
    """A crate of files in `/music`."""
    return CrateListing(tuple(name.split("/")), tuple(f"/music/{each}.wav" for each in names))


def test_library_brings_its_files_and_crates() -> None:
    """In the crates' order; the tags are read from the files."""
    world = World("/music/a.wav", "/music/b.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Sets/Friday", "b", "a"), crate("Late", "a"))
    outcome, problems = world.scan(XML)
    assert (outcome.found_count, outcome.added_count, outcome.crate_count, problems) == (2, 2, 2, [])
    assert world.catalogue.crates("") == [Crate("Sets/Friday", XML, 2, 0), Crate("Late", XML, 1, 0)]
    assert world.catalogue.page(f"{XML}/", "", 9)[0].crates == ("Sets/Friday", "Late")
    assert list(world.catalogue.crate_places("")) == [
        ("/music/b.wav", 0, 0),
        ("/music/a.wav", 0, 1),
        ("/music/a.wav", 1, 0),
    ]


def test_one_file_of_two_libraries_is_one_track() -> None:
    """With the crates of both, and what each program knows; read once."""
    world = World("/music/a.wav")
    world.put_library("/music", LibraryKind.FOLDER, crate("Playlist", "a"))
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Friday", "a"), a=DJFacts("rekordbox", bpm=126.0))
    world.put_library("/dj/t.nml", LibraryKind.TRAKTOR, crate("Late", "a"), a=DJFacts("traktor", key="Fm"))
    for location in ("/music", XML, "/dj/t.nml"):
        world.scan(location)
    (track,) = world.catalogue.page("", "", 9)
    assert track.crates == ("Friday", "Late", "Playlist")
    assert [facts.program for facts in track.dj_facts] == ["rekordbox", "traktor"]
    assert (track.bpm, track.key, track.title) == (126.0, "Fm", "a.wav@1")
    assert world.folders.read_paths == ["/music/a.wav"]


def test_missing_file_is_counted_reported_and_remembered() -> None:
    """Once, however many crates name it; and again by the next scan, which reads no library that is unchanged."""
    world = World("/music/a.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Friday", "a", "gone"), crate("Late", "gone"))
    for _ in range(2):
        outcome, problems = world.scan(XML)
        assert outcome.missing_count == 1
        assert problems == [ScanProblem("/music/gone.wav", "crate Friday names it, and it is not there")]
        assert world.crates() == [("Friday", 1, 1), ("Late", 0, 1)]
    assert world.libraries.read_count == 1


def test_file_that_comes_back_is_found_in_an_unchanged_library() -> None:
    """And is in its crates again."""
    world = World("/music/a.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Friday", "late", "a"))
    world.scan(XML)
    world.folders.met["/music/late.wav"] = FoundFile("/music/late.wav", FileStamp(1, 1))
    outcome, problems = world.scan(XML)
    assert (outcome.added_count, outcome.missing_count, problems) == (1, 0, [])
    assert (world.crates(), world.libraries.read_count) == ([("Friday", 2, 0)], 1)


def test_file_that_goes_is_missing_and_no_track() -> None:
    """For every library that names it."""
    world = World("/music/a.wav", "/music/b.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Friday", "a", "b"))
    world.put_library("/dj/t.nml", LibraryKind.TRAKTOR, crate("Late", "b"))
    world.scan(XML)
    world.scan("/dj/t.nml")
    del world.folders.met["/music/b.wav"]
    outcome, _ = world.scan(XML)
    assert (outcome.removed_count, outcome.missing_count) == (1, 1)
    assert list(world.catalogue.entries) == ["/music/a.wav"]
    assert world.crates() == [("Friday", 1, 1), ("Late", 0, 1)]


def test_files_on_a_volume_that_is_away_stay() -> None:
    """Tracks, crates and all; the scan says so, and finds them again when the volume is back."""
    world = World("/music/a.wav", "/music/usb/b.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Friday", "a", "usb/b"))
    world.scan(XML)
    usb = world.folders.met.pop("/music/usb/b.wav")
    world.folders.away = ("/music/usb/",)
    for _ in range(2):
        outcome, problems = world.scan(XML)
        assert (outcome.removed_count, outcome.missing_count) == (0, 0)
        assert problems == [
            ScanProblem("/music/usb/b.wav", "1 files lie on a volume that is away; what is known of them stays")
        ]
        assert world.crates() == [("Friday", 2, 0)]
    world.folders.met[usb.path], world.folders.away = usb, ()
    assert world.scan(XML)[0].unchanged_count == 2


def test_crates_of_a_changed_library_replace_those_before() -> None:
    """Tracks that nobody names any more go, unless a scanned folder holds them."""
    world = World("/music/a.wav", "/music/b.wav", "/elsewhere/c.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Old", "a", "b", "../elsewhere/c"))
    world.scan(XML)
    world.scan("/music")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("New", "b"))
    outcome, _ = world.scan(XML)
    assert outcome.removed_count == 1
    assert world.crates() == [("New", 1, 0)]
    assert list(world.catalogue.entries) == ["/music/a.wav", "/music/b.wav"]


def test_files_of_crates_outside_a_folder_belong_to_its_tracks() -> None:
    """A playlist in the folder names one on another drive."""
    world = World("/music/a.wav", "/drive/b.wav", "/drive/c.wav")
    world.put_library("/music", LibraryKind.FOLDER, CrateListing(("Friday",), ("a.wav", "../drive/b.wav")))
    outcome, _ = world.scan("/music")
    assert outcome.added_count == 2
    assert [track.path for track in world.catalogue.page("/music/", "", 9)] == ["/drive/b.wav", "/music/a.wav"]


def test_links_do_not_make_two_tracks_of_one_file() -> None:
    """A folder behind a link is walked by the link's name, and crates name the real one."""
    world = World()
    world.folders.met["/music/a.wav"] = FoundFile("/music/a.wav", FileStamp(1, 1), "/drive/a.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, CrateListing(("Friday",), ("/drive/a.wav",)))
    world.scan("/music")
    world.scan(XML)
    (track,) = world.catalogue.page("", "", 9)
    assert (track.path, track.crates) == ("/music/a.wav", ("Friday",))


def test_own_files_are_counted_and_not_taken_in() -> None:
    """Neither by the walk nor by a crate of stems; what was taken in before goes."""
    world = World("/music/a.wav", "/music/out/vocals.wav")
    world.scan("/music")
    world.folders.met["/music/out/vocals.wav"] = OwnFile("/music/out/vocals.wav")
    world.put_library("/music", LibraryKind.FOLDER, crate("Stems", "out/vocals", "a"))
    for removed_count in (1, 0, 0):
        outcome, problems = world.scan("/music")
        assert (outcome.own_count, outcome.found_count, outcome.removed_count) == (1, 1, removed_count)
        assert problems == []
    assert list(world.catalogue.entries) == ["/music/a.wav"]
    assert world.crates() == [("Stems", 1, 0)]


def test_broken_library_in_a_folder_leaves_its_crates_as_they_were() -> None:
    """The folder's files are scanned all the same; a library that was named is an error."""
    world = World("/music/a.wav", "/drive/b.wav")
    world.put_library("/music", LibraryKind.FOLDER, CrateListing(("Friday",), ("../drive/b.wav",)))
    world.scan("/music")
    world.libraries.is_broken = True
    world.libraries.version += 1
    outcome, problems = world.scan("/music")
    assert outcome.removed_count == 0
    assert problems == [ScanProblem("/music", "damaged beyond reading; its crates stay as they were")]
    assert world.crates() == [("Friday", 1, 0)]
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Late", "a"))
    with pytest.raises(LibraryRejected):
        world.scan(XML)


def test_folder_whose_libraries_may_not_be_looked_at_is_scanned() -> None:
    """Of crates that cannot be told to have changed it is known what was known."""
    world = World("/music/a.wav")
    world.put_library("/music", LibraryKind.FOLDER, crate("Friday", "a"))
    world.scan("/music")

    def refuse(location: str, kind: LibraryKind) -> str:
        raise LibraryRejected(f"{location} {kind}: Permission denied")

    world.libraries.fingerprint = refuse  # type: ignore[method-assign]  # a folder that was shut
    _, (problem,) = world.scan("/music")
    assert "Permission denied; its crates stay as they were" in problem.reason
    assert world.crates() == [("Friday", 1, 0)]


def test_path_maps_are_remembered() -> None:
    """Whoever scans again need not know them; other ones take their place."""
    world = World("/music/a.wav", "/other/a.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, CrateListing(("Friday",), ("D:/Musik/a.wav",)))
    assert world.scan(XML)[0].missing_count == 1
    for maps in ([PathMap("D:/Musik", "/music")], []):
        assert world.scan(XML, *maps)[0].missing_count == 0
        assert list(world.catalogue.entries) == ["/music/a.wav"]
    world.scan(XML, PathMap("D:/Musik", "/other"))
    assert list(world.catalogue.entries) == ["/other/a.wav"]


def test_empty_folder_does_not_empty_the_catalogue() -> None:
    """It is what is left where a volume was mounted; one that holds other things has lost its tracks."""
    world = World("/music/a.wav")
    world.scan("/music")
    world.folders.met.clear()
    world.folders.bare.add("/music/")
    outcome, (problem,) = world.scan("/music")
    assert outcome.removed_count == 0
    assert problem.path == "/music/"
    assert "1 tracks that are known of it stay" in problem.reason


def test_missing_location_says_what_is_kept() -> None:
    """And asks for the volume."""
    world = World("/music/a.wav")
    world.scan("/music")
    world.folders.met.clear()
    with pytest.raises(NotFound, match="1 tracks that are known of it stay: is its volume mounted"):
        world.scan("/music")


def test_tempo_that_a_program_has_written_into_the_file_counts() -> None:
    """Where the file has no tag of its own for it."""
    world = World("/music/a.wav")
    world.folders.facts["/music/a.wav"] = DJFacts("serato", title="No", bpm=126.5)
    world.scan("/music")
    (each,) = world.catalogue.candidates("")
    assert (each.bpm, each.title) == (126.5, "a.wav@1")


def test_unreadable_file_of_a_crate_is_a_problem() -> None:
    """The others are read; it is a track of its crate all the same."""
    world = World("/music/a.wav", "/music/b.wav")
    world.folders.unreadable.add("/music/a.wav")
    world.put_library(XML, LibraryKind.REKORDBOX, crate("Friday", "a", "b"))
    outcome, problems = world.scan(XML)
    assert (outcome.added_count, problems) == (2, [ScanProblem("/music/a.wav", "damaged")])


def test_place_that_is_missing_as_a_whole_is_told_with_its_map() -> None:
    """Before its files; not for a drive of which some files were found, nor for a single file."""
    world = World("/Volumes/A/1.wav")
    names = ["C:/Users/the DJ/Music/1.wav", "C:/Users/the DJ/2.wav", "D:/3.wav"]
    names += [f"/Volumes/A/{number}.wav" for number in (1, 2, 3)]
    world.put_library(XML, LibraryKind.REKORDBOX, CrateListing(("Friday",), tuple(names)))
    outcome, problems = world.scan(XML)
    assert (outcome.missing_count, len(problems)) == (5, 6)
    reason = "all 2 files below it are missing; --map 'C:/Users/the DJ'=FOLDER says where they are here"
    assert problems[0] == ScanProblem("C:/Users/the DJ", reason)


def test_scan_of_crates_says_nothing_of_files_beside_them() -> None:
    """Only a walk can tell that a file of a folder has gone; what it knew stays."""
    world = World("/music/a.wav", "/music/b.wav")
    world.put_library("/music", LibraryKind.SERATO, crate("Friday", "a"))
    list(DJLibraryScanner(world.parts).scan("/music", LibraryKind.FOLDER))
    outcome, _ = world.scan("/music")
    assert (outcome.found_count, outcome.removed_count) == (1, 0)
    assert sorted(world.catalogue.entries) == ["/music/a.wav", "/music/b.wav"]
