"""The station: which worker gets a call, and what is made of a worker's death."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.separator.adapters.runs import ThreadedRuns
from services.separator.core.ingest import IngestedTrack, IngestTask
from services.separator.core.ports import Task, TaskControl
from services.separator.core.results import SeparateTask, manifest_from_stem_set
from services.separator.core.station import Station
from stemhouse.audio import AudioFormat, AudioRef, SourceFacts, SourceRef, StemSet
from stemhouse.errors import EngineUnavailable, Unavailable, UnreadableAudio, WorkerDied
from stemhouse.jobs import EngineOffer
from tests.fakes import MemoryObjectStore
from tests.fakes_separator import FakeEngine

SOURCE = SourceRef("a" * 64, "b" * 32, 1, "song.mp3")
AUDIO = AudioRef("audio/x.flac", "c" * 64, AudioFormat(44100, 2), 1000)
INGESTED = IngestedTrack(AUDIO, SourceFacts("mp3", "mpeg_layer_iii", 0, "fake"))
TASK = SeparateTask(AUDIO, "fake-shares-1")


def stem_set(device: str) -> StemSet:
    """A result that tells where it was made."""
    return StemSet(
        audio=AUDIO,
        engine="fake",
        model="shares",
        engine_id="fake-shares-1",
        stems=(),
        gain=1.0,
        null_depth_db=-200.0,
        instrumental_peak=0.0,
        sums_to_mix=True,
        processing_s=1.0,
        device=device,
    )


@dataclass
class FakeWorker:
    """Worker that gives prepared answers, errors among them."""

    answers: list[Any] = field(default_factory=list)
    greeting: Any = None
    tasks: list[Task[Any]] = field(default_factory=list)
    is_ready: bool = True

    def run(self, task: Task[Any], control: TaskControl) -> Any:
        """See Worker.run."""
        self.tasks.append(task)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def check_ready(self) -> None:
        """See Worker.check_ready."""
        if not self.is_ready:
            message = "loading"
            raise Unavailable(message)


def wanted() -> bool:
    """A caller who stays."""
    return True


@dataclass
class House:
    """A station over fakes."""

    store: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    files: FakeWorker = field(default_factory=FakeWorker)
    device: FakeWorker = field(default_factory=lambda: FakeWorker(greeting=(FakeEngine().spec,)))

    @property
    def station(self) -> Station:
        """A station that has run nothing yet."""
        return Station(self.store, self.files, self.device, ThreadedRuns())


def test_ingest_is_tried_again_when_the_worker_died() -> None:
    """The worker may have died of something else."""
    house = House(files=FakeWorker([WorkerDied("killed"), INGESTED]))
    assert house.station.ingest(SOURCE, wanted) == INGESTED
    assert house.files.tasks == [IngestTask(SOURCE)] * 2


def test_file_that_kills_two_workers_is_unreadable() -> None:
    """It is the file's fault, so the router must not try for ever."""
    house = House(files=FakeWorker([WorkerDied("killed"), WorkerDied("killed")]))
    with pytest.raises(UnreadableAudio, match=r"decoder crashed on song\.mp3"):
        house.station.ingest(SOURCE, wanted)


def test_stored_result_needs_no_device() -> None:
    """Not even an engine; but a forced run does."""
    house = House()
    house.store.put(TASK.manifest_key, io.BytesIO(manifest_from_stem_set(stem_set("stored"))))
    house.device.greeting = None
    assert list(house.station.separate(TASK, wanted)) == [stem_set("stored")]
    with pytest.raises(EngineUnavailable):
        list(house.station.separate(SeparateTask(AUDIO, "fake-shares-1", force=True), wanted))


def test_separation_is_the_device_workers() -> None:
    """Its answer is the last event."""
    house = House()
    house.device.answers = [stem_set("computed")]
    assert list(house.station.separate(TASK, wanted))[-1] == stem_set("computed")
    assert house.device.tasks == [TASK]


def test_death_of_the_device_worker_is_told() -> None:
    """The router decides whether to try again."""
    house = House()
    house.device.answers = [WorkerDied("killed")]
    with pytest.raises(WorkerDied):
        list(house.station.separate(TASK, wanted))


def test_unknown_engine_is_unavailable() -> None:
    """And the message names what there is."""
    with pytest.raises(EngineUnavailable, match="no engine demucs here; loaded: fake-shares-1"):
        list(House().station.separate(SeparateTask(AUDIO, "demucs"), wanted))


def test_engines_are_those_that_the_device_worker_loaded() -> None:
    """None before it has told."""
    house = House()
    local = house.station.local_engines()
    stems = ("vocals", "drums", "bass", "other")
    assert local.offers == (EngineOffer("fake", "shares", "fake-shares-1", stems, "basic", "cpu"),)
    assert (local.slot_count, local.busy_count) == (1, 0)
    house.device.greeting = None
    assert house.station.local_engines().offers == ()


@pytest.mark.parametrize("pick", [lambda house: house.files, lambda house: house.device])
def test_station_is_ready_when_both_workers_are(pick: Callable[[House], FakeWorker]) -> None:
    """Either alone is not enough."""
    house = House()
    house.station.check_ready()
    pick(house).is_ready = False
    with pytest.raises(Unavailable):
        house.station.check_ready()
