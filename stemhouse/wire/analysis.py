"""stemhouse/v1/production.proto <-> stemhouse.analysis."""

from itertools import pairwise
from math import inf, isfinite, nextafter

from stemhouse.analysis import (
    HIGHEST_BPM,
    SECONDS_PER_MINUTE,
    AnalysisHints,
    BeatGrid,
    GridMarker,
    GridSource,
    MusicalKey,
    Section,
    TrackAnalysis,
)
from stemhouse.v1 import production_pb2 as pb
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.validation import FieldChecks

MOST_MARKERS = 100_000
LONGEST_GENRE = 256

GRID_SOURCES = EnumTable(
    {
        GridSource.AUDIO: pb.GRID_SOURCE_AUDIO,
        GridSource.TAG: pb.GRID_SOURCE_TAG,
        GridSource.DJ_PROGRAM: pb.GRID_SOURCE_DJ_PROGRAM,
    }
)


def grid_to_proto(grid: BeatGrid) -> pb.BeatGrid:
    """Value to message."""
    return pb.BeatGrid(
        bpm=grid.bpm,
        markers=[pb.GridMarker(time_s=marker.time_s, beat=marker.beat) for marker in grid.markers],
        end_bpm=grid.end_bpm,
        beats_per_bar=grid.beats_per_bar,
        source=GRID_SOURCES.to_proto(grid.source),
    )


def grid_from_proto(message: pb.BeatGrid) -> BeatGrid:
    """Message to value; raises InvalidRequest for what is no map of beats."""
    markers = tuple(GridMarker(marker.time_s, marker.beat) for marker in message.markers)
    checks = FieldChecks()
    for field, bpm in (("grid.bpm", message.bpm), ("grid.end_bpm", message.end_bpm)):
        checks.require(field, holds=0.0 < bpm <= HIGHEST_BPM, because=f"must be above 0 and at most {HIGHEST_BPM}")
    checks.within("grid.beats_per_bar", message.beats_per_bar, 1, 32)
    checks.within("grid.markers", len(markers), 1, MOST_MARKERS)
    checks.require("grid.markers", holds=_are_in_order(markers), because="must be finite and strictly increase")
    checks.require(
        "grid.markers", holds=_are_playable(markers), because=f"must be at most {HIGHEST_BPM} beats a minute"
    )
    checks.require("grid.markers", holds=not markers or markers[0].beat == 0.0, because="must begin with beat 0")
    checks.done()
    source = GRID_SOURCES.from_proto("grid.source", message.source)
    return BeatGrid(message.bpm, markers, message.end_bpm, message.beats_per_bar, source)


def _are_in_order(markers: tuple[GridMarker, ...]) -> bool:
    is_finite = all(isfinite(marker.time_s) and isfinite(marker.beat) for marker in markers)
    return is_finite and all(one.time_s < two.time_s and one.beat < two.beat for one, two in pairwise(markers))


def _are_playable(markers: tuple[GridMarker, ...]) -> bool:
    """Whoever lists the beats of a track would fill all memory."""
    steps = ((two.beat - one.beat, two.time_s - one.time_s) for one, two in pairwise(markers))
    return all(beats <= HIGHEST_BPM / SECONDS_PER_MINUTE * length_s for beats, length_s in steps)


def hints_to_proto(hints: AnalysisHints) -> pb.AnalysisHints:
    """Value to message."""
    grid = grid_to_proto(hints.grid) if hints.grid else None
    return pb.AnalysisHints(bpm=hints.bpm, genre=hints.genre, grid=grid)


def hints_from_proto(message: pb.AnalysisHints) -> AnalysisHints:
    """Message to value; raises InvalidRequest for a tempo that is none."""
    checks = FieldChecks()
    checks.within("hints.bpm", message.bpm, 0.0, HIGHEST_BPM)
    checks.within("hints.genre", len(message.genre), 0, LONGEST_GENRE)
    checks.done()
    return AnalysisHints(
        message.bpm, message.genre, grid_from_proto(message.grid) if message.HasField("grid") else None
    )


def analysis_to_proto(analysis: TrackAnalysis) -> pb.TrackAnalysis:
    """Value to message."""
    key = analysis.key
    return pb.TrackAnalysis(
        duration_s=analysis.duration_s,
        grid=grid_to_proto(analysis.grid) if analysis.grid else None,
        key=pb.MusicalKey(name=key.name, camelot=key.camelot, confidence=key.confidence) if key else None,
        sections=[
            pb.Section(start_s=section.start_s, end_s=section.end_s, label=section.label)
            for section in analysis.sections
        ],
        note=analysis.note,
    )


def analysis_from_proto(message: pb.TrackAnalysis) -> TrackAnalysis:
    """Message to value; raises InvalidRequest for a length that is none, or a bad grid."""
    checks = FieldChecks()
    checks.within("analysis.duration_s", message.duration_s, 0.0, nextafter(inf, 0.0))
    checks.done()
    key = message.key
    return TrackAnalysis(
        duration_s=message.duration_s,
        grid=grid_from_proto(message.grid) if message.HasField("grid") else None,
        key=MusicalKey(key.name, key.camelot, key.confidence) if message.HasField("key") else None,
        sections=tuple(Section(section.start_s, section.end_s, section.label) for section in message.sections),
        note=message.note,
    )
