"""The client: upload, submit, watch, deliver; and what else the front services offer."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from stemhouse.audio import SourceRef
from stemhouse.client.delivery import Delivered, receive_delivery
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.files import read_chunks, source_ref_from_file, wire_name
from stemhouse.client.patience import Patience, patiently
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import InputRejected, InternalFault, Unavailable
from stemhouse.jobs import EngineOffer, EngineSurvey, Job, SeparationRequest, SeparationResult
from stemhouse.models import Model, PullProgress
from stemhouse.platform.channel import connect
from stemhouse.platform.status import rpc_errors
from stemhouse.tracks import ScanProgress, Track
from stemhouse.v1 import (
    exporter_pb2_grpc,
    library_pb2 as library_pb,
    library_pb2_grpc,
    router_pb2 as router_pb,
    router_pb2_grpc,
)
from stemhouse.vocab import JobState
from stemhouse.wire.audio import (
    engine_from_proto,
    engine_gap_from_proto,
    source_ref_from_proto,
    source_ref_to_proto,
)
from stemhouse.wire.delivery import deliver_request_to_proto
from stemhouse.wire.jobs import JOB_STATES, job_from_proto, request_to_proto
from stemhouse.wire.models import check_addition, model_from_proto, pull_progress_from_proto
from stemhouse.wire.tracks import scan_progress_from_proto, track_page_from_proto

UNARY_DEADLINE_S = 30.0
UPLOAD_DEADLINE_S = 3600.0
DELIVERY_DEADLINE_S = 3600.0
WATCH_DEADLINE_S = 3600.0  # of one stream: a longer job is watched by another one
SCAN_DEADLINE_S = 6 * 3600.0
PULL_DEADLINE_S = 24 * 3600.0
MODEL_DEADLINE_S = 3600.0  # to read all models, or to load one behind a track that is being separated

CALL_PATIENCE_S = 10.0
"""How long single calls are repeated while nobody listens: a restart of a service, or a wrong address."""
JOB_PATIENCE_S = 40.0
"""How long a watch, a delivery or a pull, which have work behind them, go on without contact."""

Answer = TypeVar("Answer")


class Stemhouse:
    """A connection to router, library and exporter; a context manager, or call `close`.

    Every method raises the StemhouseError that the server raised, and Unavailable if it cannot be reached for the
    times above. All calls have deadlines. Threads may share an instance.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        """Nothing is connected before the first call."""
        self._channels = [connect(address) for address in (endpoints.router, endpoints.library, endpoints.exporter)]
        router, library, exporter = self._channels
        self._router = router_pb2_grpc.RouterServiceStub(router)
        self._library = library_pb2_grpc.LibraryServiceStub(library)
        self._exporter = exporter_pb2_grpc.ExporterServiceStub(exporter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connections, and with them every open stream."""
        for channel in self._channels:
            channel.close()

    def upload(self, path: Path) -> SourceRef:
        """Make the router know a file; its bytes travel only if the digests are new there.

        Raises InvalidRequest if the file cannot be read, UnreadableAudio if it is empty, InputRejected if it changes
        meanwhile.
        """
        source = source_ref_from_file(path)
        request = router_pb.FindSourceRequest(source=source_ref_to_proto(source))
        if not _call(self._router.FindSource, request).is_known:
            stored = patiently(lambda: self._upload_bytes(path), CALL_PATIENCE_S)
            if (stored.sha256, stored.md5) != (source.sha256, source.md5):
                message = f"{path} changed while it was uploaded"
                raise InputRejected(message, {"file": str(path)})
        return source

    def _upload_bytes(self, path: Path) -> SourceRef:
        with rpc_errors():
            response = self._router.UploadTrack(_upload_requests(path), timeout=UPLOAD_DEADLINE_S)
        return source_ref_from_proto(response.source)

    def submit(self, request: SeparationRequest, request_id: str) -> Job:
        """Queue a separation; the same `request_id` (1 to 64 of [A-Za-z0-9._-]) and request give the same job.

        Raises RequestConflict if the id came with another request, NotFound if the source was not uploaded.
        """
        message = router_pb.SubmitSeparationRequest(request_id=request_id, request=request_to_proto(request))
        return job_from_proto(_call(self._router.SubmitSeparation, message).job)

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job as it stands and after each change, until it is final; survives restarts of the router."""
        patience = Patience(JOB_PATIENCE_S)
        seen_sequence = 0
        while True:
            error = Unavailable(f"the router stopped telling about job {job_id}")
            try:
                with closing(self._watch_once(job_id, seen_sequence)) as jobs:
                    for job in jobs:
                        patience.renew()
                        if job.sequence > seen_sequence:
                            seen_sequence = job.sequence
                            yield job
                        if job.state.is_final:
                            return
            except Unavailable as lost:
                error = lost
            patience.wait_or_raise(error)

    def _watch_once(self, job_id: str, after_sequence: int) -> Generator[Job, None, None]:
        request = router_pb.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        for response in _stream(self._router.WatchJob, request, WATCH_DEADLINE_S):
            yield job_from_proto(response.job)

    def get_job(self, job_id: str) -> Job:
        """The job as it stands; raises NotFound."""
        return job_from_proto(_call(self._router.GetJob, router_pb.GetJobRequest(job_id=job_id)).job)

    def list_jobs(self, states: Iterable[JobState] = (), page_size: int = 50) -> Iterator[Job]:
        """Jobs in these states (none given: in any), newest first, fetched page by page (1 to 500)."""
        request = router_pb.ListJobsRequest(page_size=page_size, states=map(JOB_STATES.to_proto, states))
        while True:
            page = _call(self._router.ListJobs, request)
            yield from map(job_from_proto, page.jobs)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def cancel(self, job_id: str) -> Job:
        """Stop a job, and tell how it stands now; a final one stays as it is. Raises NotFound."""
        return job_from_proto(_call(self._router.CancelJob, router_pb.CancelJobRequest(job_id=job_id)).job)

    def engines(self) -> tuple[EngineOffer, ...]:
        """The engines that can be asked for now."""
        return self.survey().offers

    def survey(self) -> EngineSurvey:
        """The engines that can be asked for now, and what others lack."""
        response = _call(self._router.ListEngines, router_pb.ListEnginesRequest())
        return EngineSurvey(
            tuple(map(engine_from_proto, response.engines)), tuple(map(engine_gap_from_proto, response.gaps))
        )

    def models(self) -> list[Model]:
        """The models of the catalogue, and others that are installed."""
        return list(map(model_from_proto, _call(self._router.ListModels, router_pb.ListModelsRequest()).models))

    def pull_model(self, name: str) -> Iterator[PullProgress | Model]:
        """Install a model of the catalogue: progress, then the model. A broken pull is taken up where it ended.

        It is given up when for a while nothing more has come. Raises NotFound for a name that is not in the catalogue,
        ModelRejected if other files come than it promises.
        """
        patience = Patience(JOB_PATIENCE_S)
        most_bytes = 0
        request = router_pb.PullModelRequest(name=name)
        while True:
            try:
                for response in _stream(self._router.PullModel, request, PULL_DEADLINE_S):
                    if response.HasField("model"):
                        yield model_from_proto(response.model)
                        return
                    if response.progress.done_bytes > most_bytes:  # a heartbeat comes even where nothing else does
                        most_bytes = response.progress.done_bytes
                        patience.renew()
                    yield pull_progress_from_proto(response.progress)
            except Unavailable as lost:
                patience.wait_or_raise(lost)
            else:
                raise InternalFault(f"the pull of {name} ended without a model")

    def verify_models(self, names: Sequence[str] = ()) -> list[Model]:
        """Read installed models (none named: all) from end to end. Raises NotFound for one that is not installed."""
        request = router_pb.VerifyModelsRequest(names=names)
        return list(map(model_from_proto, _call(self._router.VerifyModels, request, MODEL_DEADLINE_S).models))

    def add_model(self, name: str, files: Sequence[Path], licence_note: str = "") -> Model:
        """Install a model of one's own: one checkpoint, or checkpoints and the YAML file of their bag.

        Raises InvalidRequest for a file that cannot be read or a name that cannot be given, ModelRejected for files
        that are no model.
        """
        check_addition(name, [wire_name(path) for path in files], licence_note)
        sources = [source_ref_from_file(path) for path in files]
        for path in files:
            patiently(partial(self._upload_bytes, path), CALL_PATIENCE_S)
        request = router_pb.AddModelRequest(
            name=name, files=map(source_ref_to_proto, sources), licence_note=licence_note
        )
        return model_from_proto(_call(self._router.AddModel, request, MODEL_DEADLINE_S).model)

    def scan(self, folder: str) -> Iterator[ScanProgress]:
        """Read a folder's tracks into the catalogue; the last value is the outcome.

        `folder` is an absolute path on the machine of the library service.
        """
        request = library_pb.ScanLibraryRequest(folder=folder)
        for response in _stream(self._library.ScanLibrary, request, SCAN_DEADLINE_S):
            yield scan_progress_from_proto(response)

    def tracks(self, folder: str = "", page_size: int = 500) -> Iterator[Track]:
        """Tracks of the catalogue below `folder` (none given: all), by path, fetched page by page (1 to 1000)."""
        request = library_pb.ListTracksRequest(folder=folder, page_size=page_size)
        while True:
            page = track_page_from_proto(_call(self._library.ListTracks, request))
            yield from page.tracks
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def deliver(self, result: SeparationResult, options: DeliveryOptions, output_dir: Path) -> Delivered:
        """Write a result's files into a folder below `output_dir`, or find that they are there unchanged.

        A file that was edited since its delivery is kept: the new folder then is "name (2)" and so on.
        Raises InvalidRequest for stems that the result does not have, or if the files cannot be written there.
        """
        request = deliver_request_to_proto(result, options)

        def attempt() -> Delivered:
            with rpc_errors():
                return receive_delivery(self._exporter.Deliver(request, timeout=DELIVERY_DEADLINE_S), output_dir)

        return patiently(attempt, JOB_PATIENCE_S)


def _call(method: Callable[..., Answer], request: Any, deadline_s: float = UNARY_DEADLINE_S) -> Answer:
    def attempt() -> Answer:
        with rpc_errors():
            return method(request, timeout=deadline_s)

    return patiently(attempt, CALL_PATIENCE_S)


def _stream(method: Callable[..., Any], request: Any, deadline_s: float) -> Iterator[Any]:
    """The responses of a stream, which ends when the caller wants no more."""
    with rpc_errors():
        call = method(request, timeout=deadline_s)
        try:
            yield from call
        finally:
            call.cancel()


def _upload_requests(path: Path) -> Iterator[router_pb.UploadTrackRequest]:
    yield router_pb.UploadTrackRequest(file_name=wire_name(path))
    for chunk in read_chunks(path):
        yield router_pb.UploadTrackRequest(chunk=chunk)
