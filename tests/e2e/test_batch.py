"""A whole library through the CLI, over a real stack: crates, a bad file, a second run; the library stays as it was."""

import csv
import io
import struct
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.libraries import digests, document, new_song, new_tags, states

pytestmark = pytest.mark.stack


def crate_bytes(paths: list[Path], volume: Path) -> bytes:
    """A Serato crate; its paths are relative to the volume."""

    def record(tag: bytes, payload: bytes) -> bytes:
        return tag + struct.pack(">I", len(payload)) + payload

    tracks = (record(b"ptrk", str(path.relative_to(volume)).encode("utf-16-be")) for path in paths)
    version = record(b"vrsn", "1.0/Serato ScratchLive Crate".encode("utf-16-be"))
    return version + b"".join(record(b"otrk", track) for track in tracks)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A volume with four songs and two crates."""
    music = tmp_path / "music"
    plain = new_song(music / "plain.wav")
    new_song(music / "House" / "anthem.mp3", genre="Deep House")
    new_song(music / "House" / "other.mp3", genre="Techno")
    friday = new_song(music / "late" / "Björk — Jóga.flac")
    subcrates = music / "_Serato_" / "Subcrates"
    subcrates.mkdir(parents=True)
    (subcrates / "Friday%%Peak.crate").write_bytes(crate_bytes([friday, music / "gone.mp3"], music))
    (music / "list.m3u8").write_text(f"#EXTM3U\n{plain.name}\n", encoding="utf-8")
    return music


def test_library_is_worked_through_once(stack: Stack, music: Path, tmp_path: Path) -> None:
    """Crates first, then House, then the rest; a second run finds everything done, whoever has written tags since."""
    before = digests(music)
    options = ("--output", tmp_path / "stems", "--engine", "starter", "--crate", "Friday/Peak", "--json")
    first = stack.cli("batch", music, *options)
    assert first.returncode == 5, first.stderr  # a crate names a file that is missing
    report = document(first)
    order = [Path(item["path"]).name for item in report["items"]]
    assert order == ["Björk — Jóga.flac", "anthem.mp3", "plain.wav", "other.mp3"]
    assert set(states(report).values()) == {"done"}
    for item in report["items"]:
        folder = Path(item["folder"])
        stems = {file.name: file.stat().st_size for file in folder.glob("*.wav")}
        assert len(stems) == 4
        assert stems.items() <= item["file_sizes_bytes"].items()
    assert digests(music) == before
    new_tags(music / "House" / "anthem.mp3", "Disco")
    again = document(stack.cli("batch", music, *options))
    assert set(states(again).values()) == {"skipped"}


def test_order_is_told_with_its_reasons(stack: Stack, music: Path) -> None:
    """`library tracks` is the order in which a batch would go."""
    (music / "broken.mp3").write_bytes(b"no audio at all" * 999)
    scanned = stack.cli("library", "scan", music, "--json")
    assert scanned.returncode == 5  # the broken file, and the missing one of the crate
    outcome = document(scanned)["outcome"]
    assert (outcome["found_count"], outcome["missing_count"], outcome["crate_count"]) == (5, 1, 2)
    told = stack.cli("library", "tracks", music, "--crate", "friday/peak").stdout
    assert told.split()[:4] == ["1", "Björk", "—", "Jóga.flac"]
    assert 'crate "Friday/Peak"' in told.splitlines()[1]
    crates = document(stack.cli("library", "crates", music, "--json"))["crates"]
    assert {(crate["name"], crate["track_count"], crate["missing_count"]) for crate in crates} == {
        ("Friday/Peak", 1, 1),
        ("list", 1, 0),
    }


def test_output_inside_the_library_is_left_alone(stack: Stack, music: Path) -> None:
    """Three scans later there is still nothing to do."""
    options = ("--output", music / "stems", "--engine", "starter", "--layout", "mirror", "--json")
    stack.cli("batch", music, *options)
    found = {document(stack.cli("library", "scan", music, "--json"))["outcome"]["found_count"] for _ in range(3)}
    assert found == {4}
    again = document(stack.cli("batch", music, *options))
    assert set(states(again).values()) == {"skipped"}
    assert (music / "stems" / "House").is_dir()


def test_removed_output_is_made_again(stack: Stack, music: Path, tmp_path: Path) -> None:
    """From the known result: only what is gone is written."""
    options = ("--output", tmp_path / "stems", "--engine", "starter", "--json")
    report = document(stack.cli("batch", music, *options))
    victim = Path(report["items"][0]["folder"]) / "vocals.wav"
    content = victim.read_bytes()
    victim.unlink()
    again = document(stack.cli("batch", music, *options))
    assert sorted(states(again).values()) == ["done", "skipped", "skipped", "skipped"]
    assert victim.read_bytes() == content


def test_dry_run_tells_and_starts_nothing(stack: Stack, music: Path, tmp_path: Path) -> None:
    """Tracks, playing time and room."""
    answer = stack.cli("batch", music, "--output", tmp_path / "stems", "--engine", "starter", "--dry-run", "--json")
    plan = document(answer)["plan"]
    assert (answer.returncode, plan["track_count"], round(plan["audio_s"])) == (0, 4, 4)
    assert plan["volumes"]
    assert not (tmp_path / "stems").exists()


def test_batch_never_falls_to_the_starter(stack: Stack, music: Path, tmp_path: Path) -> None:
    """Without a model it is refused, with the command that gets one."""
    answer = stack.cli("batch", music, "--output", tmp_path / "stems")
    assert answer.returncode == 4
    assert "stemhouse models pull" in answer.stderr


def test_bad_files_are_reported_with_their_remedies(stack: Stack, music: Path, tmp_path: Path) -> None:
    """Cut, empty, or no song at all; the others are done, one of them in part; the table has causes and remedies."""
    (music / "broken.mp3").write_bytes(b"no audio at all" * 999)
    (music / "empty.mp3").touch()
    whole = (music / "plain.wav").read_bytes()
    (music / "plain.wav").write_bytes(whole[:46])
    (music / "half.wav").write_bytes(whole[: len(whole) // 2])
    answer = stack.cli("batch", music, "--output", tmp_path / "stems", "--engine", "starter", "--json")
    assert answer.returncode == 5
    report = document(answer)
    assert {name for name, state in states(report).items() if state == "failed"} == {
        "broken.mp3",
        "empty.mp3",
        "plain.wav",
    }
    assert sorted(states(report).values()) == ["done"] * 4 + ["failed"] * 3
    table = stack.cli("batch", "report", report["batch"]["batch_id"], "--csv").stdout
    listed = list(csv.DictReader(io.StringIO(table)))
    rows = [row for row in listed if row["state"] == "failed"]
    assert all(row["cause"] and row["remedy"] for row in rows)
    assert [row["cause"].endswith("is empty") for row in rows if row["path"].endswith("empty.mp3")] == [True]
    assert ["its end is missing" in row["damage"] for row in listed if row["damage"]] == [True]


def test_tracks_are_made_for_djs_on_the_way(stack: Stack, music: Path) -> None:
    """In folders as the library has them, with lists of its crates; a target that comes to mind later works, too.

    A scan of a library that holds all of it finds the songs alone.
    """
    (music / "late" / "Björk — Jóga.flac").unlink()
    (music / "House" / "other.mp3").unlink()
    output = music / "stems"
    options = ("--output", output, "--engine", "starter", "--layout", "mirror", "--json")
    stack.cli("batch", music, *options, "--target", "serato")
    made = {path.parents[1].relative_to(output / "dj") for path in output.rglob("*_Acapella.flac")}
    assert made == {Path("serato"), Path("serato/House")}
    lists = {path.name for path in (output / "dj/serato").rglob("*.m3u8")}
    assert {"Stemhouse - Acapella.m3u8", "Stemhouse - list - Instrumental.m3u8"} <= lists
    again = document(stack.cli("batch", music, *options, "--target", "rekordbox"))
    assert set(states(again).values()) == {"skipped"}
    assert (output / "dj/rekordbox/rekordbox.xml").read_text().count("<TRACK TrackID") == 4
    outcome = document(stack.cli("library", "scan", music, "--json"))["outcome"]
    assert outcome["found_count"] == 2
