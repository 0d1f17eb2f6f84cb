"""DJLibraryScanner on fakes: what it reads, reports, keeps and removes."""

import pytest

from services.library.core.ports import FileStamp, FoundFile
from services.library.core.scanner import BATCH_FILES, DJLibraryScanner, ScannerParts
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem, ScanProgress
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


def test_unreadable_file_is_reported_and_the_scan_goes_on(catalogue: MemoryCatalogue) -> None:
    """The problem names the file; it counts as found, and is tried again by the next scan."""
    folders = MemoryFolders(found("/music/a.wav"), found("/music/b.wav"))
    folders.unreadable.add("/music/a.wav")
    reports = scan(folders, catalogue)
    assert [problem for report in reports for problem in report.problems] == [ScanProblem("/music/a.wav", "damaged")]
    assert reports[-1] == ScanProgress(found_count=2, added_count=1, is_complete=True)
    folders.unreadable.clear()
    assert scan(folders, catalogue)[-1].added_count == 1


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
