"""RouterService over the core: wire in, one call, wire out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import grpc
import structlog

from services.router.core.cache import StemCache
from services.router.core.cloud_budget import CloudBudget
from services.router.core.models import add_model
from services.router.core.plans import SeparationPlans
from services.router.core.ports import Addition, Intake, JobLedger, JobQuery, Models, Separators, Uploads
from services.router.core.releases import Releases
from services.router.core.submissions import Submissions
from stemhouse.audio import SourceRef
from stemhouse.cloud import CLOUD_STATEMENT
from stemhouse.errors import Cancelled, InvalidRequest
from stemhouse.models import Model, PullProgress
from stemhouse.platform.server import Service
from stemhouse.v1 import router_pb2 as pb
from stemhouse.v1.router_pb2_grpc import RouterServiceServicer, add_RouterServiceServicer_to_server
from stemhouse.wire.audio import (
    MAX_FILE_NAME_CHARACTERS,
    MOST_CLOUD_MINUTES,
    engine_gap_to_proto,
    engine_to_proto,
    source_ref_from_proto,
    source_ref_to_proto,
)
from stemhouse.wire.cache import cache_stats_to_proto, cleared_to_proto, older_than_days_from_proto
from stemhouse.wire.cloud import cloud_account_to_proto
from stemhouse.wire.jobs import JOB_STATES, job_to_proto, moment_from_proto, plan_to_proto, request_from_proto
from stemhouse.wire.models import check_addition, check_model_names, model_to_proto, pull_progress_to_proto
from stemhouse.wire.validation import BATCH_ID, NAME, REQUEST_ID, FieldChecks

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["RouterService"].full_name

_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 500
_HEARTBEAT_S = 5.0
_LONGEST_S = 1e7


@dataclass(frozen=True)
class RouterParts:
    """What the methods call."""

    submissions: Submissions
    jobs: JobLedger
    releases: Releases
    intake: Intake
    separators: Separators
    models: Models
    plans: SeparationPlans
    cloud: CloudBudget
    cache: StemCache


class RouterServicer(RouterServiceServicer):
    """See protos/stemhouse/v1/router.proto."""

    def __init__(self, parts: Callable[[], RouterParts]) -> None:
        """`parts` gives what the methods call, for the tenant whose call it is."""
        self._parts = parts

    def FindSource(self, request: pb.FindSourceRequest, context: grpc.ServicerContext) -> pb.FindSourceResponse:
        """Tell whether the bytes are needed."""
        source = source_ref_from_proto(request.source)
        return pb.FindSourceResponse(is_known=self._parts().submissions.is_known(source))

    def UploadTrack(
        self, request_iterator: Iterator[pb.UploadTrackRequest], context: grpc.ServicerContext
    ) -> pb.UploadTrackResponse:
        """Store a file."""
        source = _receive(self._parts().intake, request_iterator)
        return pb.UploadTrackResponse(source=source_ref_to_proto(source))

    def SubmitSeparation(
        self, request: pb.SubmitSeparationRequest, context: grpc.ServicerContext
    ) -> pb.SubmitSeparationResponse:
        """Queue a separation."""
        checks = FieldChecks()
        checks.matches("request_id", request.request_id, REQUEST_ID)
        checks.matches("batch_id", request.batch_id, BATCH_ID)
        checks.done()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)
        job = self._parts().submissions.submit(
            request.request_id, request_from_proto(request.request), request.batch_id
        )
        return pb.SubmitSeparationResponse(job=job_to_proto(job))

    def PlanSeparation(
        self, request: pb.PlanSeparationRequest, context: grpc.ServicerContext
    ) -> pb.PlanSeparationResponse:
        """Tell what a separation would be."""
        checks = FieldChecks()
        checks.within("duration_s", request.duration_s, 0.0, _LONGEST_S)
        checks.done()
        duration_s = request.duration_s if request.HasField("duration_s") else None
        return plan_to_proto(self._parts().plans.plan(request_from_proto(request.request), duration_s))

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        """Look at a job."""
        return pb.GetJobResponse(job=job_to_proto(self._parts().jobs.get(request.job_id)))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        """Look at many."""
        query = _query_from_proto(request)
        page = self._parts().jobs.page(request.page_size or _DEFAULT_PAGE_SIZE, request.page_token, query)
        return pb.ListJobsResponse(jobs=[job_to_proto(job) for job in page.jobs], next_page_token=page.next_page_token)

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Follow a job to its end, with a heartbeat where nothing changes."""
        sequence = request.after_sequence
        is_final = False
        while not is_final and context.is_active():
            job = self._parts().jobs.wait(request.job_id, sequence, _HEARTBEAT_S)
            sequence, is_final = job.sequence, job.state.is_final
            yield pb.WatchJobResponse(job=job_to_proto(job))

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.CancelJobResponse:
        """Stop a job."""
        return pb.CancelJobResponse(job=job_to_proto(self._parts().jobs.request_cancel(request.job_id)))

    def ReleaseResult(
        self, request: pb.ReleaseResultRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseResultResponse:
        """Drop what a job has left in the store."""
        return pb.ReleaseResultResponse(is_released=self._parts().releases.release(request.job_id))

    def CacheStats(self, request: pb.CacheStatsRequest, context: grpc.ServicerContext) -> pb.CacheStatsResponse:
        """Tell what the cache holds."""
        return cache_stats_to_proto(self._parts().cache.stats())

    def ClearCache(
        self, request: pb.ClearCacheRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ClearCacheResponse]:
        """Drop what is old, as long as the caller listens."""
        for cleared in self._parts().cache.clear_cache(
            older_than_days_from_proto(request), is_rehearsal=request.is_dry_run
        ):
            yield cleared_to_proto(cleared)

    def DetectVocals(self, request: pb.DetectVocalsRequest, context: grpc.ServicerContext) -> pb.DetectVocalsResponse:
        """Tell how much of a source is sung."""
        found = self._parts().submissions.detect_vocals(source_ref_from_proto(request.source), _Departure(context))
        return pb.DetectVocalsResponse(sung_share=found.sung_share, engine_id=found.engine_id)

    def DescribeCloud(
        self, request: pb.DescribeCloudRequest, context: grpc.ServicerContext
    ) -> pb.DescribeCloudResponse:
        """Tell what leaves the machine, whether it may, and what that has cost."""
        accounts = map(cloud_account_to_proto, self._parts().cloud.accounts())
        return pb.DescribeCloudResponse(accounts=accounts, statement=CLOUD_STATEMENT)

    def AllowCloud(self, request: pb.AllowCloudRequest, context: grpc.ServicerContext) -> pb.AllowCloudResponse:
        """Let an account be used, or no more."""
        checks = FieldChecks()
        checks.matches("account", request.account, NAME)
        checks.within("minutes_per_day", request.minutes_per_day, 0.0, MOST_CLOUD_MINUTES)
        checks.done()
        minutes_per_day = request.minutes_per_day
        account = self._parts().cloud.allow(
            request.account, is_allowed=request.is_allowed, minutes_per_day=minutes_per_day
        )
        return pb.AllowCloudResponse(account=cloud_account_to_proto(account))

    def SettleCloud(self, request: pb.SettleCloudRequest, context: grpc.ServicerContext) -> pb.SettleCloudResponse:
        """Note what became of uncertain minutes."""
        checks = FieldChecks()
        checks.matches("account", request.account, NAME)
        checks.done()
        account = self._parts().cloud.settle_uncertain(request.account, were_charged=request.were_charged)
        return pb.SettleCloudResponse(account=cloud_account_to_proto(account))

    def ListEngines(self, request: pb.ListEnginesRequest, context: grpc.ServicerContext) -> pb.ListEnginesResponse:
        """Tell what can be asked for, and what is missing."""
        survey = self._parts().separators.survey()
        return pb.ListEnginesResponse(
            engines=map(engine_to_proto, survey.offers),
            gaps=map(engine_gap_to_proto, survey.gaps),
            is_partial=survey.is_partial,
        )

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        """List the models of the catalogue, and others that are installed."""
        return pb.ListModelsResponse(models=map(model_to_proto, self._parts().models.models()))

    def PullModel(self, request: pb.PullModelRequest, context: grpc.ServicerContext) -> Iterator[pb.PullModelResponse]:
        """Install a model of the catalogue: progress, then the model."""
        check_model_names([request.name])
        return map(_pull_event_to_proto, self._parts().models.pull(request.name, _Departure(context)))

    def VerifyModels(self, request: pb.VerifyModelsRequest, context: grpc.ServicerContext) -> pb.VerifyModelsResponse:
        """Read installed models from end to end."""
        check_model_names(request.names)
        models = self._parts().models.verify(request.names, _Departure(context))
        return pb.VerifyModelsResponse(models=map(model_to_proto, models))

    def AddModel(self, request: pb.AddModelRequest, context: grpc.ServicerContext) -> pb.AddModelResponse:
        """Install a model from uploaded files."""
        model = add_model(
            self._parts().models, self._parts().intake.models, _addition_from_proto(request), _Departure(context)
        )
        return pb.AddModelResponse(model=model_to_proto(model))


class _Departure:
    """Cancellation of a call: its caller left, or waits no longer."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def raise_if_requested(self) -> None:
        """See Cancellation.raise_if_requested."""
        if not self._context.is_active():
            message = "the caller left"
            raise Cancelled(message)

    def on_request(self, stop: Callable[[], object]) -> None:
        """See Cancellation.on_request; `stop` is called at the end of an answered call, too, and then ends nothing."""
        if not self._context.add_callback(cast("Callable[[], None]", stop)):
            stop()


def _receive(intake: Intake, messages: Iterator[pb.UploadTrackRequest]) -> SourceRef:
    first = next(messages, pb.UploadTrackRequest())
    checks = FieldChecks()
    checks.within("file_name", len(first.file_name), 1, MAX_FILE_NAME_CHARACTERS)
    checks.done()
    return _uploads_for(first.purpose, intake).receive(first.file_name, _chunks(messages))


def _uploads_for(purpose: pb.UploadPurpose.ValueType, intake: Intake) -> Uploads:
    places = {pb.UPLOAD_PURPOSE_UNSPECIFIED: intake.tracks, pb.UPLOAD_PURPOSE_MODEL: intake.models}
    checks = FieldChecks()
    checks.require("purpose", holds=purpose in places, because="is none that this version knows")
    checks.done()
    return places[purpose]


def _chunks(messages: Iterable[pb.UploadTrackRequest]) -> Iterator[bytes]:
    for message in messages:
        if not message.HasField("chunk"):
            raise InvalidRequest("every message but the first must be a chunk", {"chunk": "must be set"})
        yield message.chunk


def _query_from_proto(request: pb.ListJobsRequest) -> JobQuery:
    is_by_change = request.HasField("updated_after")
    checks = FieldChecks()
    checks.within("page_size", request.page_size, 0, _MAX_PAGE_SIZE)
    checks.matches("batch_id", request.batch_id, BATCH_ID)
    checks.require("updated_after", holds=bool(request.batch_id) or not is_by_change, because="needs a batch_id")
    checks.done()
    return JobQuery(
        states=tuple(JOB_STATES.from_proto("states", state) for state in request.states),
        batch_id=request.batch_id,
        updated_after=moment_from_proto("updated_after", request.updated_after) if is_by_change else None,
    )


def _addition_from_proto(request: pb.AddModelRequest) -> Addition:
    check_addition(request.name, [file.file_name for file in request.files], request.licence_note)
    return Addition(request.name, tuple(map(source_ref_from_proto, request.files)), request.licence_note)


def _pull_event_to_proto(event: PullProgress | Model) -> pb.PullModelResponse:
    if isinstance(event, Model):
        return pb.PullModelResponse(model=model_to_proto(event))
    return pb.PullModelResponse(progress=pull_progress_to_proto(event))


def service(servicer: RouterServicer, check_ready: Callable[[], None]) -> Service:
    """The servicer as a service that can be served."""
    return Service(SERVICE_NAME, lambda server: add_RouterServiceServicer_to_server(servicer, server), check_ready)
