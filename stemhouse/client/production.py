"""What the exporter makes of folders of stems: analyses, Live sets, stretched stems, chops, files for DJs."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stemhouse.analysis import TrackAnalysis
from stemhouse.client.calls import JOB_PATIENCE_S, Calls, transfer_deadline_s
from stemhouse.client.documents import Documents, receive_documents
from stemhouse.client.files import read_chunks
from stemhouse.client.stem_folders import LocalStems
from stemhouse.client.trees import Made, OnProgress, WatchedStream, nobody_watches, receive_tree
from stemhouse.dj import DJCollection, DJOrder, OrganizeOptions, PlaylistOptions, StemFileOptions
from stemhouse.platform.status import rpc_errors
from stemhouse.production import AbletonOptions, ChopOptions, StemFile, StretchOptions
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.v1.exporter_pb2_grpc import ExporterServiceStub
from stemhouse.wire.analysis import analysis_from_proto
from stemhouse.wire.dj import organize_request_to_proto, playlists_requests_to_proto, stem_file_request_to_proto
from stemhouse.wire.production import (
    ableton_request_to_proto,
    chop_options_to_proto,
    folder_to_proto,
    stem_file_to_proto,
    stretch_request_to_proto,
)

ANALYSIS_DEADLINE_S = 3600.0
LISTS_DEADLINE_S = 600.0  # tens of thousands of files take a minute to be written down
_LARGEST_GROWTH = 8
"""Of a tree against the files that it is made of: FLAC to float, twice as long, with the original beside it."""
DJ_LABEL = "dj"
"""Of what is not finished of files and lists for DJs; see `discard_unfinished`."""
_NO_ORDER = DJOrder()


class ProductionClient:
    """The production tools as values; `Stemhouse.production` is one. Errors and patience are those of `Stemhouse`.

    What the store does not hold of a folder is uploaded first. A folder that is there is never written to: what is
    made goes to a new one, "name (2)" and so on, unless one holds it unchanged.
    """

    def __init__(self, stub: ExporterServiceStub, calls: Calls) -> None:
        """Nothing is called yet."""
        self._stub = stub
        self._calls = calls

    def analyze(self, stems: LocalStems) -> TrackAnalysis:
        """Beats, key and parts of a track."""
        self._upload_missing(stems)
        request = pb.AnalyzeTrackRequest(folder=folder_to_proto(stems.folder))
        return analysis_from_proto(self._calls.call(self._stub.AnalyzeTrack, request, ANALYSIS_DEADLINE_S).analysis)

    def export_ableton(self, songs: Sequence[LocalStems], options: AbletonOptions, output_dir: Path) -> Made:
        """Write a project of Ableton Live below `output_dir`: a group of tracks for each song, in one tempo."""
        request = ableton_request_to_proto([song.folder for song in songs], options)
        return self._make(songs, self._stub.ExportAbleton, request, output_dir)

    def stretch(
        self,
        stems: LocalStems,
        options: StretchOptions,
        output_dir: Path,
        on_progress: OnProgress = nobody_watches,
    ) -> Made:
        """Write stems of another length below `output_dir`; `on_progress` is told how far it is.

        Raises InvalidRequest for a length out of range, or for a tempo if that of the track is not known.
        """

        def method(request: pb.StretchStemsRequest, timeout: float) -> WatchedStream:
            return WatchedStream(self._stub.StretchStems(request, timeout=timeout), on_progress)

        return self._make([stems], method, stretch_request_to_proto(stems.folder, options), output_dir)

    def create_chops(self, stems: LocalStems, options: ChopOptions, output_dir: Path) -> Made:
        """Cut a stem into pieces and write them, with their index, below `output_dir`."""
        request = pb.CreateVocalChopsRequest(
            folder=folder_to_proto(stems.folder), options=chop_options_to_proto(options)
        )
        return self._make([stems], self._stub.CreateVocalChops, request, output_dir)

    def organize(
        self, stems: LocalStems, options: OrganizeOptions, output_dir: Path, order: DJOrder = _NO_ORDER
    ) -> Made:
        """Write tagged files of single stems below `output_dir`, unless they are there, edited or not."""
        request = organize_request_to_proto(stems.folder, options, order)
        return self._make([stems], self._stub.OrganizeStems, request, output_dir, is_for_djs=True)

    def export_stem_file(
        self, stems: LocalStems, options: StemFileOptions, output_dir: Path, order: DJOrder = _NO_ORDER
    ) -> Made:
        """Write a stem file below `output_dir`, unless it is there, edited or not."""
        request = stem_file_request_to_proto(stems.folder, options, order)
        return self._make([stems], self._stub.ExportStemFile, request, output_dir, is_for_djs=True)

    def export_playlists(self, collection: DJCollection, options: PlaylistOptions, output_dir: Path) -> Documents:
        """Write what makes files known to a DJ program into `output_dir`.

        What was written before is replaced, what somebody else has written or edited is not.
        """

        def attempt() -> Documents:
            requests = playlists_requests_to_proto(collection, options)
            with rpc_errors():
                responses = self._stub.ExportPlaylists(requests, timeout=LISTS_DEADLINE_S)
                return receive_documents(responses, output_dir, DJ_LABEL)

        return self._calls.patiently(attempt, JOB_PATIENCE_S)

    def _make(
        self,
        songs: Sequence[LocalStems],
        method: Callable[..., Any],
        request: Any,
        output_dir: Path,
        *,
        is_for_djs: bool = False,
    ) -> Made:
        for song in songs:
            self._upload_missing(song)
        size_bytes = sum(file.size_bytes for song in songs for file in song.folder.files)
        deadline_s = transfer_deadline_s(_LARGEST_GROWTH * size_bytes)
        own_files = {file.sha256: song.files[file.stem] for song in songs for file in song.folder.files}

        def attempt() -> Made:
            with rpc_errors():
                stream = method(request, timeout=deadline_s)
                label = DJ_LABEL if is_for_djs else ""
                return receive_tree(stream, output_dir, own_files, accepts_edits=is_for_djs, label=label)

        return self._calls.patiently(attempt, JOB_PATIENCE_S)

    def _upload_missing(self, stems: LocalStems) -> None:
        """As patient as what comes after it: a service that is started again under load takes its time."""
        request = pb.FindStemsRequest(folder=folder_to_proto(stems.folder))
        for stem in self._calls.call(self._stub.FindStems, request, patience_s=JOB_PATIENCE_S).missing_stems:
            file = stems.folder.file(stem)
            if file:
                self._calls.patiently(partial(self._upload, file, stems.files[stem]), JOB_PATIENCE_S)

    def _upload(self, file: StemFile, path: Path) -> None:
        with rpc_errors():
            self._stub.UploadStem(_upload_requests(file, path), timeout=transfer_deadline_s(file.size_bytes))


def _upload_requests(file: StemFile, path: Path) -> Iterator[pb.UploadStemRequest]:
    yield pb.UploadStemRequest(file=stem_file_to_proto(file))
    for chunk in read_chunks(path):
        yield pb.UploadStemRequest(chunk=chunk)
