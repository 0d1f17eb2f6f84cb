"""The separator over a real channel, with its real worker processes: only engine and store are stand-ins."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from services.separator.adapters.runs import ThreadedRuns
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.models import record_of
from services.separator.core.station import Station
from services.separator.pull import open_model_store
from services.separator.servicer import SeparatorServicer, service
from services.separator.settings import ModelSettings
from stemhouse.audio import AudioRef, StemSet
from stemhouse.errors import (
    EngineUnavailable,
    InvalidRequest,
    ModelRejected,
    NotFound,
    Unavailable,
    UnreadableAudio,
    WorkerDied,
)
from stemhouse.models import Model, ModelState
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import separator_pb2 as pb
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceStub
from stemhouse.wire.audio import audio_ref_from_proto, audio_ref_to_proto, source_ref_to_proto, stem_set_from_proto
from stemhouse.wire.models import model_from_proto
from tests.fakes_separator import FolderObjectStore, decoded_integers, encoded, stored_model_file, stored_source
from tests.integration.separator_workshops import MODEL, folder_store, gate, open_device, open_files, starts_log
from tests.model_house import file_of, model_entry, noise
from tests.signals import song

TIMEOUT_S = 60
ENGINE_ID = "fake-shares-1"
CHECKPOINT = MODEL + noise(5)


@dataclass(frozen=True)
class House:
    """A separator and what its client has to do with it."""

    folder: Path
    store: FolderObjectStore
    stub: SeparatorServiceStub
    device: WorkerProcess

    def ingest(self, data: bytes, file_name: str = "song.wav") -> pb.IngestTrackResponse:
        """Ingest a file."""
        source = stored_source(self.store, data, file_name)
        return self.stub.IngestTrack(pb.IngestTrackRequest(source=source_ref_to_proto(source)), timeout=TIMEOUT_S)

    def audio(self, seconds: int, seed: int = 7) -> AudioRef:
        """Ingest a song."""
        samples = song(seconds * 44100, 44100, seed=seed)
        return audio_ref_from_proto(self.ingest(encoded(samples)).audio)

    def separate(self, audio: AudioRef, *, engine_id: str = ENGINE_ID, force: bool = False) -> Any:
        """Begin a separation."""
        message = audio_ref_to_proto(audio)
        request = pb.SeparateRequest(audio=message, engine_id=engine_id, sum_to_mix=True, force=force)
        return self.stub.Separate(request, timeout=TIMEOUT_S)

    def starts(self) -> int:
        """How often the engine has begun."""
        log = starts_log(self.folder)
        return log.read_text().count("start") if log.exists() else 0

    def busy_count(self) -> int:
        """As the separator tells it."""
        return self.stub.ListLocalEngines(pb.ListLocalEnginesRequest(), timeout=TIMEOUT_S).busy_count

    def engines(self) -> pb.ListLocalEnginesResponse:
        """What is ready, and what is missing."""
        response: pb.ListLocalEnginesResponse = self.stub.ListLocalEngines(
            pb.ListLocalEnginesRequest(), timeout=TIMEOUT_S
        )
        return response

    def pull(self, name: str = "mirrored") -> list[pb.PullLocalModelResponse]:
        """Pull to the end."""
        with rpc_errors():
            return list(self.stub.PullLocalModel(pb.PullLocalModelRequest(name=name), timeout=TIMEOUT_S))

    def add(self, name: str, **files: bytes) -> Model:
        """Upload checkpoints, and make a model of them."""
        sources = [source_ref_to_proto(stored_model_file(self.store, data, f"{key}.th")) for key, data in files.items()]
        with rpc_errors():
            request = pb.AddLocalModelRequest(name=name, files=sources, licence_note="Mine.")
            return model_from_proto(self.stub.AddLocalModel(request, timeout=TIMEOUT_S).model)

    def verify(self, *names: str) -> list[Model]:
        """Read models from end to end."""
        with rpc_errors():
            request = pb.VerifyLocalModelsRequest(names=names)
            return [model_from_proto(one) for one in self.stub.VerifyLocalModels(request, timeout=TIMEOUT_S).models]

    def models(self) -> dict[str, Model]:
        """The list, by name."""
        listed = self.stub.ListLocalModels(pb.ListLocalModelsRequest(), timeout=TIMEOUT_S).models
        return {message.name: model_from_proto(message) for message in listed}

    def scratch_files(self) -> list[Path]:
        """What lies in the scratch folders of all workers."""
        return [path for path in (self.folder / "scratch").rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A separator on a free port, with its workers loaded."""
    store = folder_store(tmp_path)
    files = WorkerProcess("files", partial(open_files, tmp_path))
    device = WorkerProcess("device", partial(open_device, tmp_path))
    models = open_model_store(model_settings(tmp_path), lambda: store)
    station = Station(store, files, device, ThreadedRuns(), models)
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[RpcInterceptor()])
    service(SeparatorServicer(station), station.check_ready).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    until(lambda: is_ready(station))
    # A channel without retries: a test wants to see each error.
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield House(tmp_path, store, SeparatorServiceStub(channel), device)
    gate(tmp_path).unlink(missing_ok=True)
    server.stop(0).wait()
    files.stop()
    device.stop()


def model_settings(folder: Path) -> ModelSettings:
    """One more model than the built-in ones, and a mirror."""
    entry = model_entry("mirrored", [file_of("aa.th", CHECKPOINT)])
    catalogue = folder / "own.json"
    catalogue.write_bytes(b"[" + record_of(entry) + b"]")
    return ModelSettings(dir=folder / "models", catalogue=catalogue, mirror=str(folder / "mirror"))


def is_ready(station: Station) -> bool:
    """Whether both workers have loaded."""
    try:
        station.check_ready()
    except Unavailable:
        return False
    return True


def until(holds: Callable[[], bool]) -> None:
    """Wait; the test's own timeout ends a wait that is in vain."""
    while not holds():
        time.sleep(0.02)


def result_of(events: Iterator[pb.SeparateResponse]) -> StemSet:
    """The last event, which must be the only result."""
    listed = list(events)
    assert [event.WhichOneof("event") for event in listed[:-1]] == ["progress"] * (len(listed) - 1)
    return stem_set_from_proto(listed[-1].stem_set)


def test_track_goes_all_the_way(house: House) -> None:
    """Ingest, separate, assess against the stored stems themselves, and a second call that needs no engine."""
    local = house.stub.ListLocalEngines(pb.ListLocalEnginesRequest(), timeout=TIMEOUT_S)
    assert [engine.engine_id for engine in local.engines] == [ENGINE_ID]
    audio = house.audio(5)
    stem_set = result_of(house.separate(audio))
    integers = [decoded_integers(house.store, stem.object_key) for stem in stem_set.stems]
    assert np.array_equal(sum(integers), decoded_integers(house.store, audio.object_key))
    assert {"numpy", "torch", "libsndfile"} <= set(stem_set.versions)
    assert result_of(house.separate(audio)) == stem_set
    assert house.starts() == 1
    request = pb.AssessStemsRequest(stem_set=list(house.separate(audio))[-1].stem_set)
    vocals = b"".join(house.store.read(stem_set.stems[0].object_key))
    request.references["vocals"].CopyFrom(house.ingest(vocals).audio)
    quality = house.stub.AssessStems(request, timeout=TIMEOUT_S).quality
    assert [stem.si_sdr_db for stem in quality.stems if stem.HasField("si_sdr_db")] == [60.0]
    request.verifier_engine_id = ENGINE_ID
    verified = house.stub.AssessStems(request, timeout=TIMEOUT_S).quality
    assert (verified.verifier_id, verified.engine_id, house.starts()) == (ENGINE_ID, ENGINE_ID, 2)
    assert [stem.stem for stem in verified.stems if stem.HasField("remix_db")] == ["vocals"]
    assert house.scratch_files() == []


def test_vocals_are_probed_at_any_rate(house: House) -> None:
    """Through the device worker; of all there is at once, and of a track without a sound nothing."""
    for samples, share in ((song(66_150, 22050, 1), 1.0), (np.zeros((1, 66_150), np.float32), 0.0)):
        audio = house.ingest(encoded(samples, 22050)).audio
        request = pb.ProbeVocalsRequest(audio=audio, engine_id=ENGINE_ID)
        assert house.stub.ProbeVocals(request, timeout=TIMEOUT_S).sung_share == share
    with pytest.raises(EngineUnavailable), rpc_errors():
        house.stub.ProbeVocals(pb.ProbeVocalsRequest(audio=audio, engine_id="nobody"), timeout=TIMEOUT_S)


def test_track_of_another_rate_keeps_its_frames(house: House) -> None:
    """Mono at 22.05 kHz through an engine of 44.1 kHz stereo, and back; still an exact sum."""
    samples = song(50_001, 22050, 1)
    audio = audio_ref_from_proto(house.ingest(encoded(samples, 22050)).audio)
    stem_set = result_of(house.separate(audio))
    integers = [decoded_integers(house.store, stem.object_key) for stem in stem_set.stems]
    assert {each.shape for each in integers} == {(1, 50_001)}
    assert stem_set.null_depth_db == -200.0


def test_unreadable_file_is_told_by_its_name(house: House) -> None:
    """The error crosses process and wire."""
    with pytest.raises(UnreadableAudio, match=r"letter\.mp3"), rpc_errors():
        house.ingest(b"Dear DJ,\n" * 1000, "letter.mp3")


def test_unknown_engine_and_bad_fields_are_refused(house: House) -> None:
    """Before anything is done; the id of a model with the longest name is a good one."""
    audio = house.ingest(encoded(song(44100, 44100))).audio
    unknown_id = f"demucs-{'a' * 64}-00000000-ov25-sh0-fp32"
    with pytest.raises(EngineUnavailable, match="no engine demucs-a"), rpc_errors():
        list(house.stub.Separate(pb.SeparateRequest(audio=audio, engine_id=unknown_id), timeout=TIMEOUT_S))
    with pytest.raises(InvalidRequest, match="engine_id"), rpc_errors():
        list(house.stub.Separate(pb.SeparateRequest(audio=audio, engine_id="../x"), timeout=TIMEOUT_S))
    with pytest.raises(InvalidRequest, match=r"source\.sha256"), rpc_errors():
        house.stub.IngestTrack(pb.IngestTrackRequest(), timeout=TIMEOUT_S)


def test_two_calls_share_one_computation(house: House) -> None:
    """Both get the same result; the engine begins once."""
    audio = house.audio(5)
    gate(house.folder).touch()
    calls = [house.separate(audio), house.separate(audio)]
    assert [next(call).WhichOneof("event") for call in calls] == ["progress", "progress"]
    assert house.busy_count() == 1
    gate(house.folder).unlink()
    first, second = (result_of(call) for call in calls)
    assert first == second
    assert house.starts() == 1
    assert house.busy_count() == 0


def test_one_cancelled_call_of_two_does_not_stop_the_work(house: House) -> None:
    """The other gets its result."""
    audio = house.audio(5)
    gate(house.folder).touch()
    leaving, staying = house.separate(audio), house.separate(audio)
    for call in (leaving, staying):
        next(call)
    leaving.cancel()
    gate(house.folder).unlink()
    assert result_of(staying).audio == audio
    assert house.starts() == 1


def test_cancelled_call_stops_the_work_and_leaves_nothing(house: House) -> None:
    """No manifest, no stem, no scratch file; the worker lives, and the next track is separated."""
    audio = house.audio(20)
    gate(house.folder).touch()
    call = house.separate(audio)
    next(call)
    until(lambda: house.starts() == 1)
    call.cancel()
    gate(house.folder).unlink()
    until(lambda: house.busy_count() == 0)
    assert list(house.store.list_keys("results/")) == []
    assert house.scratch_files() == []
    worker_id = house.device.process_id
    assert result_of(house.separate(house.audio(2, seed=8))).sums_to_mix
    assert house.device.process_id == worker_id


def test_killed_device_worker_is_told_and_the_next_call_works(house: House) -> None:
    """UNAVAILABLE, so that the router tries again; nothing half-made is in the store."""
    audio = house.audio(5)
    gate(house.folder).touch()
    call = house.separate(audio)
    next(call)
    until(lambda: house.starts() == 1)
    os.kill(house.device.process_id, signal.SIGKILL)
    with pytest.raises(WorkerDied, match="device worker died"), rpc_errors():
        list(call)
    gate(house.folder).unlink()
    assert list(house.store.list_keys("results/")) == []
    assert result_of(house.separate(audio)).audio == audio
    assert house.scratch_files() == []


def test_waiting_track_counts_as_busy(house: House) -> None:
    """Two tracks, one device."""
    audios = [house.audio(2, seed) for seed in (1, 2)]
    gate(house.folder).touch()
    calls = [house.separate(audio) for audio in audios]
    for call in calls:
        next(call)
    assert house.busy_count() == 2
    gate(house.folder).unlink()
    assert [result_of(call).audio for call in calls] == audios


def test_forced_call_separates_again(house: House) -> None:
    """And gives the same samples."""
    audio = house.audio(3)
    first = result_of(house.separate(audio))
    digests = [stem.peak for stem in first.stems]
    again = result_of(house.separate(audio, force=True))
    assert [stem.peak for stem in again.stems] == digests
    assert house.starts() == 2


def test_model_is_pulled_and_separates(house: House) -> None:
    """From the mirror; from then on its engine is there, and the gap is not."""
    (gap,) = house.engines().gaps
    assert (gap.engine, gap.remedy) == ("demucs", "stemhouse models pull htdemucs")
    mirrored = house.folder / "mirror" / "mirrored" / "aa.th"
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(CHECKPOINT)
    assert house.models()["mirrored"].state is ModelState.AVAILABLE
    *progress, last = house.pull()
    assert {event.progress.total_bytes for event in progress} <= {len(CHECKPOINT)}
    assert model_from_proto(last.model) == house.models()["mirrored"] == house.verify("mirrored")[0]
    assert len(house.engines().gaps) == 0
    engine = house.engines().engines[-1]
    assert (engine.name, engine.model) == ("demucs", "mirrored")
    audio = house.audio(2)
    assert result_of(house.separate(audio, engine_id=engine.engine_id)).model == "mirrored"


def test_added_model_is_looked_into_by_the_device_worker(house: House) -> None:
    """What is no model is refused by the name of the file, and leaves nothing."""
    model = house.add("mine", aa=MODEL + b"1")
    assert model == house.models()["mine"]
    assert (model.state, model.licence_note) == (ModelState.INSTALLED, "Mine.")
    with pytest.raises(ModelRejected, match=r"bb\.th is no checkpoint"):
        house.add("other", bb=b"something else")
    assert "other" not in house.models()
    with pytest.raises(ModelRejected, match="htdemucs is a name of the catalogue"):
        house.add("htdemucs", aa=MODEL + b"1")


def test_damaged_model_is_told_and_not_offered(house: House) -> None:
    """By verification, and before each track."""
    house.add("mine", aa=MODEL + b"1")
    (house.folder / "models" / "mine" / "aa.th").write_bytes(MODEL + b"2")
    (model,) = house.verify()
    assert model.state is ModelState.DAMAGED
    assert "aa.th has the SHA-256" in model.problem
    (gap,) = house.engines().gaps
    assert "mine: aa.th has the SHA-256" in gap.cause
    assert [engine.engine_id for engine in house.engines().engines] == [ENGINE_ID]


def test_models_that_are_not_there_and_bad_names_are_refused(house: House) -> None:
    """With the error that says what to do."""
    with pytest.raises(NotFound, match="no model htdemux in the catalogue, which has htdemucs, "):
        house.pull("htdemux")
    with pytest.raises(InvalidRequest, match="name must match"):
        house.pull("../htdemucs")
    with pytest.raises(NotFound, match="stemhouse models pull htdemucs"):
        house.verify("htdemucs")
    with pytest.raises(InvalidRequest, match="files must be from 1"):
        house.add("mine")
    with pytest.raises(EngineUnavailable, match=r"mirror/mirrored/aa\.th cannot be read"):
        house.pull()
