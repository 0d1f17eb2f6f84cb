"""A model's life over a real stack: missing, added, pulled, used, damaged, pulled again."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.separator.core.models import ModelEntry, record_of
from stemhouse.client.sdk import Stemhouse
from stemhouse.local.home import Home
from stemhouse.local.stack import ensure_stack, stop_stack
from stemhouse.vocab import BASE_STEMS
from tests.e2e.conftest import Stack
from tests.e2e.test_cli import document, new_song
from tests.tiny_demucs import install_tiny

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.stack

SIX_STEMS = (*BASE_STEMS, "guitar", "piano")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder that holds a six-stem model for whoever pulls it."""
    folder = tmp_path / "mirror"
    install_tiny(folder, "six", six=True)
    return folder


@pytest.fixture
def model_stack(tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of its own, offline, whose catalogue has the model of the mirror as well."""
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(f"[{(mirror / 'six' / 'model.json').read_text()}]")
    settings = {"CATALOGUE": catalogue, "MIRROR": mirror, "OFFLINE": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"STEMHOUSE_MODELS__{name}", str(value))
    home = Home(tmp_path / "home")
    home.make_dirs()
    home.keep_file.touch()
    with Stemhouse(ensure_stack(home, print)) as client:
        yield Stack(home, ensure_stack(home, print), client)
    stop_stack(home)


def reasons(folder: Path) -> str:
    """Why the engine was chosen, as metadata.json tells."""
    metadata = json.loads((folder / "metadata.json").read_text())
    return " ".join(metadata["separation"]["decision_reasons"])


def separated(stack: Stack, source: Path, *options: object) -> tuple["subprocess.CompletedProcess[str]", Path]:
    """Run `separate` with JSON; gives what the command told, and the track's folder."""
    answer = stack.cli("separate", source, "--output", source.parent / "out", "--json", *options)
    track: dict[str, Any] = document(answer)["tracks"][0]
    return answer, Path(track.get("folder") or source.parent)


def flip_a_byte(path: Path) -> None:
    """Damage that leaves the size as it is."""
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 0xFF]))


def test_life_of_a_model(model_stack: Stack, tmp_path: Path) -> None:
    """Each step by the commands that a user has."""
    song = new_song(tmp_path / "song.wav")
    _without_a_model(model_stack, song)
    _with_a_model_of_ones_own(model_stack, song)
    _with_a_pulled_model(model_stack, song)
    _with_a_damaged_model(model_stack, song)


def _without_a_model(stack: Stack, song: Path) -> None:
    refused, _ = separated(stack, song, "--engine", "demucs")
    assert refused.returncode == 4
    assert "stemhouse models pull" in refused.stdout
    answer, folder = separated(stack, song)
    assert answer.returncode == 0, answer.stderr
    assert "demucs cannot be used: no model is installed" in reasons(folder)
    assert "starter" in reasons(folder)


def _with_a_model_of_ones_own(stack: Stack, song: Path) -> None:
    own = song.parent / "own"
    entry: ModelEntry = install_tiny(own, "tiny", kind="th")
    added = stack.cli("models", "add", own / "tiny" / entry.files[0].name, "--name", "tiny", "--licence", "mine")
    assert added.returncode == 0, added.stderr
    assert json.loads(record_of(entry))["files"][0]["sha256"] in (stack.home.models_dir / "tiny/model.json").read_text()
    assert "demucs-tiny-" in stack.cli("engines").stdout
    listed = document(stack.cli("models", "list", "--json"))["models"]
    assert [(model["state"], model["licence_note"]) for model in listed if model["name"] == "tiny"] == [
        ("installed", "mine")
    ]
    answer, folder = separated(stack, song)
    assert answer.returncode == 0, answer.stderr
    assert reasons(folder) == "auto: demucs (tiny) is the best engine offered"


def _with_a_pulled_model(stack: Stack, song: Path) -> None:
    pulled = stack.cli("models", "pull", "six")
    assert pulled.returncode == 0, pulled.stderr
    assert "Random numbers, free for any use." in pulled.stderr
    answer, folder = separated(stack, song, "--engine", "demucs", "--model", "six")
    assert answer.returncode == 0, answer.stderr
    assert {path.stem for path in folder.glob("*.wav")} >= set(SIX_STEMS)
    offline = stack.cli("models", "pull", "htdemucs")
    assert offline.returncode == 4
    assert "htdemucs" in offline.stderr


def _with_a_damaged_model(stack: Stack, song: Path) -> None:
    flip_a_byte(next((stack.home.models_dir / "six").glob("*.safetensors")))
    verified = stack.cli("models", "verify", "six")
    assert verified.returncode == 5
    assert "damaged" in verified.stdout
    refused, _ = separated(stack, song, "--engine", "demucs", "--model", "six", "--force")
    assert refused.returncode == 4
    assert "stemhouse models pull six" in refused.stdout
    flip_a_byte(next((stack.home.models_dir / "tiny").glob("*.th")))
    assert stack.cli("models", "verify").returncode == 5
    answer, folder = separated(stack, song)
    assert answer.returncode == 0, answer.stderr
    assert "auto: demucs cannot be used" in reasons(folder)
    assert "get it with: stemhouse models pull six" in reasons(folder)
    assert "auto: starter" in reasons(folder)
    assert stack.cli("models", "pull", "six").returncode == 0
    mended, _ = separated(stack, song, "--engine", "demucs", "--model", "six", "--force")
    assert mended.returncode == 0, mended.stderr
