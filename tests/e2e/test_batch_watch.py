"""A folder that is watched, and music in an S3 store, by a library service of its own that looks often."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio

from stemhouse.batches import BatchSpec, BatchState, ItemState
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import Unavailable
from stemhouse.local.ports import LOOPBACK, free_ports
from stemhouse.local.record import read_record
from stemhouse.local.store import STORE, store_settings
from stemhouse.platform.object_stores import s3_client
from tests.e2e.conftest import Stack
from tests.e2e.libraries import new_song

pytestmark = pytest.mark.stack

BUCKET = "dj-music"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def music_store(stack: Stack) -> Minio:
    """An empty bucket in the store of the stack."""
    record = read_record(stack.home)
    assert record
    client = s3_client(store_settings(stack.home, record.children[STORE].address))
    client.make_bucket(BUCKET)
    return client


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stemhouse]:
    """The stack, with a library service of one's own that has music in the store, and looks ten times a second."""
    record = read_record(stack.home)
    assert record
    address = f"{LOOPBACK}:{free_ports(1)[0]}"
    settings = {
        "LISTEN": address,
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('library')}/library.db",
        "ROUTER": stack.endpoints.router,
        "EXPORTER": stack.endpoints.exporter,
        "MUSIC_STORE__ENDPOINT": record.children[STORE].address,
        "MUSIC_STORE__CREDENTIALS_FILE": str(stack.home.credentials_file),
        "RESCAN_S": "0.1",
    }
    environment = {**os.environ, **{f"STEMHOUSE_{name}": value for name, value in settings.items()}}
    process = subprocess.Popen((sys.executable, "-m", "services.library.main"), env=environment)
    with Stemhouse(replace(stack.endpoints, library=address)) as client:
        until(lambda: is_there(client))
        yield client
    process.terminate()
    process.wait(30)


def is_there(client: Stemhouse) -> bool:
    """Whether the library service answers."""
    try:
        return not list(client.library.batches())
    except Unavailable:
        return False


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.05)


def start(client: Stemhouse, spec: BatchSpec) -> str:
    """The id of a new batch; its library is scanned first."""
    for _ in client.library.scan(spec.location):
        pass
    return client.library.start_batch(spec, uuid.uuid4().hex).batch_id


def done(client: Stemhouse, batch_id: str) -> list[str]:
    """The tracks whose stems are there, in the order of work."""
    items = client.library.batch_items(batch_id)
    return [item.path for item in items if item.state is ItemState.DONE and Path(item.folder, "vocals.wav").is_file()]


def test_folder_is_watched_while_music_in_a_store_is_done(
    client: Stemhouse, music_store: Minio, tmp_path: Path
) -> None:
    """The file that comes goes behind the others; the object is as it was."""
    first, second = new_song(tmp_path / "music/b.wav"), tmp_path / "music/a.wav"
    stored = new_song(tmp_path / "stored.wav")
    music_store.fput_object(BUCKET, "dj/stored.wav", str(stored))
    watched = BatchSpec(str(tmp_path / "music"), str(tmp_path / "stems"), engine="starter", is_watching=True)
    batch_id = start(client, watched)
    other_id = start(client, BatchSpec(f"s3://{BUCKET}/dj", str(tmp_path / "stems"), engine="starter"))
    until(lambda: client.library.batch(batch_id).counts.done == 1)
    new_song(tmp_path / "new.wav").rename(second)  # whole at once: half a file would be a track that fails
    until(lambda: client.library.batch(batch_id).counts.done == 2)
    client.library.cancel_batch(batch_id)
    assert done(client, batch_id) == [str(first), str(second)]
    until(lambda: client.library.batch(other_id).state is BatchState.DONE)
    assert done(client, other_id) == [f"s3://{BUCKET}/dj/stored.wav"]
    assert music_store.stat_object(BUCKET, "dj/stored.wav").size == stored.stat().st_size
