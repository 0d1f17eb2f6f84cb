"""Collections for DJ programs, read by others than their writer."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from lxml import etree
from pyrekordbox.rbxml import RekordboxXml
from traktor_nml_utils.models.collection import Nml
from xsdata.formats.dataclass.parsers import XmlParser

from services.exporter.core.dj.m3u8 import m3u8
from services.exporter.core.dj.rekordbox_xml import rekordbox_xml
from services.exporter.core.dj.traktor_nml import traktor_nml
from services.exporter.core.keys import key_from_name
from services.library.core.dj_library import CrateListing, DJLibrary
from services.library.core.m3u import read_m3u
from services.library.core.musical_key import key_from_open_key, key_from_traktor
from services.library.core.rekordbox_xml import read_rekordbox_xml
from services.library.core.traktor_nml import read_traktor_nml
from stemhouse.dj import DJCollection, DJFile, DJTrack
from stemhouse.tracks import BeatMarker, Cue, CueKind
from tests.unit.exporter.dj_material import COLLECTION, CUES, DRIFTING, FULL, LOCATIONS

MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")


def rekordbox() -> bytes:
    """The material as rekordbox takes it."""
    return rekordbox_xml(COLLECTION, "1.2.3")


def test_rekordbox_collection_is_read_by_another(tmp_path: Path) -> None:
    """The pyrekordbox package finds fields, grid, marks and lists; it drops the first slash of paths, and no colour."""
    file = tmp_path / "rekordbox.xml"
    root = etree.fromstring(rekordbox())
    for mark in root.iter("POSITION_MARK"):  # it fails on colours
        for name in ("Red", "Green", "Blue"):
            mark.attrib.pop(name, None)
    file.write_bytes(etree.tostring(root))
    theirs = RekordboxXml(str(file))
    found = [theirs.get_track(index) for index in range(3)]
    assert [track["Location"].removeprefix("/") for track in found] == [path.removeprefix("/") for path in LOCATIONS]
    first = found[0]
    assert [first[name] for name in ("Name", "Artist", "Album", "Genre")] == [
        *(FULL.title, FULL.artist, FULL.album, FULL.genre)
    ]
    assert (first["Comments"], first["Tonality"], first["AverageBpm"]) == (FULL.comment, FULL.key, 127.99)
    assert (first["Kind"], first["TotalTime"], first["SampleRate"], first["BitRate"]) == ("AIFF File", 305, 44100, 2117)
    assert [(tempo["Inizio"], tempo["Bpm"], tempo["Battito"]) for tempo in first.tempos] == [(0.125, 127.994, 1)]
    marks = [(mark["Type"], mark["Start"], mark.get("End"), mark["Num"]) for mark in first.marks]
    assert marks == [
        ("cue", 0.125, None, 0),
        ("cue", 0.125, None, -1),
        ("cue", 30.5, None, 4),
        ("cue", 30.5, None, -1),
        ("cue", 61.25, None, -1),
        ("loop", 45.0, 48.75, 1),
        ("loop", 45.0, 48.75, -1),
    ]
    house = theirs.get_playlist("House")
    assert [node.name for node in house.get_playlists()] == ["Deep / Slow"]
    assert [int(key) for key in theirs.get_playlist("House", "Deep / Slow").get_tracks()] == [
        found[1]["TrackID"],
        found[0]["TrackID"],
    ]


def test_rekordbox_collection_follows_the_published_list() -> None:
    """Counts are right, every list says what its keys are, hot cues have colours, and nothing else is in it."""
    root = etree.fromstring(rekordbox())
    assert root.tag == "DJ_PLAYLISTS"
    assert root.get("Version") == "1.0.0"
    assert [element.tag for element in root] == ["PRODUCT", "COLLECTION", "PLAYLISTS"]
    tracks = root.findall("COLLECTION/TRACK")
    assert root.xpath("number(COLLECTION/@Entries)") == len(tracks)
    assert len({track.get("TrackID") for track in tracks}) == len(tracks)
    for node in root.iter("NODE"):
        count = "Entries" if node.get("Type") == "1" else "Count"
        assert node.get(count) == str(len(node))
        assert node.get("KeyType") == ("0" if node.get("Type") == "1" else None)
    hot = [mark for mark in root.iter("POSITION_MARK") if mark.get("Num") != "-1"]
    assert [(mark.get("Red"), mark.get("Green"), mark.get("Blue")) for mark in hot] == [
        ("204", "0", "0"),
        ("0", "170", "0"),
        ("39", "170", "225"),
    ]
    assert [track.get("Location") for track in tracks] == [
        "file://localhost/Users/me/Stems/J%C3%B3ga%20%26%20Co%20%231%20100%25/J%C3%B3ga_acapella%20%F0%9F%8E%B6.aiff",
        "file://localhost/Volumes/USB%20%C3%A9/Stems/b:%20c%3F.flac",
        "file://localhost/C:/Music/Stems/d%20(e)'s.wav",
    ]


def test_memory_cues_are_not_doubled() -> None:
    """A library of rekordbox has each pad's mark as a memory cue, too, before or after it."""
    pad, memory = Cue(CueKind.CUE, 30.5, slot=4), Cue(CueKind.CUE, 30.5)
    for cues in ((pad, memory), (memory, pad)):
        file = replace(COLLECTION.files[0], track=replace(FULL, cues=cues))
        root = etree.fromstring(rekordbox_xml(DJCollection((file,), ()), "1"))
        assert sorted(mark.get("Num", "") for mark in root.iter("POSITION_MARK")) == ["-1", "4"]
        root = etree.fromstring(traktor_nml(DJCollection((file,), ())))
        assert [mark.get("HOTCUE") for mark in root.iter("CUE_V2")] == ["-1", "4"]  # the first one is the grid's


def test_track_numbers_are_those_of_their_paths() -> None:
    """Whatever else is in a collection, or rekordbox would take a track for another one."""
    both = etree.fromstring(rekordbox())
    alone = etree.fromstring(rekordbox_xml(DJCollection(COLLECTION.files[1:2], ()), "1"))
    wanted = "string(COLLECTION/TRACK[{}]/@TrackID)"
    assert alone.xpath(wanted.format(1)) == both.xpath(wanted.format(2)) != ""


def test_traktor_collection_is_read_by_another() -> None:
    """The traktor-nml-utils package finds entries, grid, cues and lists."""
    nml = XmlParser().from_bytes(traktor_nml(COLLECTION), Nml)
    entries = nml.collection.entry
    assert nml.collection.entries == 3
    assert (entries[0].title, entries[0].artist) == (FULL.title, FULL.artist)
    assert [entry.location.volume for entry in entries] == ["Macintosh HD", "USB é", "C:"]
    assert entries[1].location.file == "b// c?.flac"
    first = entries[0]
    assert float(first.tempo.bpm) == FULL.bpm
    assert first.info.key == "9m"
    assert first.musical_key.value_attribute == 17
    grid, *marks = first.cue_v2
    assert (float(grid.start), int(grid.type), float(grid.grid.bpm)) == (125.0, 4, FULL.bpm)
    assert [(mark.name, int(mark.type), float(mark.start), float(mark.len), int(mark.hotcue)) for mark in marks] == [
        ("Intro", 0, 125.0, 0.0, 0),
        ("Drøp 🎶", 0, 30500.0, 0.0, 4),
        ("n.n.", 0, 61250.0, 0.0, -1),
        ("Loop <4>", 5, 45000.0, 3750.0, 1),
    ]
    house = nml.playlists.node.subnodes.node[0]
    assert house.name == "House"
    keys = [entry.primarykey.key for entry in house.subnodes.node[0].playlist.entry]
    assert keys == [
        "USB é/:Stems/:b// c?.flac",
        "Macintosh HD/:Users/:me/:Stems/:Jóga & Co #1 100%/:Jóga_acapella 🎶.aiff",
    ]


def as_kept(cues: tuple[Cue, ...], *, has_colors: bool) -> list[tuple[object, ...]]:
    """What both programs keep of a mark."""
    return [(cue.kind, cue.start_s, cue.end_s, cue.slot, cue.name, cue.color if has_colors else "") for cue in cues]


@pytest.mark.parametrize("program", ["rekordbox", "traktor"])
def test_what_is_written_is_what_a_scan_finds(program: str) -> None:
    """Grids to the millisecond over five minutes, marks with names and colours, keys, lists in their folders."""
    library: DJLibrary
    if program == "rekordbox":
        library = read_rekordbox_xml(BytesIO(rekordbox()))
    else:
        library = read_traktor_nml(BytesIO(traktor_nml(COLLECTION)))
    assert library.warnings == ()
    first, second = library.entries[0].facts, library.entries[1].facts
    assert first is not None
    assert second is not None
    assert (first.title, first.artist, first.album, first.genre, first.key) == (
        *(FULL.title, FULL.artist, FULL.album, FULL.genre, FULL.key),
    )
    assert first.bpm == pytest.approx(FULL.bpm, abs=0.005)
    for ours, theirs in ((FULL.grid, first.grid), (DRIFTING.grid, second.grid)):
        assert beats_s(theirs, 600) == pytest.approx(beats_s(ours, 600), abs=0.001)
    slotted = tuple(cue for cue in first.cues if cue.slot is not None)
    assert as_kept(slotted, has_colors=True) == as_kept(
        tuple(cue for cue in CUES if cue.slot is not None), has_colors=True
    )
    assert any(cue.slot is None and cue.start_s == 61.25 for cue in first.cues)
    names = [listing.path for listing in library.crates]
    assert sorted(names) == [("Empty",), ("House",), ("House", "Deep / Slow")]


def beats_s(grid: tuple[BeatMarker, ...], count: int) -> list[float]:
    """The first beats of a grid; each marker counts until the next one."""
    times_s = [grid[0].position_s]
    for _ in range(count):
        current = [marker for marker in grid if marker.position_s <= times_s[-1] + 0.01][-1]
        times_s.append(times_s[-1] + 60.0 / current.bpm)
    return times_s


def test_m3u8_is_read_and_can_be_moved() -> None:
    """Below its folder paths are relative; a name that looks like a comment is still a name."""
    files = [
        DJFile(path, DJTrack("a\nb", "c"), 1, 61.4, 44_100, 1) for path in ("/m/s/a.wav", "/m/s/#b.wav", "/x/c.wav")
    ]
    text = m3u8(files, "/m/s")
    assert (
        text.decode()
        == "#EXTM3U\n#EXTINF:61,c - a b\na.wav\n#EXTINF:61,c - a b\n./#b.wav\n#EXTINF:61,c - a b\n/x/c.wav\n"
    )
    library = read_m3u(text, "list.m3u8", is_utf8=True)
    assert [entry.location for entry in library.entries] == ["a.wav", "./#b.wav", "/x/c.wav"]
    assert isinstance(library.crates[0], CrateListing)


@pytest.mark.parametrize("name", MAJOR + MINOR)
def test_keys_in_all_notations(name: str) -> None:
    """They are those that the readers know."""
    key = key_from_name(name)
    assert key is not None
    assert key_from_open_key(key.open_key) == name
    assert key_from_traktor(str(key.traktor)) == name
    assert key.camelot[-1] == ("A" if name.endswith("m") else "B")
    assert (int(key.camelot[:-1]) - int(key.open_key[:-1])) % 12 == 7


def test_what_is_no_key_has_no_notation() -> None:
    """As tags have it."""
    assert [key_from_name(text) for text in ("", "8A", "H", "Am7", "all")] == [None] * 5
    assert key_from_name("Bbm") == key_from_name("A#m")
