"""The library service over a real channel, with real files and a real database."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import soundfile

from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.adapters.dj_libraries import DJLibraries
from services.library.adapters.export_record import SqlExportRecord
from services.library.adapters.folders import DiskFolders
from services.library.adapters.library_catalogue import SqlLibraryCatalogue
from services.library.adapters.music_files import MusicFiles
from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.hearing import VocalHearing
from services.library.core.listing import TrackListing
from services.library.core.scanner import DJLibraryScanner, ScannerParts
from services.library.core.track_probes import TrackProbes
from services.library.core.track_search import SearchPorts, TrackSearch
from services.library.core.work_order import CatalogueWorkOrder
from services.library.migrations import migrate
from services.library.servicer import LibraryParts, LibraryServicer, service
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.platform.channel import connect
from stemhouse.platform.databases import open_database
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.status import rpc_errors
from stemhouse.tracks import ScanProgress, Track
from stemhouse.v1 import library_pb2 as pb
from stemhouse.v1.exporter_pb2 import FILE_FORMAT_WAV, SAMPLE_FORMAT_PCM24
from stemhouse.v1.library_pb2_grpc import LibraryServiceStub
from stemhouse.wire.tracks import scan_progress_from_proto, track_from_proto
from tests.signals import noise
from tests.unit.library.batch_world import World


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
def world() -> World:
    """What batches meet: fakes, with three tracks."""
    return World(3)


@pytest.fixture
def stub(tmp_path: Path, world: World) -> Iterator[LibraryServiceStub]:
    """A stub to a server on a free port: scanner and listing as `main` wires them, batches over fakes."""
    database = open_database(f"sqlite:///{tmp_path}/library.db")
    migrate(database)
    catalogue, libraries, folders = SqlTrackCatalogue(database), SqlLibraryCatalogue(database), DiskFolders()
    scanner = DJLibraryScanner(ScannerParts(catalogue, libraries, folders, MutagenTagReader(), DJLibraries()))
    order = CatalogueWorkOrder(catalogue, libraries, folders)
    listing = TrackListing(catalogue, libraries, folders, order)
    probes = TrackProbes(order, VocalHearing(catalogue, world.separations))
    search = TrackSearch(SearchPorts(catalogue, libraries, SqlExportRecord(database), MusicFiles(folders)))
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[RpcInterceptor()])
    service(LibraryServicer(LibraryParts(scanner, listing, probes, search, world.orders)), catalogue.probe).register(
        server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with connect(f"127.0.0.1:{port}") as channel:
        yield LibraryServiceStub(channel)
    server.stop(0).wait()
    database.dispose()


def scan(stub: LibraryServiceStub, folder: Path) -> list[ScanProgress]:
    """All reports of a scan."""
    with rpc_errors():
        responses = stub.ScanLibrary(pb.ScanLibraryRequest(location=str(folder)), timeout=30)
        return [scan_progress_from_proto(response) for response in responses]


def tracks(stub: LibraryServiceStub, **request: object) -> list[Track]:
    """One page of the catalogue."""
    response = stub.ListTracks(pb.ListTracksRequest(**request), timeout=10)  # type: ignore[arg-type] # named by tests
    return [track_from_proto(listed.track) for listed in response.tracks]


def test_scanned_tracks_are_listed(stub: LibraryServiceStub, music: Path) -> None:
    """In path order, as the file system names them; what cannot be read is reported, and known by its name."""
    reports = scan(stub, music)
    assert reports[-1] == ScanProgress(found_count=3, added_count=3, is_complete=True)
    problems = [problem for report in reports for problem in report.problems]
    assert sorted(Path(problem.path).name for problem in problems) == ["broken.mp3", "caf\ufffd.wav"]
    names = ("Björk/Jóga 🎧.flac", "a.wav", "broken.mp3")
    assert [track.path for track in tracks(stub)] == [str(music / name) for name in names]


def test_second_scan_follows_the_folder(stub: LibraryServiceStub, music: Path) -> None:
    """Changed, new and vanished files are told apart."""
    scan(stub, music)
    soundfile.write(music / "a.wav", noise(8820).T, 44100)
    soundfile.write(music / "new.wav", noise(4410).T, 44100)
    shutil.rmtree(music / "Björk")
    outcome = scan(stub, music)[-1]
    assert (outcome.added_count, outcome.updated_count, outcome.removed_count) == (1, 1, 1)
    assert [Path(track.path).name for track in tracks(stub)] == ["a.wav", "broken.mp3", "new.wav"]
    assert scan(stub, music)[-1].unchanged_count == 2


def test_listing_goes_on_from_its_token(stub: LibraryServiceStub, music: Path) -> None:
    """Page by page, with the folder's total."""
    (music / "broken.mp3").unlink()
    scan(stub, music)
    first = stub.ListTracks(pb.ListTracksRequest(page_size=1, location=str(music)), timeout=10)
    rest = stub.ListTracks(
        pb.ListTracksRequest(page_size=1, location=str(music), page_token=first.next_page_token), timeout=10
    )
    assert (first.total_count, rest.next_page_token) == (2, "")
    assert [Path(page.tracks[0].track.path).name for page in (first, rest)] == ["Jóga 🎧.flac", "a.wav"]


def test_probed_tracks_change_places(stub: LibraryServiceStub, music: Path, world: World) -> None:
    """With the reasons; nobody is asked twice."""
    (music / "broken.mp3").unlink()
    scan(stub, music)
    world.separations.probed_shares[str(music / "a.wav")] = 0.5
    request = pb.ProbeTracksRequest(location=str(music))
    for total_count in (2, 0):
        counts = [(said.done_count, said.total_count) for said in stub.ProbeTracks(request, timeout=10)]
        assert counts == [(count, total_count) for count in range(total_count + 1)]
    ranked = pb.ListTracksRequest(location=str(music), order=pb.TRACK_ORDER_PRIORITY)
    listed = stub.ListTracks(ranked, timeout=10).tracks
    reasons = [(Path(each.track.path).name, list(each.reasons)) for each in listed]
    assert reasons == [("a.wav", ["vocals: 50% of it (probed)"]), ("Jóga 🎧.flac", ["no vocals (probed)"])]
    assert len(world.separations.probed) == 2


def test_missing_folder_is_not_found(stub: LibraryServiceStub, tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(NotFound, match="nowhere"):
        scan(stub, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [("page_size", 1001), ("page_token", "?"), ("location", "relative")],
)
def test_bad_field_is_named(stub: LibraryServiceStub, field: str, value: object) -> None:
    """As BadRequest and ErrorInfo carry it."""
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        tracks(stub, **{field: value})
    assert list(caught.value.details) == [field]


def test_playlist_in_the_folder_is_a_crate_and_comes_first(stub: LibraryServiceStub, music: Path) -> None:
    """With its name, and the reason of each place."""
    (music / "friday.m3u8").write_text("a.wav\ngone.wav\n", encoding="utf-8")
    assert scan(stub, music)[-1].missing_count == 1
    [crate] = stub.ListCrates(pb.ListCratesRequest(location=str(music)), timeout=10).crates
    assert (crate.name, crate.track_count, crate.missing_count) == ("friday", 1, 1)
    request = pb.ListTracksRequest(location=str(music), order=pb.TRACK_ORDER_PRIORITY, crates=["Friday"], page_size=1)
    first = stub.ListTracks(request, timeout=10)
    request.page_token = first.next_page_token
    listed = [*first.tracks, *stub.ListTracks(request, timeout=10).tracks]
    assert [(Path(found.track.path).name, found.place) for found in listed] == [("a.wav", 1), ("Jóga 🎧.flac", 2)]
    assert list(listed[0].reasons) == ['crate "friday"']
    request.is_crates_only = True
    assert stub.ListTracks(request, timeout=10).total_count == 1
    with pytest.raises(NotFound, match="monday"), rpc_errors():
        stub.ListTracks(
            pb.ListTracksRequest(location=str(music), order=pb.TRACK_ORDER_PRIORITY, crates=["monday"]), timeout=10
        )


SPEC = pb.BatchSpec(
    location="/music",
    output_dir="/out/stems",
    engine="starter",
    file_format=FILE_FORMAT_WAV,
    sample_format=SAMPLE_FORMAT_PCM24,
    layout=pb.BATCH_LAYOUT_TRACK,
)


def test_batch_is_planned_started_watched_and_reported(stub: LibraryServiceStub, world: World) -> None:
    """Each RPC about one batch, from the plan to the last item."""
    assert stub.PlanBatch(pb.PlanBatchRequest(spec=SPEC), timeout=10).plan.track_count == 3
    request = pb.StartBatchRequest(request_id="wish-1", spec=SPEC)
    started = stub.StartBatch(request, timeout=10).batch
    assert stub.StartBatch(request, timeout=10).batch == started
    assert [batch.batch_id for batch in stub.ListBatches(pb.ListBatchesRequest(), timeout=10).batches] == ["batch1"]
    watched = stub.WatchBatch(pb.WatchBatchRequest(batch_id="batch1"), timeout=30)
    assert next(watched).batch.counts.waiting == 3
    world.process("batch1")
    *_, last = watched
    assert (last.batch.state, last.batch.counts.done) == (pb.BATCH_STATE_DONE, 3)
    assert stub.GetBatch(pb.GetBatchRequest(batch_id="batch1"), timeout=10).batch == last.batch
    page = stub.ListBatchItems(pb.ListBatchItemsRequest(batch_id="batch1", page_size=2), timeout=10)
    assert [item.place for item in page.items] == [1, 2]
    rest = pb.ListBatchItemsRequest(batch_id="batch1", page_token=page.next_page_token, states=[pb.ITEM_STATE_DONE])
    assert [item.place for item in stub.ListBatchItems(rest, timeout=10).items] == [3]


def test_orders_change_a_batch(stub: LibraryServiceStub) -> None:
    """Pause, resume, cancel and retry, each told back."""
    stub.StartBatch(pb.StartBatchRequest(request_id="wish-1", spec=SPEC), timeout=10)
    answers: list[Any] = [
        stub.PauseBatch(pb.PauseBatchRequest(batch_id="batch1"), timeout=10),
        stub.ResumeBatch(pb.ResumeBatchRequest(batch_id="batch1"), timeout=10),
        stub.CancelBatch(pb.CancelBatchRequest(batch_id="batch1"), timeout=10),
        stub.RetryBatch(pb.RetryBatchRequest(batch_id="batch1"), timeout=10),
    ]
    assert [answer.batch.state for answer in answers] == [
        pb.BATCH_STATE_PAUSED,
        pb.BATCH_STATE_RUNNING,
        pb.BATCH_STATE_CANCELLED,
        pb.BATCH_STATE_RUNNING,
    ]
    with pytest.raises(NotFound), rpc_errors():
        stub.PauseBatch(pb.PauseBatchRequest(batch_id="nobody"), timeout=10)
    with pytest.raises(InvalidRequest, match="request_id"), rpc_errors():
        stub.StartBatch(pb.StartBatchRequest(request_id="not an id", spec=SPEC), timeout=10)
