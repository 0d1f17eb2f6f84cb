"""A prefix of an object store and the folder that stands for it, on a real SeaweedFS."""

import io
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from minio import Minio

from stemhouse.client.prefix_mirror import PrefixFile, PrefixMirror
from stemhouse.client.s3_prefix import S3Prefix
from stemhouse.errors import InvalidRequest, StorageUnavailable, Unavailable
from stemhouse.local.home import Home
from stemhouse.local.store import store_settings, store_spec
from stemhouse.platform.object_stores import s3_client
from stemhouse.production import TREE_RECORD

BUCKET = "records"
RECORD = f"song/{TREE_RECORD}"


class DyingPrefix(S3Prefix):
    """One that is gone after so many files were stored."""

    left = 0

    def store(self, path: str, source: Path) -> PrefixFile:
        """See S3Prefix.store."""
        if not self.left:
            raise StorageUnavailable("killed")
        self.left -= 1
        return super().store(path, source)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minio]:
    """A SeaweedFS of its own with an empty bucket; the client waits for it to start."""
    home = Home(tmp_path_factory.mktemp("prefix-store"))
    home.make_dirs()
    spec = store_spec(home)
    process = subprocess.Popen(spec.command, env=dict(spec.environment), stderr=subprocess.DEVNULL, cwd=spec.folder)
    client = s3_client(store_settings(home, spec.address))
    client.make_bucket(BUCKET)
    yield client
    process.terminate()
    process.wait(30)


@pytest.fixture
def prefix(client: Minio) -> S3Prefix:
    """One of its own, with nothing below."""
    return S3Prefix(client, f"s3://{BUCKET}/{uuid4().hex}//")


def mirror_of(prefix: S3Prefix, folder: Path) -> PrefixMirror:
    """As an export begins."""
    folder.mkdir()
    mirror = PrefixMirror(prefix, folder)
    mirror.pull()
    return mirror


def made(folder: Path) -> list[Path]:
    """A song of two files and its record."""
    (folder / "song").mkdir(exist_ok=True)
    files = [folder / "song" / name for name in ("a.wav", "b é.wav", TREE_RECORD)]
    for file in files:
        file.write_bytes(file.name.encode() * 1000)
    return files


def put(client: Minio, prefix: S3Prefix, path: str, data: bytes) -> None:
    """As somebody else does."""
    key = prefix.url.removeprefix(f"s3://{BUCKET}/")
    client.put_object(BUCKET, f"{key}/{path}", io.BytesIO(data), len(data))


def paths(prefix: S3Prefix) -> list[str]:
    """What is there."""
    return [file.path for file in prefix.files()]


def test_what_is_made_is_stored_and_found_again(prefix: S3Prefix, tmp_path: Path) -> None:
    """Only records have their bytes in the folder afterwards, and in that of the next export; all have their sizes."""
    mirror = mirror_of(prefix, tmp_path / "first")
    files = made(tmp_path / "first")
    sizes = [file.stat().st_size for file in files]
    mirror.push(files)
    assert paths(prefix) == ["song/a.wav", "song/b é.wav", RECORD]
    prefix.fetch("song/b é.wav", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == "b é.wav".encode() * 1000
    mirror_of(prefix, tmp_path / "second")
    for folder in ("first", "second"):
        there = [tmp_path / folder / file.relative_to(tmp_path / "first") for file in files]
        assert [file.stat().st_size for file in there] == sizes
        assert [not any(file.read_bytes()) for file in there] == [True, True, False]


def test_nothing_is_stored_twice(prefix: S3Prefix, tmp_path: Path) -> None:
    """Nor is what was there before."""
    mirror = mirror_of(prefix, tmp_path / "first")
    files = made(tmp_path / "first")
    mirror.push(files)
    before = list(prefix.files())
    mirror.push(files)
    again = mirror_of(prefix, tmp_path / "second")
    again.push([tmp_path / "second" / file.relative_to(tmp_path / "first") for file in files])
    assert list(prefix.files()) == before


@pytest.mark.parametrize("stored_count", [1, 2, 3])
def test_what_a_killed_export_has_begun_goes(
    client: Minio, prefix: S3Prefix, tmp_path: Path, stored_count: int
) -> None:
    """Its mark is stored first, and names what came after; what others have there stays."""
    put(client, prefix, "song/mine.txt", b"mine")
    dying = DyingPrefix(client, prefix.url)
    mirror = mirror_of(dying, tmp_path / "killed")
    dying.left = stored_count
    with pytest.raises(StorageUnavailable):
        mirror.push(made(tmp_path / "killed"))
    assert len(paths(prefix)) == 1 + stored_count
    mirror_of(prefix, tmp_path / "next")
    assert paths(prefix) == ["song/mine.txt"]


def test_what_was_done_stays_though_its_mark_is_left(client: Minio, prefix: S3Prefix, tmp_path: Path) -> None:
    """The record is stored last: whoever is killed after it has only left the mark."""
    mirror = mirror_of(prefix, tmp_path / "first")
    mirror.push(made(tmp_path / "first"))
    mark = json.dumps({"host": platform.node(), "paths": ["song/a.wav", "song/b é.wav", RECORD]}).encode()
    put(client, prefix, ".stemhouse-unfinished-1.json", mark)
    mirror_of(prefix, tmp_path / "next")
    assert paths(prefix) == ["song/a.wav", "song/b é.wav", RECORD]


def test_another_machine_may_be_at_work(client: Minio, prefix: S3Prefix, tmp_path: Path) -> None:
    """What it has begun stays for a day, and so does its mark; neither is hidden from whoever lists the folder."""
    mark = json.dumps({"host": "another", "paths": ["song/a.wav"]}).encode()
    put(client, prefix, ".stemhouse-unfinished-1.json", mark)
    put(client, prefix, "song/a.wav", b"begun")
    mirror_of(prefix, tmp_path / "next")
    assert paths(prefix) == [".stemhouse-unfinished-1.json", "song/a.wav"]
    assert [path.name for path in (tmp_path / "next").iterdir()] == ["song"]


@pytest.mark.parametrize("path", ["song/a.wav", RECORD])
def test_what_others_write_meanwhile_is_not_overwritten(
    client: Minio, prefix: S3Prefix, tmp_path: Path, path: str
) -> None:
    """The export ends there."""
    mirror = mirror_of(prefix, tmp_path / "first")
    put(client, prefix, path, b"theirs")
    with pytest.raises(Unavailable, match=f"{path} was written by others meanwhile"):
        mirror.push(made(tmp_path / "first"))
    prefix.fetch(path, tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"theirs"


@pytest.mark.parametrize("path", ["a/../../b", "a//b", "c:\\d", "taken/below"])
def test_objects_that_can_be_no_files_are_named(client: Minio, prefix: S3Prefix, tmp_path: Path, path: str) -> None:
    """Nothing is written outside the folder."""
    put(client, prefix, "taken", b"a file")
    key = prefix.url.removeprefix(f"s3://{BUCKET}/")
    listed = PrefixFile(path, 1, 0, "etag")
    with pytest.raises(InvalidRequest, match="no file can have this name"):
        mirror_of(_Listing(client, f"s3://{BUCKET}/{key}", listed), tmp_path / "folder")
    assert [found.name for found in tmp_path.iterdir()] == ["folder"]


class _Listing(S3Prefix):
    """One with an object more, of a name that this store may refuse and another take."""

    def __init__(self, client: Minio, url: str, listed: PrefixFile) -> None:
        super().__init__(client, url)
        self._listed = listed

    def files(self) -> Iterator[PrefixFile]:
        """See S3Prefix.files."""
        yield from super().files()
        yield self._listed


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "http://a/b", "s3://a/b\0"])
def test_places_that_are_none_are_named(client: Minio, url: str) -> None:
    """As the user wrote them."""
    with pytest.raises(InvalidRequest, match="s3://BUCKET/PREFIX"):
        S3Prefix(client, url)
