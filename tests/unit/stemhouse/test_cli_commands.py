"""The other commands, exit codes, progress, and what importing the command line costs."""

import dataclasses
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from stemhouse.audio import SourceRef
from stemhouse.cli.exit_codes import EXIT_CODES, exit_code_of_all
from stemhouse.cli.main import _COMMANDS, cli as root, main
from stemhouse.cli.progress import LineProgress, TimeLeft
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InternalFault, NotFound, UnreadableAudio, error_types
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.local.home import HOME_VARIABLE
from stemhouse.models import ModelState
from stemhouse.tracks import ScanProblem, ScanProgress, Track
from stemhouse.vocab import JobState, Stage
from tests.fakes_front import HTDEMUCS, NO_DEMUCS, FakeFront, serve_front

SOURCE = SourceRef("a" * 64, "b" * 32, 3, "song.mp3")
JOB = Job("job-1", "wish-1", SeparationRequest(SOURCE), JobState.RUNNING, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFront]:
    """The servers that STEMHOUSE_SERVER names."""
    with serve_front() as front:
        monkeypatch.setenv("STEMHOUSE_SERVER", front.address)
        yield front


@pytest.fixture
def no_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home in which nothing runs."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


@pytest.fixture
def job_ids(front: FakeFront) -> list[str]:
    """Three jobs that are done."""
    with Stemhouse(front.endpoints) as client:
        return [client.submit(SeparationRequest(SOURCE), f"wish-{number}").job_id for number in range(3)]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """A command's exit code and its JSON document."""
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_every_error_has_an_exit_code() -> None:
    """A new error class fails this test until it has its row."""
    assert set(EXIT_CODES) == set(error_types())


def test_codes_of_many_files_become_one() -> None:
    """Alike: that code; different: finished with failures."""
    rejected, missing = UnreadableAudio("x"), NotFound("x")
    assert [exit_code_of_all(errors) for errors in ([None, None], [rejected, rejected], [None, rejected])] == [0, 3, 5]
    assert exit_code_of_all([rejected, missing]) == 5


@pytest.mark.parametrize("command", ["jobs", "jobs list"])
def test_jobs_are_listed(job_ids: list[str], capsys: pytest.CaptureFixture[str], command: str) -> None:
    """With and without the word."""
    code, document = run(capsys, *command.split())
    assert (code, [job["job_id"] for job in document["jobs"]]) == (0, job_ids)
    assert main(command.split()) == 0
    assert capsys.readouterr().out.count("song.mp3") == 3


@pytest.mark.usefixtures("job_ids")
def test_jobs_can_be_counted_and_chosen_by_state(capsys: pytest.CaptureFixture[str]) -> None:
    """At most so many, only of these states."""
    assert len(run(capsys, "jobs", "list", "--count", "2")[1]["jobs"]) == 2
    assert run(capsys, "jobs", "list", "--state", "failed", "--state", "queued") == (0, {"jobs": []})


def test_job_is_shown_and_cancelled_by_id(
    front: FakeFront, job_ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole job as JSON; an unknown id is wrong usage."""
    code, document = run(capsys, "jobs", "show", job_ids[1])
    assert (code, document["job"]["state"], document["job"]["created_at"]) == (0, "done", "2026-01-02T03:04:05+00:00")
    assert run(capsys, "jobs", "cancel", job_ids[1])[0] == 0
    assert front.router.cancelled == [job_ids[1]]
    code, document = run(capsys, "jobs", "show", "nope")
    assert (code, document["error"]["reason"]) == (2, "NOT_FOUND")


@pytest.mark.usefixtures("front")
def test_engines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """As the router knows them."""
    code, document = run(capsys, "engines")
    assert (code, document["engines"][0]["engine_id"]) == (0, "starter-tiny-00000000")


def test_what_engines_lack_is_listed_with_its_remedy(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the engines, for people and for programs."""
    front.router.gaps = [NO_DEMUCS]
    code, document = run(capsys, "engines")
    assert (code, document["gaps"][0]["remedy"]) == (0, "stemhouse models pull htdemucs")
    assert main(["engines"]) == 0
    assert "demucs    no model is installed; get it with: stemhouse models pull htdemucs" in capsys.readouterr().out


def test_models_are_listed_with_their_licence_notes(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Each note once, with the models that it is about."""
    front.router.models = [HTDEMUCS, dataclasses.replace(HTDEMUCS, name="other")]
    code, document = run(capsys, "models", "list")
    assert (code, [model["state"] for model in document["models"]]) == (0, ["available"] * 2)
    assert main(["models", "list"]) == 0
    assert "htdemucs, other: for research" in capsys.readouterr().out


def test_pull_shows_the_licence_note_and_installs(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """The note comes first, then progress, then what is there."""
    assert main(["models", "pull", "htdemucs"]) == 0
    captured = capsys.readouterr()
    assert captured.err.index("for research") < captured.err.index("pulling htdemucs 50%")
    assert captured.out.split()[:3] == ["htdemucs", "demucs", "installed"]
    assert front.router.pulled == ["htdemucs"]


def test_pull_of_an_unknown_model_is_wrong_usage(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """As any other thing that does not exist; nothing is pulled before it is found out."""
    code, document = run(capsys, "models", "pull", "htdemucs", "nosuch")
    assert (code, document["error"]["reason"]) == (2, "NOT_FOUND")
    assert "nosuch; there are htdemucs" in document["error"]["message"]
    assert not front.router.pulled


def test_verify_of_a_damaged_model_finishes_with_failures(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what is wrong with it."""
    front.router.models = [dataclasses.replace(HTDEMUCS, state=ModelState.DAMAGED, problem="weights: cut")]
    assert main(["models", "verify"]) == 5
    assert "weights: cut" in capsys.readouterr().out


def test_added_folder_is_named_by_its_yaml_file(front: FakeFront, tmp_path: Path) -> None:
    """Whatever else lies there stays."""
    for name in ("My.Bag.yaml", "a.th", "b.safetensors", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert main(["models", "add", str(tmp_path), "--licence", "free"]) == 0
    assert front.router.added == [("my-bag", ["My.Bag.yaml", "a.th", "b.safetensors"], "free")]


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize("names", [("a.th", "b.th"), ("ÄÖ.th",), ()])
def test_addition_without_a_clear_name_is_wrong_usage(names: tuple[str, ...], tmp_path: Path) -> None:
    """Two checkpoints without a YAML file, a name of which nothing is left, an empty folder."""
    for name in names:
        (tmp_path / name).write_bytes(b"weights")
    assert main(["models", "add", str(tmp_path)]) == 2


def test_scan_sends_an_absolute_folder_and_counts(
    front: FakeFront, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service has another working directory."""
    monkeypatch.chdir(tmp_path)
    code, document = run(capsys, "library", "scan", ".")
    assert (code, document["outcome"]["added_count"], front.library.locations) == (0, 3, [str(tmp_path)])


def test_scan_with_problems_finishes_with_failures(
    front: FakeFront, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """All of them are told, whichever report they came with."""
    problems = [ScanProblem("/m/x.mp3", "damaged"), ScanProblem("/m/y.mp3", "empty")]
    front.library.reports = [
        ScanProgress(1, problems=(problems[0],)),
        ScanProgress(2, problems=(problems[1],), is_complete=True),
    ]
    code, document = run(capsys, "library", "scan", str(tmp_path))
    assert (code, document["problems"]) == (5, [dataclasses.asdict(problem) for problem in problems])


def test_scan_that_ends_early_is_no_success(
    front: FakeFront, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last report must be the outcome."""
    front.library.reports = [ScanProgress(1)]
    code, document = run(capsys, "library", "scan", str(tmp_path))
    assert (code, document["error"]["reason"]) == (5, InternalFault.reason)


def test_tracks_are_listed(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """With artist, title, tempo and key where they are known."""
    front.library.tracks = [Track("/m/a.mp3", 1, "Artist", "Title", bpm=124.0, key="8A"), Track("/m/b.mp3", 1)]
    assert [track["path"] for track in run(capsys, "library", "tracks")[1]["tracks"]] == ["/m/a.mp3", "/m/b.mp3"]
    assert main(["library", "tracks"]) == 0
    assert capsys.readouterr().out.splitlines() == ["Artist - Title  124 BPM  8A  /m/a.mp3", "b.mp3  /m/b.mp3"]


@pytest.mark.usefixtures("no_stack")
def test_nothing_running_is_unavailable_to_status_and_well_to_down(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither starts anything."""
    code, document = run(capsys, "status")
    assert (code, document["processes"]) == (4, [])
    assert run(capsys, "down") == (0, {"was_running": False})


@pytest.mark.usefixtures("no_stack")
def test_doctor_tells_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    """With its remedy where there is one."""
    code, document = run(capsys, "doctor")
    assert code == 0
    assert {"python", "separator", "object store", "starter weights", "disk"} <= {
        check["name"] for check in document["checks"]
    }


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for sub_name in command.list_commands(context):
            sub_command = command.get_command(context, sub_name)
            assert sub_command
            yield from _commands(sub_command, f"{name} {sub_name}")


def test_every_command_has_help_and_json() -> None:
    """And so has every option; pure groups have nothing to print as JSON."""
    for name, command in _commands(root, "stemhouse"):
        assert command.help, name
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert name in {"stemhouse", "stemhouse batch", "stemhouse library", "stemhouse models"} or "--json" in {
            opt for found in options for opt in found.opts
        }
        assert all(option.help or option.type.name == "choice" for option in options), name


def test_wrong_server_address_is_told_with_its_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where else could it come from?"""
    monkeypatch.setenv("STEMHOUSE_SERVER", "nowhere")
    code, document = run(capsys, "engines")
    assert (code, document["error"]["message"][:44]) == (2, "STEMHOUSE_SERVER: server address 'nowhere' m")


def test_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """It is named."""
    assert main(["sepparate"]) == 2
    assert "sepparate" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["separate", "--help"], ["jobs", "list", "-h"]])
def test_help_and_version_are_no_errors(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Exit code 0, text on stdout."""
    assert main(arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["models"]])
def test_command_that_is_only_named_shows_its_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """On stderr, and not as an error; the exit code says that nothing was done."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("Usage: stemhouse ")
    assert ("Commands:" in captured.err, "error" in captured.err.partition("Options:")[0]) == (True, False)


def test_first_lines_of_help_are_whole() -> None:
    """In a terminal of 80 columns no command's is cut off."""
    for name, command in itertools.islice(_commands(root, "stemhouse"), 1, None):
        assert not command.get_short_help_str(80 - 6 - len("separate")).endswith("..."), name


def test_time_left_follows_the_pace_of_the_stage() -> None:
    """Nothing is said before there is something to tell from; each stage starts anew."""
    now_s = 0.0
    time_left = TimeLeft(lambda: now_s)

    def estimate_s(stage: Stage, progress: float) -> float | None:
        return time_left.estimate_s(dataclasses.replace(JOB, stage=stage, progress=progress))

    assert estimate_s(Stage.SEPARATE, 0.0) is None
    now_s = 10.0
    assert estimate_s(Stage.SEPARATE, 0.25) == pytest.approx(30.0)
    assert estimate_s(Stage.ASSESS, 0.0) is None
    now_s = 12.0
    assert estimate_s(Stage.ASSESS, 0.5) == pytest.approx(2.0)
    assert estimate_s(Stage.ASSESS, 1.0) is None


def test_lines_are_sparse() -> None:
    """A hundred changes of one stage make five lines; the last tells the minutes left."""
    now_s = 0.0
    lines: list[str] = []
    progress = LineProgress(lines.append, lambda: now_s)
    progress.begin("song.mp3")
    for percent in range(100):
        now_s = percent * 2.0
        progress.show(dataclasses.replace(JOB, stage=Stage.SEPARATE, progress=percent / 100))
    assert lines == [
        "song.mp3: separate",
        "song.mp3: separate 25%, 2:30 left",
        "song.mp3: separate 50%, 1:40 left",
        "song.mp3: separate 75%, 0:50 left",
    ]


def test_starting_up_imports_nothing_heavy() -> None:
    """A cached `separate` is mostly start-up; the whole of the client must do without these."""
    modules = [name for name in _COMMANDS.values() if not name.endswith((".up", ".doctor"))]
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"torch", "numpy", "sqlite3", "sqlmodel", "dbos", "minio", "pydantic", "services", "rich.progress"}
    assert heavy & set(loaded) == set()


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("option", ["--tag-bpm", "--ratio", "--bpm"])
def test_what_is_no_number_is_refused(option: str, number: str, tmp_path: Path) -> None:
    """Comparisons with it are all false: it would slip through a range."""
    assert main(["stretch", str(tmp_path), option, number]) == 2


_ASKED_TO_END = """
import os, signal, sys, time
from stemhouse.cli import main as entry
def called(*_, **__):
    try:
        os.kill(os.getpid(), number)
        time.sleep(20)
    finally:
        print("in good order", flush=True)
entry.cli.invoke = called
number = getattr(signal, sys.argv[1])
signal.signal(number, signal.SIG_DFL)  # whoever runs the tests may have turned it off
sys.exit(entry.main(["doctor"]))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_being_asked_to_end_counts_as_ctrl_c(name: str) -> None:
    """A closed terminal leaves nothing half-written behind."""
    ended = subprocess.run([sys.executable, "-c", _ASKED_TO_END, name], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (130, "in good order")
