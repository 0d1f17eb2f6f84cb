"""The CLI as a user meets it, over a real stack."""

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutagen.id3
import numpy as np
import pytest
import soundfile

from stemhouse.local.stack import ensure_stack
from stemhouse.vocab import BASE_STEMS
from tests.e2e.conftest import Stack
from tests.signals import song

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.stack

RATE_HZ = 44_100


def document(answer: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The one JSON document on stdout."""
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def new_song(path: Path, duration_s: float = 1.5) -> Path:
    """A song that was never separated before."""
    samples = song(int(duration_s * RATE_HZ), RATE_HZ, seed=uuid.uuid4().int % 2**32)
    soundfile.write(path, samples.T, RATE_HZ)
    return path


def tag(path: Path, title: str) -> Path:
    """Give an MP3 other tags."""
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TPE1(text="Some Artist"))
    tags.add(mutagen.id3.TIT2(text=title))
    tags.save(path)
    return path


def test_separated_track_is_a_folder_of_stems_with_a_report(stack: Stack, tmp_path: Path) -> None:
    """Names, files, metadata, and one JSON document on stdout."""
    source = tag(new_song(tmp_path / "song.mp3"), "Träck: 1/2")
    answer = stack.cli("separate", source, "--output", tmp_path / "out", "--json")
    assert answer.returncode == 0, answer.stderr
    [track] = document(answer)["tracks"]
    folder = Path(track["folder"])
    assert folder.parent == tmp_path / "out"
    assert folder.name.startswith("Some Artist - Träck")
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [*(f"{name}.wav" for name in BASE_STEMS), "metadata.json"]
    )
    metadata = json.loads((folder / "metadata.json").read_text())
    assert track["result"]["stem_set"]["engine"] == "starter"
    assert metadata["separation"]["engine_id"] == track["result"]["stem_set"]["engine_id"]
    assert "basic quality" in metadata["separation"]["decision_reasons"][-1]
    assert {file["name"] for file in metadata["files"]} == {f"{name}.wav" for name in BASE_STEMS}


@pytest.mark.parametrize("change", ["nothing", "tags"])
def test_known_audio_is_answered_from_the_cache(change: str, stack: Stack, tmp_path: Path) -> None:
    """The same file by its MD5, the same audio under other tags by its samples; nothing is separated."""
    source = tag(new_song(tmp_path / "song.mp3"), "One")
    first = document(stack.cli("separate", source, "--output", tmp_path, "--json"))
    if change == "tags":
        tag(source, "Two")
    second = document(stack.cli("separate", source, "--output", tmp_path, "--json"))
    hit = second["tracks"][0]["result"]["cache_hit"]
    assert hit == {"nothing": "file", "tags": "pcm"}[change]
    assert first["tracks"][0]["result"]["cache_hit"] == "none"
    assert second["tracks"][0]["result"]["stem_set"] == first["tracks"][0]["result"]["stem_set"]


def test_every_format_and_stem_can_be_asked_for(stack: Stack, tmp_path: Path) -> None:
    """Formats of design section 7 that are there, with instrumental and acapella."""
    source = new_song(tmp_path / "song.wav")
    stems = "vocals,instrumental,acapella"
    for file_format, bits, subtype in (
        ("wav", "16", "PCM_16"),
        ("wav", "32f", "FLOAT"),
        ("flac", "24", "PCM_24"),
    ):
        output = tmp_path / f"{file_format}{bits}"
        arguments = ("--format", file_format, "--bit-depth", bits, "--stems", stems, "--output", output, "--json")
        answer = stack.cli("separate", source, *arguments)
        assert answer.returncode == 0, answer.stderr
        files = sorted(Path(document(answer)["tracks"][0]["folder"]).glob(f"*.{file_format}"))
        assert [file.stem for file in files] == ["acapella", "instrumental", "vocals"]
        assert {soundfile.info(file).subtype for file in files} == {subtype}


def test_true_stems_are_measured(stack: Stack, tmp_path: Path) -> None:
    """--reference gives SI-SDR for each stem that is there, also for one separated before."""
    source = new_song(tmp_path / "song.wav")
    references = tmp_path / "true"
    references.mkdir()
    mixture, _ = soundfile.read(source)
    soundfile.write(references / "bass.wav", mixture * 0.5, RATE_HZ, subtype="PCM_24")
    answer = stack.cli("separate", source, "--reference", references, "--output", tmp_path, "--json")
    assert answer.returncode == 0, answer.stderr
    quality = document(answer)["tracks"][0]["result"]["quality"]
    by_stem = {stem["stem"]: stem for stem in quality["stems"]}
    assert by_stem["bass"]["status"] == "measured"
    assert -60 <= by_stem["bass"]["si_sdr_db"] <= 60


def write_text(path: Path) -> None:
    """No audio at all."""
    path.write_text("this is not audio, whatever its name says\n" * 100)


def write_nan(path: Path) -> None:
    """Float samples with a hole."""
    samples = song(RATE_HZ, RATE_HZ).T.copy()
    samples[1234, 0] = np.nan
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")


def write_three_channels(path: Path) -> None:
    """More than stereo."""
    soundfile.write(path, song(RATE_HZ, RATE_HZ, 3).T, RATE_HZ)


REJECTED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "empty": ("empty.wav", Path.touch),
    "text": ("text.mp3", write_text),
    "nan": ("hole.wav", write_nan),
    "channels": ("three.wav", write_three_channels),
    "header only": ("short.wav", lambda path: soundfile.write(path, np.zeros((0, 2)), RATE_HZ)),
}


@pytest.mark.parametrize("case", REJECTED)
def test_bad_input_is_rejected_by_name_and_the_stack_goes_on(case: str, stack: Stack, tmp_path: Path) -> None:
    """Exit code 3, an error that names the file, no folder; and the next track works."""
    name, write = REJECTED[case]
    write(tmp_path / name)
    answer = stack.cli("separate", tmp_path / name, "--output", tmp_path / "out")
    assert answer.returncode == 3, answer.stderr
    assert name in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr
    assert not list((tmp_path / "out").glob("*"))


def write_silence(path: Path) -> None:
    """Digital silence."""
    soundfile.write(path, np.zeros((RATE_HZ, 2)), RATE_HZ)


def write_blink(path: Path) -> None:
    """0.01 s."""
    soundfile.write(path, song(441, RATE_HZ).T, RATE_HZ)


def write_truncated(path: Path) -> None:
    """An MP3 that ends in the middle of a frame."""
    new_song(path, 4.0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


ODD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "silence": ("silence.wav", write_silence),
    "blink": ("blink.wav", write_blink),
    "truncated": ("cut.mp3", write_truncated),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_input_gives_a_valid_result(case: str, stack: Stack, tmp_path: Path) -> None:
    """Finite stems as long as what can be decoded."""
    name, write = ODD[case]
    source = tmp_path / name
    write(source)
    answer = stack.cli("separate", source, "--output", tmp_path, "--json")
    assert answer.returncode == 0, answer.stderr
    folder = Path(document(answer)["tracks"][0]["folder"])
    for stem in BASE_STEMS:
        samples, _ = soundfile.read(folder / f"{stem}.wav")
        assert len(samples) == document(answer)["tracks"][0]["result"]["stem_set"]["audio"]["frame_count"]
        assert np.all(np.isfinite(samples))


def test_missing_path_and_folder_are_wrong_usage(stack: Stack, tmp_path: Path) -> None:
    """Exit code 2 and the path in the message."""
    for path in (tmp_path / "not-there.wav", tmp_path):
        answer = stack.cli("separate", path)
        assert answer.returncode == 2
        assert path.name in answer.stderr


def test_one_bad_file_does_not_stop_the_others(stack: Stack, tmp_path: Path) -> None:
    """Exit code 5; the good one is delivered."""
    good, bad = new_song(tmp_path / "good.wav"), tmp_path / "bad.mp3"
    write_text(bad)
    answer = stack.cli("separate", bad, good, "--output", tmp_path, "--json")
    assert answer.returncode == 5, answer.stderr
    assert [track["status"] for track in document(answer)["tracks"]] == ["failed", "done"]


def test_unknown_engine_is_unavailable_and_says_what_there_is(stack: Stack, tmp_path: Path) -> None:
    """Exit code 4."""
    answer = stack.cli("separate", new_song(tmp_path / "song.wav"), "--engine", "demucs")
    assert answer.returncode == 4
    assert "starter" in answer.stdout + answer.stderr


def test_engines_jobs_and_status_answer(stack: Stack) -> None:
    """Each as one JSON document."""
    assert [engine["name"] for engine in document(stack.cli("engines", "--json"))["engines"]] == ["starter"]
    for command in (("jobs", "--json"), ("status", "--json"), ("doctor", "--json")):
        answer = stack.cli(*command)
        assert answer.returncode == 0, answer.stderr
        assert document(answer)


def test_caller_with_other_settings_is_told_so(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gets the stack as it is."""
    told: list[str] = []
    assert ensure_stack(stack.home, told.append) == stack.endpoints
    assert told == []
    monkeypatch.setenv("STEMHOUSE_MODELS__OFFLINE", "true")
    assert ensure_stack(stack.home, told.append) == stack.endpoints
    assert "other settings (STEMHOUSE_MODELS__OFFLINE): `stemhouse down`" in " ".join(told)


def test_one_request_id_follows_a_track_through_the_logs(stack: Stack, tmp_path: Path) -> None:
    """Every process that worked on it, workers too, has lines with the id, and each of them names its service."""
    source = new_song(tmp_path / "followed.wav")
    job_id = document(stack.cli("separate", source, "--output", tmp_path, "--json"))["tracks"][0]["job_id"]
    request_id = stack.client.get_job(job_id).request_id
    speakers = {
        "router": {"router"},
        "separator": {"separator", "separator-files", "separator-device"},
        "exporter": {"exporter"},
    }
    for name, expected in speakers.items():
        lines = stack.home.log_file(name).read_text().splitlines()
        followed = [json.loads(line) for line in lines if request_id in line]
        assert {line["service"] for line in followed} == expected
        assert {line["request_id"] for line in followed} == {request_id}


def test_library_lists_what_it_scanned_and_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    """Tags come out; the files stay as they were."""
    folder = tmp_path / "music"
    folder.mkdir()
    track = tag(new_song(folder / "a.MP3".lower()), "In the Library")
    before = (track.read_bytes(), track.stat().st_mtime_ns)
    assert stack.cli("library", "scan", folder, "--json").returncode == 0
    [found] = document(stack.cli("library", "tracks", folder, "--json"))["tracks"]
    assert (found["track"]["artist"], found["track"]["title"]) == ("Some Artist", "In the Library")
    assert (track.read_bytes(), track.stat().st_mtime_ns) == before


def test_cancelled_job_is_told_as_cancelled(stack: Stack, tmp_path: Path) -> None:
    """`jobs cancel` from another terminal ends a running `separate` with exit code 5."""
    source = new_song(tmp_path / "long.wav", 40.0)
    with ThreadPoolExecutor(1) as users:
        running = users.submit(stack.cli, "separate", source, "--output", tmp_path, "--json")
        job_id = wait_for_running_job(stack, source.name)
        assert stack.cli("jobs", "cancel", job_id).returncode == 0
        answer = running.result()
    assert answer.returncode == 5
    assert document(answer)["tracks"][0]["status"] == "cancelled"


def wait_for_running_job(stack: Stack, file_name: str) -> str:
    """The id of the file's job, once it runs."""
    for _ in range(600):
        for job in stack.client.list_jobs(page_size=5):
            if job.request.source.file_name == file_name and job.state.value == "running":
                return job.job_id
        time.sleep(0.05)
    raise AssertionError(f"no job for {file_name} was seen running")
