"""Tags of delivered files, read by others than their writer."""

from io import BytesIO
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
import soundfile
import taglib
from sidecaramel import blobs as their_blobs, tags as their_tags

from services.exporter.adapters.dj_tags import DJTagger
from services.exporter.core.ports import EncodedFile
from services.library.adapters.serato_blobs import serato_facts
from stemhouse.delivery import FileFormat
from stemhouse.dj import DJTrack
from tests.tagged_files import TaggedFiles
from tests.unit.exporter.dj_material import CUES, FULL

ART = b"\xff\xd8\xff" + bytes(range(256)) * 40
TAGGED = DJTrack(**{**FULL.__dict__, "gain_db": -6.5})
MARKS = [(cue.kind, cue.start_s, cue.end_s, cue.name, cue.color) for cue in CUES if cue.slot is not None]


@pytest.fixture(scope="module")
def bare() -> TaggedFiles:
    """Files without tags."""
    return TaggedFiles()


def tagged(bare: TaggedFiles, folder: Path, file_format: FileFormat, track: DJTrack = TAGGED) -> Path:
    """A file with tags."""
    content = bare.audio(file_format.value)
    path = folder / f"a.{file_format.value}"
    with DJTagger(folder).tagged(EncodedFile(len(content), iter([content])), file_format, track, ART) as file:
        path.write_bytes(b"".join(file.chunks))
        assert path.stat().st_size == file.size_bytes
    return path


@pytest.mark.parametrize("file_format", FileFormat)
def test_taglib_reads_every_field(bare: TaggedFiles, tmp_path: Path, file_format: FileFormat) -> None:
    """Mixxx uses it; so do many players. The tempo has its decimals but in MP4's own atom."""
    with taglib.File(str(tagged(bare, tmp_path, file_format))) as file:
        found = {name: values[0] for name, values in file.tags.items() if values}
    wanted = {"TITLE": FULL.title, "ARTIST": FULL.artist, "ALBUM": FULL.album, "GENRE": FULL.genre}
    wanted |= {"COMMENT": FULL.comment, "INITIALKEY": FULL.key, "REPLAYGAIN_TRACK_GAIN": "-6.50 dB"}
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["BPM"] in ({"128", "127.99"} if file_format is FileFormat.M4A else {"127.99"})


@pytest.mark.parametrize("file_format", FileFormat)
def test_ffmpeg_reads_texts_tempo_and_cover(bare: TaggedFiles, tmp_path: Path, file_format: FileFormat) -> None:
    """By names of its own; MP4 has decimals beside its whole tempo. Of WAV it knows LIST/INFO, and no cover."""
    with av.open(str(tagged(bare, tmp_path, file_format))) as container:
        found = {name.lower(): text for name, text in container.metadata.items()}
        pictures = [bytes(packet) for stream in container.streams.video for packet in container.demux(stream)]
    wanted = {"title": FULL.title, "artist": FULL.artist, "album": FULL.album, "genre": FULL.genre}
    assert {name: found.get(name) for name in wanted} == wanted
    if file_format is not FileFormat.WAV:
        assert "127.99" in {found.get(name) for name in ("tbpm", "bpm")}
        assert FULL.key in {found.get(name) for name in ("tkey", "initialkey")}
        assert ART in pictures


@pytest.mark.parametrize("file_format", FileFormat)
def test_serato_finds_grid_and_marks(bare: TaggedFiles, tmp_path: Path, file_format: FileFormat) -> None:
    """By a scan of ours, and by the sidecaramel package."""
    path = tagged(bare, tmp_path, file_format)
    audio = mutagen.File(path)
    assert audio is not None
    (facts,) = serato_facts(str(path), audio)
    assert facts.grid[0].position_s == pytest.approx(0.125, abs=0.001)
    assert facts.grid[0].bpm == pytest.approx(127.994, abs=1e-4)
    assert (facts.color, facts.is_grid_locked) == (FULL.color, True)
    marks = [(cue.kind, cue.start_s, cue.end_s, cue.name, cue.color) for cue in facts.cues if cue.start_s != 61.25]
    assert marks == MARKS
    theirs = {name: blob for name, blob, _ in their_blobs.harvest(str(path))}
    assert their_blobs.decode_beatgrid(theirs["Serato BeatGrid"])["terminal_marker"]["bpm"] == pytest.approx(127.994)
    cues = their_tags.parse_serato_markers2_full(theirs["Serato Markers2"])["cues"]
    assert [cue["label"] for cue in cues] == ["Intro", "", "Drøp 🎶"]


@pytest.mark.parametrize("file_format", FileFormat)
def test_samples_and_art_are_as_they_were(bare: TaggedFiles, tmp_path: Path, file_format: FileFormat) -> None:
    """Tags move the audio, and change none of it; the cover is the one that was given."""
    path = tagged(bare, tmp_path, file_format)
    assert np.array_equal(samples(path.read_bytes()), samples(bare.audio(file_format.value)))
    assert ART in path.read_bytes()


def samples(content: bytes) -> np.ndarray:
    """All samples as FFmpeg decodes them."""
    with av.open(BytesIO(content), "r") as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def test_wav_has_both_kinds_of_tags(bare: TaggedFiles, tmp_path: Path) -> None:
    """Whoever passes over ID3 finds title and artist; libsndfile does, and its sizes are right."""
    path = tagged(bare, tmp_path, FileFormat.WAV)
    with soundfile.SoundFile(path) as file:
        assert (file.title, file.artist) == (FULL.title, FULL.artist)
    content = path.read_bytes()
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    names = []
    start = 12
    while start < len(content):
        names.append(content[start : start + 4])
        length = int.from_bytes(content[start + 4 : start + 8], "little")
        start += 8 + length + length % 2
    assert names[-2:] == [b"LIST", b"id3 "]
    assert start == len(content)


@pytest.mark.parametrize("file_format", FileFormat)
def test_what_nobody_knows_is_not_told(bare: TaggedFiles, tmp_path: Path, file_format: FileFormat) -> None:
    """Empty fields would be read as such."""
    path = tagged(bare, tmp_path, file_format, DJTrack("only a title"))
    with taglib.File(str(path)) as file:
        names = set(file.tags) - {"TITLE", "ENCODING", "COMPATIBLE_BRANDS", "MAJOR_BRAND", "MINOR_VERSION"}
    assert {name for name in names if not name.startswith(("SERATO", "----"))} == set()
