"""What the exporter's production tools compute with, as simple as can be, and a server of them all."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import grpc
import numpy as np
from structlog.testing import capture_logs

from services.exporter.core.ableton.model import LiveSet
from services.exporter.core.ableton.profiles import LIVE_11, LiveProfile
from services.exporter.core.analysis.signals import AnalysisAudio
from services.exporter.core.production.ports import FloatBlock
from services.exporter.core.production.uploads import StemUploads
from services.exporter.main import exporter_parts
from services.exporter.servicer import ExporterServicer, service
from stemhouse.analysis import AnalysisHints, BeatGrid, GridMarker, MusicalKey, TrackAnalysis
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.ports import ObjectStore
from stemhouse.v1.library_pb2_grpc import add_LibraryServiceServicer_to_server
from tests.fakes_library import FakeLibrary

TODAY = date(2026, 3, 2)


class FakeAnalyzer:
    """120 BPM, or what the hints say, from the first frame on; with `is_beatless` none. `heard` keeps what came."""

    def __init__(self) -> None:
        self.heard: list[AnalysisAudio] = []
        self.is_beatless = False

    def analyze(self, audio: AnalysisAudio, hints: AnalysisHints) -> TrackAnalysis:
        """See Analyzer.analyze."""
        self.heard.append(audio)
        bpm = hints.bpm or 120.0
        grid = None if self.is_beatless else BeatGrid(bpm, (GridMarker(0.0, 0.0),), bpm)
        return TrackAnalysis(len(audio.mix) / audio.sample_rate_hz, grid, MusicalKey("Am", "8A", 0.5), note="fake")


class FakeSets:
    """What a set is to hold, as text; `built` keeps what sets for Live 11 were to hold."""

    def __init__(self) -> None:
        self.built: list[LiveSet] = []

    def build(self, live_set: LiveSet, profile: LiveProfile) -> bytes:
        """See SetBuilder.build."""
        if profile is LIVE_11:
            self.built.append(live_set)
        return gzip.compress(repr((live_set, profile)).encode(), mtime=0)


class NearestFrames:
    """A stretcher that changes the pitch, too."""

    def stretch(self, samples: FloatBlock, sample_rate_hz: int, ratio: float) -> FloatBlock:
        """See Stretcher.stretch."""
        count = round(len(samples) * ratio)
        chosen: FloatBlock = samples[np.minimum((np.arange(count) / ratio).astype(int), len(samples) - 1)]
        return chosen


class FakeTools:
    """All of them."""

    def __init__(self) -> None:
        self.analyzer = FakeAnalyzer()
        self.sets = FakeSets()


@contextmanager
def serve_exporter(
    store: ObjectStore, scratch_dir: Path, tools: FakeTools, library: FakeLibrary | None = None, port: int = 0
) -> Iterator[str]:
    """The exporter on a free port, wired as `main` does, and a library beside it; gives its address."""
    parts = exporter_parts(
        store,
        StemUploads(store, lambda: TODAY),
        scratch_dir,
        10_000_000,
        analyzer=tools.analyzer,
        set_builder=tools.sets,
        stretcher=NearestFrames(),
    )
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[RpcInterceptor()])
    service(ExporterServicer(lambda: parts), lambda: None).register(server)
    if library:
        add_LibraryServiceServicer_to_server(library, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    with capture_logs():  # a server's log lines would mix with what the test's own process prints
        yield f"127.0.0.1:{port}"
    server.stop(0).wait()
