"""A library service that answers as a test says and remembers what it was asked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import grpc

from stemhouse.batches import Batch, BatchCounts, BatchItem, BatchPlan, BatchSpec, BatchState
from stemhouse.dj import FoundTrack
from stemhouse.errors import NotFound, StemhouseError
from stemhouse.tracks import Crate, ProbeProgress, RankedPage, RankedTrack, ScanProgress, Track, TrackPage
from stemhouse.v1 import library_pb2 as pb
from stemhouse.v1.library_pb2_grpc import LibraryServiceServicer
from stemhouse.wire.batches import (
    batch_item_to_proto,
    batch_plan_to_proto,
    batch_spec_from_proto,
    batch_to_proto,
)
from stemhouse.wire.dj import found_track_to_proto
from stemhouse.wire.tracks import (
    crate_to_proto,
    probe_progress_to_proto,
    scan_progress_to_proto,
    track_page_to_proto,
)


class FakeLibrary(LibraryServiceServicer):
    """Reports, tracks and batches as the test says; two tracks a page.

    A batch that is started goes through `course`. Pause, resume, retry and cancel put it into a state and are kept in
    `orders`.
    """

    def __init__(self) -> None:
        self.locations: list[str] = []
        self.scans: list[pb.ScanLibraryRequest] = []
        self.reports: list[ScanProgress] = [ScanProgress(found_count=3, added_count=3, is_complete=True)]
        self.tracks: list[Track] = []
        self.probes: list[pb.ProbeTracksRequest] = []
        self.probe_reports = [ProbeProgress(0, 1), ProbeProgress(1, 1)]
        self.crates: list[Crate] = []
        self.searches: list[pb.FindTracksRequest] = []
        self.found = dict[str, FoundTrack]()
        self.plan = BatchPlan(3, 0, 600.0, None, 0.0, ())
        self.refusal: StemhouseError | None = None
        self.specs: list[BatchSpec] = []
        self.course = [
            (BatchState.RUNNING, BatchCounts(waiting=3)),
            (BatchState.RUNNING, BatchCounts(waiting=1, active=1, done=1)),
            (BatchState.DONE, BatchCounts(done=3)),
        ]
        self.items: list[BatchItem] = []
        self.orders: list[tuple[str, str]] = []
        self.batches: dict[str, Batch] = {}

    def ScanLibrary(
        self, request: pb.ScanLibraryRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ScanLibraryResponse]:
        """Send the reports."""
        self.scans.append(request)
        self.locations.append(request.location)
        yield from map(scan_progress_to_proto, self.reports)

    def ListTracks(self, request: pb.ListTracksRequest, context: grpc.ServicerContext) -> pb.ListTracksResponse:
        """A page."""
        self.locations.append(request.location)
        start = int(request.page_token or 0)
        token = str(start + 2) if start + 2 < len(self.tracks) else ""
        tracks = tuple(self.tracks[start : start + 2])
        if request.order == pb.TRACK_ORDER_PRIORITY:
            reasons = tuple(f'crate "{name}"' for name in request.crates)
            ranked = tuple(RankedTrack(start + index, track, reasons) for index, track in enumerate(tracks, 1))
            return track_page_to_proto(RankedPage(ranked, token, len(self.tracks)))
        return track_page_to_proto(TrackPage(tracks, token, len(self.tracks)))

    def FindTracks(
        self, request: pb.FindTracksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.FindTracksResponse]:
        """Those of `found`, by the names of their files."""
        self.searches.append(request)
        for place, clue in enumerate(request.clues):
            if clue.file_name in self.found:
                yield found_track_to_proto(place, self.found[clue.file_name])

    def ProbeTracks(
        self, request: pb.ProbeTracksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ProbeTracksResponse]:
        """Send the reports."""
        self.probes.append(request)
        yield from map(probe_progress_to_proto, self.probe_reports)

    def ListCrates(self, request: pb.ListCratesRequest, context: grpc.ServicerContext) -> pb.ListCratesResponse:
        """All of them."""
        return pb.ListCratesResponse(crates=map(crate_to_proto, self.crates))

    def PlanBatch(self, request: pb.PlanBatchRequest, context: grpc.ServicerContext) -> pb.PlanBatchResponse:
        """The plan."""
        self.specs.append(batch_spec_from_proto(request.spec))
        return pb.PlanBatchResponse(plan=batch_plan_to_proto(self.plan))

    def StartBatch(self, request: pb.StartBatchRequest, context: grpc.ServicerContext) -> pb.StartBatchResponse:
        """A new batch at the start of its course, or the refusal."""
        if self.refusal:
            raise self.refusal
        self.specs.append(batch_spec_from_proto(request.spec))
        batch_id = f"batch-{len(self.batches) + 1}"
        state, counts = self.course[0]
        started = datetime(2026, 1, 2, tzinfo=UTC)
        self.batches[batch_id] = Batch(batch_id, request.request_id, self.specs[-1], state, started, counts)
        return pb.StartBatchResponse(batch=batch_to_proto(self.batches[batch_id]))

    def GetBatch(self, request: pb.GetBatchRequest, context: grpc.ServicerContext) -> pb.GetBatchResponse:
        """A batch."""
        return pb.GetBatchResponse(batch=batch_to_proto(self._batch(request.batch_id)))

    def WatchBatch(
        self, request: pb.WatchBatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchBatchResponse]:
        """The rest of its course."""
        for state, counts in self.course:
            batch = self._batch(request.batch_id)
            self.batches[batch.batch_id] = replace(batch, state=state, counts=counts, sequence=batch.sequence + 1)
            yield pb.WatchBatchResponse(batch=batch_to_proto(self.batches[batch.batch_id]))

    def ListBatches(self, request: pb.ListBatchesRequest, context: grpc.ServicerContext) -> pb.ListBatchesResponse:
        """All of them."""
        return pb.ListBatchesResponse(batches=map(batch_to_proto, self.batches.values()))

    def ListBatchItems(
        self, request: pb.ListBatchItemsRequest, context: grpc.ServicerContext
    ) -> pb.ListBatchItemsResponse:
        """All of them, one a page."""
        self._batch(request.batch_id)
        start = int(request.page_token or 0)
        token = str(start + 1) if start + 1 < len(self.items) else ""
        return pb.ListBatchItemsResponse(
            items=map(batch_item_to_proto, self.items[start : start + 1]), next_page_token=token
        )

    def PauseBatch(self, request: pb.PauseBatchRequest, context: grpc.ServicerContext) -> pb.PauseBatchResponse:
        """PAUSED."""
        return pb.PauseBatchResponse(batch=self._ordered("pause", request.batch_id, BatchState.PAUSED))

    def ResumeBatch(self, request: pb.ResumeBatchRequest, context: grpc.ServicerContext) -> pb.ResumeBatchResponse:
        """RUNNING."""
        return pb.ResumeBatchResponse(batch=self._ordered("resume", request.batch_id, BatchState.RUNNING))

    def RetryBatch(self, request: pb.RetryBatchRequest, context: grpc.ServicerContext) -> pb.RetryBatchResponse:
        """RUNNING."""
        return pb.RetryBatchResponse(batch=self._ordered("retry", request.batch_id, BatchState.RUNNING))

    def CancelBatch(self, request: pb.CancelBatchRequest, context: grpc.ServicerContext) -> pb.CancelBatchResponse:
        """CANCELLED."""
        return pb.CancelBatchResponse(batch=self._ordered("cancel", request.batch_id, BatchState.CANCELLED))

    def _ordered(self, order: str, batch_id: str, state: BatchState) -> pb.Batch:
        self.orders.append((order, batch_id))
        self.batches[batch_id] = replace(self._batch(batch_id), state=state)
        return batch_to_proto(self.batches[batch_id])

    def _batch(self, batch_id: str) -> Batch:
        if batch_id not in self.batches:
            message = f"no batch {batch_id}"
            raise NotFound(message)
        return self.batches[batch_id]
