"""Collections of Traktor: tracks, grids, marks and playlists, as far as they can be true, and what damage leaves."""

import random
from io import BytesIO
from typing import Any

import pytest
from traktor_nml_utils.models.collection import Nml
from xsdata.formats.dataclass.parsers import XmlParser

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.musical_key import key_from_open_key, key_from_traktor
from services.library.core.traktor_nml import location_from_key, read_traktor_nml
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts

COLLECTION = """<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<NML VERSION="20"><HEAD COMPANY="www.native-instruments.com" PROGRAM="Traktor Pro 4"></HEAD>
<MUSICFOLDERS></MUSICFOLDERS>
<COLLECTION ENTRIES="3">
<ENTRY MODIFIED_DATE="2026/1/2" MODIFIED_TIME="3600" LOCK="1" LOCK_MODIFICATION_TIME="2026-01-02T00:00:00" AUDIO_ID="AA"
 TITLE="Jóga &amp; Co" ARTIST="Björk"><LOCATION DIR="/:Users/:me/:Mix// One/:" FILE="Jóga// x.mp3"
 VOLUME="Macintosh HD" VOLUMEID="Macintosh HD"></LOCATION>
<ALBUM TRACK="1" TITLE="Homogenic"></ALBUM>
<INFO BITRATE="320000" GENRE="Pop" KEY="2d" PLAYTIME="305" PLAYTIME_FLOAT="304.561218" FILESIZE="12000"></INFO>
<TEMPO BPM="128.500000" BPM_QUALITY="100.000000"></TEMPO>
<LOUDNESS PEAK_DB="0.1" PERCEIVED_DB="0.2" ANALYZED_DB="0.3"></LOUDNESS>
<MUSICAL_KEY VALUE="12"></MUSICAL_KEY>
<CUE_V2 NAME="AutoGrid" DISPL_ORDER="0" TYPE="4" START="60100.500000" LEN="0.000000" REPEATS="-1" HOTCUE="-1"><GRID
 BPM="130.000000"></GRID></CUE_V2>
<CUE_V2 NAME="AutoGrid" DISPL_ORDER="0" TYPE="4" START="25.500000" LEN="0.000000" REPEATS="-1" HOTCUE="0"></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="0" START="1000.000000" LEN="0.000000" REPEATS="-1" HOTCUE="1"
 COLOR="#ff00aa"></CUE_V2>
<CUE_V2 NAME="In" DISPL_ORDER="0" TYPE="1" START="2000.000000" LEN="0.000000" REPEATS="-1" HOTCUE="-1"></CUE_V2>
<CUE_V2 NAME="Out" DISPL_ORDER="0" TYPE="2" START="3000.000000" LEN="0.000000" REPEATS="-1" HOTCUE="-1"></CUE_V2>
<CUE_V2 NAME="Load" DISPL_ORDER="0" TYPE="3" START="4000.000000" LEN="0.000000" REPEATS="-1" HOTCUE="-1"></CUE_V2>
<CUE_V2 NAME="Loop" DISPL_ORDER="0" TYPE="5" START="5000.000000" LEN="3750.000000" REPEATS="-1" HOTCUE="7"></CUE_V2>
</ENTRY>
<ENTRY TITLE="b" ARTIST=""><LOCATION DIR="/:" FILE="b.wav" VOLUME="D:" VOLUMEID="1a2b"></LOCATION>
<INFO KEY="10m" PLAYTIME="61"></INFO></ENTRY>
<ENTRY TITLE="no file"><LOCATION DIR="" FILE="" VOLUME=""></LOCATION></ENTRY>
</COLLECTION>
<SETS ENTRIES="0"></SETS>
<PLAYLISTS><NODE TYPE="FOLDER" NAME="$ROOT"><SUBNODES COUNT="3">
<NODE TYPE="FOLDER" NAME="House"><SUBNODES COUNT="2">
<NODE TYPE="PLAYLIST" NAME="Deep / Slow"><PLAYLIST ENTRIES="2" TYPE="LIST" UUID="u1">
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="D:/:b.wav"></PRIMARYKEY></ENTRY>
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="Macintosh HD/:Users/:me/:Mix// One/:Jóga// x.mp3"></PRIMARYKEY></ENTRY>
</PLAYLIST></NODE>
<NODE TYPE="PLAYLIST" NAME="Empty"><PLAYLIST ENTRIES="0" TYPE="LIST" UUID="u2"></PLAYLIST></NODE>
</SUBNODES></NODE>
<NODE TYPE="SMARTLIST" NAME="New"><SMARTLIST UUID="u3"><SEARCH_EXPRESSION VERSION="1" QUERY="$PLAYED == TRUE">
</SEARCH_EXPRESSION></SMARTLIST></NODE>
<NODE TYPE="PLAYLIST" NAME="Other"><PLAYLIST ENTRIES="1" TYPE="LIST" UUID="u4">
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="USB/:c.aif"></PRIMARYKEY></ENTRY></PLAYLIST></NODE>
</SUBNODES></NODE></PLAYLISTS>
</NML>
"""
JOGA = "/Volumes/Macintosh HD/Users/me/Mix: One/Jóga: x.mp3"
LIBRARY = DJLibrary(
    entries=(
        LibraryEntry(
            JOGA,
            DJFacts(
                program="traktor",
                artist="Björk",
                title="Jóga & Co",
                album="Homogenic",
                genre="Pop",
                key="Cm",
                bpm=128.5,
                duration_s=304.561218,
                is_grid_locked=True,
                grid=(BeatMarker(0.0255, 128.5), BeatMarker(60.1005, 130.0)),
                cues=(
                    Cue(CueKind.CUE, 0.0255, slot=0, name="AutoGrid"),
                    Cue(CueKind.CUE, 1.0, slot=1, color="#FF00AA"),
                    Cue(CueKind.FADE_IN, 2.0, name="In"),
                    Cue(CueKind.FADE_OUT, 3.0, name="Out"),
                    Cue(CueKind.LOAD, 4.0, name="Load"),
                    Cue(CueKind.LOOP, 5.0, 8.75, 7, "Loop"),
                ),
            ),
        ),
        LibraryEntry("D:/b.wav", DJFacts("traktor", title="b", key="Cm", duration_s=61.0)),
        LibraryEntry("/Volumes/USB/c.aif"),
    ),
    crates=(
        CrateListing(("House", "Deep / Slow"), ("D:/b.wav", JOGA)),
        CrateListing(("House", "Empty"), ()),
        CrateListing(("Other",), ("/Volumes/USB/c.aif",)),
    ),
    warnings=(
        "1 tracks are left out: they name no file",
        "1 smart lists are left out: what is in them only Traktor knows",
    ),
)


def read(text: str) -> DJLibrary:
    """A collection of these words."""
    return read_traktor_nml(BytesIO(text.encode()))


def track(inside: str = "", attributes: str = "") -> DJFacts:
    """What is known of the only track of a collection."""
    place = "<LOCATION VOLUME='C:' DIR='/:' FILE='a.mp3'/>"
    library = read(f"<NML><COLLECTION><ENTRY {attributes}>{place}{inside}</ENTRY></COLLECTION></NML>")
    assert library.entries[0].facts is not None
    return library.entries[0].facts


def test_collection_is_read_whole() -> None:
    """Tracks, grids in order, all kinds of marks, folders; smart lists are left out and counted."""
    assert read(COLLECTION) == LIBRARY


@pytest.mark.parametrize(
    ("key", "location"),
    [
        ("C:/:Music/:a.mp3", "C:/Music/a.mp3"),
        ("Macintosh HD/:Users/:me/:a.mp3", "/Volumes/Macintosh HD/Users/me/a.mp3"),
        ("USB//1/:x//y/:/:a.mp3", "/Volumes/USB:1/x:y//a.mp3"),
        ("USB/:a///:b.mp3", "/Volumes/USB/a:/b.mp3"),
        ("USB", ""),
        ("USB/:", ""),
        ("/:a.mp3", ""),
        ("", ""),
    ],
)
def test_key_is_volume_folders_and_file(key: str, location: str) -> None:
    """A colon in a name is written as two slashes."""
    assert location_from_key(key) == location


def test_keys_are_written_as_musicians_do() -> None:
    """Both tables, hand-picked: the number wins, then Open Key; other texts stay."""
    assert [key_from_traktor(value) for value in ("0", "7", "11", "12", "21", "23")] == [
        "C",
        "G",
        "B",
        "Cm",
        "Am",
        "Bm",
    ]
    assert [key_from_traktor(value) for value in ("24", "-1", "", "x", "7.0")] == [""] * 5
    majors = ["C", "G", "D", "A", "E", "B", "F#", "Db", "Ab", "Eb", "Bb", "F"]
    minors = ["Am", "Em", "Bm", "F#m", "C#m", "G#m", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm"]
    assert [key_from_open_key(f"{number}d") for number in range(1, 13)] == majors
    assert [key_from_open_key(f"{number}m") for number in range(1, 13)] == minors
    assert [key_from_open_key(text) for text in ("13d", "0m", "Abm", "8A", "")] == ["13d", "0m", "Abm", "8A", ""]
    assert track("<INFO KEY='2d'/><MUSICAL_KEY VALUE='99'/>").key == "G"


@pytest.mark.parametrize("number", ["", "x", "nan", "inf", "-1", "1e300"])
def test_numbers_that_cannot_be_true_are_left_out(number: str) -> None:
    """Of a track 0; a mark or a beat at such a place is none, and no beat without a tempo."""
    facts = track(
        f"<INFO PLAYTIME='{number}' PLAYTIME_FLOAT='{number}'/><TEMPO BPM='{number}'/>"
        f"<CUE_V2 TYPE='0' START='{number}' HOTCUE='0'/><CUE_V2 TYPE='5' START='1' LEN='{number}' HOTCUE='0'/>"
        f"<CUE_V2 TYPE='4' START='{number}' HOTCUE='-1'><GRID BPM='120'/></CUE_V2><CUE_V2 TYPE='4' START='1'/>"
        f"<CUE_V2 TYPE='{number}' START='1' HOTCUE='0'/>"
    )
    assert facts == DJFacts("traktor")


def test_tempo_of_an_anchor_is_its_own_and_no_other() -> None:
    """A tempo behind a mark that is no anchor belongs to nothing; the track's counts where an anchor has none."""
    facts = track(
        "<CUE_V2 TYPE='4' START='1000' HOTCUE='-1'/><CUE_V2 TYPE='0' START='0' HOTCUE='0'><GRID BPM='99'/></CUE_V2>"
        "<TEMPO BPM='120,5'/>"
    )
    assert facts.grid == (BeatMarker(1.0, 120.5),)


def test_first_of_two_entries_for_a_file_counts() -> None:
    """Traktor itself writes no second one."""
    place = "<LOCATION VOLUME='C:' DIR='/:' FILE='a.mp3'/>"
    library = read(f"<NML><ENTRY TITLE='first'>{place}</ENTRY><ENTRY TITLE='second'>{place}</ENTRY></NML>")
    assert library.entries == (LibraryEntry("C:/a.mp3", DJFacts("traktor", title="first")),)


def test_track_of_a_playlist_without_a_place_is_counted() -> None:
    """The others are kept."""
    library = read(
        "<NML><PLAYLISTS><NODE TYPE='PLAYLIST' NAME='p'><PLAYLIST><ENTRY><PRIMARYKEY KEY='x'/></ENTRY>"
        "<ENTRY><PRIMARYKEY KEY='C:/:a.mp3'/></ENTRY></PLAYLIST></NODE></PLAYLISTS></NML>"
    )
    assert library.crates == (CrateListing(("p",), ("C:/a.mp3",)),)
    assert library.warnings == ("1 tracks are left out: they name no file",)


def test_document_may_end_with_what_looks_like_a_reference() -> None:
    """The reader looks ahead for those, and takes up the rest all the same."""
    assert read("<NML><!-- & --></NML>") == DJLibrary()


def test_lock_is_only_what_says_so() -> None:
    """`0` and nothing are none."""
    assert track("", "LOCK='1'").is_grid_locked
    assert not track("", "LOCK='0'").is_grid_locked
    assert not track().is_grid_locked


@pytest.mark.parametrize("text", ["", "no XML", "<DJ_PLAYLISTS/>", "<nml/>"])
def test_what_is_no_collection_is_rejected(text: str) -> None:
    """It says why."""
    with pytest.raises(LibraryRejected, match="no NML document"):
        read(text)


def test_entities_are_refused() -> None:
    """Those that grow without end among them."""
    with pytest.raises(LibraryRejected, match="declares a document type, NML"):
        read("<!DOCTYPE NML [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><NML><ENTRY TITLE='&b;'/></NML>")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</ENTRY>\n<ENTRY TITLE", "<ENTRY TITLE"),
        ('KEY="10m"', 'KEY="10m'),
        ("</COLLECTION>", "</COLL\x01CTION>"),
        ('TITLE="no file"', "TITLE=no file"),
    ],
)
def test_damage_costs_what_it_hits(old: str, new: str) -> None:
    """The first track and its marks are there, the damage is said."""
    assert old in COLLECTION
    library = read(COLLECTION.replace(old, new, 1))
    assert library.entries[0] == LIBRARY.entries[0]
    assert library.warnings[0].startswith("it is damaged or cut in line ")


def test_cut_collection_has_what_comes_before_the_cut() -> None:
    """At every 7th length: a growing number of tracks and a warning, or the rejection of what is no collection yet."""
    data = COLLECTION.encode()
    begin = data.index(b"<HEAD")
    counts = []
    for length in range(begin, len(data) - len("</NML>\n"), 7):
        library = read_traktor_nml(BytesIO(data[:length]))
        assert any("damaged or cut" in warning for warning in library.warnings), length
        counts.append(len(library.entries))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 3)
    for length in range(begin - 20):
        with pytest.raises(LibraryRejected):
            read_traktor_nml(BytesIO(data[:length]))


def test_damage_at_random_never_breaks_the_reader() -> None:
    """Changed bytes give some tracks or a rejection."""
    random_ = random.Random(22)  # noqa: S311  # a seeded one, on purpose
    data = COLLECTION.encode()
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(random_.randint(1, 4)):
            damaged[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        try:
            library = read_traktor_nml(BytesIO(damaged))
        except LibraryRejected:
            continue
        assert len(library.entries) <= 6
        assert all(entry.location and "\0" not in entry.location for entry in library.entries)


def test_independent_reader_agrees() -> None:
    """The traktor-nml-utils package finds the same; asked by its model, as it leaves files open."""
    theirs: Any = XmlParser().from_string(COLLECTION, Nml)
    facts = read(COLLECTION).entries[0].facts
    assert facts is not None
    joga = theirs.collection.entry[0]
    assert (facts.title, facts.artist, facts.album) == (joga.title, joga.artist, joga.album.title)
    assert (facts.bpm, facts.duration_s) == (joga.tempo.bpm, joga.info.playtime_float)
    marks = [(cue.start, cue.hotcue) for cue in joga.cue_v2 if cue.type != 4 or cue.hotcue >= 0]
    assert marks == [(cue.start_s * 1000, -1 if cue.slot is None else cue.slot) for cue in facts.cues]
    anchors = sorted(cue.start for cue in joga.cue_v2 if cue.type == 4)
    assert anchors == [marker.position_s * 1000 for marker in facts.grid]
    assert facts.grid[1].bpm == joga.cue_v2[0].grid.bpm
    root = theirs.playlists.node
    names = [node.name for node in root.subnodes.node[0].subnodes.node]
    assert names == [crate.path[1] for crate in read(COLLECTION).crates if crate.path[0] == "House"]
