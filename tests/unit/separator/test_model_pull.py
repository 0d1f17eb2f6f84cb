"""The program that pulls models, as a real process."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.separator.adapters.model_builds import ModelFolders
from services.separator.pull import exit_code_of
from stemhouse.cli.exit_codes import EXIT_CODES
from stemhouse.errors import StemhouseError, error_types
from tests.fakes_separator import UNWATCHED
from tests.file_server import FileServer, file_server
from tests.model_house import file_of, noise

SIZE_BYTES = 8_000_000
GOOD = noise(1, SIZE_BYTES)
FILE = file_of("aa.safetensors", GOOD)
PROGRAM = (sys.executable, "-m", "services.separator.pull")


@dataclass
class House:
    """A folder of models, a server that has one, and the environment that says so."""

    folder: Path
    web: FileServer

    @property
    def models_dir(self) -> Path:
        """Where models are installed."""
        return self.folder / "models"

    def environment(self, **settings: str) -> dict[str, str]:
        """Without credentials of an object store."""
        own = {"DIR": str(self.models_dir), "CATALOGUE": str(self.folder / "own.json"), **settings}
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("STEMHOUSE_")}
        return {**inherited, **{f"STEMHOUSE_MODELS__{name}": text for name, text in own.items()}}

    def start(self, *names: str, **settings: str) -> "subprocess.Popen[str]":
        """Begin to pull."""
        command = [*PROGRAM, *names]
        return subprocess.Popen(command, env=self.environment(**settings), stderr=subprocess.PIPE, text=True)

    def pull(self, *names: str, **settings: str) -> tuple[int, str]:
        """The exit code, and what was told."""
        with self.start(*names, **settings) as process:
            told = process.communicate()[1]
        return process.returncode, told

    def problem(self) -> str:
        """Of the installed model."""
        models = ModelFolders(self.models_dir)
        (entry,) = models.entries()
        return models.read_through(entry, UNWATCHED)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One's own catalogue names the server."""
    with file_server() as web:
        web.files["/aa.safetensors"] = GOOD
        fields = {
            "name": "noise",
            "engine": "demucs",
            "stems": ["vocals", "other"],
            "sample_rate_hz": 44100,
            "channel_count": 2,
            "files": [{**vars(FILE), "url": web.url + "/aa.safetensors"}],
            "licence_note": "Noise is free.",
            "origin": "a test",
        }
        (tmp_path / "own.json").write_text(json.dumps([fields]))
        yield House(tmp_path, web)


def test_killed_pull_is_taken_up_where_it_ended(house: House) -> None:
    """By the next process: only the rest is asked for and sent."""
    house.web.stall_bytes = SIZE_BYTES // 2
    with house.start("noise") as killed:
        assert house.web.is_stalled.wait(60)
        partial = house.models_dir / "noise" / ".incoming" / f"{FILE.sha256}.partial"
        while not partial.exists() or partial.stat().st_size < SIZE_BYTES // 4:
            assert killed.poll() is None
        killed.kill()
    kept_bytes = partial.stat().st_size
    assert not (house.models_dir / "noise" / "model.json").exists()
    house.web.is_free.set()
    assert house.pull("noise")[0] == 0
    assert house.web.ranges == ["", f"bytes={kept_bytes}-"]
    assert house.web.sent_bytes[1] == SIZE_BYTES - kept_bytes
    assert house.problem() == ""


def test_two_processes_fetch_once(house: House) -> None:
    """On one volume, at the same time."""
    house.web.stall_bytes = SIZE_BYTES // 2
    with house.start("noise") as first:
        assert house.web.is_stalled.wait(60)
        with house.start("noise") as second:
            assert second.stderr is not None
            assert "8 MB" in second.stderr.readline()
            house.web.is_free.set()
            told = second.communicate()[1]
        progress = first.communicate()[1]
    assert (first.returncode, second.returncode) == (0, 0)
    assert re.search(r"noise: aa\.safetensors \d+0 %", progress)
    assert "noise: installed" in told
    assert house.web.ranges == [""]


def test_people_see_licence_and_progress(house: House) -> None:
    """The one before bytes come, the other in the test above; a second pull is done at once."""
    code, told = house.pull("noise")
    assert code == 0
    lines = told.splitlines()
    assert lines[:2] == ["noise: 8 MB from a test", "Licence: Noise is free."]
    assert lines[-1] == "noise: installed"
    assert house.pull("noise")[0] == 0
    assert len(house.web.ranges) == 1


@pytest.mark.parametrize(
    ("names", "settings", "code", "reason"),
    [
        (["noise", "nosie"], {}, 2, "error: no model nosie in the catalogue"),
        (["noise"], {"CATALOGUE": __file__}, 3, "is not a catalogue of models"),
        (["noise"], {"OFFLINE": "true"}, 4, "since this is offline"),
        (["noise"], {"MIRROR": "s3:models"}, 4, "whose settings are incomplete: STEMHOUSE_STORE"),
        (["noise"], {"MIRROR": "mirror"}, 2, "error: STEMHOUSE_MODELS__MIRROR: "),
        (
            ["noise"],
            {"MIRROR": "ftp://127.0.0.1/models"},
            2,
            "must be an http(s) address, s3:PREFIX, or the whole path",
        ),
        (["noise"], {"CATALOGUE": "own.json"}, 2, "error: STEMHOUSE_MODELS__CATALOGUE: "),
        (["noise"], {"OFFLINE": "perhaps", "MIRROR": "x"}, 2, "STEMHOUSE_MODELS__OFFLINE: "),
    ],
)
def test_failure_is_told_by_code_and_word(
    names: list[str], settings: dict[str, str], code: int, reason: str, house: House
) -> None:
    """The codes of the command; nothing is fetched."""
    found, told = house.pull(*names, **settings)
    assert found == code, told
    assert reason in told.splitlines()[-1]
    assert "Traceback" not in told
    assert house.web.ranges == []


@pytest.mark.parametrize("kind", error_types())
def test_exit_codes_are_those_of_the_command(kind: type[StemhouseError]) -> None:
    """Services cannot import the command's table, so there are two."""
    assert exit_code_of(kind("something is wrong")) == EXIT_CODES[kind]


def test_tampered_model_is_rejected(house: House) -> None:
    """Exit code 3, with both digests."""
    tampered = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
    house.web.files["/aa.safetensors"] = tampered
    code, told = house.pull("noise")
    assert code == 3
    assert FILE.sha256 in told
    assert file_of("", tampered).sha256 in told
