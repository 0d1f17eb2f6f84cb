"""`stemhouse separate`: what tells the router how to choose, and `--dry-run`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemhouse.cli.session import SERVER_VARIABLE
from stemhouse.cloud import CloudTerms
from stemhouse.errors import BudgetExceeded, EngineUnavailable
from stemhouse.jobs import Preset
from tests.fakes_front import PLAN, STARTER, FakeFront, serve_front
from tests.unit.stemhouse.test_cli_separate import Cli

LALAL = replace(STARTER, name="lalal", engine_id="lalal-andromeda-0", cloud=CloudTerms("lalal-1234", 4.0))


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFront]:
    """Servers, and the variable that names them."""
    with serve_front() as front:
        monkeypatch.setenv(SERVER_VARIABLE, front.address)
        yield front


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs commands."""
    return Cli(tmp_path, capsys)


def test_options_of_the_choice_reach_the_router(front: FakeFront, cli: Cli) -> None:
    """Without them nothing is fast, difficult, or may cost anything."""
    song = cli.song("song.mp3")
    cli.separate(song, "--preset", "best", "--difficult", "--cloud-minutes", "12.5")
    cli.separate(song)
    wish, default = front.router.requests
    assert (wish.preset, wish.is_difficult, wish.cloud_minutes) == (Preset.BEST, True, 12.5)
    assert (default.preset, default.is_difficult, default.cloud_minutes) == (Preset.BALANCED, False, 0.0)


@pytest.mark.parametrize(
    ("stems", "is_vocals_only"),
    [
        (["--stems", "vocals"], True),
        (["--stems", "acapella,instrumental"], True),
        (["--stems", "vocals,drums"], False),
        ([], False),
    ],
)
def test_vocals_and_the_rest_alone_are_told(
    front: FakeFront, cli: Cli, stems: list[str], *, is_vocals_only: bool
) -> None:
    """The router may know an engine that is better at them."""
    cli.separate(cli.song("song.mp3"), *stems)
    (wish,) = front.router.requests
    assert wish.is_vocals_only is is_vocals_only


def test_engine_that_costs_money_is_asked_for_its_price_before_the_upload(front: FakeFront, cli: Cli) -> None:
    """Without a cap nothing travels, and the router's sentence names the flag; with one it is a job like any other."""
    front.router.offers = [STARTER, LALAL]
    front.router.refusal = BudgetExceeded("takes up to 12.00 minutes: allow that with --cloud-minutes 12.00")
    song = cli.song("song.mp3")
    refused = cli.separate(song, "--engine", "lalal")
    assert (refused.code, front.router.uploads) == (4, [])
    assert "--cloud-minutes 12.00" in refused.stdout
    front.router.refusal = None
    assert cli.separate(song, "--engine", "lalal", "--cloud-minutes", "12").code == 0
    assert len(front.router.uploads) == 1


def test_dry_run_tells_engine_reasons_time_disk_and_cost(front: FakeFront, cli: Cli) -> None:
    """Of the very request that would be sent; nothing is uploaded, queued or written."""
    decision = replace(PLAN.decision, fallbacks=("demucs-1", "uvr-2"))
    front.router.plan = replace(PLAN, decision=decision, cloud_minutes=12.5)
    song = cli.song("song.mp3")
    run = cli.separate(song, "--dry-run", "--preset", "fast", "--stems", "vocals", "--priority", "3")
    assert run.code == 0
    rows = [line.split(maxsplit=1) for line in run.stdout.splitlines()[1:]]
    assert rows == [
        ["engine", "starter (starter-tiny-00000000)"],
        ["why", "the only engine that is ready"],
        ["if", "not    demucs-1, then uvr-2, if that cannot be used"],
        ["length", "0:03:05, guessed by the size of the file"],
        ["time", "about 0:00:23 of work"],
        ["disk", "about 61 MB in the store, and 590 MB meanwhile"],
        ["cost", "at most 12.50 minutes of a cloud account"],
    ]
    ((request, duration_s),) = front.router.planned
    assert (request.preset, request.is_vocals_only, request.priority, duration_s) == (Preset.FAST, True, 3, None)
    assert (front.router.requests, front.router.uploads) == ([], [])
    assert [path.name for path in cli.folder.iterdir()] == ["song.mp3"]


def test_length_that_the_head_tells_is_told_to_the_router(front: FakeFront, cli: Cli) -> None:
    """Of a file that is planned, and of one that was refused for a price that was guessed by its size."""
    song = cli.song("song.wav")
    soundfile.write(song, np.zeros((44_100, 2)), 44_100)
    assert cli.separate(song, "--dry-run").code == 0
    ((_, duration_s),) = front.router.planned
    assert duration_s == 1.0
    front.router.offers = [STARTER, LALAL]
    front.router.refusal = BudgetExceeded("allow that with --cloud-minutes 22.06")
    front.router.plan_refusal = BudgetExceeded("allow that with --cloud-minutes 0.07")
    assert "--cloud-minutes 0.07" in cli.separate(song, "--engine", "lalal").stdout


def test_dry_run_of_what_is_known_or_free_says_so(front: FakeFront, cli: Cli) -> None:
    """A known result has no time and no cost; a length that is known is no guess."""
    song = cli.song("song.mp3")
    front.router.plan = replace(PLAN, is_duration_guessed=False, expected_s=None)
    free = cli.separate(song, "--dry-run").stdout
    assert all(text in free for text in ("0:03:05\n", "not known yet", "nothing: no cloud engine would be asked"))
    front.router.plan = replace(PLAN, is_known=True)
    known = cli.separate(song, "--dry-run").stdout
    assert "it was separated before" in known
    assert "disk" not in known


def test_dry_run_as_json_has_each_plan_or_error(front: FakeFront, cli: Cli) -> None:
    """One document; the exit code is that of the error."""
    (track,) = cli.separate(cli.song("song.mp3"), "--dry-run", "--json").document["tracks"]
    assert (track["plan"]["expected_s"], track["plan"]["decision"]["engine"], track["error"]) == (23.0, "starter", None)
    front.router.refusal = EngineUnavailable("get it with: stemhouse models pull htdemucs")
    run = cli.separate(cli.song("song.mp3"), "--dry-run", "--json")
    assert (run.code, run.document["tracks"][0]["plan"]) == (4, None)
    assert run.document["tracks"][0]["error"]["reason"] == "ENGINE_UNAVAILABLE"
    assert "models pull htdemucs" in cli.separate(cli.song("song.mp3"), "--dry-run").stdout
