"""The exporter over a real channel, with FLACs in a store."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from stemhouse.delivery import DeliveryOptions, DeliveryPlan, FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.jobs import SeparationResult
from stemhouse.platform.channel import connect
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.v1.exporter_pb2_grpc import ExporterServiceStub
from stemhouse.vocab import BASE_STEMS
from stemhouse.wire.delivery import deliver_request_to_proto, plan_from_proto
from tests.fakes import MemoryObjectStore
from tests.fakes_exporter import FakeTools, serve_exporter
from tests.unit.exporter.results import separated

TRACK = separated(100_000)
RESULT = TRACK.result()


@pytest.fixture
def store() -> MemoryObjectStore:
    """The track's objects."""
    return TRACK.store()


@pytest.fixture
def stub(store: MemoryObjectStore, tmp_path: Path) -> Iterator[ExporterServiceStub]:
    """A stub to a server on a free port, wired as `main` does."""
    with serve_exporter(store, tmp_path, FakeTools()) as address, connect(address) as channel:
        yield ExporterServiceStub(channel)
    assert list(tmp_path.iterdir()) == []


def deliver(
    stub: ExporterServiceStub, options: DeliveryOptions, result: SeparationResult = RESULT
) -> tuple[DeliveryPlan, dict[str, bytes]]:
    """The plan, and the files by name with their sizes and digests checked, as a client does."""
    files: dict[str, bytes] = {}
    with rpc_errors():
        responses = stub.Deliver(deliver_request_to_proto(result, options), timeout=30)
        plan = plan_from_proto(next(responses).plan)
        for response in responses:
            name, size_bytes = response.file_start.name, response.file_start.size_bytes
            assert name
            data = b""
            while (part := next(responses)).WhichOneof("part") == "chunk":
                data += part.chunk
            assert (len(data), hashlib.sha256(data).hexdigest()) == (size_bytes, part.file_end.sha256)
            files[name] = data
    return plan, files


@pytest.mark.parametrize("file_format", [FileFormat.WAV, FileFormat.FLAC, FileFormat.AIFF])
def test_folder_arrives_whole(stub: ExporterServiceStub, file_format: FileFormat) -> None:
    """Stems that sum to the mix, sample for sample, and the metadata that names them."""
    plan, files = deliver(stub, DeliveryOptions(file_format, SampleFormat.PCM24))
    assert plan.folder == "Björk - Jóga_01234567"
    assert [*files] == [*plan.file_names, "metadata.json"]
    stems = [soundfile.read(io.BytesIO(files[name]), dtype="int32")[0].astype(np.int64) for name in plan.file_names]
    assert len(stems) == len(BASE_STEMS)
    assert (sum(stems) >> 8 == TRACK.mix).all()
    assert json.loads(files["metadata.json"])["delivery"]["delivery_key"] == plan.delivery_key


@pytest.mark.parametrize("file_format", [FileFormat.MP3, FileFormat.M4A])
def test_lossy_folder_arrives_whole(stub: ExporterServiceStub, file_format: FileFormat) -> None:
    """Stems of the track's frames by what the file says, and the same bytes again."""
    plan, files = deliver(stub, DeliveryOptions(file_format))
    assert plan.file_names == tuple(f"{stem}.{file_format}" for stem in BASE_STEMS)
    for name in plan.file_names:
        with av.open(io.BytesIO(files[name]), "r") as container:
            stream = container.streams.audio[0]
            assert file_format in container.format.name.split(",")
            assert stream.duration is not None
            assert stream.time_base is not None
            assert (stream.rate, round(stream.duration * stream.time_base * stream.rate)) == (44_100, 100_000)
    assert deliver(stub, DeliveryOptions(file_format)) == (plan, files)


def test_rate_that_a_format_cannot_hold_is_refused(stub: ExporterServiceStub) -> None:
    """Before anything is sent, with the formats that can hold it."""
    audio = RESULT.stem_set.audio
    fast = replace(audio, format=replace(audio.format, sample_rate_hz=96_000))
    result = replace(RESULT, stem_set=replace(RESULT.stem_set, audio=fast))
    with pytest.raises(InvalidRequest, match=r"mp3 .*96000 Hz.* wav, flac, aiff, m4a can$") as caught:
        deliver(stub, DeliveryOptions(FileFormat.MP3), result)
    assert list(caught.value.details) == ["file_format"]


def test_derived_stems_are_made_on_the_way(stub: ExporterServiceStub) -> None:
    """16 bits, from stored 24."""
    options = DeliveryOptions(sample_format=SampleFormat.PCM16, stems=("instrumental", "acapella"))
    plan, files = deliver(stub, options)
    assert plan.file_names == ("instrumental.wav", "acapella.wav")
    samples, _ = soundfile.read(io.BytesIO(files["instrumental.wav"]), dtype="int16")
    assert np.max(np.abs(samples * 256.0 - (TRACK.mix - TRACK.stems["vocals"]))) <= 128


def test_client_that_has_the_files_stops_after_the_plan(stub: ExporterServiceStub) -> None:
    """And the server serves the next call."""
    request = deliver_request_to_proto(RESULT, DeliveryOptions())
    responses = stub.Deliver(request, timeout=30)
    plan = plan_from_proto(next(responses).plan)
    responses.cancel()
    assert deliver(stub, DeliveryOptions())[0] == plan


def test_unknown_stem_is_refused(stub: ExporterServiceStub) -> None:
    """With what there is instead."""
    with pytest.raises(InvalidRequest, match=r"guitar.*vocals"):
        deliver(stub, DeliveryOptions(stems=("guitar",)))


@pytest.mark.parametrize(
    ("file_format", "sample_format"),
    [(FileFormat.FLAC, SampleFormat.FLOAT32), (FileFormat.MP3, SampleFormat.PCM16)],
)
def test_samples_that_a_format_does_not_take_are_refused(
    stub: ExporterServiceStub, file_format: FileFormat, sample_format: SampleFormat
) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequest) as caught:
        deliver(stub, DeliveryOptions(file_format, sample_format))
    assert list(caught.value.details) == ["sample_format"]


def test_formats_must_be_named(stub: ExporterServiceStub) -> None:
    """An unset format is no format."""
    request = deliver_request_to_proto(RESULT, DeliveryOptions())
    request.file_format = pb.FILE_FORMAT_UNSPECIFIED
    with pytest.raises(InvalidRequest, match="file_format"), rpc_errors():
        next(stub.Deliver(request, timeout=10))


def test_result_whose_objects_are_gone_is_not_found(stub: ExporterServiceStub, store: MemoryObjectStore) -> None:
    """The message names the object, and what brings it back."""
    store.delete(RESULT.stem_set.stems[1].object_key)
    with pytest.raises(NotFound, match=r"drums\.flac .*separate the track again"):
        deliver(stub, DeliveryOptions())


def test_figure_that_is_not_finite_is_refused(stub: ExporterServiceStub) -> None:
    """Wherever it comes from."""
    result = replace(RESULT, stem_set=replace(RESULT.stem_set, null_depth_db=float("nan")))
    with pytest.raises(InvalidRequest):
        deliver(stub, DeliveryOptions(), result)
