"""`stemhouse cache`."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from stemhouse.cache import CacheShare, CacheStats, Cleared
from stemhouse.cli.main import main
from tests.fakes_front import FakeFront, serve_front
from tests.unit.stemhouse.test_cli_cloud import Terminal

STATS = CacheStats(
    (
        CacheShare("", 41, 1_100_000_000, datetime(2026, 2, 1, tzinfo=UTC)),
        CacheShare("starter-tiny-00000000", 1, 2_500_000, datetime(2026, 3, 1, tzinfo=UTC)),
    ),
    max_bytes=50_000_000_000,
    kept_s=3600.0,
)
OLD = [Cleared(0, 1, 2_000_000), Cleared(1, 2, 3_500_000), Cleared(1, 2, 3_500_000, kept_count=1)]


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFront]:
    """The servers that STEMHOUSE_SERVER names, with something old in the cache; nobody sits before the terminal."""
    with serve_front() as front:
        monkeypatch.setenv("STEMHOUSE_SERVER", front.address)
        monkeypatch.setattr(sys, "stdin", Terminal(is_there=False))
        front.router.cache, front.router.clearable = STATS, OLD
        yield front


def test_stats_tell_what_is_taken_of_what_may_be(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """As text, a line for each engine, and as JSON."""
    assert main(["cache"]) == 0
    first, *shares = capsys.readouterr().out.splitlines()
    assert first == "1.10 GB in the cache, at most 50.00 GB"
    assert [line.split()[0] for line in shares] == ["audio", "starter-tiny-00000000"]
    assert shares[1].endswith("2.5 MB  all used since 2026-03-01")
    assert main(["cache", "stats", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["size_bytes"], document["shares"][0]["entry_count"]) == (1_102_500_000, 41)
    front.router.cache = CacheStats((), None, 0.0)
    assert main(["cache", "stats"]) == 0
    assert capsys.readouterr().out == "0.0 MB in the cache, no limit\n"


def test_dry_run_clears_nothing(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells what would go, and what is in use."""
    assert main(["cache", "clear", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told == "3.5 MB would go: 2 results and the audio of 1 track; in use, and kept: 1 entry\n"
    assert front.router.cleared_days == []


def test_clearing_tells_what_has_gone(front: FakeFront, capsys: pytest.CaptureFixture[str]) -> None:
    """30 days unless somebody says otherwise."""
    assert main(["cache", "clear", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("3.5 MB cleared: 2 results")
    assert main(["cache", "clear", "--yes", "--older-than", "0", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["is_dry_run"], document["cleared"]["size_bytes"]) == (False, 3_500_000)
    assert front.router.cleared_days == [30.0, 0.0]


@pytest.mark.parametrize(("terminal", "code"), [(("y\n", True), 0), (("n\n", True), 130), (("", False), 2)])
def test_somebody_has_to_agree(
    terminal: tuple[str, bool], code: int, front: FakeFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal, or by --yes; where nothing would go nobody is asked."""
    answer, is_there = terminal
    monkeypatch.setattr(sys, "stdin", Terminal(is_there=is_there, answer=answer))
    assert main(["cache", "clear"]) == code
    assert len(front.router.cleared_days) == (1 if code == 0 else 0)
    front.router.clearable = [Cleared(kept_count=3)]
    assert main(["cache", "clear"]) == 0


def test_days_have_to_be_days() -> None:
    """A negative number, or one that no calendar holds, is wrong usage."""
    assert main(["cache", "clear", "--older-than", "-1"]) == 2
    assert main(["cache", "clear", "--older-than", "1e9"]) == 2
