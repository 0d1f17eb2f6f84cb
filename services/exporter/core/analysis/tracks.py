"""What a track is to musicians, heard from its samples."""

import numpy as np

from services.exporter.core.analysis.grids import HeardTrack, find_grid
from services.exporter.core.analysis.keys import chroma_of, find_key
from services.exporter.core.analysis.onsets import SILENCE, find_onsets
from services.exporter.core.analysis.sections import find_sections
from services.exporter.core.analysis.signals import RATE_HZ, AnalysisAudio, Signal, heard
from stemhouse.analysis import AnalysisHints, TrackAnalysis

LONGEST_ANALYSED_S = 30 * 60.0
"""Longer audio is a mix or a radio show: it has no one grid and no one key."""
_BEGUN = 0.01
"""Of the peak: 40 dB below it, a track has begun."""
TOO_LONG = f"longer than {LONGEST_ANALYSED_S / 60:g} minutes: a mix has no one beat and no one key"
SHORTEST_ANALYSED_S = 6.0
"""Shorter audio has too few beats to tell them from chance."""


class TrackAnalyzer:
    """Hears beats, key and parts; the same samples and hints give the same answer."""

    def analyze(self, audio: AnalysisAudio, hints: AnalysisHints) -> TrackAnalysis:
        """Never fails for what it hears: what was not found is None, and the note says why."""
        reason = _unheard(audio)
        if reason:
            return TrackAnalysis(audio.duration_s, None, None, note=reason)
        mix = heard(audio.mix, audio.sample_rate_hz)
        drums = None if audio.drums is None else heard(audio.drums, audio.sample_rate_hz)
        return _analysis(audio.duration_s, mix, drums if drums is not None and _is_audible(drums) else None, hints)


def _unheard(audio: AnalysisAudio) -> str:
    """Why there is nothing to be heard, or an empty text."""
    if audio.duration_s > LONGEST_ANALYSED_S:
        return TOO_LONG
    if audio.duration_s < SHORTEST_ANALYSED_S:
        return f"shorter than {SHORTEST_ANALYSED_S:g} s, the least that has a beat to be trusted"
    if not _is_audible(np.nan_to_num(audio.mix, posinf=0.0, neginf=0.0)):
        return "silent"
    return ""


def _is_audible(signal: Signal) -> bool:
    return bool(np.max(np.abs(signal)) > SILENCE)


def _begins_s(mix: Signal) -> float:
    level = np.abs(mix)
    return float(np.argmax(level > _BEGUN * np.max(level))) / RATE_HZ


def _analysis(duration_s: float, mix: Signal, drums: Signal | None, hints: AnalysisHints) -> TrackAnalysis:
    chroma = chroma_of(mix if drums is None else mix - drums)
    onsets = find_onsets(mix if drums is None else drums)
    grid = find_grid(HeardTrack(onsets, chroma, duration_s, _begins_s(mix)), hints)
    key = find_key(chroma)
    if grid is None:
        return TrackAnalysis(duration_s, None, key, note="no beat to be trusted was heard")
    sections = find_sections(mix, chroma, grid)
    return TrackAnalysis(duration_s, grid, key, sections, "" if key else "no key to be trusted was heard")
