"""A router, a library and an exporter behind one gRPC server; tests say what they answer and read what they got."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import grpc
from structlog.testing import capture_logs

from stemhouse.audio import (
    AudioFormat,
    AudioRef,
    QualityReport,
    SourceFacts,
    SourceRef,
    StemQuality,
    StemRef,
    StemSet,
)
from stemhouse.cache import CacheStats, Cleared
from stemhouse.client.endpoints import Endpoints
from stemhouse.cloud import CLOUD_STATEMENT, CloudAccount
from stemhouse.delivery import DeliveryOptions, DeliveryPlan
from stemhouse.errors import NotFound, StemhouseError, Unavailable
from stemhouse.jobs import (
    Decision,
    EngineGap,
    EngineOffer,
    Job,
    JobError,
    SeparationPlan,
    SeparationRequest,
    SeparationResult,
)
from stemhouse.models import Model, ModelState, PullProgress
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.v1 import (
    exporter_pb2,
    exporter_pb2_grpc,
    library_pb2_grpc,
    router_pb2 as pb,
    router_pb2_grpc,
)
from stemhouse.vocab import BASE_STEMS, JobState, QualityStatus, Stage
from stemhouse.wire.audio import engine_gap_to_proto, engine_to_proto, source_ref_to_proto
from stemhouse.wire.cache import cache_stats_to_proto, cleared_to_proto
from stemhouse.wire.cloud import cloud_account_to_proto
from stemhouse.wire.delivery import deliver_request_from_proto, plan_to_proto
from stemhouse.wire.jobs import (
    JOB_STATES,
    job_to_proto,
    plan_to_proto as separation_plan_to_proto,
    request_from_proto,
)
from stemhouse.wire.models import model_to_proto, pull_progress_to_proto
from tests.fakes_library import FakeLibrary

STARTER = EngineOffer("starter", "tiny", "starter-tiny-00000000", BASE_STEMS, "basic", "cpu")
NO_DEMUCS = EngineGap("demucs", "no model is installed", "stemhouse models pull htdemucs")
HTDEMUCS = Model("htdemucs", "demucs", BASE_STEMS, 84_000_000, "for research", "web", ModelState.AVAILABLE)
METADATA = "metadata.json"
PLAN = SeparationPlan(
    decision=Decision(STARTER.name, STARTER.engine_id, ("the only engine that is ready",)),
    duration_s=185.0,
    is_duration_guessed=True,
    expected_s=23.0,
    store_bytes=61_000_000,
    scratch_bytes=590_000_000,
    cloud_minutes=0.0,
    is_known=False,
)


def result_of(source: SourceRef) -> SeparationResult:
    """Ten seconds of stereo that took two to separate, with a measured score of the vocals."""
    digest = "ab" * 32
    stems = StemSet(
        audio=AudioRef(f"audio/{digest}.flac", digest, AudioFormat(44_100, 2), 441_000),
        engine=STARTER.name,
        model=STARTER.model,
        engine_id=STARTER.engine_id,
        stems=tuple(StemRef(name, f"results/{digest}/{name}.flac", 0.5) for name in BASE_STEMS),
        gain=1.0,
        null_depth_db=-123.4,
        instrumental_peak=0.7,
        sums_to_mix=True,
        processing_s=2.0,
        device="cpu",
    )
    quality = QualityReport("si-sdr", (StemQuality("vocals", QualityStatus.MEASURED, 8.25, 8.5),))
    decision = Decision(STARTER.name, STARTER.engine_id, ("the only engine that is ready",))
    return SeparationResult(source, SourceFacts("MP3", "MP3", 0, "fake"), stems, quality, decision)


def done(job: Job) -> list[Job]:
    """A job's way to its result: half way, then there."""
    result = result_of(job.request.source)
    return [
        replace(job, state=JobState.RUNNING, stage=Stage.SEPARATE, progress=0.5, sequence=2),
        replace(job, state=JobState.DONE, sequence=3, result=result),
    ]


def failed(error: StemhouseError) -> Callable[[Job], list[Job]]:
    """A job's way to an error."""
    told = JobError(error.reason, error.message, error.details)
    return lambda job: [replace(job, state=JobState.FAILED, sequence=2, error=told)]


class FakeRouter(router_pb2_grpc.RouterServiceServicer):
    """Jobs go the way that `ways` has for their file name, else to `done`.

    Each number of `watch_breaks` ends one watch with UNAVAILABLE after that many messages.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.model_files: set[str] = set()
        self.is_partial = False
        self.uploads: list[tuple[str, bytes]] = []
        self.requests: list[SeparationRequest] = []
        self.request_ids: list[str] = []
        self.jobs: dict[str, list[Job]] = {}
        self.ways: dict[str, Callable[[Job], list[Job]]] = {}
        self.watch_breaks: list[int] = []
        self.watched_after: list[int] = []
        self.cancelled: list[str] = []
        self.released: list[str] = []
        self.offers = [STARTER]
        self.gaps: list[EngineGap] = []
        self.models = [HTDEMUCS]
        self.pulled: list[str] = []
        self.pull_breaks = 0
        self.refusal: StemhouseError | None = None
        self.plan_refusal: StemhouseError | None = None
        self.added: list[tuple[str, list[str], str]] = []
        self.accounts: list[CloudAccount] = []
        self.cache = CacheStats((), None, 3600.0)
        self.clearable: list[Cleared] = []
        self.cleared_days: list[float] = []
        self.plan = PLAN
        self.planned: list[tuple[SeparationRequest, float | None]] = []

    def FindSource(self, request: pb.FindSourceRequest, context: grpc.ServicerContext) -> pb.FindSourceResponse:
        """Known, or not."""
        return pb.FindSourceResponse(is_known=request.source.sha256 in self.known)

    def UploadTrack(
        self, request_iterator: Iterator[pb.UploadTrackRequest], context: grpc.ServicerContext
    ) -> pb.UploadTrackResponse:
        """Take and hash."""
        first = next(request_iterator)
        name, is_of_a_model = first.file_name, first.purpose == pb.UPLOAD_PURPOSE_MODEL
        chunks = [message.chunk for message in request_iterator]
        assert max(map(len, chunks)) <= 1024 * 1024
        content = b"".join(chunks)
        self.uploads.append((name, content))
        source = SourceRef(hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest(), len(content), name)  # noqa: S324  a name
        (self.model_files if is_of_a_model else self.known).add(source.sha256)
        return pb.UploadTrackResponse(source=source_ref_to_proto(source))

    def SubmitSeparation(
        self, request: pb.SubmitSeparationRequest, context: grpc.ServicerContext
    ) -> pb.SubmitSeparationResponse:
        """Queue, or refuse."""
        if self.refusal:
            raise self.refusal
        wish = request_from_proto(request.request)
        job_id = f"job-{len(self.jobs) + 1}"
        job = Job(job_id, request.request_id, wish, JobState.QUEUED, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        self.requests.append(wish)
        self.request_ids.append(request.request_id)
        self.jobs[job_id] = [job, *self.ways.get(wish.source.file_name, done)(job)]
        return pb.SubmitSeparationResponse(job=job_to_proto(job))

    def PlanSeparation(
        self, request: pb.PlanSeparationRequest, context: grpc.ServicerContext
    ) -> pb.PlanSeparationResponse:
        """Tell `plan`, or refuse."""
        refusal = self.plan_refusal or self.refusal
        if refusal:
            raise refusal
        self.planned.append((request_from_proto(request.request), request.duration_s or None))
        return separation_plan_to_proto(self.plan)

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Tell what comes after, each change twice, as a heartbeat would; then wait if the job is not final."""
        self.watched_after.append(request.after_sequence)
        changes = [job for job in self._way(request.job_id) if job.sequence > request.after_sequence]
        limit = self.watch_breaks.pop(0) if self.watch_breaks else len(changes)
        for change in changes[:limit]:
            yield pb.WatchJobResponse(job=job_to_proto(change))
            if not change.state.is_final:
                yield pb.WatchJobResponse(job=job_to_proto(change))
        if limit < len(changes):
            message = "restarting"
            raise Unavailable(message)
        if not changes[-1].state.is_final:
            ended = threading.Event()
            context.add_callback(ended.set)
            ended.wait(30)

    def ReleaseResult(
        self, request: pb.ReleaseResultRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseResultResponse:
        """Note it."""
        self.released.append(request.job_id)
        return pb.ReleaseResultResponse(is_released=True)

    def DetectVocals(self, request: pb.DetectVocalsRequest, context: grpc.ServicerContext) -> pb.DetectVocalsResponse:
        """A quarter of it is sung."""
        return pb.DetectVocalsResponse(sung_share=0.25, engine_id=STARTER.engine_id)

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        """The job at the end of its way."""
        return pb.GetJobResponse(job=job_to_proto(self._way(request.job_id)[-1]))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        """Two a page, whatever was asked for."""
        states = [JOB_STATES.from_proto("states", state) for state in request.states]
        jobs = [way[-1] for way in self.jobs.values() if not states or way[-1].state in states]
        start = int(request.page_token or 0)
        token = str(start + 2) if start + 2 < len(jobs) else ""
        return pb.ListJobsResponse(jobs=map(job_to_proto, jobs[start : start + 2]), next_page_token=token)

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.CancelJobResponse:
        """Note and obey."""
        self.cancelled.append(request.job_id)
        way = self._way(request.job_id)
        way.append(replace(way[-1], state=JobState.CANCELLED, sequence=way[-1].sequence + 1))
        return pb.CancelJobResponse(job=job_to_proto(way[-1]))

    def ListEngines(self, request: pb.ListEnginesRequest, context: grpc.ServicerContext) -> pb.ListEnginesResponse:
        """The offers."""
        return pb.ListEnginesResponse(
            engines=map(engine_to_proto, self.offers),
            gaps=map(engine_gap_to_proto, self.gaps),
            is_partial=self.is_partial,
        )

    def CacheStats(self, request: pb.CacheStatsRequest, context: grpc.ServicerContext) -> pb.CacheStatsResponse:
        """The stats."""
        return cache_stats_to_proto(self.cache)

    def ClearCache(
        self, request: pb.ClearCacheRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ClearCacheResponse]:
        """All that the test has put in, or only the end of it; notes what was really cleared."""
        if not request.is_dry_run:
            self.cleared_days.append(request.older_than_days)
        yield from map(cleared_to_proto, self.clearable[-1:] if request.is_dry_run else self.clearable)

    def DescribeCloud(
        self, request: pb.DescribeCloudRequest, context: grpc.ServicerContext
    ) -> pb.DescribeCloudResponse:
        """All accounts."""
        return pb.DescribeCloudResponse(accounts=map(cloud_account_to_proto, self.accounts), statement=CLOUD_STATEMENT)

    def AllowCloud(self, request: pb.AllowCloudRequest, context: grpc.ServicerContext) -> pb.AllowCloudResponse:
        """Note it."""
        self.accounts = [
            replace(account, is_allowed=request.is_allowed, minutes_per_day=request.minutes_per_day)
            if account.account == request.account
            else account
            for account in self.accounts
        ]
        changed = next(account for account in self.accounts if account.account == request.account)
        return pb.AllowCloudResponse(account=cloud_account_to_proto(changed))

    def SettleCloud(self, request: pb.SettleCloudRequest, context: grpc.ServicerContext) -> pb.SettleCloudResponse:
        """Nothing is uncertain any more."""
        [known] = [known for known in self.accounts if known.account == request.account]
        minutes_today = known.minutes_today if request.were_charged else 0.0
        settled = replace(known, minutes_uncertain=0.0, minutes_today=minutes_today)
        self.accounts[self.accounts.index(known)] = settled
        return pb.SettleCloudResponse(account=cloud_account_to_proto(settled))

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        """All."""
        return pb.ListModelsResponse(models=map(model_to_proto, self.models))

    def PullModel(self, request: pb.PullModelRequest, context: grpc.ServicerContext) -> Iterator[pb.PullModelResponse]:
        """Half of it, then the model, installed; or broken off, for as often as `pull_breaks` says."""
        model = next((model for model in self.models if model.name == request.name), None)
        if model is None:
            message = f"no model {request.name}"
            raise NotFound(message)
        self.pulled.append(request.name)
        yield pb.PullModelResponse(progress=pull_progress_to_proto(PullProgress("weights", 1, 2)))
        if self.pull_breaks:
            self.pull_breaks -= 1
            message = "restarting"
            raise Unavailable(message)
        yield pb.PullModelResponse(model=model_to_proto(replace(model, state=ModelState.INSTALLED)))

    def VerifyModels(self, request: pb.VerifyModelsRequest, context: grpc.ServicerContext) -> pb.VerifyModelsResponse:
        """Those that are named, or all."""
        found = [model for model in self.models if not request.names or model.name in request.names]
        return pb.VerifyModelsResponse(models=map(model_to_proto, found))

    def AddModel(self, request: pb.AddModelRequest, context: grpc.ServicerContext) -> pb.AddModelResponse:
        """Take whatever was uploaded for a model."""
        assert {file.sha256 for file in request.files} <= self.model_files
        self.added.append((request.name, [file.file_name for file in request.files], request.licence_note))
        model = Model(request.name, "demucs", BASE_STEMS, 1, request.licence_note, "added", ModelState.INSTALLED)
        return pb.AddModelResponse(model=model_to_proto(model))

    def _way(self, job_id: str) -> list[Job]:
        if job_id not in self.jobs:
            message = f"no job {job_id}"
            raise NotFound(message)
        return self.jobs[job_id]


def delivery_parts(plan: DeliveryPlan, contents: dict[str, bytes]) -> Iterator[exporter_pb2.DeliverResponse]:
    """A delivery as the exporter sends it: the plan, the files, metadata.json."""
    part = exporter_pb2.DeliverResponse
    yield part(plan=plan_to_proto(plan))
    for name, content in {**contents, METADATA: metadata_of(plan, contents)}.items():
        yield part(file_start=exporter_pb2.FileStart(name=name, size_bytes=len(content)))
        for start in range(0, len(content), 1000):
            yield part(chunk=content[start : start + 1000])
        yield part(file_end=exporter_pb2.FileEnd(sha256=hashlib.sha256(content).hexdigest()))


def metadata_of(plan: DeliveryPlan, contents: dict[str, bytes]) -> bytes:
    """The part of metadata.json that a client reads."""
    files = [
        {"name": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
    return json.dumps({"delivery": {"delivery_key": plan.delivery_key}, "files": files}).encode()


class FakeExporter(exporter_pb2_grpc.ExporterServiceServicer):
    """Delivers `contents`. Each number of `breaks` ends one delivery with UNAVAILABLE after that many messages."""

    def __init__(self) -> None:
        self.contents = {f"{stem}.wav": stem.encode() * 1000 for stem in BASE_STEMS}
        self.options: list[DeliveryOptions] = []
        self.breaks: list[int] = []
        self.on_deliver: Callable[[], object] = lambda: None

    def Deliver(
        self, request: exporter_pb2.DeliverRequest, context: grpc.ServicerContext
    ) -> Iterator[exporter_pb2.DeliverResponse]:
        """Send plan and files."""
        self.on_deliver()
        result, options = deliver_request_from_proto(request)
        self.options.append(options)
        names = tuple(self.contents)
        plan = DeliveryPlan(f"Artist - Title_{result.source.md5[:8]}", names, "key-1")
        limit = self.breaks.pop(0) if self.breaks else None
        for number, part in enumerate(delivery_parts(plan, self.contents)):
            if number == limit:
                message = "restarting"
                raise Unavailable(message)
            yield part


class FakeFront:
    """The three services at one address."""

    def __init__(self, address: str, router: FakeRouter, library: FakeLibrary, exporter: FakeExporter) -> None:
        self.address = address
        self.router = router
        self.library = library
        self.exporter = exporter

    @property
    def endpoints(self) -> Endpoints:
        """For a client."""
        return Endpoints(self.address, self.address, self.address)


@contextmanager
def serve_front() -> Iterator[FakeFront]:
    """The services on a free port."""
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[RpcInterceptor()])
    router = FakeRouter()
    library = FakeLibrary()
    exporter = FakeExporter()  # type: ignore[abstract]  # of the production tools nothing is asked
    router_pb2_grpc.add_RouterServiceServicer_to_server(router, server)
    library_pb2_grpc.add_LibraryServiceServicer_to_server(library, server)
    exporter_pb2_grpc.add_ExporterServiceServicer_to_server(exporter, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with capture_logs():  # a server's log lines would mix with what the test's own process prints
        yield FakeFront(f"127.0.0.1:{port}", router, library, exporter)
        server.stop(0).wait()
