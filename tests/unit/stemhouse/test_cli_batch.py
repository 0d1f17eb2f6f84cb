"""`stemhouse batch` against a fake library service."""

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stemhouse.batches import (
    Batch,
    BatchCounts,
    BatchItem,
    BatchLayout,
    BatchPlan,
    BatchSpec,
    BatchState,
    DiskNeed,
    ItemState,
    VolumePlan,
)
from stemhouse.cli.main import main
from stemhouse.cli.session import SERVER_VARIABLE
from stemhouse.client.library import LibraryClient
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.dj import DJTarget
from stemhouse.errors import EngineUnavailable
from stemhouse.jobs import JobError
from stemhouse.tracks import Crate, LibraryKind, ProbeProgress, ScanProblem, ScanProgress, Track
from stemhouse.v1 import library_pb2 as pb
from tests.fakes_front import FakeFront, serve_front

DAMAGED = BatchItem(
    place=2,
    path="/music/b.mp3",
    reasons=(),
    state=ItemState.FAILED,
    error=JobError("UNREADABLE_AUDIO", "b.mp3 is damaged", {}),
    remedy="give a whole copy",
)
WELL = BatchItem(1, "/music/a.mp3", ("crate Friday",), ItemState.DONE, folder="/stems/A", work_s=2.04)


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFront]:
    """Servers, and the variable that names them: paths are theirs."""
    with serve_front() as front:
        monkeypatch.setenv(SERVER_VARIABLE, front.address)
        yield front


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document of a command."""
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def start(front: FakeFront) -> str:
    """The id of a batch that has begun."""
    assert main(["batch", "/music", "--output", "/stems", "--detach"]) == 0
    return next(iter(front.library.batches))


def test_library_is_scanned_planned_started_and_followed(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """With all options as the service is told them; the way is told on stderr."""
    options = "--source serato --crate Friday --only-crates --engine demucs --model htdemucs --force --no-sum-to-mix"
    more = "--stems vocals,drums,bass,other --format flac --bit-depth 16 --layout mirror --keep-results"
    cap = "--map C:/Music=/music --cloud-minutes 12.5 --target serato --target stem-mp4 --target serato"
    assert main(["batch", "/music", "--output", "/stems", "--probe-vocals", *f"{options} {more} {cap}".split()]) == 0
    spec = BatchSpec(
        location="/music",
        output_dir="/stems",
        library=LibraryKind.SERATO,
        crates=("Friday",),
        is_crates_only=True,
        engine="demucs",
        model="htdemucs",
        sum_to_mix=False,
        force=True,
        delivery=DeliveryOptions(FileFormat.FLAC, SampleFormat.PCM16, ("vocals", "drums", "bass", "other")),
        layout=BatchLayout.MIRROR,
        keeps_results=True,
        probes_vocals=True,
        cloud_minutes=12.5,
        targets=(DJTarget.SERATO, DJTarget.STEM_MP4),
    )
    assert front.library.specs == [spec, spec]
    (scan,) = front.library.scans
    assert (scan.path_maps[0].from_prefix, scan.path_maps[0].to_prefix) == ("C:/Music", "/music")
    told = capsys.readouterr()
    assert "3 tracks, 0:10 h of music, how long is not known yet" in told.err
    assert "batch-1  running  1/3, 1 done" in told.err
    lines = told.out.splitlines()
    assert lines[:2] == ["batch-1  done  3/3, 3 done", "output: /stems"]
    assert "what is in /stems/dj/serato/_Serato_/Subcrates into _Serato_/Subcrates" in lines[2]
    assert "import /stems/dj/stem-mp4/Stemhouse - Stems.m3u8 as a playlist" in lines[5]


def test_failed_tracks_are_told_with_cause_and_remedy(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """On the last lines, and by the exit code; the JSON document has every track."""
    front.library.course = [(BatchState.DONE, BatchCounts(done=1, failed=1))]
    front.library.items = [WELL, DAMAGED]
    assert main(["batch", "/music", "--output", "/stems"]) == 5
    assert capsys.readouterr().out.splitlines()[2:] == [
        "failed: /music/b.mp3",
        "  b.mp3 is damaged",
        "  give a whole copy",
    ]
    code, document = run(capsys, "batch", "report", "batch-1")
    assert (code, [item["path"] for item in document["items"]]) == (5, ["/music/a.mp3", "/music/b.mp3"])


def test_what_the_scan_did_not_find_is_told_with_the_batch(
    front: FakeFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty problems and a count, all of them in the document; tracks of a folder that is shut are in no batch."""
    lost = [ScanProblem(f"/music/{number}.mp3", "is not there") for number in range(30)]
    front.library.reports = [ScanProgress(problems=tuple(lost)), ScanProgress(missing_count=30, is_complete=True)]
    assert main(["batch", "/my music", "--output", "/stems"]) == 5
    told = capsys.readouterr()
    assert told.out.splitlines()[2:] == [
        "30 files in crates are missing: `stemhouse library scan '/my music'` lists them"
    ]
    assert [line for line in told.err.splitlines() if line.startswith(("/music/", "and "))] == [
        *(f"/music/{number}.mp3: is not there" for number in range(20)),
        "and 10 more; all of them with `stemhouse library scan DIR --json`",
    ]
    front.library.reports = [ScanProgress(problems=(ScanProblem(WELL.path, "no tags"),), is_complete=True)]
    for items, expected in (([WELL], 0), ([], 5)):
        front.library.items = items
        code, document = run(capsys, "batch", "/music", "--output", "/stems")
        assert (code, len(document["scan"]["problems"])) == (expected, 1)


def test_library_without_a_track_is_no_success(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is watched: some may come."""
    front.library.course = [(BatchState.DONE, BatchCounts())]
    assert main(["batch", "/music", "--output", "/stems"]) == 5
    assert capsys.readouterr().out.splitlines()[-1] == "there is no track to work on in /music"
    assert main(["batch", "/music", "--output", "/stems", "--watch"]) == 0


def test_damaged_tracks_are_told_and_fail_nothing(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Their files are there, and not whole."""
    front.library.course = [(BatchState.DONE, BatchCounts(done=1, skipped=1))]
    cut = "its end is missing"
    front.library.items = [WELL, replace(WELL, place=2, path="/music/c.mp3", state=ItemState.SKIPPED, damage=cut)]
    assert main(["batch", "/music", "--output", "/stems"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["done, but damaged: /music/c.mp3: its end is missing"]
    assert [item["damage"] for item in run(capsys, "batch", "report", "batch-1")[1]["items"]] == ["", cut]


def test_cancelled_batch_tells_how_to_go_on(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """A retry where it has something to do, or else the whole command, as a shell takes it."""
    options = [
        "--crate",
        "Peak Time",
        "--format",
        "flac",
        "--bit-depth",
        "16",
        "--stems",
        "vocals",
        "--watch",
        "--force",
    ]
    command = ["batch", "/my music", "--output", "/stems", *options, "--layout", "mirror", "--no-sum-to-mix"]
    front.library.course = [(BatchState.CANCELLED, BatchCounts(done=1, cancelled=2))]
    assert main(command) == 5
    told = capsys.readouterr().out.splitlines()
    assert told[2:] == ["2 tracks were cancelled: `stemhouse batch retry batch-1` goes on with them"]
    front.library.course = [(BatchState.CANCELLED, BatchCounts(done=1))]
    assert main(command) == 0
    (told_command,) = re.findall("it was cancelled: `stemhouse (.*)` begins again", capsys.readouterr().out)
    assert main(shlex.split(told_command)) == 0
    assert front.library.specs[-1] == replace(front.library.specs[0], force=False)


def test_interrupted_batch_can_be_found_again(
    front: FakeFront, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get its id with the error."""

    def interrupt(_client: LibraryClient, _batch_id: str) -> Iterator[Batch]:
        raise KeyboardInterrupt

    monkeypatch.setattr(LibraryClient, "watch_batch", interrupt)
    code, document = run(capsys, "batch", "/music", "--output", "/stems")
    assert (code, document["error"]["details"]) == (130, {"batch_id": next(iter(front.library.batches))})


def test_report_that_cannot_be_written_is_a_plain_error(
    front: FakeFront, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a full disk; and one report has one form."""
    batch_id = start(front)
    assert main(["batch", "report", batch_id, "--csv", "--json"]) == 2
    capsys.readouterr()
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["batch", "report", batch_id, "--csv"]) == 4
    assert capsys.readouterr().err == "error: cannot write the result to stdout: No space left on device\n"


def test_names_do_not_command_the_terminal(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """They are shown as they are written, on one line each; the document has them as they are."""
    track = Track("/music/a\nb.mp3", 1, "A", "\x1b]0;owned\x07\u202egnp")
    front.library.tracks = [track]
    assert main(["library", "tracks"]) == 0
    assert capsys.readouterr().out == "A - \\x1b]0;owned\\x07\\u202egnp  /music/a\\nb.mp3\n"
    _, document = run(capsys, "library", "tracks")
    assert (document["tracks"][0]["path"], document["tracks"][0]["title"]) == (track.path, track.title)


def test_report_is_a_table_for_spreadsheets(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each track below the names, whatever is in the names of the files."""
    batch_id = start(front)
    front.library.items = [replace(WELL, damage="its end is missing"), DAMAGED]
    capsys.readouterr()
    assert main(["batch", "report", batch_id, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [(row["place"], row["state"], row["damage"], row["cause"], row["work_s"]) for row in rows] == [
        ("1", "done", "its end is missing", "", "2.0"),
        ("2", "failed", "", "b.mp3 is damaged", ""),
    ]


def test_dry_run_starts_nothing(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells tracks, hours and what each volume needs."""
    needs = (DiskNeed("output", 3_000_000_000), DiskNeed("temporary", 500_000_000))
    front.library.plan = BatchPlan(4, 2, 7_200.0, 3_660.0, 12.0, (VolumePlan("/stems", needs, 9_000_000_000),))
    assert main(["batch", "/music", "--output", "/stems", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "4 tracks, 2:00 h of music, about 1:01 h of work",
        "2 are there already",
        "at most 12 minutes in the cloud",
        "/stems: at most 3.50 GB (output 3.00, temporary 0.50), 9.00 GB free",
    ]
    assert front.library.batches == {}


def test_what_cannot_start_is_unavailable(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """With the obstacle, and whether it was only asked or begun."""
    obstacle = "no model is installed; `stemhouse models pull htdemucs` installs one"
    front.library.plan = BatchPlan(4, 0, 7_200.0, None, 0.0, (), (obstacle,))
    assert main(["batch", "/music", "--output", "/stems", "--dry-run"]) == 4
    assert f"cannot start: {obstacle}" in capsys.readouterr().out
    assert main(["batch", "/music", "--output", "/stems"]) == 4
    assert capsys.readouterr().err.count(obstacle) == 1
    assert front.library.batches == {}


def test_refused_start_is_told(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch never falls to the starter by itself: exit code 4."""
    front.library.refusal = EngineUnavailable("no model; `stemhouse models pull htdemucs`")
    assert main(["batch", "/music", "--output", "/stems"]) == 4
    assert "stemhouse models pull htdemucs" in capsys.readouterr().err


def test_paused_batch_is_followed_no_longer(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else has paused it: nothing is going to come."""
    front.library.course = [(BatchState.RUNNING, BatchCounts(waiting=3)), (BatchState.PAUSED, BatchCounts(waiting=3))]
    assert main(["batch", "/music", "--output", "/stems"]) == 0
    assert "batch-1  paused  0/3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("order", "state"), [("pause", "paused"), ("resume", "running"), ("retry", "running"), ("cancel", "cancelled")]
)
def test_orders_reach_the_batch(front: FakeFront, capsys: pytest.CaptureFixture[str], order: str, state: str) -> None:
    """The answer is the batch as it is then."""
    batch_id = start(front)
    capsys.readouterr()
    code, document = run(capsys, "batch", order, batch_id)
    assert (code, document["batch"]["state"], front.library.orders) == (0, state, [(order, batch_id)])


def test_retry_with_nothing_to_try_says_what_helps(
    front: FakeFront, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a watched batch that was cancelled when all was done."""
    monkeypatch.setattr(LibraryClient, "retry_batch", LibraryClient.cancel_batch)
    assert main(["batch", "retry", start(front)]) == 0
    command = "stemhouse batch /music --output /stems"
    assert f"nothing of it failed or was cancelled; `{command}` begins again" in capsys.readouterr().err


def test_batches_are_listed_and_watched(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """By their ids."""
    batch_id = start(front)
    capsys.readouterr()
    assert run(capsys, "batch", "list")[1]["batches"][0]["batch_id"] == batch_id
    assert run(capsys, "batch", "watch", batch_id)[1]["batch"]["state"] == "done"
    assert main(["batch", "watch", "nobody"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["/music"],
        ["relative", "--output", "/stems"],
        ["/music", "--output", "relative"],
        ["/music", "--output", "/stems", "--only-crates"],
        ["/music", "--output", "/stems", "--map", "nonsense"],
        ["/music", "--output", "/stems", "--format", "flac", "--bit-depth", "32f"],
    ],
)
@pytest.mark.usefixtures("front")
def test_wrong_usage_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked; paths of another machine must be absolute."""
    assert main(["batch", *arguments]) == 2
    assert "error:" in capsys.readouterr().err


def test_here_paths_are_made_absolute(
    front: FakeFront, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without STEMHOUSE_SERVER the service runs here, in another working directory."""
    (tmp_path / "music").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stemhouse.cli.locations.names_server", lambda: False)
    assert main(["batch", "music", "--output", "stems", "--dry-run"]) == 0
    (spec,) = front.library.specs
    assert (spec.location, spec.output_dir) == (str(tmp_path / "music"), str(tmp_path / "stems"))
    assert main(["batch", "nowhere", "--output", "stems"]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err
    assert main(["batch", "music", "--output", "file"]) == 2


def test_tracks_of_a_library_come_with_place_and_reasons(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of work."""
    front.library.tracks = [Track("/music/a.mp3", 1, "Artist", "Title"), Track("/music/b.mp3", 1)]
    assert main(["library", "tracks", "/music", "--crate", "Friday"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "    1  Artist - Title  /music/a.mp3",
        '       crate "Friday"',
        "    2  b.mp3  /music/b.mp3",
        '       crate "Friday"',
    ]
    assert main(["library", "tracks", "--crate", "Friday"]) == 2


def test_tracks_are_probed_before_they_are_listed(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Only where that is asked for; what could not be heard is told, and only so many are listed."""
    front.library.tracks = [Track(f"/music/{name}.mp3", 1) for name in "abc"]
    front.library.probe_reports = [ProbeProgress(0, 1), ProbeProgress(1, 1, ScanProblem("/music/b.mp3", "damaged"))]
    assert main(["library", "tracks", "/music", "--limit", "2"]) == 0
    assert front.library.probes == []
    assert len(capsys.readouterr().out.splitlines()) == 2
    options = ["--probe-vocals", "--limit", "1", "--crate", "Friday", "--only-crates"]
    assert main(["library", "tracks", "/music", *options]) == 0
    wish = pb.ProbeTracksRequest(location="/music", crates=["Friday"], is_crates_only=True, limit=1)
    assert front.library.probes == [wish]
    told = capsys.readouterr()
    assert told.out.splitlines() == ["    1  a.mp3  /music/a.mp3", '       crate "Friday"']
    assert told.err.splitlines() == ["listening 0%", "/music/b.mp3: damaged", "listening 100%"]
    assert main(["library", "tracks", "--probe-vocals"]) == 2


def test_crates_are_listed(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is missing."""
    front.library.crates = [Crate("House/Deep", "/music", 5, 2), Crate("Friday", "/music", 3, 0)]
    assert main(["library", "crates"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "House/Deep  5 tracks, 2 missing  /music",
        "Friday  3 tracks  /music",
    ]
