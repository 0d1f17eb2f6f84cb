"""What batches touch: source files, output folders, volumes, threads."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.library.adapters.batch_runner import BatchRunner
from services.library.adapters.deliveries import ExporterDeliveries, folder_for
from services.library.adapters.disks import MachineDisks
from services.library.adapters.folders import DiskFolders
from services.library.adapters.music_files import MusicFiles
from services.library.adapters.separations import RouterSeparations
from services.library.adapters.source_files import StoredSourceFiles
from services.library.core.batch_ports import Bell, DeliveryOrder, Export
from services.library.core.ports import FileStamp
from stemhouse.audio import SourceRef
from stemhouse.batches import BatchLayout, BatchSpec
from stemhouse.client.delivery import receive_delivery
from stemhouse.client.sdk import Stemhouse
from stemhouse.delivery import DeliveryPlan
from stemhouse.errors import InvalidRequest, NotFound, StemhouseError, Unavailable
from stemhouse.jobs import SeparationRequest
from stemhouse.v1.exporter_pb2 import DeliverResponse
from stemhouse.vocab import JobState
from tests.fakes_front import delivery_parts, result_of, serve_front

SOURCE = SourceRef("a" * 64, "b" * 32, 1, "song.mp3")
RESULT = result_of(SOURCE)


def order(output_dir: Path, path: str = "/music/House/1.mp3", **wishes: Any) -> DeliveryOrder:
    """Of a track below /music."""
    spec = replace(BatchSpec("/music", str(output_dir)), **wishes)
    return DeliveryOrder(spec, path, "batch1-1")


def test_delivery_goes_to_the_output_folder(tmp_path: Path) -> None:
    """Its files are found there until one is gone, or has another size."""
    with serve_front() as front, Stemhouse(front.endpoints) as client:
        deliveries = ExporterDeliveries(client)
        export = deliveries.deliver(RESULT, order(tmp_path))
        assert Path(export.folder).parent == tmp_path
        assert export.file_sizes_bytes == {name: len(content) for name, content in front.exporter.contents.items()}
        assert deliveries.holds(export)
        vocals = Path(export.folder) / "vocals.wav"
        vocals.write_bytes(b"edited")
        assert not deliveries.holds(export)
        vocals.unlink()
        assert not deliveries.holds(export)
    assert not deliveries.holds(Export(str(tmp_path), {}))


@pytest.mark.parametrize(
    ("path", "location", "expected"),
    [
        ("/music/House/Deep/1.mp3", "/music", "House/Deep"),
        ("/music/1.mp3", "/music", "."),
        ("/music/House/1.mp3", "/music/", "House"),
        ("/elsewhere/A/1.mp3", "/music/rekordbox.xml", "elsewhere/A"),
        ("/musical/1.mp3", "/music", "musical"),
    ],
)
def test_mirror_repeats_the_folders_of_the_library(path: str, location: str, expected: str) -> None:
    """From the location on, or all of them."""
    wanted = order(Path("/out"), path, location=location, layout=BatchLayout.MIRROR)
    assert folder_for(wanted) == Path("/out") / expected
    assert folder_for(order(Path("/out"), path, location=location)) == Path("/out")


def test_output_folder_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    """Its volume may have been unplugged: nothing is written in its place."""
    client: Any = None
    with pytest.raises(Unavailable, match="mount its volume"):
        ExporterDeliveries(client).deliver(RESULT, order(tmp_path / "gone"))
    assert not (tmp_path / "gone").exists()


class RefusingClient:
    """A client whose deliveries fail."""

    def __init__(self, error: StemhouseError) -> None:
        self._error = error

    def deliver(self, *_arguments: object) -> None:
        """Fail."""
        raise self._error


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ENOSPC", Unavailable), ("EROFS", Unavailable), ("ENAMETOOLONG", InvalidRequest), ("EACCES", InvalidRequest)],
)
def test_full_disk_stops_all_and_a_bad_name_one(tmp_path: Path, name: str, expected: type[StemhouseError]) -> None:
    """By the number of the error."""
    client: Any = RefusingClient(InvalidRequest("cannot write", {"errno": name}))
    with pytest.raises(StemhouseError, match="cannot write") as caught:
        ExporterDeliveries(client).deliver(RESULT, order(tmp_path))
    assert type(caught.value) is expected


def test_leftovers_of_a_killed_delivery_are_removed(tmp_path: Path) -> None:
    """Those of other tracks and batches are not."""
    token = "0123456789abcdef" * 2
    names = (f".stemhouse-batch1-11-{token}.part", f".stemhouse-batch1-1-1-{token}.part", f".stemhouse-{token}.part")
    others = [*(tmp_path / name for name in names), tmp_path / "batch1-1"]
    own = tmp_path / f".stemhouse-batch1-1-{token}.part"
    for folder in (own, *others):
        folder.mkdir()
        (folder / "vocals.wav").write_bytes(b"half")
    client: Any = None
    ExporterDeliveries(client).discard_unfinished(order(tmp_path))
    assert not own.exists()
    assert all(folder.exists() for folder in others)


class WatchedParts:
    """A delivery; `names` are what lay in the folder while it came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names: set[str] = set()

    def __iter__(self) -> Iterator[DeliverResponse]:
        for part in delivery_parts(DeliveryPlan("Artist - Title", ("a.wav",), "key"), {"a.wav": b"a" * 3000}):
            self.names.update(path.name for path in self._folder.iterdir())
            yield part

    def cancel(self) -> None:
        """See DeliveryStream.cancel."""


def test_unfinished_delivery_bears_its_label(tmp_path: Path) -> None:
    """So that the next life of the service finds it."""
    parts = WatchedParts(tmp_path)
    receive_delivery(parts, tmp_path, "batch1-1")
    (name,) = parts.names - {"Artist - Title"}
    assert name.startswith(".stemhouse-batch1-1-")
    assert name.endswith(".part")


def test_source_is_looked_at_as_it_is_now(tmp_path: Path) -> None:
    """A missing one is not found."""
    song = tmp_path / "song.mp3"
    song.write_bytes(b"abc")
    os.utime(song, ns=(1, 2))
    sources = StoredSourceFiles(MusicFiles(DiskFolders()).look, DiskFolders().is_away)
    assert sources.stamp(str(song), str(tmp_path)) == FileStamp(3, 2)
    with pytest.raises(NotFound, match=r"gone\.mp3 is not there"):
        sources.stamp(str(tmp_path / "gone.mp3"), str(tmp_path))


def test_source_is_not_missing_where_its_location_is(tmp_path: Path) -> None:
    """An empty folder is what is left of a volume that was mounted there; a DJ program's file may be gone, too."""
    mount = tmp_path / "usb"
    mount.mkdir()
    for location in (mount, tmp_path / "nothing", tmp_path / "rekordbox.xml"):
        with pytest.raises(Unavailable, match="mount its volume"):
            StoredSourceFiles(MusicFiles(DiskFolders()).look, DiskFolders().is_away).stamp(
                str(location / "1.mp3"), str(location)
            )


def test_source_whose_own_volume_is_away_is_waited_for(tmp_path: Path) -> None:
    """A playlist at home names music on a drive."""
    playlist, folder = tmp_path / "friday.m3u", tmp_path / "usb"
    playlist.write_text("x")
    folder.mkdir()
    sources = StoredSourceFiles(MusicFiles(DiskFolders()).look, DiskFolders().is_away)
    with pytest.raises(Unavailable, match="mount its volume"):
        sources.stamp(str(folder / "House" / "a.mp3"), str(playlist))


def test_source_that_nobody_may_look_at_is_at_fault_itself(tmp_path: Path) -> None:
    """It must not keep all others waiting."""
    sources = StoredSourceFiles(MusicFiles(DiskFolders()).look, DiskFolders().is_away)
    with pytest.raises(InvalidRequest, match="cannot look at"):
        sources.stamp(str(tmp_path / ("x" * 300)), str(tmp_path))


def test_volume_of_a_folder_to_come(tmp_path: Path) -> None:
    """That of the nearest folder that exists."""
    disks = MachineDisks()
    volume = disks.volume(str(tmp_path / "a" / "b"))
    assert volume.identity == disks.volume(str(tmp_path)).identity
    assert volume.folder == str(tmp_path / "a" / "b")
    assert volume.free_bytes


def test_output_must_be_absolute_and_writable(tmp_path: Path) -> None:
    """It is told before anything is separated."""
    disks = MachineDisks()
    disks.require_place(str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for folder in ("stems", str(tmp_path / "file" / "stems")):
        with pytest.raises(InvalidRequest):
            disks.require_place(folder)
    disks.make(str(tmp_path / "new" / "stems"))
    assert (tmp_path / "new" / "stems").is_dir()
    with pytest.raises(InvalidRequest, match="cannot make"):
        disks.make(str(tmp_path / "file"))


def test_jobs_of_a_batch_are_told_with_those_that_have_ended(tmp_path: Path) -> None:
    """And without those that the router does not know."""
    song = tmp_path / "song.mp3"
    song.write_bytes(b"abc")
    with serve_front() as front, Stemhouse(front.endpoints) as client:
        separations = RouterSeparations(client, MusicFiles(DiskFolders()).at_hand)
        source = separations.upload(str(song))
        first, second = (separations.submit(SeparationRequest(source), f"r{n}", "batch1") for n in (1, 2))
        front.router.jobs[second.job_id] = front.router.jobs[second.job_id][:1]
        found = separations.jobs("batch1", [first.job_id, second.job_id, "unknown"])
        assert {job_id: job.state for job_id, job in found.items()} == {
            first.job_id: JobState.DONE,
            second.job_id: JobState.QUEUED,
        }
        assert found[first.job_id].result is not None
        separations.cancel("unknown")
        with pytest.raises(InvalidRequest, match="cannot read"):
            separations.upload(str(tmp_path / "gone.mp3"))


class FakeProcessor:
    """A processor that does as it is told, on the runner's threads."""

    def __init__(self, work: Callable[[str, Bell], None]) -> None:
        self._work = work
        self.batch_ids: list[str] = []

    def process(self, batch_id: str, bell: Bell) -> None:
        """Note, and do it."""
        self.batch_ids.append(batch_id)
        self._work(batch_id, bell)


def test_woken_batch_has_one_thread() -> None:
    """Who wakes it while it works rings its bell; another batch gets a thread of its own."""
    began, rung, active = threading.Event(), threading.Semaphore(0), threading.Lock()

    def work(batch_id: str, bell: Bell) -> None:
        if batch_id == "b":
            assert active.acquire(blocking=False)
        began.set()
        bell.rest(20.0)
        if batch_id == "b":
            active.release()
        rung.release()

    processor: Any = FakeProcessor(work)
    runner = BatchRunner(processor)
    runner.resume_processing(lambda: ["b"])
    assert began.wait(20.0)
    runner.wake("b")
    assert rung.acquire(timeout=20.0)
    runner.wake("c")
    runner.stop()
    assert set(processor.batch_ids) <= {"b", "c"}


def test_batch_that_was_woken_at_its_end_is_processed_again() -> None:
    """No order is lost between two lives of its thread."""
    done = threading.Event()
    processor: Any

    def work(_batch_id: str, _bell: Bell) -> None:
        if len(processor.batch_ids) == 1:
            runner.wake("b")
        else:
            done.set()

    processor = FakeProcessor(work)
    runner = BatchRunner(processor)
    runner.wake("b")
    assert done.wait(20.0)
    runner.stop()


def test_batch_whose_thread_fails_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the failure."""
    monkeypatch.setattr("services.library.adapters.batch_runner._PAUSE_S", 0.0)
    done = threading.Event()
    failures: list[Exception] = [Unavailable("the database is locked"), ZeroDivisionError()]

    def work(_batch_id: str, _bell: Bell) -> None:
        if failures:
            raise failures.pop(0)
        done.set()

    processor: Any = FakeProcessor(work)
    runner = BatchRunner(processor)
    runner.wake("b")
    assert done.wait(20.0)
    runner.stop()


def test_stop_waits_for_the_turn_that_is_under_way() -> None:
    """Only then may connections be closed; nobody is woken any more."""
    began, ended = threading.Event(), threading.Event()

    def work(_batch_id: str, bell: Bell) -> None:
        began.set()
        while not bell.is_stopping:
            bell.rest(20.0)
        ended.set()

    processor: Any = FakeProcessor(work)
    runner = BatchRunner(processor)
    runner.wake("b")
    assert began.wait(20.0)
    runner.stop()
    assert ended.is_set()
    runner.wake("b")
    runner.stop()
    assert processor.batch_ids == ["b"]
