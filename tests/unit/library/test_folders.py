"""DiskFolders on real folders: what a walk meets, and what it survives."""

import json
import os
from pathlib import Path

import pytest

from services.library.adapters.folders import DiskFolders
from services.library.core.ports import FoundFile, OwnFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem


def make(folder: Path, *names: str) -> None:
    """Files of a few bytes, with their folders."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"data")


def walk(folder: Path) -> list[FoundFile | OwnFile | ScanProblem]:
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
    assert "location" in caught.value.details


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


def deliver(folder: Path, *names: str) -> None:
    """A folder as a delivery leaves it."""
    make(folder, *names)
    document = {"delivery": {"delivery_key": "k"}, "files": [{"name": Path(name).name} for name in names]}
    (folder / "metadata.json").write_text(json.dumps(document))


def test_what_was_delivered_is_told_from_the_rest(tmp_path: Path) -> None:
    """A file that somebody has put beside is his own; and in a folder below, names mean nothing."""
    deliver(tmp_path / "out", "vocals.wav", "bass.wav")
    make(tmp_path, "a.wav", "out/mine.wav", "out/sub/bass.wav")
    met = walk(tmp_path)
    assert [Path(item.path).name for item in met if isinstance(item, OwnFile)] == ["bass.wav", "vocals.wav"]
    assert [Path(item.path).name for item in met if isinstance(item, FoundFile)] == ["a.wav", "mine.wav", "bass.wav"]
    assert isinstance(DiskFolders().look(str(tmp_path / "out/vocals.wav")), OwnFile)
    assert isinstance(DiskFolders().look(str(tmp_path / "out/mine.wav")), FoundFile)


def test_what_was_made_of_stems_is_told_from_the_rest(tmp_path: Path) -> None:
    """Files of DJs beside their record, and those of a Live project in the folders that its record names."""
    make(tmp_path, "dj/Song/Song_Acapella.aiff", "dj/Song/mine.aiff", "set/Samples/a.wav", "set/Samples/b.wav", "a.wav")
    for folder, *paths in (("dj/Song", "Song_Acapella.aiff"), ("set", "Set.als", "Samples/a.wav")):
        record = {"delivery_key": "k", "files": [{"path": path} for path in paths]}
        (tmp_path / folder / "stemhouse.json").write_text(json.dumps(record))
    found = [str(Path(item.path).relative_to(tmp_path)) for item in walk(tmp_path) if isinstance(item, FoundFile)]
    assert found == ["a.wav", "dj/Song/mine.aiff", "set/Samples/b.wav"]
    for path in ("dj/Song/Song_Acapella.aiff", "set/Samples/a.wav"):
        assert isinstance(DiskFolders().look(str(tmp_path / path)), OwnFile)
    assert isinstance(DiskFolders().look(str(tmp_path / "set/Samples/b.wav")), FoundFile)
    assert isinstance(DiskFolders().look(str(tmp_path / "a.wav")), FoundFile)


def test_metadata_that_would_hang_or_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    """A pipe, and a file of more than a mebibyte."""
    make(tmp_path, "pipe/a.wav", "large/a.wav")
    os.mkfifo(tmp_path / "pipe/metadata.json")
    deliver(tmp_path / "large", "a.wav")
    with (tmp_path / "large/metadata.json").open("a") as file:
        file.write(" " * 1_100_000)
    assert names(tmp_path) == ["large/a.wav", "pipe/a.wav"]


def test_single_file_is_looked_at(tmp_path: Path) -> None:
    """With the stamp that a walk gives; what is no file is a problem."""
    make(tmp_path, "a.wav")
    (found,) = walk(tmp_path)
    folders = DiskFolders()
    assert folders.look(found.path) == found
    assert folders.look(f"{tmp_path}/gone.wav") == ScanProblem(f"{tmp_path}/gone.wav", "No such file or directory")
    assert folders.look(str(tmp_path)) == ScanProblem(str(tmp_path), "no file")


def test_real_paths_are_told_where_links_lead(tmp_path: Path) -> None:
    """Of linked files, of files in linked folders, and of none else."""
    make(tmp_path / "drive", "x.wav", "albums/y.wav")
    make(tmp_path / "music", "z.wav")
    (tmp_path / "music/x.wav").symlink_to(tmp_path / "drive/x.wav")
    (tmp_path / "music/albums").symlink_to(tmp_path / "drive/albums")
    met = [item for item in walk(tmp_path / "music") if isinstance(item, FoundFile)]
    real = {Path(item.path).name: item.real_path for item in met}
    assert real == {"x.wav": f"{tmp_path}/drive/x.wav", "y.wav": f"{tmp_path}/drive/albums/y.wav", "z.wav": ""}


def test_link_to_a_file_of_the_same_folder_is_passed_over(tmp_path: Path) -> None:
    """One file, one track; unless the file itself is hidden."""
    make(tmp_path, "albums/a.wav", ".hidden/b.wav")
    (tmp_path / "1 best.wav").symlink_to(tmp_path / "albums/a.wav")
    (tmp_path / "2 best.wav").symlink_to(tmp_path / ".hidden/b.wav")
    assert names(tmp_path) == ["2 best.wav", "albums/a.wav"]


@pytest.mark.parametrize(
    ("path", "is_away"),
    [
        ("/nowhere/x.wav", True),
        ("/mnt/no such volume/music/x.wav", True),
        ("{}/emptied/music/x.wav", True),
        ("{}/emptied/x.wav", False),
        ("{}/full/x.wav", False),
        ("{}/full/gone/music/x.wav", False),
    ],
)
def test_volume_that_is_away_is_told_from_a_lost_file(tmp_path: Path, path: str, is_away: bool) -> None:  # noqa: FBT001  # a case
    """By what is left: nothing where volumes are mounted, or an empty folder instead of several."""
    (tmp_path / "emptied").mkdir()
    make(tmp_path, "full/a.wav")
    assert DiskFolders().is_away(path.format(tmp_path)) is is_away


def test_bare_folder_holds_nothing_at_all(tmp_path: Path) -> None:
    """Hidden files are something."""
    assert DiskFolders().is_bare(f"{tmp_path}/")
    make(tmp_path, ".DS_Store")
    assert not DiskFolders().is_bare(f"{tmp_path}/")


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """Also where a file has that name."""
    make(tmp_path, "file")
    for name in ("missing", "file"):
        with pytest.raises(NotFound, match=name):
            walk(tmp_path / name)


def test_links_to_what_was_delivered_elsewhere_are_not_music(tmp_path: Path) -> None:
    """The metadata lies beside the file that a link leads to; a walk and a single look both see it."""
    make(tmp_path / "stems", "vocals.wav", "mine.wav")
    document = {"delivery": {"delivery_key": "k"}, "files": [{"name": "vocals.wav"}]}
    (tmp_path / "stems/metadata.json").write_text(json.dumps(document))
    (tmp_path / "music").mkdir()
    for name in ("vocals", "mine"):
        (tmp_path / f"music/my {name}.wav").symlink_to(tmp_path / f"stems/{name}.wav")
    mine, vocals = walk(tmp_path / "music")
    assert (type(mine), vocals) == (FoundFile, OwnFile(f"{tmp_path}/music/my vocals.wav"))
    assert DiskFolders().look(vocals.path) == vocals


def test_folder_that_may_not_be_looked_at_is_a_wrong_request(tmp_path: Path) -> None:
    """No fault of the service; a name beyond the file system's limit is refused as a shut folder is."""
    with pytest.raises(InvalidRequest, match="cannot look at it"):
        list(DiskFolders().walk(f"{tmp_path}/{'x' * 300}/"))
