"""The production tools through the CLI, over a real stack: one short loop from the mix to a Live set."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from lxml import etree

from services.exporter.core.ableton.model import BASS_BLUE, DRUMS_GREEN, ORIGINAL_GREY, OTHER_ORANGE, VOCALS_PINK
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, OTHER
from tests.e2e.conftest import Stack
from tests.live_sets.checker import judged

pytestmark = pytest.mark.stack

RATE_HZ = 44_100
BPM = 120.0
DURATION_S = 16.0


COLLECTION = """<?xml version="1.0" encoding="UTF-8"?>
<DJ_PLAYLISTS Version="1.0.0"><PRODUCT Name="rekordbox" Version="6.0.0" Company="AlphaTheta"/>
<COLLECTION Entries="1"><TRACK TrackID="1" Name="loop" Location="{uri}" TotalTime="16" AverageBpm="{bpm}">
<TEMPO Inizio="0.000" Bpm="{bpm}" Metro="4/4" Battito="3"/></TRACK></COLLECTION>
<PLAYLISTS><NODE Type="0" Name="ROOT" Count="0"/></PLAYLISTS></DJ_PLAYLISTS>
"""


@pytest.fixture(scope="module")
def stem_dir(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivered stems of a loop."""
    folder = tmp_path_factory.mktemp("production")
    soundfile.write(folder / "loop.wav", loop(), RATE_HZ, "PCM_24")
    answer = stack.cli("separate", folder / "loop.wav", "--engine", "starter", "--output", folder / "stems", "--json")
    assert answer.returncode == 0, answer.stderr
    return Path(json.loads(answer.stdout)["tracks"][0]["folder"])


def loop() -> npt.NDArray[np.float64]:
    """Kick on each beat, snare on two and four, a bass line, and a voice that sings every other bar."""
    time_s = np.arange(int(DURATION_S * RATE_HZ)) / RATE_HZ
    beat_s = 60 / BPM
    since_beat_s, since_snare_s = time_s % beat_s, (time_s - beat_s) % (2 * beat_s)
    kick = np.sin(2 * np.pi * 50 * since_beat_s) * np.exp(-since_beat_s * 20)
    snare = np.random.default_rng(3).standard_normal(len(time_s)) * np.exp(-since_snare_s * 30) * (time_s >= beat_s)
    bass = np.sin(2 * np.pi * 55 * time_s) * (since_beat_s > 0.1)
    is_sung = (time_s // (4 * beat_s)) % 2 == 1
    vibrato = 220 * time_s + 0.8 * np.sin(2 * np.pi * 5.5 * time_s)
    voice = sum(np.sin(2 * np.pi * number * vibrato) / number for number in range(1, 9)) * is_sung
    mixture = 0.8 * kick + 0.3 * snare + 0.4 * bass + 0.5 * voice
    stereo: npt.NDArray[np.float64] = np.column_stack([mixture, 0.9 * mixture]) * (0.8 / np.max(np.abs(mixture)))
    return stereo


def run(stack: Stack, *arguments: object) -> dict[str, Any]:
    """The one document of a command that goes well."""
    answer = stack.cli(*arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def samples(path: Path) -> npt.NDArray[np.float64]:
    """Of a file; full scale is 1."""
    found: npt.NDArray[np.float64] = soundfile.read(path, always_2d=True)[0]
    return found


def null_depth_db(stems: list[Path], whole: npt.NDArray[np.float64]) -> float:
    """What is left when the stems are taken from the whole."""
    rest = sum((samples(stem) for stem in stems), start=-whole)
    return 20 * float(np.log10(max(np.sqrt(np.mean(rest**2)), 1e-12) / np.sqrt(np.mean(whole**2))))


def colours_and_sound(live_set: Path) -> dict[str, tuple[int, bool]]:
    """Of each audio track of a set: its colour, and whether it is heard."""
    root = etree.fromstring(gzip.decompress(live_set.read_bytes()))
    return {
        value_of(track, "Name/EffectiveName"): (
            int(value_of(track, "Color") or int(value_of(track, "ColorIndex")) - 140),  # where Live 10 counts from
            value_of(track, "DeviceChain/Mixer/Speaker/Manual") == "true",
        )
        for track in root.iterfind(".//AudioTrack")
    }


def value_of(element: etree._Element, path: str) -> str:
    """Of what lies there; empty if nothing does."""
    found = element.find(path)
    return "" if found is None else str(found.get("Value"))


def test_analysis_tells_the_tempo(stack: Stack, stem_dir: Path) -> None:
    """That the loop was made in."""
    analysis = run(stack, "analyze", stem_dir)["analysis"]
    assert analysis["duration_s"] == DURATION_S
    assert analysis["grid"]["bpm"] == pytest.approx(BPM, abs=0.05)


def test_live_project_is_complete(stack: Stack, stem_dir: Path, tmp_path: Path) -> None:
    """Two sets of gzipped XML; the stems sum to the original; every sample that the sets name is there."""
    made = run(stack, "export-ableton", stem_dir, "--output", tmp_path)
    project = Path(made["folder"])
    imported = project / "Samples" / "Imported"
    original = samples(imported / "original mix.wav")
    assert len(original) == int(DURATION_S * RATE_HZ)
    assert null_depth_db([imported / f"{stem}.wav" for stem in BASE_STEMS], original) <= -90.0
    live_sets = [*project.glob("*.als")]
    assert len(live_sets) == 2
    for live_set in live_sets:
        assert judged(live_set.read_bytes(), project).wrong == ()
        assert colours_and_sound(live_set) == {
            "Vocals": (VOCALS_PINK, True),
            "Drums": (DRUMS_GREEN, True),
            "Bass": (BASS_BLUE, True),
            "Other": (OTHER_ORANGE, True),
            "Original": (ORIGINAL_GREY, False),
        }
    assert (project / "Ableton Project Info").is_dir()
    again = run(stack, "export-ableton", stem_dir, "--output", tmp_path)
    assert (again["folder"], again["is_reused"]) == (str(project), True)


def test_stretched_stems_still_add_up(stack: Stack, stem_dir: Path, tmp_path: Path) -> None:
    """In one and a quarter times the frames, a sum of them beside its parts: all go through one map."""
    folder = Path(shutil.copytree(stem_dir, tmp_path / stem_dir.name))
    parts = (DRUMS, BASS, OTHER)
    instrumental = sum((samples(folder / f"{stem}.wav") for stem in parts[1:]), start=samples(folder / "drums.wav"))
    soundfile.write(folder / "instrumental.wav", instrumental, RATE_HZ, "FLOAT")
    made = run(stack, "stretch", folder, "--ratio", "1.25", "--bit-depth", "32f", "--output", tmp_path)
    assert Path(made["folder"]).name == f"{stem_dir.name} x1.25"
    stretched = tmp_path / made["folder"]
    parts_left_db = null_depth_db(
        [stretched / f"{stem}.wav" for stem in parts], samples(stretched / "instrumental.wav")
    )
    assert parts_left_db <= -90.0
    stems = [tmp_path / made["folder"] / f"{stem}.wav" for stem in BASE_STEMS]
    assert {soundfile.info(stem).frames for stem in stems} == {round(1.25 * DURATION_S * RATE_HZ)}
    assert {soundfile.info(stem).subtype for stem in stems} == {"FLOAT"}


def test_chops_lie_beside_their_folder(stack: Stack, stem_dir: Path) -> None:
    """On the grid, each as long as its index says, with a kit that names them all."""
    made = run(stack, "chops", stem_dir, "--stem", "drums", "--grid", "1/4")
    folder = Path(made["folder"])
    assert folder.parent == stem_dir.parent
    chops = [file for file in folder.iterdir() if file.suffix == ".wav"]
    assert len(chops) >= 4
    kit = (folder / "chops.sfz").read_text()
    assert all(file.name in kit for file in chops)
    assert (folder / "chops.csv").read_text().count("\n") == len(chops) + 1


def test_lossy_stems_are_refused_with_the_command_that_helps(stack: Stack, stem_dir: Path, tmp_path: Path) -> None:
    """And a folder without stems is wrong usage."""
    soundfile.write(tmp_path / "vocals.mp3", samples(stem_dir / "vocals.wav"), RATE_HZ, format="MP3")
    answer = stack.cli("export-ableton", tmp_path)
    assert answer.returncode == 3
    assert "--format wav" in answer.stderr
    (tmp_path / "vocals.mp3").unlink()
    assert stack.cli("analyze", tmp_path).returncode == 2


def test_grid_of_a_dj_program_counts_where_the_audio_agrees(stack: Stack, tmp_path: Path) -> None:
    """A collection that calls the third beat the first of a bar is believed; one of another tempo is not.

    It is of a song of its own: the library is everybody's, and goes on knowing what it was told.
    """
    song, collection = tmp_path / "of a collection.wav", tmp_path / "collection.xml"
    soundfile.write(song, 0.5 * loop(), RATE_HZ, "PCM_24")
    separated = run(stack, "separate", song, "--engine", "starter", "--output", tmp_path / "stems")
    for bpm, source in (("120.00", "dj_program"), ("127.00", "audio")):
        collection.write_text(COLLECTION.format(uri=song.as_uri(), bpm=bpm))
        run(stack, "library", "scan", collection)
        grid = run(stack, "analyze", separated["tracks"][0]["folder"])["analysis"]["grid"]
        assert (grid["source"], grid["markers"][0]["time_s"] == pytest.approx(1.0)) == (source, source == "dj_program")
