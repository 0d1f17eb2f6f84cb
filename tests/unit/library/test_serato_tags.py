"""Tags of Serato: beat grid, tempo, cues, loops, colour and lock, as the bytes say."""

import random
import struct
from collections.abc import Iterator

import pytest

from services.library.core.serato_envelope import unwrap_envelope
from services.library.core.serato_tags import facts_from_serato_tags
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts
from tests.unit.library.serato_files import (
    AUTOTAGS,
    BEAT_GRID,
    MARKERS,
    MARKERS2,
    cue,
    entry,
    envelope,
    loop,
    markers,
    markers2,
)

GRID = bytes.fromhex("0100 00000003 3e000000 00000008 40840000 00000010 41440000 42f00000 37")
"""Beats at 0.125, 4.125 and 12.25 s: 8 beats in 4 s, 16 in 8.125 s, then 120 a minute."""
COLORED = entry(b"COLOR", bytes.fromhex("0099ff99"))
LOCK = entry(b"BPMLOCK", b"\1")
NEWER = markers2(
    COLORED,
    cue(0, 0, "cc0000", "Intro"),
    cue(7, 61_234, "cc8800"),
    loop(0, 1000, 3086, "27aae1", "Schleife 🎧", is_locked=True),
    entry(b"FLIP", b"\0\0\1x\0\0\0\0\0\0"),
    LOCK,
)
OLDER = markers(
    {
        0: bytes.fromhex("00 00035e32 7f7f7f7f7f 007f7f7f7f7f 06321000 01 00"),  # 61234 ms, #CC8800
        5: bytes.fromhex("00 00000768 00 0000180e 007f7f7f7f7f 011e5561 03 01"),  # 1000 to 3086 ms
    }
)
RAW_OLDER = (
    bytes.fromhex("0205 0000000e 0000ef32 ffffffff 00ffffffff00 cc8800 01 00")
    + bytes.fromhex("ffffffff ffffffff 00ffffffff00 000000 00 00") * 4
    + bytes.fromhex("000003e8 00000c0e 00ffffffff00 27aae1 03 01")
    + bytes.fromhex("ffffffff ffffffff 00ffffffff00 27aae1 03 00") * 8
    + bytes.fromhex("00 99ff99")
)
BLOBS = {BEAT_GRID: GRID, AUTOTAGS: b"\1\x01128.02\x00-3.257\x000.000\0", MARKERS2: NEWER, MARKERS: OLDER}


def facts(**blobs: bytes) -> DJFacts:
    """What undamaged tags say; names with `_` for the blank."""
    found, warnings = facts_from_serato_tags({f"Serato {name}": blob for name, blob in blobs.items()})
    assert warnings == ()
    return found or DJFacts("serato")


def test_last_marker_has_the_tempo_and_the_others_count_beats() -> None:
    """Tempo is beats by the time to the next marker."""
    grid = (BeatMarker(0.125, 120.0), BeatMarker(4.125, 16 * 60 / 8.125), BeatMarker(12.25, 120.0))
    assert facts(BeatGrid=GRID).grid == grid


def test_grid_of_one_marker() -> None:
    """As Serato writes it for a steady tempo; the closing byte may be anything."""
    assert facts(BeatGrid=bytes.fromhex("0100 00000001 3e800000 42e60000 5a")).grid == (BeatMarker(0.25, 115.0),)
    assert facts(BeatGrid=bytes.fromhex("0100 00000000 00")).grid == ()


@pytest.mark.parametrize(("number", "bpm"), [(b"128.02", 128.02), (b"0.00", 0.0), (b"90", 90.0)])
def test_tempo_is_that_of_autotags(number: bytes, bpm: float) -> None:
    """Zero is what Serato writes before it has analysed a track."""
    assert facts(Autotags=b"\1\1" + number + b"\x00-3.257\x000.000\0").bpm == bpm


def test_markers2_has_cues_loops_colour_and_lock() -> None:
    """Cues first, each kind in the order of its slots; flips are passed over."""
    assert facts(Markers2=NEWER) == DJFacts(
        "serato",
        color="#99FF99",
        is_grid_locked=True,
        cues=(
            Cue(CueKind.CUE, 0.0, None, 0, "Intro", "#CC0000"),
            Cue(CueKind.CUE, 61.234, None, 7, "", "#CC8800"),
            Cue(CueKind.LOOP, 1.0, 3.086, 0, "Schleife 🎧", "#27AAE1", is_locked=True),
        ),
    )


def test_white_is_no_colour() -> None:
    """Serato writes it into every track that it analyses."""
    unlocked = entry(b"BPMLOCK", b"\0")
    assert facts_from_serato_tags({MARKERS2: markers2(entry(b"COLOR", b"\0\xff\xff\xff"), unlocked)}) == (None, ())


@pytest.mark.parametrize("blob", [OLDER, RAW_OLDER], ids=["7 bits", "raw"])
def test_markers_has_the_same_in_both_writings(blob: bytes) -> None:
    """MP4 files have raw bytes, all others 7 bits in a byte."""
    assert facts(Markers_=blob).cues == (
        Cue(CueKind.CUE, 61.234, None, 0, "", "#CC8800"),
        Cue(CueKind.LOOP, 1.0, 3.086, 0, "", "#27AAE1", is_locked=True),
    )


def test_colour_of_markers() -> None:
    """Behind the rows, in the writing of the rows."""
    assert facts(Markers_=markers({}, "04677e19")).color == "#99FF19"
    assert facts(Markers_=RAW_OLDER).color == "#99FF99"


def test_markers_comes_before_markers2_and_has_no_names() -> None:
    """Times and colours are those of the older tag, names and higher slots those of the newer one."""
    newer = markers2(cue(0, 500, "cc0000", "Intro"), cue(5, 9000, "00cc00", "Drop"), COLORED)
    assert facts(Markers2=newer, Markers_=OLDER) == DJFacts(
        "serato",
        cues=(
            Cue(CueKind.CUE, 61.234, None, 0, "Intro", "#CC8800"),
            Cue(CueKind.CUE, 9.0, None, 5, "Drop", "#00CC00"),
            Cue(CueKind.LOOP, 1.0, 3.086, 0, "", "#27AAE1", is_locked=True),
        ),
    )


def test_mark_that_markers_does_not_have_is_left_out_and_said() -> None:
    """Another program wrote one tag and not the other: Serato does not show such a cue."""
    found, warnings = facts_from_serato_tags({MARKERS2: markers2(cue(1, 500, "cc0000")), MARKERS: OLDER})
    assert found is not None
    assert [mark.slot for mark in found.cues] == [0, 0]
    assert warnings == ("1 marks of Serato Markers2 are left out, as Serato does: Serato Markers_ has none there",)


def test_cut_markers_hides_nothing_behind_the_cut() -> None:
    """Only a row that is there says that a slot is empty."""
    newer = markers2(cue(0, 500, "cc0000"), cue(1, 700, "cc0000"))
    found, warnings = facts_from_serato_tags({MARKERS2: newer, MARKERS: OLDER[: 6 + 22 + 21]})
    assert found is not None
    assert [mark.start_s for mark in found.cues] == [61.234, 0.7]
    assert warnings == ("Serato Markers_ is damaged or cut",)


@pytest.mark.parametrize("size", range(20))
def test_envelope_of_any_length(size: int) -> None:
    """Base64 without padding, with or without the character more that Serato writes."""
    data = bytes(range(size))
    wrapped = envelope(BEAT_GRID, data)
    assert unwrap_envelope(wrapped) == (BEAT_GRID, data)
    assert unwrap_envelope(wrapped.encode() + b"\n") == (BEAT_GRID, data)
    if len(wrapped.replace("\n", "")) % 4 == 0:
        assert unwrap_envelope(wrapped + "X") == (BEAT_GRID, data)


def test_envelope_by_hand() -> None:
    """A grid as FLAC holds it, with a line feed and a character more."""
    text = "YXBwbGljYXRpb24vb2N0ZXQtc3RyZWFtAABTZXJhdG8gQmVhdEdyaWQAAQAAAAABPoAAAELm\nAABaX"
    assert unwrap_envelope(text) == (BEAT_GRID, bytes.fromhex("0100 00000001 3e800000 42e60000 5a"))


@pytest.mark.parametrize("text", ["", "A", "ÄÖÜ", "YXBwbGljYXRpb24v", "AAAA" * 100, b"\xff\xfe"])
def test_what_is_no_envelope_is_rejected(text: str | bytes) -> None:
    """It is no error of another kind."""
    with pytest.raises(LibraryRejected, match="no envelope"):
        unwrap_envelope(text)


@pytest.mark.parametrize(
    ("name", "blob", "expected"),
    [
        (BEAT_GRID, b"", "unknown version"),
        (BEAT_GRID, b"\2" + GRID[1:], "unknown version"),
        (BEAT_GRID, GRID[:-3], "2 of 3 markers"),
        (BEAT_GRID, b"\1\0\xff\xff\xff\xff" + GRID[6:], "markers are lost"),
        (BEAT_GRID, GRID.replace(bytes.fromhex("41440000"), bytes.fromhex("7fc00000")), "2 of 3 markers"),  # no number
        (BEAT_GRID, GRID.replace(bytes.fromhex("42f00000"), bytes.fromhex("7f800000")), "1 of 3 markers"),  # infinite
        (BEAT_GRID, GRID.replace(bytes.fromhex("41440000"), bytes.fromhex("40840000")), "1 of 3 markers"),  # no time
        (AUTOTAGS, b"", "unknown version"),
        (AUTOTAGS, b"\1\1", "damaged"),
        (AUTOTAGS, b"\1\1fast\0", "damaged"),
        (AUTOTAGS, b"\1\x01nan\0", "damaged"),
        (MARKERS2, b"\1\1", "unknown version"),
        (MARKERS2, b"\1\1!!!!", "unknown version"),
        (MARKERS2, markers2(entry(b"CUE", b"\0\0")), "1 of its entries"),
        (MARKERS2, markers2(cue(0, 0xFFFFFFF0, "cc0000")), "1 of its entries"),
        (MARKERS2, markers2(loop(0, 2000, 1000, "cc0000")), "1 of its entries"),
        (MARKERS2, markers2(b"CUE\0\x7f\xff\xff\xff"), "1 of its entries"),
        (MARKERS2, markers2(b"CUE"), "1 of its entries"),
        (MARKERS2, NEWER.replace(b"\n", b"\n!"), "of its entries"),
        (MARKERS2, markers2(LOCK).replace(b"\0", b"!", 1), "1 of its entries"),
        (MARKERS, b"\2\5\0", "unknown version"),
        (MARKERS, OLDER[:-1], "cut"),
        (MARKERS, OLDER.replace(b"\x06\x32\x10\0\1", b"\x06\x32\x10\0\x4d"), "damaged"),
        (MARKERS, OLDER.replace(b"\0\0\3\x5e", b"\0\0\x83\x5e"), "damaged"),
    ],
)
def test_damage_is_said(name: str, blob: bytes, expected: str) -> None:
    """One sentence, with the tag's name."""
    _, warnings = facts_from_serato_tags({name: blob})
    assert len(warnings) == 1
    assert name in warnings[0]
    assert expected in warnings[0]


def test_one_damaged_tag_leaves_the_others() -> None:
    """And of a damaged tag what can be read."""
    found, warnings = facts_from_serato_tags({**BLOBS, BEAT_GRID: GRID[:-3], AUTOTAGS: b"\1"})
    assert found is not None
    assert [len(found.grid), len(found.cues), len(warnings)] == [1, 3, 2]


def test_no_tags_say_nothing() -> None:
    """As in a file that Serato has never seen."""
    assert facts_from_serato_tags({}) == (None, ())
    assert facts_from_serato_tags({"Serato Overview": b"\1\5"}) == (None, ())


def damaged_versions(blob: bytes) -> Iterator[bytes]:
    """Every beginning of it, and 2000 with a few other bits."""
    yield from (blob[:length] for length in range(len(blob)))
    random_ = random.Random(8)  # noqa: S311  # a seeded one, on purpose
    for _ in range(2000):
        damaged = bytearray(blob)
        for _ in range(random_.randint(1, 4)):
            damaged[random_.randrange(len(blob))] ^= 1 << random_.randrange(8)
        yield bytes(damaged)


@pytest.mark.parametrize(("name", "blob"), [*BLOBS.items(), (MARKERS, RAW_OLDER)])
def test_damage_never_breaks_the_reader(name: str, blob: bytes) -> None:
    """Every value that comes out can be true."""
    for damaged in damaged_versions(blob):
        found, _ = facts_from_serato_tags({name: damaged})
        assert is_possible(found or DJFacts("serato"))


def test_damaged_envelope_never_breaks_the_reader() -> None:
    """It is none any more, or its tag is damaged."""
    rejected_count = 0
    for damaged in damaged_versions(envelope(MARKERS2, NEWER).encode()):
        try:
            _, blob = unwrap_envelope(damaged)
        except LibraryRejected:
            rejected_count += 1
        else:
            found, _ = facts_from_serato_tags({MARKERS2: blob})
            assert is_possible(found or DJFacts("serato"))
    assert 0 < rejected_count < 2000


def is_possible(found: DJFacts) -> bool:
    """Whether all numbers are finite and in their ranges, and all texts can be stored."""
    beats = all(abs(beat.position_s) <= 86_400.0 and 0.0 < beat.bpm < 1000.0 for beat in found.grid)
    marks = all(
        0.0 <= mark.start_s < (mark.end_s or 86_401.0) <= 86_401.0
        and mark.name.encode() is not None
        and struct.pack("B", mark.slot) is not None
        for mark in found.cues
    )
    return beats and marks and 0.0 <= found.bpm < 1000.0
