"""LibraryService over the core: wire in, one call, wire out."""

from collections.abc import Callable, Iterator

import grpc

from services.library.core.listing import TrackListing
from services.library.core.scanner import DJLibraryScanner
from stemhouse.platform.server import Service
from stemhouse.v1 import library_pb2 as pb
from stemhouse.v1.library_pb2_grpc import LibraryServiceServicer, add_LibraryServiceServicer_to_server
from stemhouse.wire.tracks import scan_progress_to_proto, track_page_to_proto

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["LibraryService"].full_name


class LibraryServicer(LibraryServiceServicer):
    """See protos/stemhouse/v1/library.proto."""

    def __init__(self, scanner: DJLibraryScanner, listing: TrackListing) -> None:
        """Keep what the methods call."""
        self._scanner = scanner
        self._listing = listing

    def ScanLibrary(
        self, request: pb.ScanLibraryRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ScanLibraryResponse]:
        """Scan a folder; the scan ends with the call."""
        for progress in self._scanner.scan(request.folder):
            yield scan_progress_to_proto(progress)

    def ListTracks(self, request: pb.ListTracksRequest, context: grpc.ServicerContext) -> pb.ListTracksResponse:
        """List a page of the catalogue."""
        return track_page_to_proto(self._listing.page(request.page_size, request.page_token, request.folder))


def service(servicer: LibraryServicer, check_ready: Callable[[], None]) -> Service:
    """The servicer as a service that can be served."""
    return Service(SERVICE_NAME, lambda server: add_LibraryServiceServicer_to_server(servicer, server), check_ready)
