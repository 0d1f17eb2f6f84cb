"""RouterService over the core: wire in, one call, wire out."""

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import grpc
import structlog

from services.router.core.models import add_model
from services.router.core.ports import Addition, JobLedger, Models, Separators, Uploads
from services.router.core.submissions import Submissions
from stemhouse.audio import SourceRef
from stemhouse.errors import Cancelled, InvalidRequest
from stemhouse.models import Model, PullProgress
from stemhouse.platform.server import Service
from stemhouse.v1 import router_pb2 as pb
from stemhouse.v1.router_pb2_grpc import RouterServiceServicer, add_RouterServiceServicer_to_server
from stemhouse.wire.audio import (
    MAX_FILE_NAME_CHARACTERS,
    engine_gap_to_proto,
    engine_to_proto,
    source_ref_from_proto,
    source_ref_to_proto,
)
from stemhouse.wire.jobs import JOB_STATES, job_to_proto, request_from_proto
from stemhouse.wire.models import check_addition, check_model_names, model_to_proto, pull_progress_to_proto
from stemhouse.wire.validation import REQUEST_ID, FieldChecks

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["RouterService"].full_name

_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 500
_HEARTBEAT_S = 5.0


class RouterServicer(RouterServiceServicer):
    """See protos/stemhouse/v1/router.proto."""

    def __init__(
        self, submissions: Submissions, jobs: JobLedger, uploads: Uploads, separators: Separators, models: Models
    ) -> None:
        """Keep what the methods call."""
        self._submissions = submissions
        self._jobs = jobs
        self._uploads = uploads
        self._separators = separators
        self._models = models

    def FindSource(self, request: pb.FindSourceRequest, context: grpc.ServicerContext) -> pb.FindSourceResponse:
        """Tell whether the bytes are needed."""
        source = source_ref_from_proto(request.source)
        return pb.FindSourceResponse(is_known=self._submissions.is_known(source))

    def UploadTrack(
        self, request_iterator: Iterator[pb.UploadTrackRequest], context: grpc.ServicerContext
    ) -> pb.UploadTrackResponse:
        """Store a file."""
        source = _receive(self._uploads, request_iterator)
        return pb.UploadTrackResponse(source=source_ref_to_proto(source))

    def SubmitSeparation(
        self, request: pb.SubmitSeparationRequest, context: grpc.ServicerContext
    ) -> pb.SubmitSeparationResponse:
        """Queue a separation."""
        checks = FieldChecks()
        checks.matches("request_id", request.request_id, REQUEST_ID)
        checks.done()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)
        job = self._submissions.submit(request.request_id, request_from_proto(request.request))
        return pb.SubmitSeparationResponse(job=job_to_proto(job))

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        """Look at a job."""
        return pb.GetJobResponse(job=job_to_proto(self._jobs.get(request.job_id)))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        """Look at many."""
        checks = FieldChecks()
        checks.within("page_size", request.page_size, 0, _MAX_PAGE_SIZE)
        checks.done()
        states = [JOB_STATES.from_proto("states", state) for state in request.states]
        page = self._jobs.page(request.page_size or _DEFAULT_PAGE_SIZE, request.page_token, states)
        return pb.ListJobsResponse(jobs=[job_to_proto(job) for job in page.jobs], next_page_token=page.next_page_token)

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Follow a job to its end, with a heartbeat where nothing changes."""
        sequence = request.after_sequence
        is_final = False
        while not is_final and context.is_active():
            job = self._jobs.wait(request.job_id, sequence, _HEARTBEAT_S)
            sequence, is_final = job.sequence, job.state.is_final
            yield pb.WatchJobResponse(job=job_to_proto(job))

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.CancelJobResponse:
        """Stop a job."""
        return pb.CancelJobResponse(job=job_to_proto(self._jobs.request_cancel(request.job_id)))

    def ListEngines(self, request: pb.ListEnginesRequest, context: grpc.ServicerContext) -> pb.ListEnginesResponse:
        """Tell what can be asked for, and what is missing."""
        survey = self._separators.survey()
        return pb.ListEnginesResponse(
            engines=map(engine_to_proto, survey.offers), gaps=map(engine_gap_to_proto, survey.gaps)
        )

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        """List the models of the catalogue, and others that are installed."""
        return pb.ListModelsResponse(models=map(model_to_proto, self._models.models()))

    def PullModel(self, request: pb.PullModelRequest, context: grpc.ServicerContext) -> Iterator[pb.PullModelResponse]:
        """Install a model of the catalogue: progress, then the model."""
        check_model_names([request.name])
        return map(_pull_event_to_proto, self._models.pull(request.name, _Departure(context)))

    def VerifyModels(self, request: pb.VerifyModelsRequest, context: grpc.ServicerContext) -> pb.VerifyModelsResponse:
        """Read installed models from end to end."""
        check_model_names(request.names)
        models = self._models.verify(request.names, _Departure(context))
        return pb.VerifyModelsResponse(models=map(model_to_proto, models))

    def AddModel(self, request: pb.AddModelRequest, context: grpc.ServicerContext) -> pb.AddModelResponse:
        """Install a model from uploaded files."""
        model = add_model(self._models, self._uploads, _addition_from_proto(request), _Departure(context))
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


def _receive(uploads: Uploads, messages: Iterator[pb.UploadTrackRequest]) -> SourceRef:
    first = next(messages, pb.UploadTrackRequest())
    checks = FieldChecks()
    checks.within("file_name", len(first.file_name), 1, MAX_FILE_NAME_CHARACTERS)
    checks.done()
    return uploads.receive(first.file_name, _chunks(messages))


def _chunks(messages: Iterable[pb.UploadTrackRequest]) -> Iterator[bytes]:
    for message in messages:
        if not message.HasField("chunk"):
            raise InvalidRequest("every message but the first must be a chunk", {"chunk": "must be set"})
        yield message.chunk


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
