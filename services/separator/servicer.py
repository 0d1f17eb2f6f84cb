"""SeparatorService over a Station: wire in, one call, wire out."""

from collections.abc import Callable, Iterator

import grpc

from services.separator.core.assessment import AssessTask
from services.separator.core.ingest import IngestTask
from services.separator.core.model_additions import Addition
from services.separator.core.results import CallOffTask, SeparateTask
from services.separator.core.station import Station
from services.separator.core.vocal_probe import ProbeVocalsTask
from stemhouse.audio import StemSet
from stemhouse.jobs import DEFAULT_PRIORITY
from stemhouse.models import Model, PullProgress
from stemhouse.platform.server import Service
from stemhouse.v1 import separator_pb2 as pb
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceServicer, add_SeparatorServiceServicer_to_server
from stemhouse.wire.audio import (
    audio_ref_from_proto,
    audio_ref_to_proto,
    cloud_order_from_proto,
    engine_gap_to_proto,
    engine_to_proto,
    quality_to_proto,
    source_facts_to_proto,
    source_ref_from_proto,
    stem_set_from_proto,
    stem_set_to_proto,
)
from stemhouse.wire.models import LONGEST_LICENCE_NOTE, check_model_names, model_to_proto, pull_progress_to_proto
from stemhouse.wire.tenants import tenant_from_proto
from stemhouse.wire.validation import ENGINE_ID, NAME, FieldChecks

_MOST_FILES = 64
_LOWEST_PRIORITY = 1000

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["SeparatorService"].full_name


class SeparatorServicer(SeparatorServiceServicer):
    """See protos/stemhouse/v1/separator.proto."""

    def __init__(self, station: Station) -> None:
        """Keep what the methods call."""
        self._station = station

    def IngestTrack(self, request: pb.IngestTrackRequest, context: grpc.ServicerContext) -> pb.IngestTrackResponse:
        """Decode a source once, into canonical PCM."""
        task = IngestTask(source_ref_from_proto(request.source), tenant_from_proto(request.tenant))
        track = self._station.ingest(task, context.is_active)
        return pb.IngestTrackResponse(audio=audio_ref_to_proto(track.audio), facts=source_facts_to_proto(track.facts))

    def Separate(self, request: pb.SeparateRequest, context: grpc.ServicerContext) -> Iterator[pb.SeparateResponse]:
        """Separate a track: progress, then the result."""
        for event in self._station.separate(_task_from_proto(request), context.is_active):
            yield _event_to_proto(event)

    def CallOffOrder(self, request: pb.CallOffOrderRequest, context: grpc.ServicerContext) -> pb.CallOffOrderResponse:
        """End what was begun in the cloud."""
        task = CallOffTask(_task_from_proto(request.separation))
        return pb.CallOffOrderResponse(minutes=self._station.call_off(task, context.is_active))

    def AssessStems(self, request: pb.AssessStemsRequest, context: grpc.ServicerContext) -> pb.AssessStemsResponse:
        """Measure the stems of a result."""
        quality = self._station.assess(_assess_task_from_proto(request), context.is_active)
        return pb.AssessStemsResponse(quality=quality_to_proto(quality))

    def ProbeVocals(self, request: pb.ProbeVocalsRequest, context: grpc.ServicerContext) -> pb.ProbeVocalsResponse:
        """Tell how much of a track is sung."""
        checks = FieldChecks()
        checks.matches("engine_id", request.engine_id, ENGINE_ID)
        checks.done()
        task = ProbeVocalsTask(
            audio_ref_from_proto(request.audio), request.engine_id, tenant_from_proto(request.tenant)
        )
        return pb.ProbeVocalsResponse(sung_share=self._station.probe_vocals(task, context.is_active))

    def ListLocalEngines(
        self, request: pb.ListLocalEnginesRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalEnginesResponse:
        """List the engines that are ready, those that lack a model, and the room for more work."""
        local = self._station.local_engines()
        return pb.ListLocalEnginesResponse(
            engines=[engine_to_proto(offer) for offer in local.offers],
            slot_count=local.slot_count,
            busy_count=local.busy_count,
            gaps=[engine_gap_to_proto(gap) for gap in local.gaps],
        )

    def ListLocalModels(
        self, request: pb.ListLocalModelsRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalModelsResponse:
        """List the models of the catalogue, and others that are installed."""
        return pb.ListLocalModelsResponse(models=[model_to_proto(model) for model in self._station.list_models()])

    def PullLocalModel(
        self, request: pb.PullLocalModelRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.PullLocalModelResponse]:
        """Install a model of the catalogue: progress, then the model."""
        check_model_names([request.name])
        for event in self._station.pull_model(request.name, context.is_active):
            yield _pull_event_to_proto(event)

    def VerifyLocalModels(
        self, request: pb.VerifyLocalModelsRequest, context: grpc.ServicerContext
    ) -> pb.VerifyLocalModelsResponse:
        """Read installed models from end to end."""
        check_model_names(request.names)
        models = self._station.verify_models(request.names, context.is_active)
        return pb.VerifyLocalModelsResponse(models=[model_to_proto(model) for model in models])

    def AddLocalModel(
        self, request: pb.AddLocalModelRequest, context: grpc.ServicerContext
    ) -> pb.AddLocalModelResponse:
        """Install a model of one's own."""
        model = self._station.add_model(_addition_from_proto(request), context.is_active)
        return pb.AddLocalModelResponse(model=model_to_proto(model))


def service(servicer: SeparatorServicer, check_ready: Callable[[], None]) -> Service:
    """The servicer as a service that can be served."""
    return Service(SERVICE_NAME, lambda server: add_SeparatorServiceServicer_to_server(servicer, server), check_ready)


def _task_from_proto(request: pb.SeparateRequest) -> SeparateTask:
    checks = FieldChecks()
    priority = request.priority if request.HasField("priority") else DEFAULT_PRIORITY
    checks.matches("engine_id", request.engine_id, ENGINE_ID)
    checks.within("priority", priority, 0, _LOWEST_PRIORITY)
    checks.done()
    order = cloud_order_from_proto(request.cloud) if request.HasField("cloud") else None
    audio, tenant = audio_ref_from_proto(request.audio), tenant_from_proto(request.tenant)
    return SeparateTask(audio, request.engine_id, request.sum_to_mix, request.force, order, priority, tenant)


def _assess_task_from_proto(request: pb.AssessStemsRequest) -> AssessTask:
    checks = FieldChecks()
    if request.verifier_engine_id:
        checks.matches("verifier_engine_id", request.verifier_engine_id, ENGINE_ID)
    checks.done()
    references = {stem: audio_ref_from_proto(audio) for stem, audio in request.references.items()}
    tenant = tenant_from_proto(request.tenant)
    return AssessTask(stem_set_from_proto(request.stem_set), references, request.verifier_engine_id, tenant)


def _addition_from_proto(request: pb.AddLocalModelRequest) -> Addition:
    checks = FieldChecks()
    checks.matches("name", request.name, NAME)
    checks.within("files", len(request.files), 1, _MOST_FILES)
    checks.within("licence_note", len(request.licence_note), 0, LONGEST_LICENCE_NOTE)
    checks.done()
    return Addition(request.name, tuple(map(source_ref_from_proto, request.files)), request.licence_note)


def _pull_event_to_proto(event: PullProgress | Model) -> pb.PullLocalModelResponse:
    if isinstance(event, Model):
        return pb.PullLocalModelResponse(model=model_to_proto(event))
    return pb.PullLocalModelResponse(progress=pull_progress_to_proto(event))


def _event_to_proto(event: float | StemSet) -> pb.SeparateResponse:
    if isinstance(event, StemSet):
        return pb.SeparateResponse(stem_set=stem_set_to_proto(event))
    return pb.SeparateResponse(progress=event)
