"""Many clients that wish for the same at the same time, through a running stack: the work is done once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mutagen.flac
import pytest
import soundfile

from stemhouse.client.sdk import Stemhouse
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.vocab import JobState, Stage
from tests.e2e.conftest import Stack
from tests.signals import song

pytestmark = pytest.mark.stack

SAMPLE_RATE_HZ = 44_100
DURATION_S = 20


def same_song_twice(folder: Path) -> list[Path]:
    """A song that no test has separated before, as two files with other tags."""
    samples = song(DURATION_S * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, seed=uuid.uuid4().int % 2**32)
    files = [folder / "one.flac", folder / "other.flac"]
    for file in files:
        soundfile.write(file, samples.T, SAMPLE_RATE_HZ, subtype="PCM_16")
        tagged = mutagen.flac.FLAC(file)
        tagged["title"] = file.stem
        tagged.save()
    return files


def submit(client: Stemhouse, file: Path) -> Job:
    """A wish of its own."""
    return client.submit(SeparationRequest(client.upload(file), engine="starter"), uuid.uuid4().hex)


def end_of(client: Stemhouse, job_id: str) -> Job:
    """The job at its end."""
    *_, final = client.watch(job_id)
    return final


def leave_half_way(client: Stemhouse, job_id: str) -> None:
    """Cancel the job in the middle of its separation."""
    for job in client.watch(job_id):
        if job.stage is Stage.SEPARATE and job.progress > 0.05:
            client.cancel(job_id)
            return


def wish(stack: Stack, file: Path) -> Job:
    """A client of its own, from the file to the end of its job."""
    with Stemhouse(stack.endpoints) as client:
        return end_of(client, submit(client, file).job_id)


def separation_count(stack: Stack) -> int:
    """How many separations the separator has done so far."""
    lines = stack.home.log_file("separator").read_text().splitlines()
    return sum('"SeparateTask"' in line and '"task done"' in line for line in lines)


def test_eight_clients_with_the_same_audio_share_one_separation(stack: Stack, tmp_path: Path) -> None:
    """Two files with other tags; the first client leaves half-way, and the others get their equal answers."""
    files = same_song_twice(tmp_path)
    before_count = separation_count(stack)
    first = submit(stack.client, files[0])
    with ThreadPoolExecutor(7) as clients:
        others = [clients.submit(wish, stack, files[number % 2]) for number in range(7)]
        leave_half_way(stack.client, first.job_id)
        jobs = [other.result() for other in others]
    assert end_of(stack.client, first.job_id).state is JobState.CANCELLED
    assert {job.state for job in jobs} == {JobState.DONE}
    assert separation_count(stack) == before_count + 1
    results = [job.result for job in jobs if job.result]
    assert all(result.stem_set == results[0].stem_set for result in results)
    assert all(result.quality == results[0].quality for result in results)
    assert {result.facts.title for result in results} == {"one", "other"}
