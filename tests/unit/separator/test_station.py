"""The station: which worker gets a call, and what is made of a worker's death."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from services.separator.adapters.runs import ThreadedRuns
from services.separator.core.assessment import AssessTask
from services.separator.core.ingest import IngestedTrack, IngestTask
from services.separator.core.model_additions import Addition
from services.separator.core.models import FAILED_LOAD, LOADED_STAMP, InspectModelTask, ModelShape, demucs_spec
from services.separator.core.ports import DeviceGreeting, Task, TaskControl
from services.separator.core.results import SeparateTask, manifest_from_stem_set
from services.separator.core.station import Station
from stemhouse.audio import AudioFormat, AudioRef, QualityReport, SourceFacts, SourceRef, StemSet
from stemhouse.errors import EngineUnavailable, Unavailable, UnreadableAudio, WorkerDied
from stemhouse.jobs import EngineGap, EngineOffer
from stemhouse.models import ModelState, PullProgress
from stemhouse.tenants import Tenant
from tests.fakes import MemoryObjectStore
from tests.fakes_separator import UNWATCHED, FakeEngine, stored_model_file
from tests.model_house import SIZE_BYTES, ModelHouse, model_entry, noise

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


class NotedRuns(ThreadedRuns):
    """Computes nothing, and tells what it would have joined."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    def watch(self, key: str, compute: Callable[[TaskControl], Any], is_wanted: Callable[[], bool]) -> Iterator[Any]:
        """See SharedRuns.watch."""
        self.keys.append(key)
        return iter(())


def wanted() -> bool:
    """A caller who stays."""
    return True


@dataclass
class House:
    """A station over fakes, and models in a folder."""

    models: ModelHouse
    store: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    files: FakeWorker = field(default_factory=FakeWorker)
    device: FakeWorker = field(
        default_factory=lambda: FakeWorker(greeting=DeviceGreeting((FakeEngine().spec,), ("demucs",)))
    )

    @property
    def station(self) -> Station:
        """A station that has run nothing yet."""
        return Station(self.store, self.files, self.device, ThreadedRuns(), self.models.store)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """No model is installed."""
    return House(ModelHouse(tmp_path))


def test_ingest_is_tried_again_when_the_worker_died(house: House) -> None:
    """The worker may have died of something else."""
    house.files.answers = [WorkerDied("killed"), INGESTED]
    assert house.station.ingest(IngestTask(SOURCE), wanted) == INGESTED
    assert house.files.tasks == [IngestTask(SOURCE)] * 2


def test_file_that_kills_two_workers_is_unreadable(house: House) -> None:
    """It is the file's fault, so the router must not try for ever."""
    house.files.answers = [WorkerDied("killed"), WorkerDied("killed")]
    with pytest.raises(UnreadableAudio, match=r"decoder crashed on song\.mp3"):
        house.station.ingest(IngestTask(SOURCE), wanted)


def test_stored_result_needs_no_device(house: House) -> None:
    """Not even an engine; but a forced run does."""
    house.store.put(TASK.manifest_key, io.BytesIO(manifest_from_stem_set(stem_set("stored"))))
    house.device.greeting = None
    assert list(house.station.separate(TASK, wanted)) == [stem_set("stored")]
    with pytest.raises(EngineUnavailable):
        list(house.station.separate(SeparateTask(AUDIO, "fake-shares-1", force=True), wanted))


def test_tenants_share_neither_results_nor_computations(house: House) -> None:
    """One's stored result does not answer the other, nor does what is being computed for him."""
    ours, theirs = (replace(TASK, tenant=Tenant(name)) for name in ("acme", "zenith"))
    house.store.put(Tenant("acme").key(TASK.manifest_key), io.BytesIO(manifest_from_stem_set(stem_set("stored"))))
    assert list(house.station.separate(ours, wanted)) == [stem_set("stored")]
    runs = NotedRuns()
    station = Station(house.store, house.files, house.device, runs, house.models.store)
    for task in (theirs, TASK):
        list(station.separate(task, wanted))
    assert len(set(runs.keys)) == 2


def test_separation_is_the_device_workers(house: House) -> None:
    """Its answer is the last event."""
    house.device.answers = [stem_set("computed")]
    assert list(house.station.separate(TASK, wanted))[-1] == stem_set("computed")
    assert house.device.tasks == [TASK]


def test_death_of_the_device_worker_is_told(house: House) -> None:
    """The router decides whether to try again."""
    house.device.answers = [WorkerDied("killed")]
    with pytest.raises(WorkerDied):
        list(house.station.separate(TASK, wanted))


def test_assessment_with_a_verifier_is_the_device_workers(house: House) -> None:
    """Which has the engine; without one the files worker does it, and an engine that is not here is told at once."""
    alone, verified = AssessTask(stem_set("x")), AssessTask(stem_set("x"), verifier_engine_id="fake-shares-1")
    house.files.answers, house.device.answers = [QualityReport("alone")], [QualityReport("verified")]
    assert house.station.assess(alone, wanted) == QualityReport("alone")
    assert house.station.assess(verified, wanted) == QualityReport("verified")
    assert (house.files.tasks, house.device.tasks) == ([alone], [verified])
    with pytest.raises(EngineUnavailable, match="no engine other-1 here"):
        house.station.assess(AssessTask(stem_set("x"), verifier_engine_id="other-1"), wanted)


def test_unknown_engine_is_unavailable(house: House) -> None:
    """The message names what there is, and the command that installs what is missing."""
    told = (
        "no engine demucs-x here, only: fake-shares-1; demucs: no model is installed, .*stemhouse models pull htdemucs"
    )
    with pytest.raises(EngineUnavailable, match=told):
        list(house.station.separate(SeparateTask(AUDIO, "demucs-x"), wanted))


def test_installed_models_are_engines(house: House) -> None:
    """Behind those that are always ready, as soon as they are installed and for as long as they are whole."""
    gap = EngineGap("demucs", "no model is installed", "stemhouse models pull htdemucs")
    assert house.station.local_engines().gaps == (gap,)
    entry = model_entry()
    house.models.install(entry, noise(1))
    local = house.station.local_engines()
    spec = demucs_spec(entry)
    assert [offer.engine_id for offer in local.offers] == ["fake-shares-1", spec.engine_id]
    assert local.offers[1] == EngineOffer("demucs", "htdemucs", spec.engine_id, spec.stems, "standard", "cpu")
    assert local.gaps == ()
    task = SeparateTask(AUDIO, spec.engine_id)
    house.device.answers = [stem_set("computed")]
    assert list(house.station.separate(task, wanted))[-1] == stem_set("computed")
    house.models.install(entry, noise(1)[:-1])
    assert [offer.name for offer in house.station.local_engines().offers] == ["fake"]
    with pytest.raises(EngineUnavailable, match=r"htdemucs: aa\.safetensors has 99999 bytes instead of 100000"):
        list(house.station.separate(task, wanted))


def test_model_that_the_device_cannot_load_is_not_offered_again(house: House) -> None:
    """By no station on that folder, and with the reason; other failures of the device leave it alone."""
    entry = model_entry()
    house.models.install(entry, noise(1))
    task = SeparateTask(AUDIO, demucs_spec(entry).engine_id)
    problem = "aa.safetensors is not a checkpoint of demucs: it is cut"
    details = {"model": "htdemucs", FAILED_LOAD: problem, LOADED_STAMP: house.models.shelf.stamp("htdemucs")}
    failure = EngineUnavailable("htdemucs cannot be used", details)
    house.device.answers = [EngineUnavailable("not now", {"model": "htdemucs"}), failure]
    for _ in range(2):
        assert house.station.local_engines().gaps == ()
        with pytest.raises(EngineUnavailable):
            list(house.station.separate(task, wanted))
    assert house.station.local_engines().gaps == (
        EngineGap("demucs", f"htdemucs: {problem}", "stemhouse models pull htdemucs"),
    )
    with pytest.raises(EngineUnavailable, match="it is cut"):
        list(house.station.separate(task, wanted))
    assert len(house.device.tasks) == 2


def test_failure_to_load_is_told_while_the_model_is_pulled_again(house: House) -> None:
    """At once, so that another engine can take the track."""
    entry = model_entry()
    house.models.install(entry, noise(1))
    house.device.answers = [EngineUnavailable("it is cut", {"model": "htdemucs", FAILED_LOAD: "it is cut"})]
    events = house.station.separate(SeparateTask(AUDIO, demucs_spec(entry).engine_id), wanted)
    with house.models.shelf.claim("htdemucs", UNWATCHED), pytest.raises(EngineUnavailable, match="it is cut"):
        list(events)


def test_device_that_runs_no_models_offers_none(house: House) -> None:
    """And misses none."""
    house.models.install(model_entry(), noise(1))
    house.device.greeting = DeviceGreeting((FakeEngine().spec,))
    local = house.station.local_engines()
    assert [offer.name for offer in local.offers] == ["fake"]
    assert local.gaps == ()


def test_models_are_managed_beside_tracks(house: House) -> None:
    """A pull is no track, so it does not make the device busy; the device worker looks into what is added."""
    house.models.offer(noise(1))
    station = house.station
    assert station.list_models()[0].state is ModelState.AVAILABLE
    events = station.pull_model("htdemucs", wanted)
    with house.models.shelf.claim("htdemucs", UNWATCHED):
        assert next(events) == PullProgress("aa.safetensors", 0, SIZE_BYTES)
        assert station.local_engines().busy_count == 0
    assert list(events)[-1] == station.list_models()[0]
    assert station.verify_models([], wanted)[0].state is ModelState.INSTALLED
    shape = ModelShape(("vocals", "other"), AudioFormat(44100, 2))
    house.device.answers = [shape]
    source = stored_model_file(house.models.objects, noise(2), "aa.th")
    model = station.add_model(Addition("mine", (source,), "Mine."), wanted)
    assert (model.stems, model.size_bytes, model.licence_note) == (shape.stems, SIZE_BYTES, "Mine.")
    assert [type(task) for task in house.device.tasks] == [InspectModelTask]


def test_engines_are_those_that_the_device_worker_loaded(house: House) -> None:
    """None before it has told."""
    local = house.station.local_engines()
    stems = ("vocals", "drums", "bass", "other")
    assert local.offers == (EngineOffer("fake", "shares", "fake-shares-1", stems, "basic", "cpu"),)
    assert (local.slot_count, local.busy_count) == (1, 0)
    house.device.greeting = None
    assert house.station.local_engines().offers == ()


@pytest.mark.parametrize("pick", [lambda house: house.files, lambda house: house.device])
def test_station_is_ready_when_both_workers_are(pick: Callable[[House], FakeWorker], house: House) -> None:
    """Either alone is not enough."""
    house.station.check_ready()
    pick(house).is_ready = False
    with pytest.raises(Unavailable):
        house.station.check_ready()
