"""Files that DJ programs have written themselves, where STEMHOUSE_DATA names a folder that holds them.

They are others' and not in the repository. The expected values were read from hex dumps by hand.
"""

import os
from io import BytesIO
from pathlib import Path

import pytest

from services.exporter.core.dj.rekordbox_xml import rekordbox_xml
from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.rekordbox_xml import read_rekordbox_xml
from services.library.core.serato_crates import crate_locations, parse_crate, records_to_bytes
from services.library.core.serato_envelope import unwrap_envelope
from services.library.core.serato_grid import parse_beat_grid
from services.library.core.serato_markers import SeratoMarks, parse_markers, parse_markers2
from services.library.core.serato_tags import facts_from_serato_tags
from stemhouse.dj import DJCollection, DJFile, DJTrack, Playlist
from stemhouse.tracks import BeatMarker, CueKind, DJFacts

DATA = os.environ.get("STEMHOUSE_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="STEMHOUSE_DATA names no folder with files of DJ programs")
_TOLD = ("title", "artist", "album", "genre", "key", "bpm", "color", "grid", "cues")
EMPTY_MARKS = {**{(CueKind.CUE, slot): None for slot in range(5)}, **{(CueKind.LOOP, slot): None for slot in range(9)}}


def dj_file(name: str) -> bytes:
    """A file of the folder `dj` in the data."""
    return (Path(DATA) / "dj" / name).read_bytes()


def tag(name: str) -> bytes:
    """A tag that Serato has written."""
    return dj_file(f"serato-tags/{name}.bin")


def test_crate_of_serato() -> None:
    """One track, seven columns, and not a byte that is not understood."""
    data = dj_file("80s Mashup.crate")
    records = parse_crate(data)
    assert [record.tag for record in records] == [b"vrsn", b"osrt", *[b"ovct"] * 7, b"otrk"]
    name = "Lipps, Inc-Funky Town meets Joris Voorn-Spank The Maid - Mood Funk - Mash_Up.mp3"
    assert crate_locations(records) == ((name,), ())
    assert records_to_bytes(records) == data


def test_grids_of_serato() -> None:
    """0x3e9c2838 is 10233912 / 2 ** 25 s, 0x3e827cc9 is 8551625 / 2 ** 25 s, 0x42e60000 is 115 a minute."""
    assert parse_beat_grid(tag("id3.analyzed.Serato_BeatGrid")) == ((BeatMarker(10233912 / 2**25, 115.0),), ())
    name, grid = unwrap_envelope(tag("flac.analyzed.Serato_BeatGrid"))
    assert name == "Serato BeatGrid"
    assert parse_beat_grid(grid) == ((BeatMarker(8551625 / 2**25, 115.0),), ())


def test_collection_of_rekordbox_survives_ours() -> None:
    """What its export tells is what rekordbox would read of ours: places, texts, grids and marks."""
    real = read_rekordbox_xml(BytesIO(dj_file("rekordbox6-database.xml")))
    files = [
        DJFile(entry.location, DJTrack(**{name: getattr(entry.facts, name) for name in _TOLD}), 1, 1.0, 44_100, 1)
        for entry in real.entries
        if entry.facts
    ]
    places = {file.location: place for place, file in enumerate(files)}
    playlists = [Playlist(crate.path, tuple(places[location] for location in crate.locations)) for crate in real.crates]
    ours = read_rekordbox_xml(BytesIO(rekordbox_xml(DJCollection(tuple(files), tuple(playlists)), "1")))
    assert ours.crates == real.crates
    assert [entry.location for entry in ours.entries] == [entry.location for entry in real.entries]
    for mine, theirs in zip(ours.entries, real.entries, strict=True):
        assert mine.facts
        assert theirs.facts
        assert {name: getattr(mine.facts, name) for name in _TOLD} == {
            name: getattr(theirs.facts, name) for name in _TOLD
        }


def test_tempo_of_serato() -> None:
    """The tag says 115.00."""
    blobs = {"Serato Autotags": tag("id3.analyzed.Serato_Autotags")}
    assert facts_from_serato_tags(blobs) == (DJFacts("serato", bpm=115.0), ())


def test_marks_of_serato() -> None:
    """An analysed track without marks: white, not locked, all slots empty."""
    name, newer = unwrap_envelope(tag("flac.analyzed.Serato_Markers2"))
    assert name == "Serato Markers2"
    assert parse_markers2(newer) == parse_markers2(tag("id3.analyzed.Serato_Markers2")) == SeratoMarks(color="")
    assert parse_markers(tag("id3.analyzed.Serato_Markers_")) == SeratoMarks(EMPTY_MARKS, color="")


def test_collection_of_rekordbox() -> None:
    """Two demo tracks, one of them with a grid of ten anchors, four samples, and an empty playlist."""
    second = [(0.025, 1), (48.026, 1), (48.525, 2), (49.026, 3), (49.525, 4), (50.026, 1), (50.525, 2), (51.026, 3)]
    second += [(51.525, 4), (52.026, 1)]
    demo = "C:/Music/PioneerDJ/Demo Tracks/Demo Track"
    samples = {"HORN": 7.0, "NOISE": 5.0, "SINEWAVE": 5.0, "SIREN": 7.0}
    shots = "C:/Music/PioneerDJ/Sampler/OSC_SAMPLER/PRESET ONESHOT"
    tracks = (
        LibraryEntry(f"{demo} 1.mp3", demo_track("1", 128.0, 172.0, (BeatMarker(0.025, 128.0, 1),))),
        LibraryEntry(
            f"{demo} 2.mp3",
            demo_track("2", 120.0, 128.0, tuple(BeatMarker(position_s, 120.0, beat) for position_s, beat in second)),
        ),
    )
    expected = DJLibrary(
        entries=(
            *tracks,
            *(
                LibraryEntry(f"{shots}/{name}.wav", DJFacts("rekordbox", title=name, duration_s=duration_s))
                for name, duration_s in samples.items()
            ),
        ),
        crates=(CrateListing(("Trial playlist - Cloud Library Sync",), ()),),
    )
    assert read_rekordbox_xml(BytesIO(dj_file("rekordbox6-database.xml"))) == expected


def demo_track(number: str, bpm: float, duration_s: float, grid: tuple[BeatMarker, ...]) -> DJFacts:
    """A track that comes with rekordbox."""
    title = f"Demo Track {number}"
    return DJFacts("rekordbox", artist="Loopmasters", title=title, key="Fm", bpm=bpm, duration_s=duration_s, grid=grid)
