"""`stemhouse cloud`, and how a job tells the story of its engines."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stemhouse.audio import QualityReport, SourceRef, StemQuality
from stemhouse.cli.main import main
from stemhouse.client.sdk import Stemhouse
from stemhouse.cloud import CLOUD_STATEMENT, CloudAccount
from stemhouse.jobs import Attempt, Decision, EngineGap, Job, JobError, SeparationRequest
from stemhouse.vocab import JobState, QualityStatus
from tests.fakes_front import FakeFront, result_of, serve_front

ACCOUNT = CloudAccount("lalal-1234abcd", minutes_left=512.5)
SOURCE = SourceRef("a" * 64, "b" * 32, 3, "song.mp3")


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFront]:
    """The servers that STEMHOUSE_SERVER names, with one account; nobody sits before the terminal."""
    with serve_front() as front:
        monkeypatch.setenv("STEMHOUSE_SERVER", front.address)
        monkeypatch.setattr(sys, "stdin", Terminal(is_there=False))
        front.router.accounts = [ACCOUNT]
        yield front


class Terminal:
    """A standard input that somebody may sit at."""

    def __init__(self, *, is_there: bool, answer: str = "") -> None:
        self._is_there = is_there
        self._answer = answer

    def isatty(self) -> bool:
        """Whether somebody does."""
        return self._is_there

    def readline(self, _size: int = -1) -> str:
        """What they type."""
        return self._answer


def test_accounts_are_told_with_the_statement(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON, and whether there is any."""
    front.router.accounts = [replace(ACCOUNT, minutes_today=3.0, minutes_uncertain=1.5)]
    assert main(["cloud"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(CLOUD_STATEMENT)
    assert "lalal-1234abcd  not allowed" in told
    assert "1.50 minutes may have been charged" in told
    assert main(["cloud", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["statement"], document["accounts"][0]["minutes_left"]) == (CLOUD_STATEMENT, 512.5)
    front.router.accounts = []
    front.router.gaps = [EngineGap("lalal", "LALAL.AI refuses the licence key", "another"), EngineGap("uvr", "", "")]
    assert main(["cloud"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "no separator has the key of a cloud account",
        "lalal cannot be used: LALAL.AI refuses the licence key",
    ]


def test_nothing_is_allowed_without_consent(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody can be asked, only by --yes; the statement is shown in either case."""
    assert main(["cloud", "allow", "--minutes-per-day", "60"]) == 2
    told = capsys.readouterr().err
    assert CLOUD_STATEMENT in told
    assert "--yes" in told
    assert front.router.accounts == [ACCOUNT]
    assert main(["cloud", "allow", "--minutes-per-day", "60", "--yes", "--json"]) == 0
    shown = capsys.readouterr()
    assert CLOUD_STATEMENT in shown.err
    assert json.loads(shown.out)["account"]["minutes_per_day"] == 60.0
    assert front.router.accounts == [replace(ACCOUNT, is_allowed=True, minutes_per_day=60.0)]


@pytest.mark.parametrize(("flag", "minutes_today"), [("--charged", 3.0), ("--not-charged", 0.0)])
def test_uncertain_minutes_are_cleared_by_their_owner(
    front: FakeFront, capsys: pytest.CaptureFixture[str], flag: str, minutes_today: float
) -> None:
    """Who has to say what he has found."""
    uncertain = replace(ACCOUNT, minutes_today=3.0, minutes_uncertain=3.0)
    front.router.accounts = [uncertain]
    assert main(["cloud", "settle"]) == 2
    assert front.router.accounts == [uncertain]
    assert main(["cloud", "settle", "lalal-1234abcd", flag, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["account"]["minutes_uncertain"] == 0.0
    assert front.router.accounts == [replace(ACCOUNT, minutes_today=minutes_today)]


@pytest.mark.parametrize(("answer", "code", "is_allowed"), [("y\n", 0, True), ("\n", 130, False), ("n\n", 130, False)])
def test_somebody_at_the_terminal_is_asked(
    front: FakeFront, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, *, is_allowed: bool
) -> None:
    """And no answer is none."""
    monkeypatch.setattr(sys, "stdin", Terminal(is_there=True, answer=answer))
    assert main(["cloud", "allow", "--minutes-per-day", "60"]) == code
    assert front.router.accounts[0].is_allowed is is_allowed


def test_account_is_forbidden_and_named_where_there_are_several(
    front: FakeFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name; without one, the list is told. Without any account there is nothing to name."""
    other = CloudAccount("lalal-99999999", is_allowed=True, minutes_per_day=5.0)
    front.router.accounts = [ACCOUNT, other]
    assert main(["cloud", "forbid"]) == 2
    assert "lalal-1234abcd, lalal-99999999" in capsys.readouterr().err
    assert main(["cloud", "forbid", "lalal-99999999"]) == 0
    assert not front.router.accounts[1].is_allowed
    front.router.accounts = []
    assert main(["cloud", "forbid"]) == 2


def test_account_that_nobody_has_is_not_allowed(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the keyboard would be taken for a permission, and nothing would ever be sent."""
    assert main(["cloud", "allow", "lalal-1234abce", "--minutes-per-day", "60", "--yes"]) == 2
    assert "there is lalal-1234abcd" in capsys.readouterr().err
    assert front.router.accounts == [ACCOUNT]


def estimate(vocals_db: float) -> QualityReport:
    """What is thought of the vocals."""
    vocals = StemQuality("vocals", QualityStatus.ESTIMATED, estimated_si_sdr_db=vocals_db, uncertainty_db=1.7)
    return QualityReport("mask-ambiguity", (vocals,))


def repaired(job: Job) -> list[Job]:
    """A job's way to a result of which lalal had the second go."""
    result = result_of(job.request.source)
    demucs = Decision("demucs", "demucs-1", ("the best engine offered",))
    attempts = (
        Attempt(demucs, estimate(2.0), is_accepted=False, note="The vocals are probably not clean."),
        Attempt(result.decision, estimate(9.0), is_accepted=True, note="Tried because of that."),
    )
    stem_set = replace(result.stem_set, cloud_minutes=3.2)
    told = replace(
        result,
        stem_set=stem_set,
        quality=estimate(9.0),
        decision=replace(result.decision, fallbacks=("other-1",)),
        attempts=attempts,
    )
    return [replace(job, state=JobState.DONE, sequence=2, result=told)]


def alone(quality: QualityReport, note: str) -> Callable[[Job], list[Job]]:
    """A job's way to a result that nobody tried again."""

    def way(job: Job) -> list[Job]:
        result = result_of(job.request.source)
        attempts = (Attempt(result.decision, quality, is_accepted=True, note=note),)
        decision = replace(result.decision, fallbacks=("other-1",))
        told = replace(result, quality=quality, attempts=attempts, decision=decision)
        return [replace(job, state=JobState.DONE, sequence=2, result=told)]

    return way


def shown_job(front: FakeFront, capsys: pytest.CaptureFixture[str], way: Callable[[Job], list[Job]]) -> tuple[str, Any]:
    """`jobs show` of a track, as text and as JSON."""
    front.router.ways["song.mp3"] = way
    with Stemhouse(front.endpoints) as client:
        job_id = client.submit(SeparationRequest(SOURCE), "wish-1").job_id
    assert main(["jobs", "show", job_id]) == 0
    text = capsys.readouterr().out
    assert main(["jobs", "show", job_id, "--json"]) == 0
    return text, json.loads(capsys.readouterr().out)


def test_job_tells_who_tried_and_what_was_taken(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, in order; and what it took of an account."""
    text, document = shown_job(front, capsys, repaired)
    rows = [line.strip() for line in text.splitlines()]
    assert "quality   vocals: SI-SDR about 9.0 dB, give or take 1.7, the more the cleaner" in rows
    assert "cloud     3.20 minutes of the account were taken" in rows
    assert rows[-2:] == [
        "attempt   demucs, not taken. The vocals are probably not clean.",
        "attempt   starter, taken. Tried because of that.",
    ]
    attempts = document["job"]["result"]["attempts"]
    assert [attempt["is_accepted"] for attempt in attempts] == [False, True]


def test_instrumental_is_told_of_once_and_not_as_a_trouble(
    front: FakeFront, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nobody needs to know that other stems have no reference."""
    drums = StemQuality("drums", QualityStatus.NOT_APPLICABLE, note="no reference")
    vocals = StemQuality("vocals", QualityStatus.NOT_APPLICABLE, note="no vocals were found")
    front.router.ways["song.mp3"] = alone(QualityReport("none", (drums, vocals)), "No vocals were found.")
    (tmp_path / "song.mp3").write_bytes(b"song")
    assert main(["separate", str(tmp_path / "song.mp3"), "--output", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "quality   not measured; no vocals were found\n" in text
    assert "note" not in text


def test_guess_is_not_told_beside_the_truth(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """With references the two may differ; the whole story has both."""
    measured = StemQuality("vocals", QualityStatus.MEASURED, si_sdr_db=9.0, sdr_db=9.5)

    def way(job: Job) -> list[Job]:
        (done,) = alone(estimate(2.0), "The vocals are probably not clean.")(job)
        assert done.result
        quality = QualityReport("si-sdr", (measured,))
        return [replace(done, result=replace(done.result, quality=quality))]

    text, _ = shown_job(front, capsys, way)
    assert "probably not clean" in text.partition("attempt")[2]
    assert "note" not in text.partition("attempt")[0]


def test_cancelled_job_tells_what_it_may_have_cost(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no failure."""
    error = JobError("CANCELLED", "job job-1 was cancelled; 0.30 minutes of the account may have been taken for it")

    def way(job: Job) -> list[Job]:
        return [replace(job, state=JobState.CANCELLED, sequence=2, error=error)]

    text, _ = shown_job(front, capsys, way)
    assert text.splitlines()[1:] == [f"  cancelled {error.message} (CANCELLED)"]


def test_job_without_a_story_tells_none(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """One engine, good vocals; what is about nothing has no sign."""
    text, _ = shown_job(front, capsys, alone(estimate(-0.01), ""))
    assert "SI-SDR about 0.0 dB" in text
    assert "attempt" not in text
    assert "next      if that had failed: other-1" in text
