"""DiskFolders on real folders: what a walk meets, and what it survives."""

import os
from pathlib import Path

import pytest

from services.library.adapters.folders import DiskFolders
from services.library.core.ports import FoundFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem


def make(folder: Path, *names: str) -> None:
    """Files of a few bytes, with their folders."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"data")


def walk(folder: Path) -> list[FoundFile | ScanProblem]:
    """All that a walk gives."""
    folders = DiskFolders()
    return list(folders.walk(folders.prefix(str(folder))))


def names(folder: Path) -> list[str]:
    """Paths of the found files, from the folder on."""
    found = walk(folder)
    assert all(isinstance(item, FoundFile) for item in found)
    return [str(Path(item.path).relative_to(folder)) for item in found]


def test_audio_files_are_found_at_any_depth(tmp_path: Path) -> None:
    """By extension in any case, folders after the files beside them, each in order of names."""
    make(
        tmp_path, "b.WAV", "a.mp3", "z/é 日本語 🎧.Flac", "c/d/e/f.wav", "cover.jpg", "c/notes.txt", "wav", "x.wav.bak"
    )
    assert names(tmp_path) == ["a.mp3", "b.WAV", "c/d/e/f.wav", "z/é 日本語 🎧.Flac"]


def test_all_formats_that_can_be_separated_are_found(tmp_path: Path) -> None:
    """By extension, which is all that a walk sees; ingest judges by content."""
    files = ["a.aac", "a.aif", "a.aifc", "a.aiff", "a.flac", "a.m4a", "a.mp3", "a.mp4"]
    files += ["a.oga", "a.ogg", "a.opus", "a.wav", "a.wma"]
    make(tmp_path, *files, "a.als", "a.caf", "a.m3u8", "a.mov")
    assert names(tmp_path) == files


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    """What macOS writes beside each file looks like audio by its name only."""
    make(tmp_path, "a.wav", "._a.wav", ".hidden.wav", ".Trash/b.wav", "c/._d.wav")
    assert names(tmp_path) == ["a.wav"]


def test_stamp_is_size_and_time_of_change(tmp_path: Path) -> None:
    """In bytes and nanoseconds."""
    make(tmp_path, "a.wav")
    os.utime(tmp_path / "a.wav", ns=(1, 1_700_000_000_123_456_789))
    (found,) = walk(tmp_path)
    assert isinstance(found, FoundFile)
    assert (found.stamp.size_bytes, found.stamp.modified_ns) == (4, 1_700_000_000_123_456_789)


def test_loop_of_links_ends(tmp_path: Path) -> None:
    """Each folder is walked once, whatever leads to it."""
    make(tmp_path, "a/b/c.wav")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a")
    assert names(tmp_path) == ["a/b/c.wav"]


def test_links_to_elsewhere_are_followed(tmp_path: Path) -> None:
    """A library on two drives is one library; paths are those of the links."""
    make(tmp_path / "drive", "x.wav", "albums/y.wav")
    (tmp_path / "music").mkdir()
    (tmp_path / "music/x.wav").symlink_to(tmp_path / "drive/x.wav")
    (tmp_path / "music/albums").symlink_to(tmp_path / "drive/albums")
    assert names(tmp_path / "music") == ["x.wav", "albums/y.wav"]


def test_dangling_and_circular_links_are_problems(tmp_path: Path) -> None:
    """Reported by path and reason; the walk goes on."""
    make(tmp_path, "z.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    gone, loop, found = walk(tmp_path)
    assert gone == ScanProblem(str(tmp_path / "gone.wav"), "No such file or directory")
    assert isinstance(loop, ScanProblem)
    assert isinstance(found, FoundFile)


def test_folder_that_goes_away_is_a_problem_with_a_separator(tmp_path: Path) -> None:
    """So that a scan knows where it could not look."""
    make(tmp_path, "a.wav", "sub/b.wav", "tail/c.wav")
    walking = DiskFolders().walk(f"{tmp_path}/")
    next(walking)
    (tmp_path / "sub/b.wav").unlink()
    (tmp_path / "sub").rmdir()
    problem, found = walking
    assert problem == ScanProblem(f"{tmp_path}/sub/", "No such file or directory")
    assert isinstance(found, FoundFile)


def test_pipe_named_like_audio_is_passed_over(tmp_path: Path) -> None:
    """Opening one would wait for ever."""
    os.mkfifo(tmp_path / "pipe.wav")
    assert walk(tmp_path) == []


def test_name_that_is_not_utf8_is_a_problem_that_can_be_sent(tmp_path: Path) -> None:
    """Files and folders alike; the reported path is as near as text can come."""
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))).write_bytes(b"data")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    make(folder, "inside.wav")
    problems = walk(tmp_path)
    assert problems == [
        ScanProblem(f"{tmp_path}/caf\ufffd.wav", "the name is not UTF-8"),
        ScanProblem(f"{tmp_path}/\ufffd", "the name is not UTF-8"),
    ]


@pytest.mark.parametrize("folder", ["", ".", "music", "~/music", "/music\0"])
def test_relative_folder_is_refused(folder: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequest) as caught:
        DiskFolders().prefix(folder)
    assert "folder" in caught.value.details


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [
        ("/", "/"),
        ("/music", "/music/"),
        ("/music/", "/music/"),
        ("/music/./a/../b//", "/music/b/"),
        ("//music", "/music/"),
    ],
)
def test_prefix_is_normalised(folder: str, prefix: str) -> None:
    """One folder, one prefix."""
    assert DiskFolders().prefix(folder) == prefix


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """Also where a file has that name."""
    make(tmp_path, "file")
    for name in ("missing", "file"):
        with pytest.raises(NotFound, match=name):
            walk(tmp_path / name)
