"""Analyses of folders: each made once and kept in the store."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Protocol

from services.exporter.core.analysis.signals import AnalysisAudio, Signal
from services.exporter.core.analysis.tracks import LONGEST_ANALYSED_S, TOO_LONG
from services.exporter.core.production.folders import OpenFolder, StemFolders, is_untouched, sounding
from services.exporter.core.production.ports import Downmixer, FloatBlock, IsWanted
from services.exporter.core.production.records import analysis_from_json, analysis_to_json
from stemhouse.analysis import AnalysisHints, TrackAnalysis
from stemhouse.errors import NotFound
from stemhouse.ports import ObjectStore
from stemhouse.production import StemFolder
from stemhouse.vocab import DRUMS

ANALYSIS_RATE_HZ = 22_050
ANALYSIS_VERSION = 3
"""Grows when an analysis finds other things in the same audio."""

PREFIX = "analysis"


class Analyzer(Protocol):
    """Finds beats, key and parts in what it hears."""

    def analyze(self, audio: AnalysisAudio, hints: AnalysisHints) -> TrackAnalysis:
        """What was found; the same audio and hints give the same."""


class Analyses:
    """Makes analyses, or finds them."""

    def __init__(self, store: ObjectStore, folders: StemFolders, downmixer: Downmixer, analyzer: Analyzer) -> None:
        """Keep what it works with."""
        self._store = store
        self._folders = folders
        self._downmixer = downmixer
        self._analyzer = analyzer

    def analyze(self, folder: StemFolder, is_wanted: IsWanted) -> TrackAnalysis:
        """The folder's analysis. Raises what StemFolders raises."""
        known = self._known(folder)
        if known:
            return known
        with self._folders.open(folder, is_wanted) as audio:
            return self._make(folder, audio)

    def of(self, folder: StemFolder, audio: OpenFolder) -> TrackAnalysis:
        """The analysis of a folder that is open."""
        return self._known(folder) or self._make(folder, audio)

    def _known(self, folder: StemFolder) -> TrackAnalysis | None:
        records = (self._read(key) for key in _keys(folder))
        found = (analysis_from_json(data, folder.hints, ANALYSIS_VERSION) for data in records if data)
        return next((analysis for analysis in found if analysis), None)

    def _read(self, key: str) -> bytes | None:
        try:
            return b"".join(self._store.read(key))
        except NotFound:
            return None

    def _make(self, folder: StemFolder, audio: OpenFolder) -> TrackAnalysis:
        if audio.shape.duration_s > LONGEST_ANALYSED_S:  # nor is so much held in memory
            return TrackAnalysis(audio.shape.duration_s, None, None, note=TOO_LONG)
        drums = audio.stems.get(DRUMS)
        heard = AnalysisAudio(
            ANALYSIS_RATE_HZ,
            self._mono(audio, audio.original()),
            self._mono(audio, drums.read()) if drums else None,
        )
        analysis = replace(self._analyzer.analyze(heard, folder.hints), duration_s=audio.shape.duration_s)
        # The source's own digest stands for what is heard of the whole song, in the mix and in its drums.
        key = _keys(folder)[0 if audio.mix else -1]
        self._store.put(key, BytesIO(analysis_to_json(analysis, folder.hints, ANALYSIS_VERSION)))
        return analysis

    def _mono(self, audio: OpenFolder, blocks: Iterator[FloatBlock]) -> Signal:
        return self._downmixer.mono(blocks, audio.shape.sample_rate_hz, ANALYSIS_RATE_HZ)


def _keys(folder: StemFolder) -> tuple[str, ...]:
    """Where an analysis may be: under the digest of the source's samples, and under that of the files."""
    stems = sounding(file.stem for file in folder.files)
    digests = [f"{file.stem} {file.sha256}" for file in folder.files if file.stem in stems]
    of_files = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
    is_whole = is_untouched(folder) and DRUMS in stems
    of_source = [folder.result.stem_set.audio.pcm_sha256] if folder.result and is_whole else []
    return tuple(f"{PREFIX}/{digest}.json" for digest in (*of_source, of_files))
