"""The library service over a real channel, with real files and a real database."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import soundfile

from services.library.adapters.catalogue import SqliteTrackCatalogue
from services.library.adapters.folders import DiskFolders
from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.listing import TrackListing
from services.library.core.scanner import DJLibraryScanner
from services.library.migrations import migrate
from services.library.servicer import LibraryServicer, service
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.platform.channel import connect
from stemhouse.platform.databases import open_database
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.status import rpc_errors
from stemhouse.tracks import ScanProgress, Track
from stemhouse.v1 import library_pb2 as pb
from stemhouse.v1.library_pb2_grpc import LibraryServiceStub
from stemhouse.wire.tracks import scan_progress_from_proto, track_from_proto
from tests.signals import noise


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with two tracks, one damaged file, one without a proper name, and a cover."""
    folder = tmp_path / "music"
    (folder / "Björk").mkdir(parents=True)
    for name in ("a.wav", "Björk/Jóga 🎧.flac"):
        soundfile.write(folder / name, noise(4410).T, 44100)
    (folder / "broken.mp3").write_bytes(b"not audio" * 100)
    (folder / "cover.jpg").write_bytes(b"image")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav")).write_bytes(b"data")
    return folder


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[LibraryServiceStub]:
    """A stub to a server on a free port, wired as `main` does."""
    database = open_database(f"sqlite:///{tmp_path}/library.db")
    migrate(database)
    catalogue = SqliteTrackCatalogue(database)
    folders = DiskFolders()
    scanner = DJLibraryScanner(catalogue, folders, MutagenTagReader())
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[RpcInterceptor()])
    service(LibraryServicer(scanner, TrackListing(catalogue, folders)), catalogue.probe).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with connect(f"127.0.0.1:{port}") as channel:
        yield LibraryServiceStub(channel)
    server.stop(0).wait()
    database.dispose()


def scan(stub: LibraryServiceStub, folder: Path) -> list[ScanProgress]:
    """All reports of a scan."""
    with rpc_errors():
        responses = stub.ScanLibrary(pb.ScanLibraryRequest(folder=str(folder)), timeout=30)
        return [scan_progress_from_proto(response) for response in responses]


def tracks(stub: LibraryServiceStub, **request: object) -> list[Track]:
    """One page of the catalogue."""
    response = stub.ListTracks(pb.ListTracksRequest(**request), timeout=10)  # type: ignore[arg-type] # named by tests
    return [track_from_proto(track) for track in response.tracks]


def test_scanned_tracks_are_listed(stub: LibraryServiceStub, music: Path) -> None:
    """In path order, as the file system names them; what cannot be read is reported."""
    reports = scan(stub, music)
    assert reports[-1] == ScanProgress(found_count=3, added_count=2, is_complete=True)
    problems = [problem for report in reports for problem in report.problems]
    assert sorted(Path(problem.path).name for problem in problems) == ["broken.mp3", "caf\ufffd.wav"]
    assert [track.path for track in tracks(stub)] == [str(music / "Björk/Jóga 🎧.flac"), str(music / "a.wav")]


def test_second_scan_follows_the_folder(stub: LibraryServiceStub, music: Path) -> None:
    """Changed, new and vanished files are told apart."""
    scan(stub, music)
    soundfile.write(music / "a.wav", noise(8820).T, 44100)
    soundfile.write(music / "new.wav", noise(4410).T, 44100)
    (music / "Björk/Jóga 🎧.flac").unlink()
    outcome = scan(stub, music)[-1]
    assert (outcome.added_count, outcome.updated_count, outcome.removed_count) == (1, 1, 1)
    assert [Path(track.path).name for track in tracks(stub)] == ["a.wav", "new.wav"]
    assert scan(stub, music)[-1].unchanged_count == 2


def test_listing_goes_on_from_its_token(stub: LibraryServiceStub, music: Path) -> None:
    """Page by page, with the folder's total."""
    scan(stub, music)
    first = stub.ListTracks(pb.ListTracksRequest(page_size=1, folder=str(music)), timeout=10)
    rest = stub.ListTracks(
        pb.ListTracksRequest(page_size=1, folder=str(music), page_token=first.next_page_token), timeout=10
    )
    assert (first.total_count, rest.next_page_token) == (2, "")
    assert [Path(page.tracks[0].path).name for page in (first, rest)] == ["Jóga 🎧.flac", "a.wav"]


def test_missing_folder_is_not_found(stub: LibraryServiceStub, tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(NotFound, match="nowhere"):
        scan(stub, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [("page_size", 1001), ("page_token", "?"), ("folder", "relative")],
)
def test_bad_field_is_named(stub: LibraryServiceStub, field: str, value: object) -> None:
    """As BadRequest and ErrorInfo carry it."""
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        tracks(stub, **{field: value})
    assert list(caught.value.details) == [field]
