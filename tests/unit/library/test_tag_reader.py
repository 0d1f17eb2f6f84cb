"""MutagenTagReader on real files of each format, whole and damaged."""

import io
import struct
from pathlib import Path

import mutagen
import pytest
import soundfile
from mutagen.id3 import Frames

from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.ports import FileStamp, FoundFile
from stemhouse.errors import StorageUnavailable
from stemhouse.tracks import ScanProblem, Track
from tests.signals import noise
from tests.sources import by_ffmpeg

RATE_HZ = 44100
ID3_TAGS = {
    "TIT2": "Jóga",
    "TPE1": ["Björk", "日本語 🎧"],
    "TALB": "Homogenic",
    "TCON": ["(17)", "House"],
    "TKEY": "8A",
    "TBPM": "127.95",
}
VORBIS_TAGS = {
    "title": "Jóga",
    "artist": ["Björk", "日本語 🎧"],
    "album": "Homogenic",
    "genre": ["Rock", "House"],
    "initialkey": "8A",
    "bpm": "127.95",
}
MP4_TAGS = {
    "\xa9nam": "Jóga",
    "\xa9ART": ["Björk", "日本語 🎧"],
    "\xa9alb": "Homogenic",
    "\xa9gen": ["Rock", "House"],
    "----:com.apple.iTunes:initialkey": b"8A",
    "----:com.apple.iTunes:BPM": b"127.95",
    "tmpo": [128],
}
ASF_TAGS = {
    "Title": "Jóga",
    "Author": ["Björk", "日本語 🎧"],
    "WM/AlbumTitle": "Homogenic",
    "WM/Genre": ["Rock", "House"],
    "WM/InitialKey": "8A",
    "WM/BeatsPerMinute": "127.95",
}
FORMATS = ["aiff", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav", "wma"]
BY_FFMPEG = {
    ".aac": ("aac", "adts"),
    ".m4a": ("aac", "ipod"),
    ".oga": ("flac", "ogg"),
    ".opus": ("libopus", "ogg"),
    ".wma": ("wmav2", "asf"),
}


def write_audio(path: Path) -> None:
    """One second without tags."""
    if path.suffix in BY_FFMPEG:
        codec, container = BY_FFMPEG[path.suffix]
        rate_hz = 48000 if codec == "libopus" else RATE_HZ
        path.write_bytes(by_ffmpeg(noise(rate_hz), codec, container, rate_hz, options={"b": "192000"}))
    else:
        soundfile.write(path, noise(RATE_HZ).T, RATE_HZ)


def write_tags(path: Path) -> None:
    """Tags in the way of the file's format."""
    audio = mutagen.File(path)
    assert audio is not None
    if path.suffix in {".mp3", ".wav", ".aiff"}:
        audio.add_tags()
        for name, text in ID3_TAGS.items():
            audio.tags.add(Frames[name](text=text))
    else:
        audio.update({".m4a": MP4_TAGS, ".wma": ASF_TAGS}.get(path.suffix, VORBIS_TAGS))
    audio.save()


def read(path: Path) -> Track | ScanProblem:
    """The track of a file."""
    return MutagenTagReader().read(FoundFile(str(path), FileStamp(path.stat().st_size, 1)))


@pytest.mark.parametrize("extension", FORMATS)
def test_tags_are_read_from_each_format(tmp_path: Path, extension: str) -> None:
    """The same tags, whatever the container; several values are joined."""
    path = tmp_path / f"a.{extension}"
    write_audio(path)
    write_tags(path)
    track = read(path)
    assert isinstance(track, Track)
    assert (track.artist, track.title, track.album) == ("Björk, 日本語 🎧", "Jóga", "Homogenic")
    assert (track.genre, track.key, track.bpm) == ("Rock, House", "8A", 127.95)
    assert (track.path, track.size_bytes) == (str(path), path.stat().st_size)


@pytest.mark.parametrize(
    ("extension", "tolerance_s"),
    [("mp3", 0.06), ("wav", 0.0), ("flac", 0.0), ("aac", 0.06), ("m4a", 0.03), ("opus", 0.0), ("wma", 0.06)],
)
def test_file_without_tags_has_its_length(tmp_path: Path, extension: str, tolerance_s: float) -> None:
    """Everything else is empty; lossy coders count in blocks."""
    path = tmp_path / f"a.{extension}"
    write_audio(path)
    track = read(path)
    assert isinstance(track, Track)
    assert track.duration_s == pytest.approx(1.0, abs=tolerance_s)
    assert Track(track.path, track.size_bytes, duration_s=track.duration_s) == track


@pytest.mark.parametrize("extension", ["mp3", "wav", "flac"])
def test_reading_leaves_the_file_as_it_is(tmp_path: Path, extension: str) -> None:
    """The library never writes to a DJ's files, not even missing tags."""
    path = tmp_path / f"a.{extension}"
    write_audio(path)
    before = path.read_bytes()
    read(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("extension", ["mp3", "wav", "flac"])
@pytest.mark.parametrize(
    "data", [b"", b"not audio at all" * 100, b"\0" * 5000, b"\xf5" * 99, b"RIFF\xff\xff\xff\xffWAVE", b"ID3\x04"]
)
def test_what_is_not_audio_is_a_problem(tmp_path: Path, extension: str, data: bytes) -> None:
    """It says why, and names the file."""
    path = tmp_path / f"a.{extension}"
    path.write_bytes(data)
    problem = read(path)
    assert isinstance(problem, ScanProblem)
    assert problem.path == str(path)
    assert problem.reason.startswith(("its tags cannot be read: ", "the file is empty", "no audio of a known format"))
    assert not any(word in problem.reason for word in ("NoneType", "codec", "error:", "Error:", str(tmp_path)))


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    """A file may go between the walk and the reading."""
    problem = MutagenTagReader().read(FoundFile(str(tmp_path / "gone.wav"), FileStamp(1, 1)))
    assert isinstance(problem, ScanProblem)
    assert "No such file" in problem.reason


def test_boxes_within_boxes_do_not_end_a_scan(tmp_path: Path) -> None:
    """Some hundred of them are too many for the parser, which is told of that file alone."""
    boxes = b""
    for _ in range(500):
        boxes = struct.pack(">I4s", len(boxes) + 8, b"moov") + boxes
    song = tmp_path / "deep.m4a"
    song.write_bytes(struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + boxes)
    found = MutagenTagReader().read(FoundFile(str(song), FileStamp(song.stat().st_size, 1)))
    assert isinstance(found, ScanProblem)
    assert "Recursion" in found.reason


class FailingFile(io.BytesIO):
    """Fails to be read, as a parser that trips over its bytes."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.name = "a.mp3"
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        """Raise the error, unless somebody only asks whether it is a file."""
        if size == 0:
            return b""
        raise self.error


def test_nothing_that_a_parser_raises_ends_a_scan() -> None:
    """It is a problem of that file; but a store that is away stands in the way of all."""
    found = FoundFile("a.mp3", FileStamp(1, 1))
    problem = MutagenTagReader().read_from(FailingFile(AssertionError("lost")), found)
    assert problem == ScanProblem("a.mp3", "its tags cannot be read: AssertionError: lost")
    with pytest.raises(StorageUnavailable):
        MutagenTagReader().read_from(FailingFile(StorageUnavailable("away")), found)


def test_empty_file_is_told_as_such(tmp_path: Path) -> None:
    """Whatever a parser would say of no bytes."""
    (tmp_path / "a.mp3").touch()
    assert read(tmp_path / "a.mp3") == ScanProblem(f"{tmp_path}/a.mp3", "the file is empty")
