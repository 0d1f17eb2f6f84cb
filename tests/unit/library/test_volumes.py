"""Files under the names that other programs have written down: case, accents, links, and what cannot be read."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from services.library.adapters.volumes import OwnDisk, Volumes

COMPOSED, APART = "J\u00f3ga", "Jo\u0301ga"


class MemoryDisk:
    """Disk with these files; the volumes below `ignoring` do not tell case apart, as those of macOS and Windows."""

    def __init__(self, *files: str, ignoring: tuple[str, ...] = (), unreadable: tuple[str, ...] = ()) -> None:
        self._files = files
        self._ignoring = ignoring
        self._unreadable = unreadable
        self._entries = {str(path) for file in files for path in (PurePosixPath(file), *PurePosixPath(file).parents)}
        self.listed: Counter[str] = Counter()

    def names(self, folder: str) -> Sequence[str]:
        """Without an order."""
        self.listed[folder] += 1
        if folder in self._unreadable:
            raise PermissionError(folder)
        if folder not in self._entries or folder in self._files:
            raise FileNotFoundError(folder)
        return [
            PurePosixPath(entry).name for entry in self._entries if str(PurePosixPath(entry).parent) == folder != entry
        ]

    def identity(self, path: str) -> tuple[int, int]:
        """Device 0, or one for each volume that ignores case."""
        for device, volume in enumerate(self._ignoring, 1):
            if path.startswith(volume):
                there = {entry.lower(): number for number, entry in enumerate(sorted(self._entries))}
                return device, self._inode(there, path.lower())
        return 0, self._inode({entry: number for number, entry in enumerate(sorted(self._entries))}, path)

    def is_file(self, path: str) -> bool:
        """Only as it is spelled."""
        return path in self._files

    def real_path(self, path: str) -> str:
        """There are no links."""
        return path

    @staticmethod
    def _inode(inodes: dict[str, int], path: str) -> int:
        if path not in inodes:
            raise FileNotFoundError(path)
        return inodes[path]


def test_first_candidate_that_is_there_is_found(tmp_path: Path) -> None:
    """Folders, and what is missing, are none; nothing is found where nothing is."""
    file = tmp_path / "Music" / "a b.mp3"
    file.parent.mkdir()
    file.write_bytes(b"")
    missing, folder = str(tmp_path / "no" / "a b.mp3"), str(tmp_path / "Music")
    assert Volumes().resolve([missing, folder, str(file), str(tmp_path / "x")]) == str(file.resolve())
    assert Volumes().resolve([missing, folder, f"{file}/x", "Music/a b.mp3", "a\0b", f"/{'x' * 300}"]) is None
    assert Volumes().resolve([]) is None


def test_relative_path_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the process happens to be."""
    (tmp_path / "a.mp3").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert Volumes().resolve(["a.mp3", "./a.mp3"]) is None


@pytest.mark.parametrize(("there", "asked"), [(COMPOSED, APART), (APART, COMPOSED), (COMPOSED, COMPOSED)])
def test_accents_are_compared_whatever_they_are_made_of(tmp_path: Path, there: str, asked: str) -> None:
    """In folders and files; what is found is spelled as it is there."""
    file = tmp_path / there / f"{there}.mp3"
    file.parent.mkdir()
    file.write_bytes(b"")
    assert Volumes().resolve([str(tmp_path / asked / f"{asked}.mp3")]) == str(file.resolve())


def test_exact_name_wins(tmp_path: Path) -> None:
    """Where both spellings of an accent lie side by side."""
    for name in (COMPOSED, APART):
        (tmp_path / name).write_bytes(b"")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this volume takes the two for one")
    for name in (COMPOSED, APART):
        assert Volumes().resolve([str(tmp_path / name)]) == str(tmp_path.resolve() / name)


def test_links_are_followed(tmp_path: Path) -> None:
    """To folders and to files; one that leads nowhere, or in a circle, is no file."""
    file = tmp_path / "real" / "a.mp3"
    file.parent.mkdir()
    file.write_bytes(b"")
    (tmp_path / "Music").symlink_to(file.parent)
    (tmp_path / "b.mp3").symlink_to(file)
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nothing")
    (tmp_path / "circle.mp3").symlink_to(tmp_path / "circle.mp3")
    volumes = Volumes()
    assert volumes.resolve([str(tmp_path / "Music" / "a.mp3")]) == str(file.resolve())
    assert volumes.resolve([str(tmp_path / "gone.mp3"), str(tmp_path / "circle.mp3")]) is None
    assert volumes.resolve([str(tmp_path / "b.mp3")]) == str(file.resolve())


def test_case_of_this_volume_is_found_without_writing(tmp_path: Path) -> None:
    """As a file says that is asked for in the other case; the folder stays as it is."""
    (tmp_path / "Track.mp3").write_bytes(b"")
    is_sensitive = not (tmp_path / "tRACK.MP3").exists()
    before = tmp_path.stat().st_mtime_ns
    volumes = Volumes()
    assert volumes.is_case_sensitive(str(tmp_path)) == is_sensitive
    assert (volumes.resolve([str(tmp_path / "TRACK.mp3")]) is None) == is_sensitive
    assert tmp_path.stat().st_mtime_ns == before
    assert os.listdir(tmp_path) == ["Track.mp3"]  # noqa: PTH208  # names, not paths


def test_case_is_ignored_only_where_the_volume_ignores_it() -> None:
    """Found as it is spelled there; another volume of the same machine tells case apart."""
    disk = MemoryDisk("/Volumes/USB/Music/A.mp3", "/home/me/Music/A.mp3", ignoring=("/Volumes/USB",))
    volumes = Volumes(disk)
    assert volumes.resolve(["/Volumes/USB/MUSIC/a.MP3"]) == "/Volumes/USB/Music/A.mp3"
    assert volumes.resolve(["/home/me/MUSIC/a.MP3"]) is None
    assert volumes.resolve(["/Volumes/usb/Music/A.mp3"]) is None
    assert not volumes.is_case_sensitive("/Volumes/USB/Music")
    assert volumes.is_case_sensitive("/home/me")


def test_names_that_differ_only_in_case_show_a_volume_that_tells_them_apart() -> None:
    """Without asking for either."""
    volumes = Volumes(MemoryDisk("/d/a.mp3", "/d/A.mp3"))
    assert volumes.is_case_sensitive("/d")
    assert volumes.resolve(["/d/A.mp3"]) == "/d/A.mp3"


def test_two_names_of_one_file_do_not_hide_that_case_counts(tmp_path: Path) -> None:
    """Hard links that differ in case are the same file, in a folder that tells them apart."""
    (tmp_path / "a.mp3").write_bytes(b"")
    if (tmp_path / "A.MP3").exists():
        pytest.skip("this volume ignores case")
    (tmp_path / "A.MP3").hardlink_to(tmp_path / "a.mp3")
    assert Volumes().is_case_sensitive(str(tmp_path))


def test_folder_without_letters_asks_the_one_above() -> None:
    """Nor do names that have two letters in the other case; a folder that cannot be read or is not there has none."""
    disk = MemoryDisk("/Usb/1/2.3", "/Usb/secret/a", "/Usb/2/ß", ignoring=("/Usb",), unreadable=("/Usb/secret",))
    for folder in ("/Usb/1", "/Usb/none", "/Usb/secret", "/Usb/2"):
        assert not Volumes(disk).is_case_sensitive(folder)
    assert Volumes(MemoryDisk("/1/2")).is_case_sensitive("/1")


def test_folder_that_cannot_be_listed_is_passed_through() -> None:
    """One may lead to a file all the same; its names are taken as they are asked for."""
    volumes = Volumes(MemoryDisk("/a/b/c.mp3", unreadable=("/a", "/")))
    assert volumes.resolve(["/a/b/c.mp3"]) == "/a/b/c.mp3"
    assert volumes.resolve(["/a/B/c.mp3"]) is None


def test_folders_are_listed_once() -> None:
    """However many files are asked for, and whether or not they are there."""
    disk = MemoryDisk(*(f"/Music/{number}.mp3" for number in range(100)))
    volumes = Volumes(disk)
    assert all(volumes.resolve([f"/Music/{number}.mp3"]) for number in range(100))
    assert not any(volumes.resolve([f"/Gone/{number}.mp3", f"/Music/x/{number}"]) for number in range(100))
    assert max(disk.listed.values()) <= 2  # the second time for its case


def test_disk_of_this_machine_tells_what_is_not_there(tmp_path: Path) -> None:
    """As errors where there is something to ask for, as no file otherwise."""
    with pytest.raises(FileNotFoundError):
        OwnDisk().names(str(tmp_path / "no"))
    with pytest.raises(FileNotFoundError):
        OwnDisk().identity(str(tmp_path / "no"))
    assert not OwnDisk().is_file(str(tmp_path))
