"""A track whose first engine bleeds, over a real stack: the second one repairs it, and everybody is told."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemhouse.client.sdk import Stemhouse
from stemhouse.jobs import CacheHit, SeparationRequest
from stemhouse.local.home import Home
from stemhouse.local.stack import ensure_stack, stop_stack
from tests.e2e.conftest import Stack
from tests.e2e.test_cli import document
from tests.rendered_bands import SynthBand
from tests.rendered_songs import SongScore, songs
from tests.tiny_demucs import bleeding, install, tiny_htdemucs

pytestmark = pytest.mark.stack

RATE_HZ = 44_100
POLICY = """
[retry]
engines = ["starter"]
"""
"""There is no other engine here; that it is also the verifier makes no difference to the rules."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of its own: its demucs has a model that bleeds."""
    home = Home(tmp_path / "home")
    home.make_dirs()
    home.keep_file.touch()
    home.policy_file.write_text(POLICY)
    install(home.models_dir, [bleeding(tiny_htdemucs())])
    endpoints = ensure_stack(home, print)
    with Stemhouse(endpoints) as client:
        yield Stack(home, endpoints, client)
    stop_stack(home)


def sung_song(path: Path) -> Path:
    """Four seconds with a voice."""
    [song] = songs((SongScore("song", seed=3, bpm=120.0, pattern="four", voice_db=0.0, duration_s=4.0),), SynthBand())
    soundfile.write(path, np.sum(list(song.stems.values()), axis=0).T, RATE_HZ)
    return path


def test_track_that_bleeds_is_repaired_and_its_story_told(stack: Stack, tmp_path: Path) -> None:
    """By metadata.json and `jobs show`; a repeat is known."""
    source = sung_song(tmp_path / "song.wav")
    answer = stack.cli("separate", source, "--output", tmp_path / "out", "--json")
    assert answer.returncode == 0, answer.stderr
    [track] = document(answer)["tracks"]
    metadata = json.loads((Path(track["folder"]) / "metadata.json").read_text())
    assert metadata["separation"]["engine"] == "starter"
    first, second = metadata["attempts"]
    assert (first["engine"], first["is_accepted"]) == ("demucs", False)
    assert first["note"].startswith("The vocals are probably not clean: about -")
    assert (second["engine"], second["is_accepted"]) == ("starter", True)
    assert first["quality"]["verifier_id"] == second["quality"]["verifier_id"] == second["engine_id"]
    story = stack.cli("jobs", "show", track["job_id"]).stdout
    assert first["note"] in story
    assert second["note"] in story
    again = stack.client.submit(SeparationRequest(stack.client.upload(source)), "again").result
    assert again is not None
    assert (again.cache_hit, [attempt.note for attempt in again.attempts]) == (
        CacheHit.FILE,
        [first["note"], second["note"]],
    )
