"""ExporterService over the core: wire in, one call, wire out."""

from collections.abc import Callable, Iterator

import grpc

from services.exporter.core.delivery import FileEnd, FileStart, Part, StemDelivery
from stemhouse.delivery import DeliveryPlan
from stemhouse.platform.server import Service
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.v1.exporter_pb2_grpc import ExporterServiceServicer, add_ExporterServiceServicer_to_server
from stemhouse.wire.delivery import deliver_request_from_proto, plan_to_proto

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ExporterService"].full_name


class ExporterServicer(ExporterServiceServicer):
    """See protos/stemhouse/v1/exporter.proto."""

    def __init__(self, delivery: StemDelivery) -> None:
        """Keep what the method calls."""
        self._delivery = delivery

    def Deliver(self, request: pb.DeliverRequest, context: grpc.ServicerContext) -> Iterator[pb.DeliverResponse]:
        """Stream a folder, as long as the client listens."""
        result, options = deliver_request_from_proto(request)
        for part in self._delivery.deliver(result, options, context.is_active):
            yield _part_to_proto(part)


def service(servicer: ExporterServicer, check_ready: Callable[[], None]) -> Service:
    """The servicer as a service that can be served."""
    return Service(SERVICE_NAME, lambda server: add_ExporterServiceServicer_to_server(servicer, server), check_ready)


def _part_to_proto(part: Part) -> pb.DeliverResponse:
    match part:
        case DeliveryPlan():
            return pb.DeliverResponse(plan=plan_to_proto(part))
        case FileStart():
            return pb.DeliverResponse(file_start=pb.FileStart(name=part.name, size_bytes=part.size_bytes))
        case FileEnd():
            return pb.DeliverResponse(file_end=pb.FileEnd(sha256=part.sha256))
        case _:
            return pb.DeliverResponse(chunk=part)
