"""What the library service offers: scanning, listing, batches. Paths are those of its machine."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from stemhouse.batches import Batch, BatchItem, BatchPlan, BatchSpec, ItemState
from stemhouse.client.calls import JOB_PATIENCE_S, Calls, stream
from stemhouse.dj import FoundTrack, TrackClue
from stemhouse.errors import Unavailable
from stemhouse.tracks import Crate, LibraryKind, ProbeProgress, RankedTrack, ScanProgress, Track
from stemhouse.v1 import library_pb2 as pb
from stemhouse.v1.library_pb2_grpc import LibraryServiceStub
from stemhouse.wire.batches import (
    ITEM_STATES,
    batch_from_proto,
    batch_item_from_proto,
    batch_plan_from_proto,
    batch_spec_to_proto,
)
from stemhouse.wire.dj import MOST_CLUES, clue_to_proto, found_track_from_proto
from stemhouse.wire.tracks import (
    LIBRARY_KINDS,
    crate_from_proto,
    probe_progress_from_proto,
    ranked_page_from_proto,
    scan_progress_from_proto,
    track_page_from_proto,
)

SCAN_DEADLINE_S = 6 * 3600.0
PROBE_DEADLINE_S = 6 * 3600.0
FIND_DEADLINE_S = 3600.0  # covers are read out of the files
WATCH_DEADLINE_S = 3600.0  # of one stream: a longer batch is watched by another one
PLAN_DEADLINE_S = 600.0  # a plan looks at every file that was delivered before

_PAGE_SIZE = 500


class LibraryClient:
    """The library service as values; `Stemhouse.library` is one. Errors and patience are those of `Stemhouse`."""

    def __init__(self, stub: LibraryServiceStub, calls: Calls) -> None:
        """Nothing is called yet."""
        self._stub = stub
        self._calls = calls

    def scan(
        self, location: str, kind: LibraryKind = LibraryKind.AUTO, path_maps: Mapping[str, str] | None = None
    ) -> Iterator[ScanProgress]:
        """Read a location's tracks and crates into the catalogue; the last value is the outcome.

        `location` is an absolute path of a folder or of a DJ program's file, or `s3://bucket/prefix`. `path_maps` say
        where the library service finds what a DJ program on another machine calls otherwise, by prefix.
        """
        maps = [pb.PathMap(from_prefix=source, to_prefix=target) for source, target in (path_maps or {}).items()]
        request = pb.ScanLibraryRequest(location=location, kind=LIBRARY_KINDS.to_proto(kind), path_maps=maps)
        for response in stream(self._stub.ScanLibrary, request, SCAN_DEADLINE_S):
            yield scan_progress_from_proto(response)

    def tracks(self, location: str = "", page_size: int = _PAGE_SIZE) -> Iterator[Track]:
        """Tracks of a location (none given: all), by path, fetched page by page (1 to 1000)."""
        request = pb.ListTracksRequest(location=location, page_size=page_size)
        for page in self._track_pages(request):
            yield from track_page_from_proto(page).tracks

    def find_tracks(
        self, clues: Sequence[TrackClue], program: str = "", *, with_cover_art: bool = False
    ) -> Iterator[tuple[int, FoundTrack]]:
        """What is known of the tracks that stems were made of; with the place of the clue, in order.

        Of several programs that know a track `program` counts first: `serato`, `rekordbox` or `traktor`.
        """
        for start in range(0, len(clues), MOST_CLUES):
            some = map(clue_to_proto, clues[start : start + MOST_CLUES])
            request = pb.FindTracksRequest(clues=some, program=program, with_cover_art=with_cover_art)
            for response in stream(self._stub.FindTracks, request, FIND_DEADLINE_S):
                place, found = found_track_from_proto(response)
                yield start + place, found

    def ranked_tracks(
        self, location: str, crates: Sequence[str] = (), *, is_crates_only: bool = False
    ) -> Iterator[RankedTrack]:
        """Tracks of a location in the order in which a batch would take them, and why."""
        request = pb.ListTracksRequest(
            location=location,
            page_size=_PAGE_SIZE,
            order=pb.TRACK_ORDER_PRIORITY,
            crates=crates,
            is_crates_only=is_crates_only,
        )
        for page in self._track_pages(request):
            yield from ranked_page_from_proto(page).tracks

    def probe_tracks(
        self, location: str, crates: Sequence[str] = (), *, is_crates_only: bool = False, limit: int = 0
    ) -> Iterator[ProbeProgress]:
        """Listen to tracks of whose vocals nothing tells; `ranked_tracks` counts what was found.

        Those among the first 1 to 1000 (100 if `limit` is 0) in the order of work. Tells at the start and behind each.
        Each is uploaded for that, and its audio stays in the store until the track has been separated and delivered.
        """
        request = pb.ProbeTracksRequest(location=location, crates=crates, is_crates_only=is_crates_only, limit=limit)
        for response in stream(self._stub.ProbeTracks, request, PROBE_DEADLINE_S):
            yield probe_progress_from_proto(response)

    def _track_pages(self, request: pb.ListTracksRequest) -> Iterator[pb.ListTracksResponse]:
        while True:
            page = self._calls.call(self._stub.ListTracks, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def crates(self, location: str = "") -> list[Crate]:
        """Crates and playlists of a location (none given: all)."""
        response = self._calls.call(self._stub.ListCrates, pb.ListCratesRequest(location=location))
        return list(map(crate_from_proto, response.crates))

    def plan_batch(self, spec: BatchSpec) -> BatchPlan:
        """What a batch would do and take; starts nothing. Raises NotFound for a location that was not scanned."""
        request = pb.PlanBatchRequest(spec=batch_spec_to_proto(spec))
        return batch_plan_from_proto(self._calls.call(self._stub.PlanBatch, request, PLAN_DEADLINE_S).plan)

    def start_batch(self, spec: BatchSpec, request_id: str) -> Batch:
        """Begin to work through a location; the same `request_id` and spec give the same batch.

        Raises InvalidRequest if there is no room for it, EngineUnavailable if nobody has the engine.
        """
        request = pb.StartBatchRequest(request_id=request_id, spec=batch_spec_to_proto(spec))
        return batch_from_proto(self._calls.call(self._stub.StartBatch, request, PLAN_DEADLINE_S).batch)

    def batch(self, batch_id: str) -> Batch:
        """A batch as it stands. Raises NotFound."""
        return batch_from_proto(self._calls.call(self._stub.GetBatch, pb.GetBatchRequest(batch_id=batch_id)).batch)

    def watch_batch(self, batch_id: str) -> Iterator[Batch]:
        """The batch as it stands and after each change, until it is final; survives restarts of the library."""
        patience = self._calls.patience(JOB_PATIENCE_S)
        seen_sequence = 0
        while True:
            error = Unavailable(f"the library service stopped telling about batch {batch_id}")
            try:
                with closing(self._watch_once(batch_id, seen_sequence)) as batches:
                    for batch in batches:
                        patience.renew()
                        if batch.sequence > seen_sequence:
                            seen_sequence = batch.sequence
                            yield batch
                        if batch.state.is_final:
                            return
            except Unavailable as lost:
                error = lost
            patience.wait_or_raise(error)

    def _watch_once(self, batch_id: str, after_sequence: int) -> Generator[Batch, None, None]:
        request = pb.WatchBatchRequest(batch_id=batch_id, after_sequence=after_sequence)
        for response in stream(self._stub.WatchBatch, request, WATCH_DEADLINE_S):
            yield batch_from_proto(response.batch)

    def batches(self, page_size: int = 50) -> Iterator[Batch]:
        """Batches, newest first, fetched page by page (1 to 500)."""
        request = pb.ListBatchesRequest(page_size=page_size)
        while True:
            page = self._calls.call(self._stub.ListBatches, request)
            yield from map(batch_from_proto, page.batches)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def batch_items(self, batch_id: str, states: Iterable[ItemState] = ()) -> Iterator[BatchItem]:
        """Tracks of a batch in the order of work, those in the states (none given: in any). Raises NotFound."""
        request = pb.ListBatchItemsRequest(
            batch_id=batch_id, page_size=_PAGE_SIZE, states=map(ITEM_STATES.to_proto, states)
        )
        while True:
            page = self._calls.call(self._stub.ListBatchItems, request)
            yield from map(batch_item_from_proto, page.items)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def pause_batch(self, batch_id: str) -> Batch:
        """Begin nothing new; what is being separated is finished and delivered. Raises NotFound."""
        return batch_from_proto(self._calls.call(self._stub.PauseBatch, pb.PauseBatchRequest(batch_id=batch_id)).batch)

    def resume_batch(self, batch_id: str) -> Batch:
        """Go on with a paused batch. Raises NotFound."""
        return batch_from_proto(
            self._calls.call(self._stub.ResumeBatch, pb.ResumeBatchRequest(batch_id=batch_id)).batch
        )

    def retry_batch(self, batch_id: str) -> Batch:
        """Try the failed and cancelled tracks again. Raises NotFound."""
        return batch_from_proto(self._calls.call(self._stub.RetryBatch, pb.RetryBatchRequest(batch_id=batch_id)).batch)

    def cancel_batch(self, batch_id: str) -> Batch:
        """Stop a batch and its jobs; delivered files stay. Raises NotFound."""
        return batch_from_proto(
            self._calls.call(self._stub.CancelBatch, pb.CancelBatchRequest(batch_id=batch_id)).batch
        )
