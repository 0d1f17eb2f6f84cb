"""Serato's tags in files of each container, by the tag reader; an independent reader finds the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import mutagen
import pytest
import soundfile
from mutagen.id3 import GEOB
from mutagen.mp4 import MP4FreeForm
from sidecaramel import blobs as their_blobs, tags as their_tags
from structlog.testing import capture_logs

from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.ports import FileStamp, FoundFile
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts, Track
from tests.signals import noise
from tests.sources import by_ffmpeg
from tests.unit.library.serato_files import (
    AUTOTAGS,
    BEAT_GRID,
    MARKERS,
    MARKERS2,
    cue,
    entry,
    envelope,
    loop,
    markers,
    markers2,
)

RATE_HZ = 44100
FLAC_FIELDS = {AUTOTAGS: "SERATO_AUTOGAIN", BEAT_GRID: "SERATO_BEATGRID", MARKERS2: "SERATO_MARKERS_V2"}
MP4_FIELDS = {AUTOTAGS: "autgain", BEAT_GRID: "beatgrid", MARKERS: "markers", MARKERS2: "markersv2"}
NEWER = markers2(
    cue(0, 61_234, "cc8800", "Drop"),
    loop(0, 1000, 3086, "27aae1", "Schleife", is_locked=True),
    entry(b"COLOR", bytes.fromhex("0012ab34")),
    entry(b"BPMLOCK", b"\1"),
)
OLDER = markers(
    {
        0: bytes.fromhex("00 00035e32 7f7f7f7f7f 007f7f7f7f7f 06321000 01 00"),
        5: bytes.fromhex("00 00000768 00 0000180e 007f7f7f7f7f 011e5561 03 01"),
    },
    "04677e19",
)
RAW_OLDER = (
    bytes.fromhex("0205 0000000e 0000ef32 ffffffff 00ffffffff00 cc8800 01 00")
    + bytes.fromhex("ffffffff ffffffff 00ffffffff00 000000 00 00") * 4
    + bytes.fromhex("000003e8 00000c0e 00ffffffff00 27aae1 03 01")
    + bytes.fromhex("ffffffff ffffffff 00ffffffff00 27aae1 03 00") * 8
    + bytes.fromhex("00 99ff19")
)
BLOBS = {
    AUTOTAGS: b"\1\x01127.50\x00-3.257\x000.000\0",
    BEAT_GRID: bytes.fromhex("0100 00000002 3e000000 00000008 40840000 42ff0000 37"),
    MARKERS: OLDER,
    MARKERS2: NEWER,
    "Serato Overview": b"\1\5" + bytes(3840),
}
FACTS = DJFacts(
    "serato",
    bpm=127.5,
    color="#99FF19",
    is_grid_locked=True,
    grid=(BeatMarker(0.125, 120.0), BeatMarker(4.125, 127.5)),
    cues=(
        Cue(CueKind.CUE, 61.234, None, 0, "Drop", "#CC8800"),
        Cue(CueKind.LOOP, 1.0, 3.086, 0, "Schleife", "#27AAE1", is_locked=True),
    ),
)


def write_tagged(path: Path, blobs: Mapping[str, bytes]) -> None:
    """A tenth of a second with tags where Serato puts them."""
    if path.suffix == ".m4a":
        path.write_bytes(by_ffmpeg(noise(4410), "aac", "ipod", RATE_HZ))
    else:
        soundfile.write(path, noise(4410).T, RATE_HZ)
    audio = mutagen.File(path)
    assert audio is not None
    if path.suffix in {".mp3", ".wav", ".aiff"}:
        audio.add_tags()
        for name, blob in blobs.items():
            audio.tags.add(GEOB(encoding=0, mime="application/octet-stream", filename="", desc=name, data=blob))
    elif path.suffix == ".m4a":
        raw = {**blobs, MARKERS: RAW_OLDER}
        for name, field in MP4_FIELDS.items():
            audio[f"----:com.serato.dj:{field}"] = MP4FreeForm(envelope(name, raw[name]).encode())
    else:
        audio.update({field: envelope(name, blobs[name]) for name, field in FLAC_FIELDS.items()})
    audio.save()


def read(path: Path) -> tuple[DJFacts, ...]:
    """What the tag reader says of a file."""
    track = MutagenTagReader().read(FoundFile(str(path), FileStamp(path.stat().st_size, 1)))
    assert isinstance(track, Track)
    return track.dj_facts


@pytest.mark.parametrize("extension", ["aiff", "flac", "m4a", "mp3", "wav"])
def test_facts_are_read_from_each_container(tmp_path: Path, extension: str) -> None:
    """The same tags, raw or in envelopes; FLAC has no Markers_, whose colour is another one."""
    path = tmp_path / f"a.{extension}"
    write_tagged(path, BLOBS)
    before = path.read_bytes()
    with capture_logs() as logs:
        assert read(path) == (replace(FACTS, color="#12AB34") if extension == "flac" else FACTS,)
    assert logs == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("extension", ["flac", "m4a", "mp3", "ogg"])
def test_file_that_serato_has_not_seen_has_no_facts(tmp_path: Path, extension: str) -> None:
    """With other tags or without any."""
    path = tmp_path / f"a.{extension}"
    if extension == "m4a":
        path.write_bytes(by_ffmpeg(noise(4410), "aac", "ipod", RATE_HZ))
    else:
        soundfile.write(path, noise(4410).T, RATE_HZ)
    assert read(path) == ()


def test_damaged_tags_are_logged_with_the_file(tmp_path: Path) -> None:
    """The others are read, and so is the file."""
    path = tmp_path / "a.flac"
    write_tagged(path, BLOBS)
    audio = mutagen.File(path)
    assert audio is not None
    audio["SERATO_BEATGRID"] = "no envelope"
    audio.save()
    with capture_logs() as logs:
        assert [facts.bpm for facts in read(path)] == [127.5]
    assert [(entry["path"], entry["log_level"]) for entry in logs] == [(str(path), "warning")]
    assert "Serato BeatGrid" in str(logs[0]["warnings"])


@pytest.mark.parametrize("extension", ["aiff", "flac", "m4a", "mp3", "wav"])
def test_independent_reader_agrees(tmp_path: Path, extension: str) -> None:
    """The sidecaramel package reads the same out of the same file."""
    path = tmp_path / f"a.{extension}"
    write_tagged(path, BLOBS)
    theirs = {name: blob for name, blob, _ in their_blobs.harvest(str(path))}
    (ours,) = read(path)
    grid = their_blobs.decode_beatgrid(theirs[BEAT_GRID])
    assert [beat["position_s"] for beat in grid["non_terminal_markers"]] == [ours.grid[0].position_s]
    assert grid["terminal_marker"] == {"position_s": ours.grid[-1].position_s, "bpm": ours.grid[-1].bpm}
    assert their_tags.parse_serato_autotags(theirs[AUTOTAGS])["bpm"] == ours.bpm
    newer = their_tags.parse_serato_markers2_full(theirs[MARKERS2])
    assert newer["bpm_lock"] == ours.is_grid_locked
    assert their_marks(newer) == [
        (mark.start_s, mark.end_s, mark.name, mark.color, mark.is_locked) for mark in ours.cues
    ]
    if MARKERS not in theirs:
        assert newer["color"].upper() == ours.color
    else:
        older = their_tags.parse_serato_markers_v1_full(theirs[MARKERS])
        assert their_marks(older) == [(mark.start_s, mark.end_s, "", mark.color, mark.is_locked) for mark in ours.cues]
        assert bytes(older["track_color"]).hex().upper() == ours.color[1:]


def their_marks(found: dict[str, list[dict[str, object]]]) -> list[tuple[object, ...]]:
    """Cues and loops in our terms."""
    return [
        (
            mark.get("pos_sec", mark.get("start_sec")),
            mark.get("end_sec"),
            mark.get("label", ""),
            "#" + bytes(mark["color"]).hex().upper(),  # type: ignore[call-overload]  # three numbers
            mark.get("locked", False),
        )
        for mark in (*found["cues"], *found["loops"])
    ]
