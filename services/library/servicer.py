"""LibraryService over the core: wire in, one call, wire out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import structlog

from services.library.core.batch_orders import BatchOrders
from services.library.core.listing import TrackListing
from services.library.core.locations import PathMap
from services.library.core.scanner import DJLibraryScanner
from services.library.core.track_probes import TrackProbes
from services.library.core.track_search import TrackSearch
from stemhouse.platform.server import Service
from stemhouse.v1 import library_pb2 as pb
from stemhouse.v1.library_pb2_grpc import LibraryServiceServicer, add_LibraryServiceServicer_to_server
from stemhouse.wire.batches import (
    ITEM_STATES,
    batch_item_to_proto,
    batch_plan_to_proto,
    batch_spec_from_proto,
    batch_to_proto,
)
from stemhouse.wire.dj import clues_from_proto, found_track_to_proto
from stemhouse.wire.tracks import (
    LIBRARY_KINDS,
    crate_to_proto,
    probe_progress_to_proto,
    scan_progress_to_proto,
    track_page_to_proto,
)
from stemhouse.wire.validation import REQUEST_ID, FieldChecks

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["LibraryService"].full_name

_LOOK_S = 0.5
_HEARTBEAT_S = 5.0


@dataclass(frozen=True)
class LibraryParts:
    """What the methods call."""

    scanner: DJLibraryScanner
    listing: TrackListing
    probes: TrackProbes
    search: TrackSearch
    batches: BatchOrders


class LibraryServicer(LibraryServiceServicer):
    """See protos/stemhouse/v1/library.proto."""

    def __init__(self, parts: LibraryParts) -> None:
        """Keep what the methods call."""
        self._scanner = parts.scanner
        self._listing = parts.listing
        self._probes = parts.probes
        self._search = parts.search
        self._batches = parts.batches

    def ScanLibrary(
        self, request: pb.ScanLibraryRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ScanLibraryResponse]:
        """Scan a location; the scan ends with the call."""
        kind = LIBRARY_KINDS.from_proto("kind", request.kind)
        maps = [PathMap(path_map.from_prefix, path_map.to_prefix) for path_map in request.path_maps]
        for progress in self._scanner.scan(request.location, kind, maps):
            yield scan_progress_to_proto(progress)

    def ListTracks(self, request: pb.ListTracksRequest, context: grpc.ServicerContext) -> pb.ListTracksResponse:
        """List a page of the catalogue."""
        size, token, location = request.page_size, request.page_token, request.location
        if request.order != pb.TRACK_ORDER_PRIORITY:
            return track_page_to_proto(self._listing.page(size, token, location))
        is_crates_only = request.is_crates_only
        page = self._listing.ranked_page(size, token, location, request.crates, is_crates_only=is_crates_only)
        return track_page_to_proto(page)

    def ListCrates(self, request: pb.ListCratesRequest, context: grpc.ServicerContext) -> pb.ListCratesResponse:
        """List crates and playlists."""
        return pb.ListCratesResponse(crates=map(crate_to_proto, self._listing.crates(request.location)))

    def FindTracks(
        self, request: pb.FindTracksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.FindTracksResponse]:
        """Tell what is known of tracks, one after the other."""
        clues = clues_from_proto(request)
        for place, found in self._search.find(clues, request.program, with_cover_art=request.with_cover_art):
            yield found_track_to_proto(place, found)

    def ProbeTracks(
        self, request: pb.ProbeTracksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ProbeTracksResponse]:
        """Listen to tracks; ends with the call."""
        is_crates_only, limit = request.is_crates_only, request.limit
        for progress in self._probes.probe(
            request.location, request.crates, is_crates_only=is_crates_only, limit=limit
        ):
            yield probe_progress_to_proto(progress)

    def PlanBatch(self, request: pb.PlanBatchRequest, context: grpc.ServicerContext) -> pb.PlanBatchResponse:
        """Tell what a batch would do."""
        plan = self._batches.plan(batch_spec_from_proto(request.spec))
        return pb.PlanBatchResponse(plan=batch_plan_to_proto(plan))

    def StartBatch(self, request: pb.StartBatchRequest, context: grpc.ServicerContext) -> pb.StartBatchResponse:
        """Begin a batch."""
        checks = FieldChecks()
        checks.matches("request_id", request.request_id, REQUEST_ID)
        checks.done()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)
        batch = self._batches.start(request.request_id, batch_spec_from_proto(request.spec))
        return pb.StartBatchResponse(batch=batch_to_proto(batch))

    def GetBatch(self, request: pb.GetBatchRequest, context: grpc.ServicerContext) -> pb.GetBatchResponse:
        """Look at a batch."""
        return pb.GetBatchResponse(batch=batch_to_proto(self._batches.batch(request.batch_id)))

    def WatchBatch(
        self, request: pb.WatchBatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchBatchResponse]:
        """Follow a batch to its end, with a heartbeat where nothing changes."""
        sequence, told_at_s, is_final = request.after_sequence, 0.0, False
        while not is_final and context.is_active():
            batch = self._batches.batch(request.batch_id)
            is_final = batch.state.is_final
            if is_final or batch.sequence > sequence or time.monotonic() - told_at_s >= _HEARTBEAT_S:
                sequence, told_at_s = batch.sequence, time.monotonic()
                yield pb.WatchBatchResponse(batch=batch_to_proto(batch))
            time.sleep(0.0 if is_final else _LOOK_S)

    def ListBatches(self, request: pb.ListBatchesRequest, context: grpc.ServicerContext) -> pb.ListBatchesResponse:
        """List batches."""
        page = self._batches.batches(request.page_size, request.page_token)
        return pb.ListBatchesResponse(batches=map(batch_to_proto, page.batches), next_page_token=page.next_page_token)

    def ListBatchItems(
        self, request: pb.ListBatchItemsRequest, context: grpc.ServicerContext
    ) -> pb.ListBatchItemsResponse:
        """List the tracks of a batch."""
        states = [ITEM_STATES.from_proto("states", state) for state in request.states]
        page = self._batches.items(request.batch_id, states, request.page_size, request.page_token)
        return pb.ListBatchItemsResponse(
            items=map(batch_item_to_proto, page.items), next_page_token=page.next_page_token
        )

    def PauseBatch(self, request: pb.PauseBatchRequest, context: grpc.ServicerContext) -> pb.PauseBatchResponse:
        """Begin nothing new."""
        return pb.PauseBatchResponse(batch=batch_to_proto(self._batches.pause(request.batch_id)))

    def ResumeBatch(self, request: pb.ResumeBatchRequest, context: grpc.ServicerContext) -> pb.ResumeBatchResponse:
        """Go on."""
        return pb.ResumeBatchResponse(batch=batch_to_proto(self._batches.resume(request.batch_id)))

    def RetryBatch(self, request: pb.RetryBatchRequest, context: grpc.ServicerContext) -> pb.RetryBatchResponse:
        """Try again what failed."""
        return pb.RetryBatchResponse(batch=batch_to_proto(self._batches.retry(request.batch_id)))

    def CancelBatch(self, request: pb.CancelBatchRequest, context: grpc.ServicerContext) -> pb.CancelBatchResponse:
        """Stop a batch."""
        return pb.CancelBatchResponse(batch=batch_to_proto(self._batches.cancel(request.batch_id)))


def service(servicer: LibraryServicer, check_ready: Callable[[], None]) -> Service:
    """The servicer as a service that can be served."""
    return Service(SERVICE_NAME, lambda server: add_LibraryServiceServicer_to_server(servicer, server), check_ready)
