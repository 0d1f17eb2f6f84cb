"""Analyses as they are stored: JSON, with what they were told beforehand."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stemhouse.analysis import (
    AnalysisHints,
    BeatGrid,
    GridMarker,
    GridSource,
    MusicalKey,
    Section,
    TrackAnalysis,
)


def analysis_to_json(analysis: TrackAnalysis, hints: AnalysisHints, version: int) -> bytes:
    """The record; raises ValueError for figures that are not finite."""
    document = {"version": version, "hints": asdict(hints), "analysis": asdict(analysis)}
    return json.dumps(document, allow_nan=False).encode()


def analysis_from_json(data: bytes, hints: AnalysisHints, version: int) -> TrackAnalysis | None:
    """What the record tells, if it was made by this version from these hints; None otherwise."""
    try:
        document = json.loads(data)
        if document["version"] != version or _hints(document["hints"]) != hints:
            return None
        return _analysis(document["analysis"])
    except (ValueError, KeyError, TypeError):
        return None  # damaged, or of another time: it is made again


def _hints(fields: Mapping[str, Any]) -> AnalysisHints:
    return AnalysisHints(fields["bpm"], fields["genre"], _grid(fields["grid"]))


def _analysis(fields: Mapping[str, Any]) -> TrackAnalysis:
    return TrackAnalysis(
        duration_s=fields["duration_s"],
        grid=_grid(fields["grid"]),
        key=MusicalKey(**fields["key"]) if fields["key"] else None,
        sections=tuple(Section(**section) for section in fields["sections"]),
        note=fields["note"],
    )


def _grid(fields: Mapping[str, Any] | None) -> BeatGrid | None:
    if fields is None:
        return None
    return BeatGrid(
        bpm=fields["bpm"],
        markers=tuple(GridMarker(**marker) for marker in fields["markers"]),
        end_bpm=fields["end_bpm"],
        beats_per_bar=fields["beats_per_bar"],
        source=GridSource(fields["source"]),
    )
