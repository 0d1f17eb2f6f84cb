"""ExporterService over the core: wire in, one call, wire out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import grpc

from services.exporter.core.delivery import Part
from services.exporter.core.dj.lists import PlaylistExport
from services.exporter.core.dj.organizing import StemOrganizing
from services.exporter.core.dj.stem_files import StemFileExport
from services.exporter.core.held_delivery import HeldDelivery
from services.exporter.core.parts import FileCopy, FileEnd, FileStart, Progress
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.chopping import StemChopping
from services.exporter.core.production.folders import StemFolders
from services.exporter.core.production.live_projects import LiveProjects
from services.exporter.core.production.stretching import StemStretching
from services.exporter.core.production.trees import TreePart
from stemhouse.delivery import DeliveryPlan
from stemhouse.errors import InvalidRequest
from stemhouse.platform.server import Service
from stemhouse.production import StemFile, TreePlan
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.v1.exporter_pb2_grpc import ExporterServiceServicer, add_ExporterServiceServicer_to_server
from stemhouse.wire.analysis import analysis_to_proto
from stemhouse.wire.delivery import deliver_request_from_proto, plan_to_proto
from stemhouse.wire.dj import organize_request_from_proto, playlists_requests_from_proto, stem_file_request_from_proto
from stemhouse.wire.production import (
    ableton_request_from_proto,
    chop_options_from_proto,
    folder_from_proto,
    stem_file_from_proto,
    stretch_request_from_proto,
    tree_plan_to_proto,
)

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ExporterService"].full_name


class Intake(Protocol):
    """Takes uploads."""

    def receive(self, file: StemFile, chunks: Iterable[bytes]) -> None:
        """Store a file; raises InputRejected for one that is not what was announced, or no stem."""


@dataclass(frozen=True)
class ExporterParts:
    """What the methods call."""

    delivery: HeldDelivery
    folders: StemFolders
    intake: Intake
    analyses: Analyses
    projects: LiveProjects
    stretching: StemStretching
    chopping: StemChopping
    organizing: StemOrganizing
    stem_files: StemFileExport
    playlists: PlaylistExport


class ExporterServicer(ExporterServiceServicer):
    """See protos/stemhouse/v1/exporter.proto."""

    def __init__(self, parts: Callable[[], ExporterParts]) -> None:
        """`parts` gives what the methods call, for the tenant whose call it is."""
        self._parts = parts

    def Deliver(self, request: pb.DeliverRequest, context: grpc.ServicerContext) -> Iterator[pb.DeliverResponse]:
        """Stream a folder, as long as the client listens."""
        result, options = deliver_request_from_proto(request)
        for part in self._parts().delivery.deliver(result, options, context.is_active):
            yield _part_to_proto(part)

    def FindStems(self, request: pb.FindStemsRequest, context: grpc.ServicerContext) -> pb.FindStemsResponse:
        """Look for the files of a folder."""
        missing = self._parts().folders.missing(folder_from_proto(request.folder))
        return pb.FindStemsResponse(missing_stems=missing)

    def UploadStem(
        self, request_iterator: Iterator[pb.UploadStemRequest], context: grpc.ServicerContext
    ) -> pb.UploadStemResponse:
        """Store a file."""
        first = next(request_iterator, pb.UploadStemRequest())
        self._parts().intake.receive(stem_file_from_proto(first.file), _chunks(request_iterator))
        return pb.UploadStemResponse()

    def AnalyzeTrack(self, request: pb.AnalyzeTrackRequest, context: grpc.ServicerContext) -> pb.AnalyzeTrackResponse:
        """Analyse a folder, or tell what is known of it."""
        analysis = self._parts().analyses.analyze(folder_from_proto(request.folder), context.is_active)
        return pb.AnalyzeTrackResponse(analysis=analysis_to_proto(analysis))

    def ExportAbleton(
        self, request: pb.ExportAbletonRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportAbletonResponse]:
        """Stream a Live project, as long as the client listens."""
        folders, options = ableton_request_from_proto(request)
        for part in self._parts().projects.export(folders, options, context.is_active):
            yield pb.ExportAbletonResponse(part=_tree_part_to_proto(part))

    def StretchStems(
        self, request: pb.StretchStemsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StretchStemsResponse]:
        """Stream a stretched folder, as long as the client listens."""
        folder, options = stretch_request_from_proto(request)
        for part in self._parts().stretching.stretch(folder, options, context.is_active):
            yield pb.StretchStemsResponse(part=_tree_part_to_proto(part))

    def CreateVocalChops(
        self, request: pb.CreateVocalChopsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.CreateVocalChopsResponse]:
        """Stream the pieces of a stem, as long as the client listens."""
        folder, options = folder_from_proto(request.folder), chop_options_from_proto(request.options)
        for part in self._parts().chopping.chop(folder, options, context.is_active):
            yield pb.CreateVocalChopsResponse(part=_tree_part_to_proto(part))

    def OrganizeStems(
        self, request: pb.OrganizeStemsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.OrganizeStemsResponse]:
        """Stream the files of a track for a DJ program, as long as the client listens."""
        folder, options, order = organize_request_from_proto(request)
        for part in self._parts().organizing.organize(folder, options, order, context.is_active):
            yield pb.OrganizeStemsResponse(part=_tree_part_to_proto(part))

    def ExportStemFile(
        self, request: pb.ExportStemFileRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportStemFileResponse]:
        """Stream a stem file, as long as the client listens."""
        folder, options, order = stem_file_request_from_proto(request)
        for part in self._parts().stem_files.export(folder, options, order, context.is_active):
            yield pb.ExportStemFileResponse(part=_tree_part_to_proto(part))

    def ExportPlaylists(
        self, request_iterator: Iterator[pb.ExportPlaylistsRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.ExportPlaylistsResponse]:
        """Stream what makes files known to a DJ program."""
        collection, options = playlists_requests_from_proto(request_iterator)
        for part in self._parts().playlists.export(collection, options):
            yield pb.ExportPlaylistsResponse(part=_tree_part_to_proto(part))


def service(servicer: ExporterServicer, check_ready: Callable[[], None]) -> Service:
    """The servicer as a service that can be served."""
    return Service(SERVICE_NAME, lambda server: add_ExporterServiceServicer_to_server(servicer, server), check_ready)


def _chunks(messages: Iterable[pb.UploadStemRequest]) -> Iterator[bytes]:
    for message in messages:
        if not message.HasField("chunk"):
            raise InvalidRequest("every message but the first must be a chunk", {"chunk": "must be set"})
        yield message.chunk


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


def _tree_part_to_proto(part: TreePart) -> pb.TreePart:
    match part:
        case TreePlan():
            return pb.TreePart(plan=tree_plan_to_proto(part))
        case FileStart():
            return pb.TreePart(file_start=pb.FileStart(name=part.name, size_bytes=part.size_bytes))
        case FileEnd():
            return pb.TreePart(file_end=pb.FileEnd(sha256=part.sha256))
        case Progress():
            return pb.TreePart(progress=part.share)
        case FileCopy():
            return pb.TreePart(file_copy=pb.FileCopy(name=part.name, size_bytes=part.size_bytes, sha256=part.sha256))
        case _:
            return pb.TreePart(chunk=part)
