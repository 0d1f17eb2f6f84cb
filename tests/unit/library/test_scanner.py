"""DJLibraryScanner on fakes: what it reads, reports, keeps and removes."""

import pytest

from services.library.core.ports import FileStamp, FoundFile
from services.library.core.scan_tally import ScanTally
from services.library.core.scanner import BATCH_FILES, DJLibraryScanner, ScannerParts
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem, ScanProgress, Track
from tests.unit.library.fakes import MemoryCatalogue, MemoryFolders, MemoryLibraries


def found(path: str, modified_ns: int = 1, size_bytes: int = 1000) -> FoundFile:
    """A file as a walk meets it."""
    return FoundFile(path, FileStamp(size_bytes, modified_ns))


def scan(folders: MemoryFolders, catalogue: MemoryCatalogue, folder: str = "/music") -> list[ScanProgress]:
    """All reports of a scan."""
    return list(scanner(folders, catalogue).scan(folder))


def scanner(
    folders: MemoryFolders, catalogue: MemoryCatalogue, libraries: MemoryLibraries | None = None
) -> DJLibraryScanner:
    """The core over fakes."""
    readers = libraries or MemoryLibraries(folders)
    return DJLibraryScanner(ScannerParts(catalogue, catalogue, folders, folders, readers))


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    """An empty catalogue."""
    return MemoryCatalogue()


def test_first_scan_adds_every_file(catalogue: MemoryCatalogue) -> None:
    """The outcome counts them, and the catalogue holds their tags."""
    outcome = scan(MemoryFolders(found("/music/a.wav"), found("/music/b/c.mp3")), catalogue)[-1]
    assert outcome == ScanProgress(found_count=2, added_count=2, is_complete=True)
    assert [track.title for track in catalogue.page("", "", 10)] == ["a.wav@1", "c.mp3@1"]


def test_unchanged_file_is_not_read_again(catalogue: MemoryCatalogue) -> None:
    """Size and time of change decide."""
    folders = MemoryFolders(found("/music/a.wav"), found("/music/b.wav"), found("/music/c.wav"))
    scan(folders, catalogue)
    folders.read_paths.clear()
    folders.met |= {"/music/b.wav": found("/music/b.wav", 2), "/music/c.wav": found("/music/c.wav", 1, 999)}
    outcome = scan(folders, catalogue)[-1]
    assert folders.read_paths == ["/music/b.wav", "/music/c.wav"]
    assert outcome == ScanProgress(found_count=3, updated_count=2, unchanged_count=1, is_complete=True)
    assert catalogue.entries["/music/b.wav"].track.title == "b.wav@2"


def test_vanished_file_is_removed_below_the_folder_only(catalogue: MemoryCatalogue) -> None:
    """A scan says nothing about other folders, even those whose name begins alike."""
    folders = MemoryFolders(*map(found, ["/music/a.wav", "/music/b.wav", "/music2/c.wav"]))
    scan(folders, catalogue)
    scan(folders, catalogue, "/music2")
    del folders.met["/music/b.wav"], folders.met["/music2/c.wav"]
    assert scan(folders, catalogue)[-1].removed_count == 1
    assert sorted(catalogue.entries) == ["/music/a.wav", "/music2/c.wav"]


def test_folder_that_cannot_be_looked_at_keeps_its_tracks(catalogue: MemoryCatalogue) -> None:
    """A drive that went away or a refused folder must not empty the catalogue."""
    folders = MemoryFolders(*map(found, ["/music/a.wav", "/music/locked/b.wav", "/music/locked2/c.wav"]))
    scan(folders, catalogue)
    refused = ScanProblem("/music/locked/", "Permission denied")
    folders.met = {"/music/a.wav": found("/music/a.wav"), refused.path: refused}
    reports = scan(folders, catalogue)
    assert [problem for report in reports for problem in report.problems] == [refused]
    assert reports[-1].removed_count == 1
    assert sorted(catalogue.entries) == ["/music/a.wav", "/music/locked/b.wav"]


def test_unreadable_file_is_known_by_its_name(catalogue: MemoryCatalogue) -> None:
    """A batch takes it on, and fails it with a cause; each scan tells of it until it is mended."""
    folders = MemoryFolders(found("/music/a.wav"), found("/music/b.wav"))
    folders.unreadable.add("/music/a.wav")
    for added_count, unchanged_count in ((2, 0), (0, 1)):
        reports = scan(folders, catalogue)
        problems = [problem for report in reports for problem in report.problems]
        assert problems == [ScanProblem("/music/a.wav", "damaged")]
        assert (reports[-1].added_count, reports[-1].unchanged_count) == (added_count, unchanged_count)
        assert reports[-1].updated_count == 0
    assert catalogue.entries["/music/a.wav"].track == Track("/music/a.wav", 1000)
    folders.unreadable.clear()
    assert scan(folders, catalogue)[-1].updated_count == 1
    assert catalogue.entries["/music/a.wav"].track.title == "a.wav@1"


def test_file_that_goes_while_it_is_read_is_no_track(catalogue: MemoryCatalogue) -> None:
    """There is nothing to separate."""
    folders = MemoryFolders(found("/music/a.wav"))
    folders.unreadable.add("/music/a.wav")
    folders.look = lambda path: ScanProblem(path, "not there")  # type: ignore[method-assign]  # gone behind the walk
    assert scan(folders, catalogue)[-1].added_count == 0


def test_problems_are_handed_out_in_reports_of_five_hundred(catalogue: MemoryCatalogue) -> None:
    """One message of gRPC holds 4 MB; texts that no path and no reason has are cut."""
    folders = MemoryFolders(*(ScanProblem(f"/music/{number:04}{'x' * 9000}", "no") for number in range(1100)))
    reports = scan(folders, catalogue)
    assert sum(len(report.problems) for report in reports) == 1100
    assert max(sum(len(told.path) for told in report.problems) for report in reports) <= 250_000
    folders = MemoryFolders(*(ScanProblem(f"/music/{number:04}", "no") for number in range(1100)))
    tally = ScanTally(problems=list(folders.met.values()))  # type: ignore[arg-type]  # of problems only
    assert [(len(report.problems), report.is_complete) for report in tally.last_reports()] == [
        (500, False),
        (500, False),
        (100, True),
    ]


def test_folder_that_was_left_empty_keeps_its_tracks(catalogue: MemoryCatalogue) -> None:
    """So does a mount look whose volume is away; tracks of a folder that went altogether are gone."""
    folders = MemoryFolders(*map(found, ["/music/a.wav", "/music/usb/x/b.wav", "/music/old/c.wav"]))
    scan(folders, catalogue)
    folders.met = {"/music/a.wav": found("/music/a.wav")}
    folders.bare.add("/music/usb/")
    reports = scan(folders, catalogue)
    assert sorted(catalogue.entries) == ["/music/a.wav", "/music/usb/x/b.wav"]
    (problem,) = [problem for report in reports for problem in report.problems]
    assert problem.path == "/music/usb/"
    assert "1 tracks" in problem.reason


def test_track_whose_file_became_unreadable_stays(catalogue: MemoryCatalogue) -> None:
    """What was known of it is better than nothing."""
    folders = MemoryFolders(found("/music/a.wav"))
    scan(folders, catalogue)
    folders.met["/music/a.wav"] = found("/music/a.wav", 2)
    folders.unreadable.add("/music/a.wav")
    assert scan(folders, catalogue)[-1].removed_count == 0
    assert catalogue.entries["/music/a.wav"].track.title == "a.wav@1"


def test_reports_come_every_hundred_files(catalogue: MemoryCatalogue) -> None:
    """A client sees progress, and what it has seen is already stored."""
    folders = MemoryFolders(*(found(f"/music/{number:03}.wav") for number in range(250)))
    seen = []
    for report in scanner(folders, catalogue).scan("/music"):
        seen.append((report.found_count, report.is_complete))
        assert len(catalogue.entries) == report.added_count
    assert seen == [(BATCH_FILES, False), (200, False), (250, False), (250, True)]


def test_missing_folder_removes_nothing(catalogue: MemoryCatalogue) -> None:
    """An unplugged drive is an error, not an empty library."""
    folders = MemoryFolders(found("/music/a.wav"))
    scan(folders, catalogue)
    folders.met.clear()
    with pytest.raises(NotFound):
        scan(folders, catalogue)
    assert list(catalogue.entries) == ["/music/a.wav"]


def test_relative_folder_is_refused(catalogue: MemoryCatalogue) -> None:
    """A path that depends on where the service runs means nothing to a client."""
    with pytest.raises(InvalidRequest):
        scan(MemoryFolders(), catalogue, "music")
