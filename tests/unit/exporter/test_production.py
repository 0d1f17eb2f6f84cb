"""Uploads by day, analyses as they are stored, levels, and stems that make up a song."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from services.exporter.core.production.folders import sounding
from services.exporter.core.production.levels import highest_level, in_format
from services.exporter.core.production.records import analysis_from_json, analysis_to_json
from services.exporter.core.production.uploads import StemUploads
from stemhouse.delivery import SampleFormat
from tests.contract.test_wire_production import ANALYSIS, HINTS
from tests.fakes import MemoryObjectStore

DIGEST = "a" * 64


def test_uploads_of_today_and_yesterday_are_found() -> None:
    """Across the end of a month; older ones are not, and are swept."""
    store = MemoryObjectStore()
    written = StemUploads(store, lambda: date(2026, 2, 28)).new_key(DIGEST)
    store.objects[written] = b"x"
    for today, is_found in ((date(2026, 2, 28), True), (date(2026, 3, 1), True), (date(2026, 3, 2), False)):
        uploads = StemUploads(store, lambda today=today: today)  # type: ignore[misc]  # bound at once
        assert (uploads.find(DIGEST) == written) == is_found
        uploads.sweep()
        assert bool(store.objects) == is_found


def test_sweep_leaves_what_is_no_upload() -> None:
    """However old."""
    store = MemoryObjectStore()
    store.objects["results/2020-01-01/x"] = b"x"
    StemUploads(store, lambda: date(2026, 3, 2)).sweep()
    assert store.objects


def test_stored_analysis_answers_the_same_question_only() -> None:
    """Same version, same hints; anything else is asked again."""
    data = analysis_to_json(ANALYSIS, HINTS, 3)
    assert analysis_from_json(data, HINTS, 3) == ANALYSIS
    assert analysis_from_json(data, HINTS, 4) is None
    assert analysis_from_json(data, replace(HINTS, genre="Techno"), 3) is None
    assert analysis_from_json(data[:-10], HINTS, 3) is None
    with pytest.raises(ValueError, match="JSON"):
        analysis_to_json(replace(ANALYSIS, duration_s=float("nan")), HINTS, 3)


def test_24_bits_stay_what_they_are() -> None:
    """From end to end of the scale; one step more does not fit."""
    units = np.array([[-(2**23)], [-1], [0], [1], [2**23 - 1]], np.int64)
    block = (units / 2**23).astype(np.float32)
    assert highest_level([[block]], SampleFormat.PCM24) <= 1.0
    assert (next(in_format([block], 1.0, SampleFormat.PCM24)) == units).all()
    assert highest_level([[np.ones((1, 1), np.float32)]], SampleFormat.PCM24) > 1.0
    assert highest_level([[np.full((1, 1), 9.0, np.float32)]], SampleFormat.FLOAT32) <= 1.0


def test_common_gain_brings_the_highest_just_inside() -> None:
    """As 16 bits, on either side."""
    block = np.array([[1.5], [-1.5]], np.float32)
    highest = highest_level([[block]], SampleFormat.PCM16)
    [samples] = in_format([block], 1 / highest, SampleFormat.PCM16)
    assert samples.tolist() == [[32767], [-32767]]


@pytest.mark.parametrize(
    ("stems", "song"),
    [
        (("vocals", "drums", "acapella", "instrumental"), ("vocals", "drums")),
        (("acapella", "instrumental"), ("acapella", "instrumental")),
        (("vocals", "instrumental"), ("vocals", "instrumental")),
        (("drums", "guitar"), ("drums", "guitar")),
    ],
)
def test_each_sound_counts_once(stems: tuple[str, ...], song: tuple[str, ...]) -> None:
    """No acapella beside vocals, no instrumental beside its parts."""
    assert sounding(stems) == song
