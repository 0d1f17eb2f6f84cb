"""Stems for DJ programs through the CLI, over a real stack, read by others than their writers."""

import json
from pathlib import Path

import pytest
import soundfile
import taglib
from pyrekordbox.rbxml import RekordboxXml

from tests.e2e.conftest import Stack
from tests.e2e.test_production import BPM, DURATION_S, RATE_HZ, loop, null_depth_db, run
from tests.mixxx_rules import complaints

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def stem_dir(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivered stems of a loop, which the stack may know already."""
    folder = tmp_path_factory.mktemp("dj #1 & é 🎶")
    soundfile.write(folder / "loop.wav", loop(), RATE_HZ, "PCM_24")
    answer = stack.cli("separate", folder / "loop.wav", "--engine", "starter", "--output", folder / "stems", "--json")
    assert answer.returncode == 0, answer.stderr
    return Path(json.loads(answer.stdout)["tracks"][0]["folder"])


def times(folder: Path) -> dict[Path, int]:
    """When each file was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_rekordbox_finds_acapella_and_instrumental(stack: Stack, stem_dir: Path) -> None:
    """24-bit AIFF that sums to the mix; pyrekordbox reads tempo, grid and where the files are; TagLib the tags.

    A second run writes nothing.
    """
    output = stem_dir.parent / "rekordbox"
    told = run(stack, "export-dj", stem_dir, "--target", "rekordbox", "--output", output)
    files = [Path(file) for file in told["tracks"][0]["files"][:-1]]
    assert [file.name for file in files] == ["loop_Acapella.aiff", "loop_Instrumental.aiff"]
    assert {(soundfile.info(file).subtype, soundfile.info(file).frames) for file in files} == {
        ("PCM_24", int(DURATION_S * RATE_HZ))
    }
    assert null_depth_db(files, loop()) <= -90.0
    collection = RekordboxXml(told["lists"][0])
    tracks = [collection.get_track(index) for index in range(2)]
    assert [Path("/" + track["Location"].lstrip("/")) for track in tracks] == files
    for file, track in zip(files, tracks, strict=True):
        assert (track["Name"], track["Kind"]) == (file.stem.replace("_", " (") + ")", "AIFF File")
        assert track.tempos[0]["Bpm"] == pytest.approx(BPM, abs=0.05)
        with taglib.File(str(file)) as tagged:
            assert tagged.tags["TITLE"] == [track["Name"]]
            assert float(tagged.tags["BPM"][0]) == pytest.approx(BPM, abs=0.05)
    [playlist] = [found for found in collection.get_playlist("Stemhouse").get_playlists() if found.name == "Acapella"]
    assert playlist.get_tracks() == [tracks[0]["TrackID"]]
    before = times(output)
    again = run(stack, "export-dj", stem_dir, "--target", "rekordbox", "--output", output)
    assert (times(output), again["lists"], again["lists_are_reused"]) == (before, told["lists"], True)


def test_stem_file_is_one_that_mixxx_takes(stack: Stack, stem_dir: Path) -> None:
    """Five streams in step, with tags, and a playlist that leads to it."""
    told = run(stack, "export-dj", stem_dir, "--target", "traktor", "--alac", "--output", stem_dir.parent / "traktor")
    file = Path(told["tracks"][0]["files"][0])
    assert complaints(file) == []
    with taglib.File(str(file)) as tagged:
        assert tagged.tags["TITLE"] == ["loop (Stems)"]
    playlist = next(Path(path) for path in told["lists"] if path.endswith(".m3u8"))
    entry = playlist.read_text().splitlines()[-1]
    assert playlist.parent / entry == file
