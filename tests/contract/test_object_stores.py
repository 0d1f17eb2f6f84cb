"""One suite for the S3 adapter over a real SeaweedFS and the in-memory fake that other tests use instead."""

import io
import os
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stemhouse.errors import NotFound, StorageUnavailable
from stemhouse.local.home import Home
from stemhouse.local.store import store_settings, store_spec
from stemhouse.platform.object_stores import S3ObjectStore, StoreSettings, connect_object_store
from stemhouse.ports import ObjectStore
from stemhouse.tenancy import store_of
from stemhouse.tenants import HOUSE, Tenant
from tests.fakes import MemoryObjectStore

MANY_BYTES = 20_000_000
"""More than one part of a multipart upload."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A SeaweedFS of its own, started without waiting: clients retry while it starts."""
    home = Home(tmp_path_factory.mktemp("store-home"))
    home.make_dirs()
    spec = store_spec(home)
    process = subprocess.Popen(spec.command, env=dict(spec.environment), stderr=subprocess.DEVNULL)
    yield store_settings(home, spec.address)
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def s3(settings: StoreSettings) -> S3ObjectStore:
    """The adapter, which has made its bucket."""
    store = connect_object_store(settings)
    store.probe()
    return store


@pytest.fixture(params=["s3", "memory", "tenant"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each store in turn."""
    real: ObjectStore = request.getfixturevalue("s3") if request.param == "s3" else MemoryObjectStore()
    return store_of(real, Tenant("acme")) if request.param == "tenant" else real


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"suite/{uuid.uuid4().hex}"


@pytest.mark.parametrize("size_bytes", [0, 1, 1_048_577, MANY_BYTES])
def test_object_comes_back_as_it_went_in(size_bytes: int, store: ObjectStore, key: str) -> None:
    """Empty, small, more than a chunk, more than a part; in chunks of at most 1 MiB."""
    data = os.urandom(size_bytes)
    store.put(key, io.BytesIO(data))
    chunks = list(store.read(key))
    assert b"".join(chunks) == data
    assert all(len(chunk) <= 1_048_576 for chunk in chunks)
    assert store.size_bytes(key) == size_bytes


@pytest.mark.parametrize("offset_bytes", [1, 1_048_576, MANY_BYTES - 1])
def test_object_is_read_from_an_offset(offset_bytes: int, store: ObjectStore, key: str) -> None:
    """To its end, and not a byte before; a read from 0 is still the whole."""
    data = os.urandom(MANY_BYTES)
    store.put(key, io.BytesIO(data))
    assert b"".join(store.read(key, offset_bytes)) == data[offset_bytes:]
    assert b"".join(store.read(key, 0)) == data


def test_put_stores_what_the_source_still_holds(store: ObjectStore, key: str) -> None:
    """From where the stream stands."""
    source = io.BytesIO(b"headbody")
    source.read(4)
    store.put(key, source)
    assert b"".join(store.read(key)) == b"body"


def test_put_replaces(store: ObjectStore, key: str) -> None:
    """The last one counts."""
    store.put(key, io.BytesIO(b"old and long"))
    store.put(key, io.BytesIO(b"new"))
    assert b"".join(store.read(key)) == b"new"


def test_put_if_absent_never_replaces(store: ObjectStore, key: str) -> None:
    """The first one stays, also before a plain put came."""
    assert store.put_if_absent(key, b"first")
    assert not store.put_if_absent(key, b"second")
    assert b"".join(store.read(key)) == b"first"


def test_one_of_many_racing_callers_wins(store: ObjectStore, key: str) -> None:
    """And what is stored is the winner's."""
    contents = [f"caller {number}".encode() for number in range(8)]
    with ThreadPoolExecutor(len(contents)) as callers:
        wins = list(callers.map(lambda content: store.put_if_absent(key, content), contents))
    assert wins.count(True) == 1
    assert b"".join(store.read(key)) == contents[wins.index(True)]


def test_missing_object_is_not_found_and_has_no_size(store: ObjectStore, key: str) -> None:
    """Reading names the key."""
    assert store.size_bytes(key) is None
    with pytest.raises(NotFound, match=key):
        list(store.read(key))


def test_deleted_object_is_gone_and_deleting_again_is_no_error(store: ObjectStore, key: str) -> None:
    """Idempotent."""
    store.put(key, io.BytesIO(b"data"))
    store.delete(key)
    store.delete(key)
    assert store.size_bytes(key) is None


def test_keys_are_listed_by_prefix_in_order(store: ObjectStore, key: str) -> None:
    """Below folders too, and nothing beside."""
    for name in ("b/2.flac", "a.flac", "b/1.flac"):
        store.put(f"{key}/{name}", io.BytesIO(b"data"))
    assert list(store.list_keys(f"{key}/b/")) == [f"{key}/b/1.flac", f"{key}/b/2.flac"]
    assert list(store.list_keys(f"{key}/")) == [f"{key}/{name}" for name in ("a.flac", "b/1.flac", "b/2.flac")]
    assert list(store.list_keys(f"{key}/c")) == []


def test_wrong_secret_is_refused(s3: S3ObjectStore, settings: StoreSettings, tmp_path: Path) -> None:
    """And says so instead of waiting."""
    s3.probe()
    wrong = tmp_path / "wrong.json"
    wrong.write_text(settings.credentials_file.read_text().replace('"secret_key": "', '"secret_key": "x'))
    with pytest.raises(StorageUnavailable, match=r"(?i)access denied"):
        connect_object_store(settings.model_copy(update={"credentials_file": wrong})).size_bytes("anything")


def test_credentials_are_for_their_owner_only(settings: StoreSettings) -> None:
    """Mode 600, for the client's file and the server's."""
    for file in settings.credentials_file.parent.glob("*.json"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_missing_credentials_name_the_file(settings: StoreSettings) -> None:
    """What to look at is in the message."""
    missing = settings.model_copy(update={"credentials_file": settings.credentials_file.with_name("none.json")})
    with pytest.raises(StorageUnavailable, match=r"none\.json"):
        connect_object_store(missing)


def test_tenants_keys_are_below_their_name_and_nowhere_else() -> None:
    """The one place where they are made; errors name the key as its tenant knows it."""
    real = MemoryObjectStore()
    ours, theirs = store_of(real, Tenant("acme")), store_of(real, Tenant("zenith"))
    assert store_of(real, HOUSE) is real
    ours.put("audio/a.flac", io.BytesIO(b"ours"))
    assert ours.put_if_absent("audio/b.flac", b"b")
    assert list(real.list_keys("")) == ["tenants/acme/audio/a.flac", "tenants/acme/audio/b.flac"]
    assert list(ours.list_keys("audio/")) == ["audio/a.flac", "audio/b.flac"]
    assert list(theirs.list_keys("")) == []
    assert theirs.size_bytes("audio/a.flac") is None
    theirs.delete("audio/a.flac")
    assert b"".join(ours.read("audio/a.flac")) == b"ours"
    with pytest.raises(NotFound, match=r"audio/a\.flac") as caught:
        list(theirs.read("audio/a.flac"))
    assert "tenants" not in f"{caught.value.message} {caught.value.details}"


def test_error_tells_nothing_that_was_signed(settings: StoreSettings) -> None:
    """A presigned URL lets whoever has it write the object: it is in no message, and so in no log."""
    nobody = settings.model_copy(update={"endpoint": "127.0.0.1:1"})
    with pytest.raises(StorageUnavailable) as caught:
        connect_object_store(nobody, is_patient=False).put_if_absent("suite/key", b"x")
    assert "suite/key" in caught.value.message
    assert "X-Amz" not in f"{caught.value.message} {caught.value.details}"
