"""The client: upload, submit, watch, deliver; and what else the front services offer."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from stemhouse.audio import SourceRef, StemSet
from stemhouse.cache import DEFAULT_CLEARED_DAYS, CacheStats, Cleared
from stemhouse.client.calls import CALL_PATIENCE_S, JOB_PATIENCE_S, Calls, stream, transfer_deadline_s
from stemhouse.client.delivery import Delivered, receive_delivery
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.files import read_chunks, source_ref_from_file, wire_name
from stemhouse.client.library import LibraryClient
from stemhouse.client.production import ProductionClient
from stemhouse.cloud import CloudAccount
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import InputRejected, InternalFault, Unavailable
from stemhouse.jobs import EngineSurvey, Job, SeparationPlan, SeparationRequest, SeparationResult
from stemhouse.models import Model, PullProgress
from stemhouse.platform.channel import connect
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import (
    exporter_pb2_grpc,
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
from stemhouse.wire.cache import cache_stats_from_proto, cleared_from_proto
from stemhouse.wire.cloud import cloud_account_from_proto
from stemhouse.wire.delivery import deliver_request_to_proto
from stemhouse.wire.jobs import JOB_STATES, job_from_proto, plan_from_proto, request_to_proto
from stemhouse.wire.models import check_addition, model_from_proto, pull_progress_from_proto

WATCH_DEADLINE_S = 3600.0  # of one stream: a longer job is watched by another one
PULL_DEADLINE_S = 24 * 3600.0
CLEAR_DEADLINE_S = 24 * 3600.0
PROBE_DEADLINE_S = 3600.0
MODEL_DEADLINE_S = 24 * 3600.0  # the router allows each separator an hour, one after the other where a model is added

_LARGEST_SAMPLE_BYTES = 4


class Stemhouse:
    """A connection to router, library and exporter; a context manager, or call `close`.

    Every method raises the StemhouseError that the server raised, and Unavailable if it cannot be reached for the
    times that `stemhouse.client.calls` names. All calls have deadlines. Threads may share an instance.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        require_servers: Callable[[], None] = lambda: None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Nothing is connected before the first call.

        Who knows when the servers are gone says so by `require_servers`: it is called whenever contact is lost, and
        while a job is watched; what it raises ends the waiting. `credentials` are gRPC's, for servers with TLS:
        `CallerSettings` makes them of the environment.
        """
        self._calls = Calls(require_servers)
        self._channels = [
            connect(address, credentials, active_service=f"stemhouse.v1.{name.capitalize()}Service")
            for name, address in asdict(endpoints).items()
        ]
        router, library, exporter = self._channels
        self._router = router_pb2_grpc.RouterServiceStub(router)
        self._library = library_pb2_grpc.LibraryServiceStub(library)
        self.library = LibraryClient(self._library, self._calls)
        self._exporter = exporter_pb2_grpc.ExporterServiceStub(exporter)
        self.production = ProductionClient(self._exporter, self._calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connections, and with them every open stream."""
        self._calls.close()
        for channel in self._channels:
            channel.close()

    def upload(self, path: Path) -> SourceRef:
        """Make the router know a file; its bytes travel only if the digests are new there.

        Raises InvalidRequest if the file cannot be read, UnreadableAudio if it is empty, InputRejected if it changes
        meanwhile.
        """
        source = source_ref_from_file(path)
        request = router_pb.FindSourceRequest(source=source_ref_to_proto(source))
        if not self._calls.call(self._router.FindSource, request).is_known:
            upload = partial(self._upload_bytes, path, source.size_bytes, router_pb.UPLOAD_PURPOSE_UNSPECIFIED)
            stored = self._calls.patiently(upload, CALL_PATIENCE_S)
            if (stored.sha256, stored.md5) != (source.sha256, source.md5):
                message = f"{path} changed while it was uploaded"
                raise InputRejected(message, {"file": str(path)})
        return source

    def _upload_bytes(self, path: Path, size_bytes: int, purpose: router_pb.UploadPurpose.ValueType) -> SourceRef:
        deadline_s = transfer_deadline_s(size_bytes)
        with rpc_errors():
            response = self._router.UploadTrack(_upload_requests(path, purpose), timeout=deadline_s)
        return source_ref_from_proto(response.source)

    def submit(self, request: SeparationRequest, request_id: str, batch_id: str = "") -> Job:
        """Queue a separation; the same `request_id` (1 to 64 of [A-Za-z0-9._-]) and request give the same job.

        `batch_id` is a label to list jobs by.
        Raises RequestConflict if the id came with another request, NotFound if the source was not uploaded.
        """
        message = router_pb.SubmitSeparationRequest(
            request_id=request_id, request=request_to_proto(request), batch_id=batch_id
        )
        return job_from_proto(self._calls.call(self._router.SubmitSeparation, message).job)

    def plan(self, request: SeparationRequest, duration_s: float | None = None) -> SeparationPlan:
        """What a separation would be, with nothing done; the source need not be uploaded.

        `duration_s` is the length of the track for whoever knows it: else it is guessed by the size of the file.
        Raises EngineUnavailable, BudgetExceeded for a cloud engine without a cap, InputRejected for a file that could
        not be decoded before.
        """
        message = router_pb.PlanSeparationRequest(request=request_to_proto(request), duration_s=duration_s)
        return plan_from_proto(self._calls.call(self._router.PlanSeparation, message))

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job as it stands and after each change, until it is final; survives restarts of the router."""
        patience = self._calls.patience(JOB_PATIENCE_S)
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
                        self._calls.require_servers()  # a router that stops answers until its grace is over
            except Unavailable as lost:
                error = lost
            patience.wait_or_raise(error)

    def _watch_once(self, job_id: str, after_sequence: int) -> Generator[Job, None, None]:
        request = router_pb.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        for response in stream(self._router.WatchJob, request, WATCH_DEADLINE_S):
            yield job_from_proto(response.job)

    def get_job(self, job_id: str) -> Job:
        """The job as it stands; raises NotFound."""
        return job_from_proto(self._calls.call(self._router.GetJob, router_pb.GetJobRequest(job_id=job_id)).job)

    def list_jobs(self, states: Iterable[JobState] = (), page_size: int = 50, *, batch_id: str = "") -> Iterator[Job]:
        """Jobs in these states (none given: in any) of a batch (none given: of all), newest first.

        They are fetched page by page (1 to 500).
        """
        request = router_pb.ListJobsRequest(
            page_size=page_size, states=map(JOB_STATES.to_proto, states), batch_id=batch_id
        )
        while True:
            page = self._calls.call(self._router.ListJobs, request)
            yield from map(job_from_proto, page.jobs)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def cancel(self, job_id: str) -> Job:
        """Stop a job, and tell how it stands now; a final one stays as it is. Raises NotFound."""
        return job_from_proto(self._calls.call(self._router.CancelJob, router_pb.CancelJobRequest(job_id=job_id)).job)

    def release_result(self, job_id: str) -> bool:
        """Drop the stems and the audio of a finished job from the store, unless another job works on its source.

        Tells whether they are gone. Whoever wishes for the same again has it separated again. Raises NotFound, and
        InvalidRequest for a job that is not DONE.
        """
        return self._calls.call(self._router.ReleaseResult, router_pb.ReleaseResultRequest(job_id=job_id)).is_released

    def cache_stats(self) -> CacheStats:
        """What the cache of audio and results takes in the store."""
        return cache_stats_from_proto(self._calls.call(self._router.CacheStats, router_pb.CacheStatsRequest()))

    def clear_cache(
        self, older_than_days: float = DEFAULT_CLEARED_DAYS, *, is_dry_run: bool = False
    ) -> Iterator[Cleared]:
        """Drop audio and results from the store that nobody has used for so many days; 0: all of it.

        Tells what has gone so far, and at last what stays since it is in use. A dry run only tells what would go.
        Whoever wishes for something that has gone has it separated again. Raises InvalidRequest.
        """
        request = router_pb.ClearCacheRequest(older_than_days=older_than_days, is_dry_run=is_dry_run)
        return map(cleared_from_proto, stream(self._router.ClearCache, request, CLEAR_DEADLINE_S))

    def detect_vocals(self, source: SourceRef) -> float:
        """The share of a few short excerpts of an uploaded source in which somebody sings, 0 to 1.

        It waits behind tracks that are being separated. Raises NotFound for a source that was not uploaded.
        """
        request = router_pb.DetectVocalsRequest(source=source_ref_to_proto(source))
        return self._calls.call(self._router.DetectVocals, request, PROBE_DEADLINE_S).sung_share

    def survey(self) -> EngineSurvey:
        """The engines that can be asked for now, and what others lack."""
        response = self._calls.call(self._router.ListEngines, router_pb.ListEnginesRequest())
        return EngineSurvey(
            tuple(map(engine_from_proto, response.engines)),
            tuple(map(engine_gap_from_proto, response.gaps)),
            response.is_partial,
        )

    def cloud_accounts(self) -> list[CloudAccount]:
        """Each cloud account that a separator has a key of, or that was allowed before, and what it has spent."""
        response = self._calls.call(self._router.DescribeCloud, router_pb.DescribeCloudRequest())
        return list(map(cloud_account_from_proto, response.accounts))

    def allow_cloud(self, account: str, minutes_per_day: float) -> CloudAccount:
        """Let a cloud account be used from now on, for at most so many minutes in a day (UTC).

        Whoever calls this has read `stemhouse.cloud.CLOUD_STATEMENT`.
        """
        request = router_pb.AllowCloudRequest(account=account, is_allowed=True, minutes_per_day=minutes_per_day)
        return cloud_account_from_proto(self._calls.call(self._router.AllowCloud, request).account)

    def forbid_cloud(self, account: str) -> CloudAccount:
        """Let a cloud account be used no more; what is at work goes on."""
        request = router_pb.AllowCloudRequest(account=account, is_allowed=False)
        return cloud_account_from_proto(self._calls.call(self._router.AllowCloud, request).account)

    def settle_cloud(self, account: str, *, were_charged: bool) -> CloudAccount:
        """Tell whether the uncertain minutes of an account were charged, for its owner, who has looked.

        Raises NotFound for an account that was never allowed.
        """
        request = router_pb.SettleCloudRequest(account=account, were_charged=were_charged)
        return cloud_account_from_proto(self._calls.call(self._router.SettleCloud, request).account)

    def models(self) -> list[Model]:
        """The models of the catalogue, and others that are installed."""
        return list(
            map(model_from_proto, self._calls.call(self._router.ListModels, router_pb.ListModelsRequest()).models)
        )

    def pull_model(self, name: str) -> Iterator[PullProgress | Model]:
        """Install a model of the catalogue: progress, then the model. A broken pull is taken up where it ended.

        It is given up when for a while nothing more has come. Raises NotFound for a name that is not in the catalogue,
        ModelRejected if other files come than it promises.
        """
        patience = self._calls.patience(JOB_PATIENCE_S)
        most_bytes = 0
        request = router_pb.PullModelRequest(name=name)
        while True:
            try:
                for response in stream(self._router.PullModel, request, PULL_DEADLINE_S):
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
        return list(
            map(model_from_proto, self._calls.call(self._router.VerifyModels, request, MODEL_DEADLINE_S).models)
        )

    def add_model(self, name: str, files: Sequence[Path], licence_note: str = "") -> Model:
        """Install a model of one's own: one checkpoint, or checkpoints and the YAML file of their bag.

        Raises InvalidRequest for a file that cannot be read or a name that cannot be given, ModelRejected for files
        that are no model.
        """
        check_addition(name, [wire_name(path) for path in files], licence_note)
        sources = [source_ref_from_file(path) for path in files]
        for path, source in zip(files, sources, strict=True):
            upload = partial(self._upload_bytes, path, source.size_bytes, router_pb.UPLOAD_PURPOSE_MODEL)
            self._calls.patiently(upload, CALL_PATIENCE_S)
        request = router_pb.AddModelRequest(
            name=name, files=map(source_ref_to_proto, sources), licence_note=licence_note
        )
        return model_from_proto(self._calls.call(self._router.AddModel, request, MODEL_DEADLINE_S).model)

    def deliver(
        self, result: SeparationResult, options: DeliveryOptions, output_dir: Path, label: str = ""
    ) -> Delivered:
        """Write a result's files into a folder below `output_dir`, or find that they are there unchanged.

        A file that was edited since its delivery is kept: the new folder then is "name (2)" and so on.
        Raises InvalidRequest for stems that the result does not have, or if the files cannot be written there.
        """
        request = deliver_request_to_proto(result, options)
        deadline_s = transfer_deadline_s(_largest_size_bytes(result.stem_set, options))

        def attempt() -> Delivered:
            with rpc_errors():
                return receive_delivery(self._exporter.Deliver(request, timeout=deadline_s), output_dir, label)

        return self._calls.patiently(attempt, JOB_PATIENCE_S)


def _upload_requests(path: Path, purpose: router_pb.UploadPurpose.ValueType) -> Iterator[router_pb.UploadTrackRequest]:
    yield router_pb.UploadTrackRequest(file_name=wire_name(path), purpose=purpose)
    for chunk in read_chunks(path):
        yield router_pb.UploadTrackRequest(chunk=chunk)


def _largest_size_bytes(stems: StemSet, options: DeliveryOptions) -> int:
    """Of a delivery, whatever its format."""
    frame_bytes = stems.audio.format.channel_count * _LARGEST_SAMPLE_BYTES
    return len(options.stems or stems.stems) * stems.audio.frame_count * frame_bytes
