"""BPM, key, genre and names as TagLib reads them from the same files; TagLib is what most players use."""

import struct
from pathlib import Path

import mutagen
import pytest
import taglib
from mutagen.id3 import Frames

from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.ports import FileStamp, FoundFile
from services.library.core.tags import bpm_from_tag
from stemhouse.tracks import Track
from tests.tagged_files import TAGGED_FORMATS, TaggedFiles

LATIN1, UTF16, UTF8 = 0, 1, 3
NAMES = {"artist": "ARTIST", "title": "TITLE", "album": "ALBUM", "genre": "GENRE", "key": "INITIALKEY"}


@pytest.fixture(scope="module")
def files() -> TaggedFiles:
    """Encoded once."""
    return TaggedFiles()


def read(path: Path) -> Track:
    """The track of a file, which TagLib reads alike."""
    track = MutagenTagReader().read(FoundFile(str(path), FileStamp(path.stat().st_size, 1)))
    assert isinstance(track, Track)
    with taglib.File(str(path)) as oracle:
        told = {name: ", ".join(oracle.tags.get(tag, ())) for name, tag in NAMES.items()}
        bpm = bpm_from_tag(next(iter(oracle.tags.get("BPM", ())), ""))
    assert {name: getattr(track, name) for name in NAMES} == told
    assert track.bpm == pytest.approx(bpm, abs=0.5 if path.suffix == ".m4a" else 0.0)
    return track


def write_id3(path: Path, version: int, encoding: int, **texts: str | list[str]) -> None:
    """Frames of one version in one encoding."""
    audio = mutagen.File(path)
    assert audio is not None
    audio.add_tags()
    for name, text in texts.items():
        audio.tags.add(Frames[name](encoding=encoding, text=text))
    audio.save(v2_version=version)


def info_chunk(**texts: bytes) -> bytes:
    """LIST/INFO as audio editors write it."""
    items = (
        name.encode() + struct.pack("<I", len(text) + 1) + text + b"\0" * (1 + (len(text) + 1) % 2)
        for name, text in texts.items()
    )
    content = b"INFO" + b"".join(items)
    return b"LIST" + struct.pack("<I", len(content)) + content


def with_chunk(wave: bytes, chunk: bytes) -> bytes:
    """A RIFF file and one more chunk."""
    return wave[:4] + struct.pack("<I", len(wave) + len(chunk) - 8) + wave[8:] + chunk


@pytest.mark.parametrize("extension", TAGGED_FORMATS)
def test_each_format_with_art(files: TaggedFiles, tmp_path: Path, extension: str) -> None:
    """As taggers write them."""
    path = tmp_path / f"a.{extension}"
    files.write(path, 3, art_bytes=50_000)
    track = read(path)
    assert (track.artist, track.title, track.genre) == ("Artist 0", "Night (Vocal Mix) 3", "Drum & Bass")
    assert (track.key, track.bpm) == ("4m", 103.0)
    assert track.duration_s == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("extension", ["mp3", "wav", "aiff"])
@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("encoding", [LATIN1, UTF16])
def test_id3_in_all_its_forms(files: TaggedFiles, tmp_path: Path, extension: str, version: int, encoding: int) -> None:
    """Two versions, two encodings, three containers."""
    path = tmp_path / f"a.{extension}"
    path.write_bytes(files.audio(extension))
    write_id3(path, version, encoding, TIT2="Jóga", TPE1="Björk", TALB="Début", TCON="Soul", TKEY="Fm", TBPM="126.5")
    track = read(path)
    assert (track.title, track.genre, track.key, track.bpm) == ("Jóga", "Soul", "Fm", 126.5)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    ("raw", "genre"),
    [
        ("(127)", "Drum & Bass"),
        ("127", "Drum & Bass"),
        ("(4)(17)", "Disco, Rock"),
        ("(4)House", "Disco, House"),
        ("House/Techno", "House/Techno"),
        ("Tech House (Deep)", "Tech House (Deep)"),
    ],
)
def test_genres_of_id3(files: TaggedFiles, tmp_path: Path, version: int, raw: str, genre: str) -> None:
    """Numbers of an old list, alone, several, and beside a name."""
    path = tmp_path / "a.mp3"
    path.write_bytes(files.audio("mp3"))
    write_id3(path, version, LATIN1, TCON=raw)
    assert read(path).genre == genre


def test_several_genres(files: TaggedFiles, tmp_path: Path) -> None:
    """Of ID3v2.4, Vorbis and MP4."""
    for extension, name in (("mp3", "TCON"), ("flac", "genre"), ("m4a", "\xa9gen")):
        path = tmp_path / f"a.{extension}"
        path.write_bytes(files.audio(extension))
        if extension == "mp3":
            write_id3(path, 4, UTF8, TCON=["House", "日本"])
        else:
            audio = mutagen.File(path)
            assert audio is not None
            audio[name] = ["House", "日本"]
            audio.save()
        assert read(path).genre == "House, 日本"


@pytest.mark.parametrize(("raw", "bpm"), [("126", 126.0), ("126.5", 126.5), ("126,50", 126.5), ("fast", 0.0)])
@pytest.mark.parametrize("extension", ["mp3", "flac"])
def test_tempo_of_many_hands(files: TaggedFiles, tmp_path: Path, extension: str, raw: str, bpm: float) -> None:
    """Decimal commas, too."""
    path = tmp_path / f"a.{extension}"
    path.write_bytes(files.audio(extension))
    if extension == "mp3":
        write_id3(path, 3, LATIN1, TBPM=raw)
    else:
        audio = mutagen.File(path)
        assert audio is not None
        audio["bpm"] = raw
        audio.save()
    assert read(path).bpm == bpm


def test_tempo_and_key_in_frames_of_taggers(files: TaggedFiles, tmp_path: Path) -> None:
    """Where TBPM and TKEY are missing."""
    path = tmp_path / "a.mp3"
    path.write_bytes(files.audio("mp3"))
    audio = mutagen.File(path)
    assert audio is not None
    audio.add_tags()
    for name, text in (("BPM", "126.5"), ("INITIALKEY", "8A")):
        audio.tags.add(Frames["TXXX"](encoding=3, desc=name, text=text))
    audio.save()
    track = read(path)
    assert (track.bpm, track.key) == (126.5, "8A")


def test_tempo_of_mp4_keeps_its_decimals(files: TaggedFiles, tmp_path: Path) -> None:
    """`tmpo` has none, and some programs write both; TagLib tells the whole number."""
    path = tmp_path / "a.m4a"
    path.write_bytes(files.audio("m4a"))
    audio = mutagen.File(path)
    assert audio is not None
    audio["tmpo"] = [126]
    audio.save()
    assert read(path).bpm == 126.0
    audio["----:com.apple.iTunes:BPM"] = [b"126.5"]
    audio.save()
    assert read(path).bpm == 126.5


@pytest.mark.parametrize("size", ["even", "odd."])
def test_info_of_wav(files: TaggedFiles, tmp_path: Path, size: str) -> None:
    """Where there is no ID3 chunk; contents of odd length are padded, in it and before it."""
    path = tmp_path / "a.wav"
    chunk = b"junk\x03\0\0\0abc\0" + info_chunk(
        INAM="Jóga".encode(), IART=size.encode(), IPRD=b"Alb", IGNR=b"House", ISFT=b"editor"
    )
    path.write_bytes(with_chunk(files.audio("wav"), chunk))
    track = read(path)
    assert (track.title, track.artist, track.album, track.genre) == ("Jóga", size, "Alb", "House")


def test_info_of_wav_in_latin1(files: TaggedFiles, tmp_path: Path) -> None:
    """Which TagLib gives up on."""
    path = tmp_path / "a.wav"
    path.write_bytes(with_chunk(files.audio("wav"), info_chunk(INAM="Jóga".encode("latin-1"))))
    track = MutagenTagReader().read(FoundFile(str(path), FileStamp(1, 1)))
    assert isinstance(track, Track)
    assert track.title == "Jóga"


def test_id3_of_wav_outweighs_its_info(files: TaggedFiles, tmp_path: Path) -> None:
    """What it does not tell comes from there."""
    path = tmp_path / "a.wav"
    path.write_bytes(with_chunk(files.audio("wav"), info_chunk(INAM=b"From INFO", IGNR=b"House")))
    write_id3(path, 4, UTF8, TIT2="From ID3")
    track = MutagenTagReader().read(FoundFile(str(path), FileStamp(1, 1)))
    assert isinstance(track, Track)
    assert (track.title, track.genre) == ("From ID3", "House")
