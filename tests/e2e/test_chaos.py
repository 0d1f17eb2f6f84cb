"""kill -9 of each process in the middle of a job: the job completes, one result counts, nothing is torn."""

import io
import os
import signal
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import soundfile

from stemhouse.audio import StemSet
from stemhouse.client.sdk import Stemhouse
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.local.home import Home
from stemhouse.local.processes import ProcessId
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack
from stemhouse.local.store import store_settings
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.vocab import JobState, Stage
from tests.signals import song

pytestmark = pytest.mark.stack

SAMPLE_RATE_HZ = 44_100
DURATION_S = 40
SERVICES = ("store", "router", "separator", "library", "exporter")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home of a stack that is going to be hurt."""
    home = Home(tmp_path_factory.mktemp("chaos"))
    home.make_dirs()
    home.keep_file.touch()
    yield home
    stop_stack(home)


@pytest.fixture
def client(home: Home) -> Iterator[Stemhouse]:
    """A client of the stack, which is started if need be."""
    with Stemhouse(ensure_stack(home, print)) as client:
        yield client


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A song that no test has separated before, long enough to be killed in the middle of."""
    path = tmp_path / f"{uuid.uuid4().hex}.wav"
    samples = song(DURATION_S * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, seed=uuid.uuid4().int % 2**32)
    soundfile.write(path, samples.T, SAMPLE_RATE_HZ, subtype="PCM_16")
    return path


def victim_pids(home: Home, victim: str) -> list[int]:
    """Process ids of a service, of the supervisor, or of the separator's workers."""
    record = read_record(home)
    assert record is not None
    if victim == "supervisor":
        return [record.supervisor.pid]
    if victim == "workers":
        separator = psutil.Process(record.children["separator"].process.pid)
        return [child.pid for child in separator.children(recursive=True) if "spawn_main" in str(child.cmdline())]
    return [record.children[victim].process.pid]


def submit_until_half_way(client: Stemhouse, source: Path) -> Job:
    """Submit the song and come back in the middle of its separation."""
    request = SeparationRequest(client.upload(source), engine="starter")
    job = client.submit(request, uuid.uuid4().hex)
    for seen in client.watch(job.job_id):
        assert not seen.state.is_final, "the song is too short to be killed in the middle"
        if seen.stage is Stage.SEPARATE and seen.progress > 0.1:
            break
    return job


def check_nothing_is_torn(home: Home, stem_set: StemSet) -> None:
    """The result is one manifest and its stems, every one of which decodes to full length; the ledger has it once."""
    store = connect_object_store(store_settings(home, store_address(home)))
    digest = stem_set.audio.pcm_sha256
    manifest = f"results/{digest}/{stem_set.engine_id}/manifest.json"
    assert set(store.list_keys(f"results/{digest}/")) == {manifest, *(stem.object_key for stem in stem_set.stems)}
    for key in (stem_set.audio.object_key, *(stem.object_key for stem in stem_set.stems)):
        samples, _ = soundfile.read(io.BytesIO(b"".join(store.read(key))))
        assert len(samples) == DURATION_S * SAMPLE_RATE_HZ
    with closing(sqlite3.connect(f"file:{home.root}/router/ledger.db?mode=ro", uri=True)) as ledger:
        rows = ledger.execute("SELECT count(*) FROM ledger_result WHERE pcm_sha256 = ?", (digest,))
        assert rows.fetchone() == (1,)


def store_address(home: Home) -> str:
    """Where the store listens now."""
    record = read_record(home)
    assert record is not None
    return record.children["store"].address


@pytest.mark.parametrize("victim", [*SERVICES, "workers", "supervisor"])
def test_job_survives_the_kill(victim: str, home: Home, client: Stemhouse, source: Path) -> None:
    """Whoever dies half-way, the job ends DONE with one whole result."""
    job = submit_until_half_way(client, source)
    victims = [ProcessId.of(pid) for pid in victim_pids(home, victim)]
    assert victims
    for process in victims:
        os.kill(process.pid, signal.SIGKILL)
    while any(process.find() for process in victims):  # a signal takes a moment, in which all still looks well
        time.sleep(0.01)
    with Stemhouse(ensure_stack(home, print)) as survivor:
        *_, final = survivor.watch(job.job_id)
    assert final.state is JobState.DONE, final.error
    assert final.result is not None
    check_nothing_is_torn(home, final.result.stem_set)


def test_cancelled_job_stops_and_leaves_no_result(home: Home, client: Stemhouse, source: Path) -> None:
    """CancelJob ends a running separation; nothing of it is stored or counts."""
    job = submit_until_half_way(client, source)
    client.cancel(job.job_id)
    *_, final = client.watch(job.job_id)
    assert final.state is JobState.CANCELLED
    store = connect_object_store(store_settings(home, store_address(home)))
    with closing(sqlite3.connect(f"file:{home.root}/router/ledger.db?mode=ro", uri=True)) as ledger:
        sha256 = job.request.source.sha256
        found = ledger.execute("SELECT ingested FROM ledger_source WHERE sha256 = ?", (sha256,)).fetchone()[0]
    digest = found.split('"pcm_sha256": "')[1][:64]
    assert list(store.list_keys(f"results/{digest}/")) == []
