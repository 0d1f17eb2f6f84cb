"""Serato's tags and crates, read by others than their writer."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from sidecaramel import blobs as their_blobs, tags as their_tags
from sidecaramel.db import read_crate

from services.exporter.core.dj.serato_crates import crate_file_name, serato_crate
from services.exporter.core.dj.serato_tags import (
    AUTOTAGS,
    BEAT_GRID,
    MARKERS,
    MARKERS2,
    envelope,
    serato_tags,
)
from services.library.core.serato_crates import crate_locations, parse_crate
from services.library.core.serato_envelope import unwrap_envelope
from services.library.core.serato_tags import facts_from_serato_tags
from stemhouse.dj import DJTrack
from stemhouse.tracks import BeatMarker, Cue, CueKind
from tests.unit.exporter.dj_material import CUES, DRIFTING, FULL

PADS = [(cue.start_s, cue.end_s, cue.name, cue.color, cue.is_locked) for cue in CUES if cue.slot is not None]


def their_marks(found: dict[str, list[dict[str, object]]]) -> list[tuple[object, ...]]:
    """Cues and loops in our terms, without the memory cue, which has got a pad."""
    marks = [
        (
            mark.get("pos_sec", mark.get("start_sec")),
            mark.get("end_sec"),
            mark.get("label", ""),
            "#" + bytes(mark["color"]).hex().upper(),  # type: ignore[call-overload]  # three numbers
            mark.get("locked", False),
        )
        for mark in (*found["cues"], *found["loops"])
    ]
    return [mark for mark in marks if mark[0] != 61.25]


@pytest.mark.parametrize("is_mp4", [False, True])
def test_tags_are_read_by_another(is_mp4: bool) -> None:  # noqa: FBT001  a case
    """The sidecaramel package finds grid, tempo, marks, colour and lock, in both tags where both are there."""
    tags = serato_tags(FULL, is_mp4=is_mp4)
    assert (MARKERS in tags) == is_mp4
    grid = their_blobs.decode_beatgrid(tags[BEAT_GRID])
    assert grid["non_terminal_markers"] == []
    assert grid["terminal_marker"]["position_s"] == pytest.approx(0.125, abs=1e-6)
    assert grid["terminal_marker"]["bpm"] == pytest.approx(127.994, abs=1e-5)
    assert their_tags.parse_serato_autotags(tags[AUTOTAGS])["bpm"] == pytest.approx(127.99)
    newer = their_tags.parse_serato_markers2_full(tags[MARKERS2])
    assert newer["bpm_lock"] is True
    assert newer["color"].upper() == FULL.color
    assert their_marks(newer) == PADS
    if is_mp4:
        older = their_tags.parse_serato_markers_v1_full(tags[MARKERS])
        assert their_marks(older) == [(*mark[:2], "", *mark[3:]) for mark in PADS]


def test_memory_cues_take_free_pads() -> None:
    """Serato has no others; one that a pad holds already is not told twice, and what finds no room is left out."""
    memory = [Cue(CueKind.CUE, float(second)) for second in range(20)]
    track = DJTrack("a", cues=(Cue(CueKind.CUE, 3.0, slot=2), *memory))
    found = their_tags.parse_serato_markers2_full(serato_tags(track)[MARKERS2])
    assert [cue["pos_sec"] for cue in found["cues"]] == [0.0, 1.0, 3.0, 2.0, 4.0, 5.0, 6.0, 7.0]


def test_drifting_grid_counts_beats_between_markers() -> None:
    """And a scan finds it again within a millisecond."""
    facts, warnings = facts_from_serato_tags(serato_tags(DRIFTING))
    assert warnings == ()
    assert facts is not None
    for ours, theirs in zip(DRIFTING.grid, facts.grid, strict=True):
        assert theirs.position_s == pytest.approx(ours.position_s, abs=1e-4)
        assert theirs.bpm == pytest.approx(ours.bpm, rel=1e-5)


COLORS = st.integers(0, 0xFFFFFE).map(lambda number: f"#{number:06X}")
TIMES = st.floats(0.0, 3600.0)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    color=COLORS,
    is_locked=st.booleans(),
    grid=st.lists(st.tuples(TIMES, st.floats(40.0, 220.0)), max_size=1),
    cues=st.dictionaries(st.integers(0, 7), st.tuples(TIMES, NAMES, COLORS), max_size=8),
    loops=st.dictionaries(st.integers(0, 7), st.tuples(TIMES, st.floats(0.1, 60.0), NAMES), max_size=8),
    is_mp4=st.booleans(),
)
def test_whatever_is_written_is_found(
    color: str,
    is_locked: bool,  # noqa: FBT001  likewise
    grid: list[tuple[float, float]],
    cues: dict[int, tuple[float, str, str]],
    loops: dict[int, tuple[float, float, str]],
    is_mp4: bool,  # noqa: FBT001  likewise
) -> None:
    """By a scan: marks to the millisecond, names, colours."""
    marks = [Cue(CueKind.CUE, start, None, slot, name, tint) for slot, (start, name, tint) in cues.items()]
    marks += [
        Cue(CueKind.LOOP, start, start + length, slot, name, "#010203") for slot, (start, length, name) in loops.items()
    ]
    markers = tuple(BeatMarker(*marker) for marker in grid)
    tags = serato_tags(
        DJTrack("a", bpm=120.0, color=color, is_grid_locked=is_locked, grid=markers, cues=tuple(marks)), is_mp4=is_mp4
    )
    for name, data in tags.items():
        assert unwrap_envelope(envelope(name, data)) == (name, data)
    facts, warnings = facts_from_serato_tags(tags)
    assert warnings == ()
    assert facts is not None
    assert (facts.color, facts.is_grid_locked) == (color, is_locked)
    found = {(cue.kind, cue.slot): cue for cue in facts.cues}
    assert len(found) == len(marks)
    for mark in marks:
        theirs = found[mark.kind, mark.slot]
        assert theirs.start_s == pytest.approx(mark.start_s, abs=0.0006)
        assert (theirs.name, theirs.color) == (mark.name, mark.color)
        assert (theirs.end_s is None) == (mark.end_s is None)


def test_envelope_has_no_padding_and_short_lines() -> None:
    """As Serato writes it."""
    text = envelope(BEAT_GRID, bytes(100))
    assert "=" not in text
    assert max(map(len, text.split("\n"))) == 72
    decoded = base64.b64decode(text.replace("\n", "") + "==")
    assert decoded == b"application/octet-stream\0\0Serato BeatGrid\0" + bytes(100)


def test_crate_is_read_by_another(tmp_path: Path) -> None:
    """The sidecaramel package finds the tracks in order; a scan finds no damage."""
    paths = ["Users/me/Stems/Jóga & Co/a.aiff", "Stems/b 🎶.flac"]
    file = tmp_path / "_Serato_" / "Subcrates" / crate_file_name(("House", "Deep"))
    file.parent.mkdir(parents=True)
    file.write_bytes(serato_crate(paths))
    theirs = read_crate(str(file))
    assert theirs is not None
    assert theirs["track_paths"] == [f"/{path}" for path in paths]
    assert crate_locations(parse_crate(serato_crate(paths))) == (tuple(paths), ())


def test_crate_names_hold_nothing_that_serato_takes_for_a_mark() -> None:
    """A crate within a crate is told by two per cent signs, so a name has at most one in a row."""
    assert crate_file_name(("House", "Deep")) == "House%%Deep.crate"
    assert crate_file_name(("100%%", 'A/B: "C"?', "..")) == "100__%%A_B_ _C__%%_.crate"
    for names in (("House%", "%Deep"), ("%", "a")):
        assert len(crate_file_name(names).split("%%")) == 2
    long = [crate_file_name(("Stemhouse", "x" * 200 + end, "Acapella")) for end in "ab"]
    assert max(map(len, long)) <= 120 + len(".crate")
    assert long[0] != long[1]
    assert all(name.startswith("Stemhouse%%xxx") and name.endswith("%%Acapella.crate") for name in long)
