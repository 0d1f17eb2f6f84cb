"""Collections of rekordbox: tracks, grids, cues and playlists, as far as they can be true, and what damage leaves."""

import random
from io import BytesIO
from pathlib import Path

import pytest
from pyrekordbox.rbxml import RekordboxXml

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.rekordbox_xml import read_rekordbox_xml
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts

COLLECTION = """<?xml version="1.0" encoding="UTF-8"?>
<DJ_PLAYLISTS Version="1.0.0">
  <PRODUCT Name="rekordbox" Version="7.1.0" Company="AlphaTheta"/>
  <COLLECTION Entries="4">
    <TRACK TrackID="11" Name="Jóga &amp; &lt;Co&gt;" Artist="Björk" Album="Homogenic" Genre="Pop" Kind="MP3 File"
           TotalTime="305" AverageBpm="128.50" Tonality="Fm" Colour="0xFF007F"
           Location="file://localhost/Users/me/Music/Bj%C3%B6rk/J%C3%B3ga%20(Mix)%20%26%20Co.mp3">
      <TEMPO Inizio="60.100" Bpm="130.00" Metro="4/4" Battito="3"/>
      <TEMPO Inizio="0.025" Bpm="128.50" Metro="4/4" Battito="1"/>
      <POSITION_MARK Name="Intro  1" Type="0" Start="0.025" Num="0" Red="40" Green="226" Blue="20"/>
      <POSITION_MARK Name="" Type="0" Start="0.025" Num="-1"/>
      <POSITION_MARK Name="" Type="1" Start="1.5" Num="-1"/>
      <POSITION_MARK Name="" Type="2" Start="299" Num="-1"/>
      <POSITION_MARK Name="" Type="3" Start="2" Num="-1"/>
      <POSITION_MARK Name="Loop" Type="4" Start="30.5" End="34.25" Num="7" Red="255" Green="160" Blue="0"/>
    </TRACK>
    <TRACK TrackID="12" Name="b" Artist="" Location="file://localhost/C:/Music/b.wav"/>
    <TRACK TrackID="13" Name="Streamed" Location="file://localhosttidal:tracks:62303032"/>
    <TRACK TrackID="14" Name="Streamed" Location="file://localhost/soundcloud:tracks:1"/>
  </COLLECTION>
  <PLAYLISTS>
    <NODE Type="0" Name="ROOT" Count="3">
      <NODE Type="0" Name="House" Count="2">
        <NODE Type="1" Name="Deep / Slow" KeyType="0" Entries="3">
          <TRACK Key="12"/><TRACK Key="13"/><TRACK Key="11"/>
        </NODE>
        <NODE Type="1" Name="Empty" KeyType="0" Entries="0"/>
      </NODE>
      <NODE Type="1" Name="By place" KeyType="1" Entries="2">
        <TRACK Key="file://localhost/C:/Music/b.wav"/>
        <TRACK Key="file://localhost/Volumes/USB/c%25.aif"/>
      </NODE>
      <NODE Type="1" Name="ROOT" KeyType="0" Entries="1"><TRACK Key="12"/></NODE>
    </NODE>
  </PLAYLISTS>
</DJ_PLAYLISTS>
"""
STOPPED = "it is not read to its end: what follows cannot be decoded, or its tags nest too deep"
JOGA = "/Users/me/Music/Björk/Jóga (Mix) & Co.mp3"
LIBRARY = DJLibrary(
    entries=(
        LibraryEntry(
            JOGA,
            DJFacts(
                program="rekordbox",
                artist="Björk",
                title="Jóga & <Co>",
                album="Homogenic",
                genre="Pop",
                key="Fm",
                bpm=128.5,
                duration_s=305.0,
                color="#FF007F",
                grid=(BeatMarker(0.025, 128.5, 1), BeatMarker(60.1, 130.0, 3)),
                cues=(
                    Cue(CueKind.CUE, 0.025, slot=0, name="Intro 1", color="#28E214"),
                    Cue(CueKind.CUE, 0.025),
                    Cue(CueKind.FADE_IN, 1.5),
                    Cue(CueKind.FADE_OUT, 299.0),
                    Cue(CueKind.LOAD, 2.0),
                    Cue(CueKind.LOOP, 30.5, 34.25, 7, "Loop", "#FFA000"),
                ),
            ),
        ),
        LibraryEntry("C:/Music/b.wav", DJFacts("rekordbox", title="b")),
        LibraryEntry("/Volumes/USB/c%.aif"),
    ),
    crates=(
        CrateListing(("House", "Deep / Slow"), ("C:/Music/b.wav", JOGA)),
        CrateListing(("House", "Empty"), ()),
        CrateListing(("By place",), ("C:/Music/b.wav", "/Volumes/USB/c%.aif")),
        CrateListing(("ROOT",), ("C:/Music/b.wav",)),
    ),
    warnings=("2 tracks are left out: they have no file, but stream from a service",),
)


def read(text: str) -> DJLibrary:
    """A collection of these words."""
    return read_rekordbox_xml(BytesIO(text.encode()))


def track(attributes: str = "", inside: str = "") -> DJFacts:
    """What is known of the only track of a collection."""
    document = f"<DJ_PLAYLISTS><COLLECTION><TRACK Location='file://localhost/a.mp3' {attributes}>{inside}</TRACK>"
    facts = read(document + "</COLLECTION></DJ_PLAYLISTS>").entries[0].facts
    assert facts is not None
    return facts


def test_collection_is_read_whole() -> None:
    """Tracks, grids in order, all kinds of marks, folders, both kinds of keys; streams are left out and counted."""
    assert read(COLLECTION) == LIBRARY


def test_other_encodings_are_read() -> None:
    """A byte order mark, or UTF-16."""
    assert read_rekordbox_xml(BytesIO(b"\xef\xbb\xbf" + COLLECTION.encode())) == LIBRARY
    assert read_rekordbox_xml(BytesIO(COLLECTION.replace("UTF-8", "UTF-16").encode("utf-16"))) == LIBRARY


@pytest.mark.parametrize("number", ["", "x", "nan", "inf", "-1", "1e300", "90000"])
def test_numbers_that_cannot_be_true_are_left_out(number: str) -> None:
    """Of a track 0; a mark or a beat at such a place is none."""
    facts = track(
        f"AverageBpm='{number}' TotalTime='{number}' Colour='{number}'",
        f"<TEMPO Inizio='{number}' Bpm='120' Battito='1'/><TEMPO Inizio='1' Bpm='{number}' Battito='1'/>"
        f"<POSITION_MARK Type='0' Start='{number}' Num='0'/><POSITION_MARK Type='4' Start='1' End='{number}' Num='0'/>",
    )
    assert facts == DJFacts("rekordbox")


def test_decimal_commas_are_understood() -> None:
    """Some converters write the numbers of their country."""
    facts = track("AverageBpm='127,5' TotalTime='61,5'", "<TEMPO Inizio='0,25' Bpm='127,5' Battito='9'/>")
    assert facts == DJFacts("rekordbox", bpm=127.5, duration_s=61.5, grid=(BeatMarker(0.25, 127.5, 0),))


@pytest.mark.parametrize(
    ("attributes", "cue"),
    [
        ("Type='0' Start='1' Num='7'", Cue(CueKind.CUE, 1.0, slot=7)),
        ("Type='0' Start='1' Num='9999'", Cue(CueKind.CUE, 1.0)),
        ("Type='0' Start='1' Num='x' Red='256' Green='0' Blue='0'", Cue(CueKind.CUE, 1.0)),
        ("Type='0' Start='1' Num='0' Red='1' Green='2'", Cue(CueKind.CUE, 1.0, slot=0)),
        ("Type='0' Start='1' End='2' Num='0'", Cue(CueKind.CUE, 1.0, slot=0)),
        ("Type='4' Start='2' End='1' Num='0'", None),
        ("Type='4' Start='2' Num='0'", None),
        ("Type='5' Start='2' Num='0'", None),
        ("Start='2' Num='0'", None),
    ],
)
def test_marks_are_read_as_far_as_they_make_sense(attributes: str, cue: Cue | None) -> None:
    """A pad that does not exist is none, a loop without an end is no mark."""
    assert track(inside=f"<POSITION_MARK {attributes}/>").cues == ((cue,) if cue else ())


def test_track_of_a_playlist_that_is_not_in_the_collection_is_counted() -> None:
    """The others are kept; without a kind of key it is the number."""
    library = read(
        "<DJ_PLAYLISTS><COLLECTION><TRACK TrackID='1' Location='file://localhost/a.mp3'/></COLLECTION><PLAYLISTS>"
        "<NODE Type='0' Name='ROOT'><NODE Type='1' Name='p'><TRACK Key='2'/><TRACK Key='1'/></NODE></NODE></PLAYLISTS>"
        "</DJ_PLAYLISTS>"
    )
    assert library.crates == (CrateListing(("p",), ("/a.mp3",)),)
    assert library.warnings == ("playlists name 1 tracks that the collection does not have",)


def test_first_of_two_tracks_counts() -> None:
    """Of the same file, and of the same number."""
    library = read(
        "<DJ_PLAYLISTS><COLLECTION><TRACK TrackID='1' Name='first' Location='file://localhost/a.mp3'/>"
        "<TRACK TrackID='2' Name='second' Location='file://localhost/a.mp3'/>"
        "<TRACK TrackID='1' Location='file://localhost/b.mp3'/></COLLECTION>"
        "<PLAYLISTS><NODE Type='1' Name='p'><TRACK Key='1'/><TRACK Key='2'/></NODE></PLAYLISTS></DJ_PLAYLISTS>"
    )
    assert library.entries[0] == LibraryEntry("/a.mp3", DJFacts("rekordbox", title="first"))
    assert [entry.location for entry in library.entries] == ["/a.mp3", "/b.mp3"]
    assert library.crates == (CrateListing(("p",), ("/a.mp3", "/a.mp3")),)


def test_node_with_tracks_is_a_playlist_whatever_it_says() -> None:
    """One without tracks only if it says so."""
    library = read(
        "<DJ_PLAYLISTS><TRACK TrackID='1' Location='file://localhost/a.mp3'/><PLAYLISTS><NODE Name='p'>"
        "<NODE Name='q'><TRACK Key='1'/></NODE><NODE Name='r'/></NODE></PLAYLISTS></DJ_PLAYLISTS>"
    )
    assert library.crates == (CrateListing(("p", "q"), ("/a.mp3",)),)


def test_collection_without_anything_is_one() -> None:
    """As a fresh installation exports it, or only playlists, or none."""
    assert read("<DJ_PLAYLISTS/>") == DJLibrary()


@pytest.mark.parametrize("text", ["", " ", "no XML", "<NML/>", "<plist><DJ_PLAYLISTS/></plist>", "<"])
def test_what_is_no_collection_is_rejected(text: str) -> None:
    """It says why."""
    with pytest.raises(LibraryRejected, match="no DJ_PLAYLISTS document"):
        read(text)


@pytest.mark.parametrize(
    "declarations",
    [
        "<!ENTITY a 'aaaaaaaaaa'>"
        + "".join(f"<!ENTITY {n} '{f'&{m};' * 10}'>" for m, n in zip("abcdefgh", "bcdefghi", strict=True)),
        "<!ENTITY i SYSTEM 'file:///etc/hostname'>",
        "<!ENTITY % i SYSTEM 'http://127.0.0.1:9/x.dtd'> %i;",
    ],
)
def test_entities_are_refused(declarations: str) -> None:
    """Those that grow without end, read files or call networks."""
    with pytest.raises(LibraryRejected, match="declares a document type"):
        read(f"<!DOCTYPE DJ_PLAYLISTS [{declarations}]><DJ_PLAYLISTS><TRACK Name='&i;' Location='&i;'/></DJ_PLAYLISTS>")


def test_nesting_without_end_is_given_up() -> None:
    """What came before it is kept."""
    library = read(
        "<DJ_PLAYLISTS><COLLECTION><TRACK TrackID='1' Location='file://localhost/a.mp3'/></COLLECTION>"
        "<PLAYLISTS>" + "<NODE Type='1' Name='n'>" * 5000
    )
    assert [entry.location for entry in library.entries] == ["/a.mp3"]
    assert library.warnings[-1] == STOPPED
    assert max(len(crate.path) for crate in library.crates) < 200


@pytest.mark.parametrize("half", ["&#xD83D;", "&#55357;", "&#X000dfff;"])
def test_half_a_character_costs_only_itself(half: str) -> None:
    """Programs that think in UTF-16 write such references; wherever in the file one lies."""
    for blank_count in range(1 << 16, (1 << 16) - 120, -7):
        begin = "<DJ_PLAYLISTS><TRACK Location='file://localhost/a.mp3' Name='"
        library = read(f"{' ' * (blank_count - len(begin))}{begin}{half}A'/><TRACK Location='/b.mp3'/></DJ_PLAYLISTS>")
        assert library.entries[0].facts == DJFacts("rekordbox", title="\ufffdA")
        assert library.entries[1].location == "/b.mp3"


def test_half_a_character_in_utf16_ends_the_collection() -> None:
    """What came before it is kept."""
    text = "<DJ_PLAYLISTS><TRACK Location='/a.mp3'/><TRACK Name='&#xD83D;' Location='/b.mp3'/></DJ_PLAYLISTS>"
    library = read_rekordbox_xml(BytesIO(text.encode("utf-16")))
    assert [entry.location for entry in library.entries] == ["/a.mp3"]
    assert library.warnings[-1] == STOPPED


def test_damage_throughout_is_survived() -> None:
    """One sentence says it, and what lies between is kept."""
    tracks = "".join(f"<TRACK Name='a' Name='b' Location='file://localhost/{i}.mp3'>& &</TRAC>" for i in range(3000))
    library = read(f"<DJ_PLAYLISTS>{tracks}</DJ_PLAYLISTS>")
    assert [entry.location for entry in library.entries] == [f"/{i}.mp3" for i in range(3000)]
    assert library.warnings == (
        "it is damaged or cut in line 1 (Attribute Name redefined), from where on tracks may be lost",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Artist="" ', "Artist=& "),
        ('Name="b"', 'Name="b'),
        ('"12" Name', '"12" Na\x01me'),
        ("</TRACK>", "</TR\x02CK>"),
        ('Num="7" Red="255" Green="160" Blue="0"/>', 'Num="7" Red="255" Green="160" Blue="0">'),
        ("</COLLECTION>", ""),
        ("</NODE>", "<NODE>"),
    ],
)
def test_damage_costs_what_it_hits(old: str, new: str) -> None:
    """The first track and its marks are there, the damage is said with its line."""
    assert old in COLLECTION
    library = read(COLLECTION.replace(old, new, 1))
    assert library.entries[0] == LIBRARY.entries[0]
    line = COLLECTION[: COLLECTION.index(old)].count("\n") + 1
    assert library.warnings[0].startswith("it is damaged or cut in line ")
    assert int(library.warnings[0].split()[7]) >= line


def test_cut_collection_has_what_comes_before_the_cut() -> None:
    """At every 7th length: a growing number of tracks and a warning, or the rejection of what is no collection yet."""
    data = COLLECTION.encode()
    begin = data.index(b"<PRODUCT")
    counts = []
    for length in range(0, len(data) - len("</DJ_PLAYLISTS>\n"), 7):
        if length < begin - 3:
            continue
        library = read_rekordbox_xml(BytesIO(data[:length]))
        assert any("damaged or cut" in warning for warning in library.warnings), length
        counts.append(len(library.entries))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 3)
    for length in range(begin - 40):
        with pytest.raises(LibraryRejected):
            read_rekordbox_xml(BytesIO(data[:length]))


def test_damage_at_random_never_breaks_the_reader() -> None:
    """Changed bytes give some tracks or a rejection."""
    random_ = random.Random(21)  # noqa: S311  # a seeded one, on purpose
    data = COLLECTION.encode()
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(random_.randint(1, 4)):
            damaged[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        try:
            library = read_rekordbox_xml(BytesIO(damaged))
        except LibraryRejected:
            continue
        assert len(library.entries) <= 6
        assert all(entry.location and "\0" not in entry.location for entry in library.entries)


def test_independent_reader_agrees(tmp_path: Path) -> None:
    """The pyrekordbox package finds the same; it drops the first slash of a path, and fails on colours."""
    file = tmp_path / "rekordbox.xml"
    file.write_text(COLLECTION, "utf-8")
    theirs = RekordboxXml(str(file))
    ours = read(COLLECTION)
    assert [entry.location.removeprefix("/") for entry in ours.entries[:2]] == [
        theirs.get_track(index)["Location"].removeprefix("/") for index in range(2)
    ]
    joga, facts = theirs.get_track(0), ours.entries[0].facts
    assert facts is not None
    assert (facts.title, facts.artist, facts.key) == (joga["Name"], joga["Artist"], joga["Tonality"])
    assert (facts.bpm, facts.duration_s) == (joga["AverageBpm"], joga["TotalTime"])
    tempos = sorted((tempo["Inizio"], tempo["Bpm"], tempo["Battito"]) for tempo in joga.tempos)
    assert [(marker.position_s, marker.bpm, marker.bar_beat) for marker in facts.grid] == tempos
    marks = [(mark["Type"], mark["Start"], mark["Num"]) for mark in joga.marks]
    slots = [-1 if cue.slot is None else cue.slot for cue in facts.cues]
    kinds = [cue.kind.replace("_", "") for cue in facts.cues]
    assert marks == list(zip(kinds, [cue.start_s for cue in facts.cues], slots, strict=True))
    assert [node.name for node in theirs.get_playlist("House").get_playlists()] == ["Deep / Slow", "Empty"]
