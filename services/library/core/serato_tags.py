"""What Serato writes into audio files about tempo, beats, cues and loops.

Of what both Serato Markers_ and Serato Markers2 say, Serato believes the older tag (github.com/Holzhaus/serato-tags;
other programs remove it for that reason). So do we: a slot is as Markers_ has it, empty ones too, and only the name is
that of Markers2, since Markers_ has none. Slots that Markers_ does not have are as Markers2 has them.
"""

from collections.abc import Mapping
from dataclasses import replace

from services.library.core.serato_grid import parse_beat_grid
from services.library.core.serato_markers import SeratoMarks, Slot, parse_markers, parse_markers2
from services.library.core.tags import bpm_from_tag
from stemhouse.tracks import Cue, DJFacts

PROGRAM = "serato"
BEAT_GRID, AUTOTAGS = "Serato BeatGrid", "Serato Autotags"
MARKERS, MARKERS2 = "Serato Markers_", "Serato Markers2"
_AUTOTAGS_VERSION = b"\x01\x01"


def facts_from_serato_tags(blobs: Mapping[str, bytes]) -> tuple[DJFacts | None, tuple[str, ...]]:
    """The facts of the tags by name, and what could not be read, one sentence each; None if they say nothing.

    Tempo comes from Serato Autotags; Serato writes 0.00 there as long as it has not analysed the track.
    """
    bpm, bpm_warnings = _bpm(blobs[AUTOTAGS]) if AUTOTAGS in blobs else (0.0, ())
    grid, grid_warnings = parse_beat_grid(blobs[BEAT_GRID]) if BEAT_GRID in blobs else ((), ())
    newer = parse_markers2(blobs[MARKERS2]) if MARKERS2 in blobs else SeratoMarks()
    older = parse_markers(blobs[MARKERS]) if MARKERS in blobs else SeratoMarks()
    facts = DJFacts(
        PROGRAM,
        bpm=bpm,
        color=(newer.color if older.color is None else older.color) or "",
        is_grid_locked=newer.is_grid_locked,
        grid=grid,
        cues=_merged(newer.marks, older.marks),
    )
    warnings = (*bpm_warnings, *grid_warnings, *newer.warnings, *older.warnings)
    return (None if facts == DJFacts(PROGRAM) else facts), (*warnings, *_contradiction(newer.marks, older.marks))


def _bpm(data: bytes) -> tuple[float, tuple[str, ...]]:
    """The first of three numbers in ASCII; the others are gains."""
    number = data[len(_AUTOTAGS_VERSION) :].split(b"\0", 1)[0].decode("ascii", errors="replace")
    bpm = bpm_from_tag(number) if data.startswith(_AUTOTAGS_VERSION) else 0.0
    is_unset = data.startswith(_AUTOTAGS_VERSION) and set(number) <= set("0.")
    return bpm, () if bpm or (is_unset and number) else ("Serato Autotags is damaged or of an unknown version",)


def _merged(newer: Mapping[Slot, Cue | None], older: Mapping[Slot, Cue | None]) -> tuple[Cue, ...]:
    """Cues, then loops, each in the order of their slots."""
    merged = {**newer, **older}
    return tuple(
        _named(mark, newer.get(slot)) for slot, mark in sorted(merged.items(), key=lambda item: item[0]) if mark
    )


def _named(mark: Cue, namesake: Cue | None) -> Cue:
    return mark if namesake is None else replace(mark, name=namesake.name)


def _contradiction(newer: Mapping[Slot, Cue | None], older: Mapping[Slot, Cue | None]) -> tuple[str, ...]:
    hidden_count = sum(mark is not None and older.get(slot, mark) is None for slot, mark in newer.items())
    if not hidden_count:
        return ()
    return (f"{hidden_count} marks of Serato Markers2 are left out, as Serato does: Serato Markers_ has none there",)
