"""What counts of a file whose tags have been written anew."""

from pathlib import Path

import mutagen
import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import GEOB, ID3

from services.library.adapters.untagged import audio_sha256
from tests.tagged_files import TAGGED_FORMATS, TaggedFiles

_ART_BYTES = 1000
_MORE_ART_BYTES = 150_000


@pytest.fixture(scope="module")
def files() -> TaggedFiles:
    """Encoded once."""
    return TaggedFiles()


@pytest.mark.parametrize("extension", TAGGED_FORMATS)
def test_tags_of_any_size_do_not_count(files: TaggedFiles, tmp_path: Path, extension: str) -> None:
    """Larger ones move the audio to another place, none leave it where it was."""
    file = tmp_path / f"song.{extension}"
    file.write_bytes(files.audio(extension))
    bare = audio_sha256(str(file))
    for number, art_bytes in ((1, _ART_BYTES), (2, _MORE_ART_BYTES)):
        files.write(file, number, art_bytes)
        assert audio_sha256(str(file)) == bare != ""
    audio = mutagen.File(file)
    audio.delete()
    assert audio_sha256(str(file)) == bare


def test_tags_at_the_end_do_not_count(files: TaggedFiles, tmp_path: Path) -> None:
    """APEv2, Lyrics3 and ID3v1, one behind the other, and Serato's objects at the start."""
    file = tmp_path / "song.mp3"
    file.write_bytes(files.audio("mp3"))
    bare = audio_sha256(str(file))
    ape = APEv2()
    ape["Title"] = "Night"
    ape.save(file)
    lyrics = b"LYRICSBEGIN" + b"la" * 50
    with file.open("ab") as tail:
        tail.write(lyrics + b"%06d" % len(lyrics) + b"LYRICS200" + b"TAG" + bytes(125))
    tags = ID3()
    tags.add(GEOB(encoding=0, mime="application/octet-stream", desc="Serato Overview", data=bytes(4000)))
    tags.save(file)
    assert audio_sha256(str(file)) == bare


@pytest.mark.parametrize("extension", TAGGED_FORMATS)
def test_other_audio_counts(files: TaggedFiles, tmp_path: Path, extension: str) -> None:
    """One bit of it."""
    file = tmp_path / f"song.{extension}"
    content = bytearray(files.audio(extension))
    file.write_bytes(content)
    before = audio_sha256(str(file))
    middle = content.index(b"mdat") + 1000 if extension == "m4a" else len(content) // 2
    content[middle] ^= 1
    file.write_bytes(content)
    assert audio_sha256(str(file)) != before


@pytest.mark.parametrize("content", [b"", b"OggS" + bytes(100), b"ID3", b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"fLaC"])
def test_what_is_not_known_is_told_as_nothing(tmp_path: Path, content: bytes) -> None:
    """So that it counts as changed, whatever it is."""
    file = tmp_path / "song"
    file.write_bytes(content)
    assert audio_sha256(str(file)) == ""


@pytest.mark.parametrize("extension", TAGGED_FORMATS)
def test_cut_files_end(files: TaggedFiles, tmp_path: Path, extension: str) -> None:
    """At any byte, and say something or nothing."""
    file = tmp_path / f"song.{extension}"
    files.write(file, 1, _ART_BYTES)
    content = file.read_bytes()
    for length in range(0, len(content), len(content) // 50):
        file.write_bytes(content[:length])
        audio_sha256(str(file))
