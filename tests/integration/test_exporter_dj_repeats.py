"""Exporting for DJs again: after kills, after edits, with nothing new."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import taglib

from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.main import main
from stemhouse.client.dj_places import own_place
from stemhouse.errors import Unavailable
from tests.fakes import MemoryObjectStore
from tests.fakes_exporter import FakeTools, serve_exporter
from tests.fakes_library import FakeLibrary

TRACKS, EDITED = 12, 3
_LONGEST_S = 60.0


@dataclass
class Repeats:
    """Folders of stems, where they are exported to, and a server of which there can be a second life."""

    folder: Path
    output: Path
    store: MemoryObjectStore

    @property
    def arguments(self) -> list[str]:
        """Of the command."""
        stems = [str(self.folder / f"{number:03}") for number in range(TRACKS)]
        return ["export-dj", *stems, "--target", "serato", "--output", str(self.output)]

    def start(self, address: str) -> "subprocess.Popen[bytes]":
        """The command as a process of its own."""
        environment = os.environ | {"STEMHOUSE_SERVER": address}
        command = [sys.executable, "-m", "stemhouse.cli.main", *self.arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_for_first(self) -> None:
        """Until a track is there, and not yet all are."""
        ends_s = time.monotonic() + _LONGEST_S
        while not [*self.output.glob("0*/stemhouse.json")] and time.monotonic() < ends_s:
            time.sleep(0.005)

    def tree(self) -> dict[str, bytes]:
        """All that lies there, hidden or not."""
        return {
            str(path.relative_to(self.output)): path.read_bytes() for path in self.output.rglob("*") if path.is_file()
        }

    def times(self) -> dict[Path, int]:
        """When each file was written."""
        return {path: path.stat().st_mtime_ns for path in self.output.rglob("*")}


@pytest.fixture
def repeats(tmp_path: Path) -> Repeats:
    """One with tiny tracks, no two alike."""
    (tmp_path / "scratch").mkdir()
    folder = tmp_path / "stems"
    generator = np.random.default_rng(7)
    for number in range(TRACKS):
        (folder / f"{number:03}").mkdir(parents=True)
        for stem in ("vocals", "drums"):
            soundfile.write(folder / f"{number:03}/{stem}.wav", 0.1 * generator.standard_normal((900, 2)), 44_100)
    return Repeats(folder, tmp_path / "dj", MemoryObjectStore())


def test_killed_runs_leave_nothing_behind(repeats: Repeats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command and exporter are killed half-way: the tree is in the end what an undisturbed run makes, to the byte."""
    library, tools, scratch_dir = FakeLibrary(), FakeTools(), tmp_path / "scratch"
    with serve_exporter(repeats.store, scratch_dir, tools, library) as address:
        monkeypatch.setenv("STEMHOUSE_SERVER", address)
        assert main(repeats.arguments) == ExitCode.OK
        whole = repeats.tree()
        repeats.output.rename(tmp_path / "whole")
        process = repeats.start(address)
        repeats.wait_for_first()
        process.kill()
        assert process.wait() < 0, "it was done before it could be killed"
        assert repeats.tree() != whole
        # What a kill within a file leaves, whenever this one has hit.
        unfinished = repeats.output / f".stemhouse-dj-{'0' * 32}.part"
        unfinished.mkdir()
        (unfinished / "half.flac").touch()
        process = repeats.start(address)
        ends_s = time.monotonic() + _LONGEST_S
        count = len([*repeats.output.glob("0*/stemhouse.json")])
        while len([*repeats.output.glob("0*/stemhouse.json")]) <= count and time.monotonic() < ends_s:
            time.sleep(0.005)
    port = int(address.rpartition(":")[2])
    with serve_exporter(repeats.store, scratch_dir, tools, library, port):
        assert process.wait(timeout=_LONGEST_S) == ExitCode.OK
    assert repeats.tree() == whole


def test_second_run_writes_nothing_and_edits_survive(
    repeats: Repeats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is anything uploaded, opened or analysed again; tags that were edited by hand are told of, and stay."""
    tools = FakeTools()
    with serve_exporter(repeats.store, tmp_path / "scratch", tools, FakeLibrary()) as address:
        monkeypatch.setenv("STEMHOUSE_SERVER", address)
        assert main(repeats.arguments) == ExitCode.OK
        edited = sorted(repeats.output.rglob("*_Acapella.flac"))[:EDITED]
        for path in edited:
            with taglib.File(str(path), save_on_exit=True) as file:
                file.tags["COMMENT"] = ["mine"]
        before = repeats.times(), repeats.tree()
        repeats.store.objects.clear()
        assert main(repeats.arguments) == ExitCode.OK
        assert (repeats.times(), repeats.tree()) == before
        assert not repeats.store.objects
        assert len(tools.analyzer.heard) == TRACKS
    assert capsys.readouterr().err.count("edited since, and left alone") == EDITED


def test_place_is_used_by_one_run_at_a_time(tmp_path: Path) -> None:
    """Another one is told so; what is unfinished of others than exports for DJs is left alone."""
    theirs = tmp_path / f".stemhouse-{'0' * 32}.part"
    theirs.mkdir()
    with own_place(tmp_path), pytest.raises(Unavailable, match="another export writes below"), own_place(tmp_path, 0.0):
        pass
    assert theirs.exists()
