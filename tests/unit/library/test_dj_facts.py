"""What programs know of a track: merged, and as documents."""

import json

from services.library.core.dj_facts import facts_from_document, facts_to_document, merged_facts, with_values_of
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts, Track

FULL = DJFacts(
    program="traktor",
    artist="Björk",
    title="Jóga",
    album="Homogenic",
    genre="Electronic",
    key="Fm",
    bpm=126.5,
    duration_s=301.25,
    color="#FF0000",
    is_grid_locked=True,
    grid=(BeatMarker(0.0, 126.5, 1), BeatMarker(60.25, 127.0)),
    cues=(
        Cue(CueKind.CUE, 0.0),
        Cue(CueKind.CUE, 1.5, slot=0, name="in", color="#00FF00"),
        Cue(CueKind.LOOP, 8.0, end_s=0.0, slot=3, is_locked=True),
    ),
)


def test_facts_come_back_from_their_document() -> None:
    """Through JSON, with pad 0 and second 0 told from none."""
    for facts in (FULL, DJFacts("serato")):
        assert facts_from_document(json.loads(json.dumps(facts_to_document(facts)))) == facts


def test_document_holds_nothing_that_nobody_says() -> None:
    """A library has tens of thousands of them."""
    assert facts_to_document(DJFacts("serato", cues=(Cue(CueKind.LOAD, 0.5),))) == {
        "program": "serato",
        "cues": [{"kind": "load", "start_s": 0.5}],
    }


def test_facts_of_one_program_become_one() -> None:
    """The first counts; what it does not say comes from the next."""
    tags, database = DJFacts("serato", bpm=126.5, key="Fm"), DJFacts("serato", title="Jóga", bpm=1.0)
    assert merged_facts([tags, FULL, database]) == (DJFacts("serato", title="Jóga", bpm=126.5, key="Fm"), FULL)
    assert merged_facts([]) == ()


def test_a_program_fills_what_the_file_does_not_tell() -> None:
    """The first program that has a value; the file's own values stay."""
    track = Track("/a", 1, title="From the file")
    filled = with_values_of(track, [DJFacts("serato", bpm=120.0), FULL])
    assert (filled.title, filled.bpm, filled.artist, filled.duration_s) == ("From the file", 120.0, "Björk", 301.25)
    assert with_values_of(track, []) is track
