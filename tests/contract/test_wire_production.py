"""The values of the production tools survive the wire, and bad messages are refused by field."""

from dataclasses import fields, replace

import pytest

from stemhouse.analysis import (
    AnalysisHints,
    BeatGrid,
    GridMarker,
    GridSource,
    MusicalKey,
    Section,
    TrackAnalysis,
)
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest
from stemhouse.production import (
    AbletonOptions,
    ChopGrid,
    ChopOptions,
    StemFile,
    StemFolder,
    StretchOptions,
    TreePlan,
)
from stemhouse.wire import analysis as wire_analysis, production as wire_production
from tests.contract.test_wire import RESULT

GRID = BeatGrid(127.9, (GridMarker(0.25, 0.0), GridMarker(60.5, 128.0)), 128.1, 3, GridSource.DJ_PROGRAM)
HINTS = AnalysisHints(128.0, "House", GRID)
ANALYSIS = TrackAnalysis(300.5, GRID, MusicalKey("F#m", "11A", 0.75), (Section(0.25, 30.5, "A"),), "why")
FILE = StemFile("vocals", "Vocals.WAV", "a" * 64, 5_000_000_000, b"RIFF")
FOLDER = StemFolder("Björk", "Jóga", (FILE, replace(FILE, stem="drums")), RESULT, HINTS, "Björk - Jóga_1")
CHOPS = ChopOptions("drums", ChopGrid.BAR, 0.1, 4.0, is_by_phrase=True)
PLAN = TreePlan("A Project", ("Samples/Imported/vocals.wav",), ("Ableton Project Info",), "key", ("note",))


def test_examples_leave_no_field_at_its_default() -> None:
    """So that a field forgotten in the translation cannot hide behind a default."""
    for value in (GRID, HINTS, ANALYSIS, FOLDER, CHOPS, PLAN):
        defaults = {field.name: field.default for field in fields(value)}
        assert [name for name, default in defaults.items() if getattr(value, name) == default] == []


def test_analyses_survive() -> None:
    """In full, and with only what every track has."""
    for analysis in (ANALYSIS, TrackAnalysis(1.5, None, None)):
        assert wire_analysis.analysis_from_proto(wire_analysis.analysis_to_proto(analysis)) == analysis
    for source in GridSource:
        grid = replace(GRID, source=source)
        assert wire_analysis.grid_from_proto(wire_analysis.grid_to_proto(grid)) == grid


def test_requests_survive() -> None:
    """Each kind, in full and with defaults."""
    bare = StemFolder("", "Title", (FILE,))
    for folder in (FOLDER, bare):
        assert wire_production.folder_from_proto(wire_production.folder_to_proto(folder)) == folder
    for options in (AbletonOptions(), AbletonOptions(128.0)):
        message = wire_production.ableton_request_to_proto([FOLDER, bare], options)
        assert wire_production.ableton_request_from_proto(message) == ((FOLDER, bare), options)
    delivery = DeliveryOptions(FileFormat.AIFF, SampleFormat.PCM16, ("vocals",))
    for stretch in (StretchOptions(ratio=1.25, delivery=delivery), StretchOptions(bpm=128.0)):
        request = wire_production.stretch_request_to_proto(FOLDER, stretch)
        assert wire_production.stretch_request_from_proto(request) == (FOLDER, stretch)
    for grid in ChopGrid:
        chops = replace(CHOPS, grid=grid)
        assert wire_production.chop_options_from_proto(wire_production.chop_options_to_proto(chops)) == chops


def test_tree_plan_survives() -> None:
    """As it is."""
    assert wire_production.tree_plan_from_proto(wire_production.tree_plan_to_proto(PLAN)) == PLAN


@pytest.mark.parametrize(
    ("field", "grid"),
    [
        ("grid.bpm", replace(GRID, bpm=float("nan"))),
        ("grid.end_bpm", replace(GRID, end_bpm=0.0)),
        ("grid.beats_per_bar", replace(GRID, beats_per_bar=0)),
        ("grid.markers", replace(GRID, markers=())),
        ("grid.markers", replace(GRID, markers=(GridMarker(1.0, 0.0), GridMarker(1.0, 4.0)))),
        ("grid.markers", replace(GRID, markers=(GridMarker(1.0, 4.0),))),
        ("grid.markers", replace(GRID, markers=(GridMarker(0.0, 0.0), GridMarker(60.0, 1e9)))),
        ("grid.markers", replace(GRID, markers=(GridMarker(float("inf"), 0.0),))),
    ],
)
def test_grid_that_is_none_is_refused(field: str, grid: BeatGrid) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        wire_analysis.grid_from_proto(wire_analysis.grid_to_proto(grid))
    assert list(caught.value.details) == [field]


@pytest.mark.parametrize(
    ("field", "folder"),
    [
        ("folder.files", replace(FOLDER, files=())),
        ("folder.files", replace(FOLDER, files=(FILE, FILE))),
        ("folder.files[0].stem", replace(FOLDER, files=(replace(FILE, stem="../vocals"),))),
        ("folder.files[0].sha256", replace(FOLDER, files=(replace(FILE, sha256="x"),))),
        ("folder.files[0].size_bytes", replace(FOLDER, files=(replace(FILE, size_bytes=0),))),
        ("hints.bpm", replace(FOLDER, hints=AnalysisHints(-1.0))),
    ],
)
def test_folder_that_is_none_is_refused(field: str, folder: StemFolder) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        wire_production.folder_from_proto(wire_production.folder_to_proto(folder))
    assert list(caught.value.details) == [field]


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("ratio", StretchOptions(ratio=2.01)),
        ("bpm", StretchOptions(bpm=10.0)),
        ("target", StretchOptions()),
        ("file_format", StretchOptions(ratio=1.5, delivery=DeliveryOptions(FileFormat.MP3))),
    ],
)
def test_stretch_that_cannot_be_is_refused(field: str, options: StretchOptions) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        wire_production.stretch_request_from_proto(wire_production.stretch_request_to_proto(FOLDER, options))
    assert list(caught.value.details) == [field]


def test_other_requests_that_cannot_be_are_refused() -> None:
    """A tempo that Live does not take, no song, and chops that end before they begin."""
    with pytest.raises(InvalidRequest, match="bpm"):
        wire_production.ableton_request_from_proto(
            wire_production.ableton_request_to_proto([FOLDER], AbletonOptions(1000.0))
        )
    with pytest.raises(InvalidRequest, match="folders"):
        wire_production.ableton_request_from_proto(wire_production.ableton_request_to_proto([], AbletonOptions()))
    with pytest.raises(InvalidRequest, match="longest_s"):
        wire_production.chop_options_from_proto(wire_production.chop_options_to_proto(replace(CHOPS, shortest_s=4.0)))
