"""A track whose first engine bleeds, over a real stack: the second one repairs it, and everybody is told."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemhouse.jobs import CacheHit, SeparationRequest
from tests.e2e.conftest import Stack
from tests.e2e.test_cli import document
from tests.rendered_bands import SynthBand
from tests.rendered_songs import SongScore, songs
from tests.tiny_demucs import bleeding, install, tiny_htdemucs

pytestmark = pytest.mark.stack

RATE_HZ = 44_100


@pytest.fixture
def bleeding_stack(stack: Stack) -> Iterator[Stack]:
    """Its demucs has a model that bleeds, for one test; that the starter is also the verifier changes no rule."""
    entry = install(stack.home.models_dir, [bleeding(tiny_htdemucs())])
    yield stack
    shutil.rmtree(stack.home.models_dir / entry.name)


def sung_song(path: Path) -> Path:
    """Four seconds with a voice."""
    [song] = songs((SongScore("song", seed=3, bpm=120.0, pattern="four", voice_db=0.0, duration_s=4.0),), SynthBand())
    soundfile.write(path, np.sum(list(song.stems.values()), axis=0).T, RATE_HZ)
    return path


def test_track_that_bleeds_is_repaired_and_its_story_told(bleeding_stack: Stack, tmp_path: Path) -> None:
    """By metadata.json and `jobs show`; a repeat is known."""
    stack, source = bleeding_stack, sung_song(tmp_path / "song.wav")
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
