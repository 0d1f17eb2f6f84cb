"""What the exporter makes of folders of stems: analyses, Live sets, stretched stems, chops."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stemhouse.analysis import TrackAnalysis
from stemhouse.client.calls import CALL_PATIENCE_S, JOB_PATIENCE_S, Calls, transfer_deadline_s
from stemhouse.client.files import read_chunks
from stemhouse.client.stem_folders import LocalStems
from stemhouse.client.trees import Made, receive_tree
from stemhouse.platform.status import rpc_errors
from stemhouse.production import AbletonOptions, ChopOptions, StemFile, StretchOptions
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.v1.exporter_pb2_grpc import ExporterServiceStub
from stemhouse.wire.analysis import analysis_from_proto
from stemhouse.wire.production import (
    ableton_request_to_proto,
    chop_options_to_proto,
    folder_to_proto,
    stem_file_to_proto,
    stretch_request_to_proto,
)

ANALYSIS_DEADLINE_S = 3600.0
_LARGEST_GROWTH = 8
"""Of a tree against the files that it is made of: FLAC to float, twice as long, with the original beside it."""


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

    def stretch(self, stems: LocalStems, options: StretchOptions, output_dir: Path) -> Made:
        """Write stems of another length below `output_dir`.

        Raises InvalidRequest for a length out of range, or for a tempo if that of the track is not known.
        """
        return self._make([stems], self._stub.StretchStems, stretch_request_to_proto(stems.folder, options), output_dir)

    def create_chops(self, stems: LocalStems, options: ChopOptions, output_dir: Path) -> Made:
        """Cut a stem into pieces and write them, with their index, below `output_dir`."""
        request = pb.CreateVocalChopsRequest(
            folder=folder_to_proto(stems.folder), options=chop_options_to_proto(options)
        )
        return self._make([stems], self._stub.CreateVocalChops, request, output_dir)

    def _make(self, songs: Sequence[LocalStems], method: Callable[..., Any], request: Any, output_dir: Path) -> Made:
        for song in songs:
            self._upload_missing(song)
        size_bytes = sum(file.size_bytes for song in songs for file in song.folder.files)
        deadline_s = transfer_deadline_s(_LARGEST_GROWTH * size_bytes)

        def attempt() -> Made:
            with rpc_errors():
                return receive_tree(method(request, timeout=deadline_s), output_dir)

        return self._calls.patiently(attempt, JOB_PATIENCE_S)

    def _upload_missing(self, stems: LocalStems) -> None:
        request = pb.FindStemsRequest(folder=folder_to_proto(stems.folder))
        for stem in self._calls.call(self._stub.FindStems, request).missing_stems:
            file = stems.folder.file(stem)
            if file:
                self._calls.patiently(partial(self._upload, file, stems.files[stem]), CALL_PATIENCE_S)

    def _upload(self, file: StemFile, path: Path) -> None:
        with rpc_errors():
            self._stub.UploadStem(_upload_requests(file, path), timeout=transfer_deadline_s(file.size_bytes))


def _upload_requests(file: StemFile, path: Path) -> Iterator[pb.UploadStemRequest]:
    yield pb.UploadStemRequest(file=stem_file_to_proto(file))
    for chunk in read_chunks(path):
        yield pb.UploadStemRequest(chunk=chunk)
