"""Separators that a router can call, over real channels."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from threading import Event

import grpc

from services.router.adapters.cancellations import JobCancellation
from stemhouse.audio import QualityReport
from stemhouse.errors import NotFound
from stemhouse.models import Model, ModelState, PullProgress
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.v1 import separator_pb2 as pb
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceServicer, add_SeparatorServiceServicer_to_server
from stemhouse.wire.audio import (
    audio_ref_to_proto,
    cloud_order_from_proto,
    engine_gap_to_proto,
    engine_to_proto,
    quality_to_proto,
    source_facts_to_proto,
    stem_set_to_proto,
)
from stemhouse.wire.models import model_to_proto, pull_progress_to_proto
from tests.fakes_router import FACTS, HTDEMUCS, NO_DEMUCS, STARTER, audio, stem_set

NOBODY = "127.0.0.1:1"
NOBODY_LEAVES = JobCancellation("call")
HALF = PullProgress("weights.safetensors", 50, 100)
INSTALLED = replace(HTDEMUCS, state=ModelState.INSTALLED)
DAMAGED = replace(HTDEMUCS, state=ModelState.DAMAGED, problem="cut")


class FakeSeparator(SeparatorServiceServicer):
    """Says how loaded it is, and counts what it ingests."""

    def __init__(self, busy_count: int = 0, slot_count: int = 1, *, model: Model = HTDEMUCS) -> None:
        self.busy_count, self.slot_count = busy_count, slot_count
        self.ingested_count = 0
        self.offers = [STARTER]
        self.gaps = [NO_DEMUCS]
        self.model = model
        self.added: list[str] = []
        self.verified: list[list[str]] = []
        self.during_work: Callable[[], object] = lambda: None
        self.begun_count = 0
        self.left = Event()
        self.separations: list[pb.SeparateRequest] = []
        self.tenants: list[str] = []
        self.verifiers: list[str] = []

    def ListLocalEngines(
        self, request: pb.ListLocalEnginesRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalEnginesResponse:
        """Offer the starter, and miss demucs."""
        return pb.ListLocalEnginesResponse(
            engines=map(engine_to_proto, self.offers),
            gaps=map(engine_gap_to_proto, self.gaps),
            slot_count=self.slot_count,
            busy_count=self.busy_count,
        )

    def ListLocalModels(
        self, request: pb.ListLocalModelsRequest, context: grpc.ServicerContext
    ) -> pb.ListLocalModelsResponse:
        """One."""
        return pb.ListLocalModelsResponse(models=[model_to_proto(self.model)])

    def PullLocalModel(
        self, request: pb.PullLocalModelRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.PullLocalModelResponse]:
        """Half of it, then the whole."""
        self._work(context)
        yield pb.PullLocalModelResponse(progress=pull_progress_to_proto(HALF))
        self.model = replace(self.model, name=request.name, state=ModelState.INSTALLED)
        yield pb.PullLocalModelResponse(model=model_to_proto(self.model))

    def VerifyLocalModels(
        self, request: pb.VerifyLocalModelsRequest, context: grpc.ServicerContext
    ) -> pb.VerifyLocalModelsResponse:
        """As it is."""
        if set(request.names) - {self.model.name}:
            raise NotFound(f"get it with: stemhouse models pull {request.names[-1]}")
        self.verified.append(list(request.names))
        self._work(context)
        return pb.VerifyLocalModelsResponse(models=[model_to_proto(self.model)])

    def AddLocalModel(
        self, request: pb.AddLocalModelRequest, context: grpc.ServicerContext
    ) -> pb.AddLocalModelResponse:
        """Install it."""
        self._work(context)
        self.added.append(request.name)
        model = replace(self.model, name=request.name, state=ModelState.INSTALLED)
        return pb.AddLocalModelResponse(model=model_to_proto(model))

    def _work(self, context: grpc.ServicerContext) -> None:
        self.begun_count += 1
        context.add_callback(self.left.set)
        self.during_work()

    def IngestTrack(self, request: pb.IngestTrackRequest, context: grpc.ServicerContext) -> pb.IngestTrackResponse:
        """Count."""
        self.ingested_count += 1
        self.tenants.append(request.tenant)
        return pb.IngestTrackResponse(audio=audio_ref_to_proto(audio()), facts=source_facts_to_proto(FACTS))

    def Separate(self, request: pb.SeparateRequest, context: grpc.ServicerContext) -> Iterator[pb.SeparateResponse]:
        """Note what was ordered."""
        self.separations.append(request)
        self.tenants.append(request.tenant)
        yield pb.SeparateResponse(progress=0.5)
        yield pb.SeparateResponse(stem_set=stem_set_to_proto(stem_set()))

    def CallOffOrder(self, request: pb.CallOffOrderRequest, context: grpc.ServicerContext) -> pb.CallOffOrderResponse:
        """The more was ordered the more it has cost; above a minute nobody knows."""
        minutes = cloud_order_from_proto(request.separation.cloud).minutes
        return pb.CallOffOrderResponse(minutes=minutes / 2 if minutes <= 1.0 else None)

    def ProbeVocals(self, request: pb.ProbeVocalsRequest, context: grpc.ServicerContext) -> pb.ProbeVocalsResponse:
        """More of it the longer the name of the engine is."""
        self.tenants.append(request.tenant)
        return pb.ProbeVocalsResponse(sung_share=len(request.engine_id) / 128)

    def AssessStems(self, request: pb.AssessStemsRequest, context: grpc.ServicerContext) -> pb.AssessStemsResponse:
        """Note who shall hear them."""
        self.tenants.append(request.tenant)
        self.verifiers.append(request.verifier_engine_id)
        return pb.AssessStemsResponse(quality=quality_to_proto(QualityReport("none")))


def started(servers: ExitStack, separator: FakeSeparator | None) -> str:
    """The address of a server for the separator; for None, of one that has none of its calls."""
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[RpcInterceptor()])
    if separator:
        add_SeparatorServiceServicer_to_server(separator, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    servers.callback(lambda: server.stop(0).wait())
    return f"127.0.0.1:{port}"
