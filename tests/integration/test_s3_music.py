"""Music in an object store: listed, and read in ranges, on a real SeaweedFS; as a folder of the same files is read."""

import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio
from urllib3 import BaseHTTPResponse

from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.adapters.dj_libraries import DJLibraries
from services.library.adapters.folders import DiskFolders
from services.library.adapters.library_catalogue import SqlLibraryCatalogue
from services.library.adapters.music_files import MusicFiles
from services.library.adapters.s3_folders import S3Folders
from services.library.adapters.source_files import StoredSourceFiles
from services.library.core.ports import FileStamp, FoundFile
from services.library.core.scanner import DJLibraryScanner, ScannerParts
from services.library.migrations import migrate
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.local.home import Home
from stemhouse.local.store import store_settings, store_spec
from stemhouse.platform.databases import open_database
from stemhouse.platform.object_stores import s3_client
from stemhouse.tracks import ScanProblem, ScanProgress, Track
from tests.tagged_files import TAGGED_FORMATS, TaggedFiles

BUCKET = "music"


class CountingClient:
    """A client that tells how much it was asked for."""

    def __init__(self, client: Minio) -> None:
        self.stat_object = client.stat_object
        self.lengths: list[int] = []
        self._client = client

    def get_object(self, bucket: str, key: str, offset: int, length: int) -> BaseHTTPResponse:
        """See Minio.get_object."""
        self.lengths.append(length)
        return self._client.get_object(bucket, key, offset=offset, length=length)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minio]:
    """A SeaweedFS of its own with an empty bucket; the client waits for it to start."""
    home = Home(tmp_path_factory.mktemp("music-store"))
    home.make_dirs()
    spec = store_spec(home)
    process = subprocess.Popen(spec.command, env=dict(spec.environment), stderr=subprocess.DEVNULL)
    client = s3_client(store_settings(home, spec.address))
    client.make_bucket(BUCKET)
    yield client
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def music(client: Minio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, which is in the store below `dj/`, too, beside objects that are none of the library."""
    folder = tmp_path_factory.mktemp("music")
    files = TaggedFiles()
    (folder / "Bjørk").mkdir()
    for number, extension in enumerate(TAGGED_FORMATS):
        files.write(folder / f"Bjørk/{number} ü.{extension}", number, art_bytes=150_000)
    (folder / "broken.mp3").write_bytes(b"not audio" * 100)
    deliver(folder / "stems", files.audio("wav"))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        client.fput_object(BUCKET, f"dj/{path.relative_to(folder)}", str(path))
    for name in ("dj/.hidden/a.mp3", "dj/cover.jpg", "dj2/a.mp3"):
        client.put_object(BUCKET, name, io.BytesIO(b"data"), 4)
    return folder


def deliver(folder: Path, audio: bytes) -> None:
    """As a delivery leaves it; one file in it is somebody's own."""
    folder.mkdir()
    for name in ("bass.wav", "mine.wav", "vocals.wav"):
        (folder / name).write_bytes(audio)
    files = [{"name": "bass.wav"}, {"name": "vocals.wav"}]
    (folder / "metadata.json").write_text(json.dumps({"delivery": {"delivery_key": "k"}, "files": files}))


@pytest.fixture
def tracks(tmp_path: Path) -> Iterator[SqlTrackCatalogue]:
    """An empty catalogue."""
    database = open_database(f"sqlite:///{tmp_path}/library.db")
    migrate(database)
    yield SqlTrackCatalogue(database)
    database.dispose()


def scan(client: Minio, tracks: SqlTrackCatalogue, location: str) -> tuple[ScanProgress, list[ScanProblem]]:
    """The outcome, and all problems."""
    places = MusicFiles(DiskFolders(), S3Folders(client))
    parts = ScannerParts(tracks, SqlLibraryCatalogue(tracks._engine), places, places, DJLibraries())
    reports = list(DJLibraryScanner(parts).scan(location))
    return reports[-1], [problem for report in reports for problem in report.problems]


def test_store_is_scanned_as_the_same_folder_is(client: Minio, tracks: SqlTrackCatalogue, music: Path) -> None:
    """Tags, lengths, problems and our own files alike; a second scan reads only what it could not read."""
    outcome, (problem,) = scan(client, tracks, f"s3://{BUCKET}/dj/")
    assert (outcome.found_count, outcome.added_count, outcome.own_count) == (7, 7, 2)
    assert problem.path == f"s3://{BUCKET}/dj/broken.mp3"
    scan(client, tracks, str(music))
    stored = tracks.page(f"s3://{BUCKET}/dj/", "", 100)
    assert [replace(each, path=each.path.removeprefix(f"s3://{BUCKET}/dj/")) for each in stored] == [
        replace(each, path=each.path.removeprefix(f"{music}/")) for each in tracks.page(f"{music}/", "", 100)
    ]
    again, _ = scan(client, tracks, f"s3://{BUCKET}/dj")
    assert (again.unchanged_count, again.added_count, again.removed_count) == (6, 0, 0)


def test_object_that_went_is_removed(client: Minio, tracks: SqlTrackCatalogue, music: Path) -> None:
    """And one that came is added."""
    for name in ("moving/a.mp3", "moving/b.mp3"):
        client.fput_object(BUCKET, name, str(music / "Bjørk/0 ü.mp3"))
    scan(client, tracks, f"s3://{BUCKET}/moving")
    client.remove_object(BUCKET, "moving/a.mp3")
    client.fput_object(BUCKET, "moving/c.mp3", str(music / "Bjørk/0 ü.mp3"))
    outcome, _ = scan(client, tracks, f"s3://{BUCKET}/moving")
    assert (outcome.added_count, outcome.removed_count, outcome.unchanged_count) == (1, 1, 1)


def test_ranges_give_the_bytes_of_the_object(client: Minio) -> None:
    """Forwards, backwards, over the ends of blocks, and beyond the end."""
    data = bytes(range(256)) * 4096
    client.put_object(BUCKET, "large", io.BytesIO(data), len(data))
    with S3Folders(client).open(FoundFile(f"s3://{BUCKET}/large", FileStamp(len(data), 0))) as file:
        for start, size in ((0, 10), (1_000_000, 100_000), (262_140, 10), (500_000, 300_000), (len(data), 1)):
            file.seek(start)
            assert file.read(size) == data[start : start + size]
        assert file.seek(-7, io.SEEK_END) == len(data) - 7
        assert file.read() == data[-7:]


def test_reading_tags_fetches_the_ends_only(client: Minio, music: Path) -> None:
    """Not the whole of a long file."""
    wave = (music / "Bjørk/3 ü.wav").read_bytes()
    long = wave[:4] + b"\xff\xff\xff\x7f" + wave[8:40] + (8_000_000).to_bytes(4, "little") + bytes(8_000_000)
    client.put_object(BUCKET, "long.wav", io.BytesIO(long), len(long))
    counting = CountingClient(client)
    folders = S3Folders(counting)  # type: ignore[arg-type] # as much of a client as it uses
    found = folders.look(f"s3://{BUCKET}/long.wav")
    assert isinstance(found, FoundFile)
    assert isinstance(MusicFiles(DiskFolders(), folders).read(found), Track)
    assert 0 < sum(counting.lengths) < 1_000_000


def test_prefix_is_normalised_and_checked(client: Minio) -> None:
    """A bucket is needed; a store, too."""
    folders = S3Folders(client)
    assert folders.prefix("s3://music") == "s3://music/"
    assert folders.prefix("s3://music//a/b//") == "s3://music/a/b/"
    for wrong in ("s3://", "s3:///a", "/music", "s3://music/\0"):
        with pytest.raises(InvalidRequest):
            folders.prefix(wrong)
    with pytest.raises(InvalidRequest, match="no object store of music is set up"):
        MusicFiles(DiskFolders()).prefix("s3://music")


def test_what_is_not_in_the_store_is_not_found(client: Minio, tracks: SqlTrackCatalogue) -> None:
    """Neither a prefix nor a bucket; a single object is a problem."""
    for location in (f"s3://{BUCKET}/nowhere", "s3://no-such-bucket/a"):
        with pytest.raises(NotFound):
            scan(client, tracks, location)
    path = f"s3://{BUCKET}/nowhere.mp3"
    assert S3Folders(client).look(path) == ScanProblem(path, "no such object")
    gone = MusicFiles(DiskFolders(), S3Folders(client)).read(FoundFile(path, FileStamp(10, 0)))
    assert isinstance(gone, ScanProblem)


def test_object_is_stamped_and_had_at_hand_for_a_batch(client: Minio, music: Path) -> None:
    """As a file of its own name, gone afterwards; what is not there is told."""
    name = "batch/0 ü.mp3"
    client.fput_object(BUCKET, name, str(music / "Bjørk/0 ü.mp3"))
    files = MusicFiles(DiskFolders(), S3Folders(client))
    path = f"s3://{BUCKET}/{name}"
    sources = StoredSourceFiles(files.look, DiskFolders().is_away)
    assert sources.stamp(path, f"s3://{BUCKET}/batch").size_bytes == (music / "Bjørk/0 ü.mp3").stat().st_size
    with files.at_hand(path) as copy:
        assert (copy.name, copy.read_bytes()) == ("0 ü.mp3", (music / "Bjørk/0 ü.mp3").read_bytes())
    assert not copy.exists()
    gone = f"s3://{BUCKET}/batch/gone.mp3"
    with pytest.raises(NotFound, match=r"gone\.mp3 is not there"):
        sources.stamp(gone, f"s3://{BUCKET}/batch")
    with pytest.raises(NotFound), files.at_hand(gone):
        pass
