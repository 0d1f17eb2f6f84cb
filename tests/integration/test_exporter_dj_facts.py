"""What a library knows of a track in the files and lists of each target, read by others than their writers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import mutagen
import pytest
import taglib
from lxml import etree
from pyrekordbox.rbxml import RekordboxXml
from sidecaramel import blobs as their_blobs, tags as their_tags
from traktor_nml_utils.models.collection import Nml
from xsdata.formats.dataclass.parsers import XmlParser

from services.library.core.rekordbox_xml import read_rekordbox_xml
from services.library.core.traktor_nml import read_traktor_nml
from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.main import main
from stemhouse.dj import DJTarget, FoundTrack, KnownTrack, OrganizeOptions, StemFileOptions
from stemhouse.tracks import BeatMarker, CueKind
from tests.integration.dj_house import House, open_house
from tests.unit.exporter.dj_material import CUES, DRIFTING, FULL
from tests.unit.exporter.results import RATE_HZ, SOURCE, separated

ART = b"\xff\xd8\xff" + bytes(range(256)) * 8
KNOWN = KnownTrack(replace(FULL, title="Jóga", comment="", key="4A"), "serato", ART)
FOUND = FoundTrack("/music/Björk/1997/Jóga.mp3", KNOWN, ("House/Deep", "Best"), "Björk/1997")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One whose library knows the track."""
    with open_house(tmp_path) as opened:
        opened.library.found[SOURCE.file_name] = FOUND
        yield opened


def test_rekordbox_gets_what_the_library_knows(house: House) -> None:
    """Grid, marks with names, album and cover; pyrekordbox reads the collection, TagLib and mutagen the tags."""
    [file, _] = house.files(DJTarget.REKORDBOX)
    with taglib.File(str(file)) as tagged:
        found = {name: values[0] for name, values in tagged.tags.items() if values}
    assert (found["ALBUM"], found["GENRE"], found["BPM"], found["INITIALKEY"]) == ("Homogenic", "Pop", "127.99", "Fm")
    audio = mutagen.File(file)
    assert audio is not None
    assert audio.tags["APIC:"].data == ART
    [document] = house.lists(DJTarget.REKORDBOX).files
    read = read_rekordbox_xml(BytesIO(document.read_bytes()))
    assert read.entries[0].facts
    assert [cue for cue in read.entries[0].facts.cues if cue.slot is not None] == [
        replace(cue, is_locked=False) for cue in CUES if cue.slot is not None
    ]
    assert [(len(crate.locations), crate.path) for crate in read.crates] == [
        (1, ("Stemhouse", "Best", "Acapella")),
        (1, ("Stemhouse", "Best", "Instrumental")),
        (1, ("Stemhouse", "House", "Deep", "Acapella")),
        (1, ("Stemhouse", "House", "Deep", "Instrumental")),
        (1, ("Stemhouse", "Acapella")),
        (1, ("Stemhouse", "Instrumental")),
    ]
    track = RekordboxXml(without_colors(document)).get_track(0)
    assert [(tempo["Inizio"], tempo["Bpm"]) for tempo in track.tempos] == [(0.125, 127.994)]
    assert [mark["Name"] for mark in track.marks if mark["Num"] >= 0] == ["Intro", "Drøp 🎶", "Loop <4>"]


def without_colors(document: Path) -> str:
    """A copy for pyrekordbox, which fails on the colours of marks."""
    root = etree.fromstring(document.read_bytes())
    for mark in root.iter("POSITION_MARK"):
        for name in ("Red", "Green", "Blue"):
            mark.attrib.pop(name, None)
    copy = document.with_name("copy.xml")
    copy.write_bytes(etree.tostring(root))
    return str(copy)


def test_serato_gets_what_the_library_knows(house: House) -> None:
    """The sidecaramel package finds grid, cues, colours, loops and the lock; crates nest as the library's do."""
    [file, _] = house.files(DJTarget.SERATO)
    theirs = {name: blob for name, blob, _ in their_blobs.harvest(str(file))}
    assert their_blobs.decode_beatgrid(theirs["Serato BeatGrid"])["terminal_marker"]["bpm"] == pytest.approx(127.994)
    marks = their_tags.parse_serato_markers2_full(theirs["Serato Markers2"])
    assert [cue["label"] for cue in marks["cues"]] == ["Intro", "", "Drøp 🎶"]
    assert [loop["label"] for loop in marks["loops"]] == ["Loop <4>"]
    lists = [file.name for file in house.lists(DJTarget.SERATO).files]
    assert {"Stemhouse%%House%%Deep%%Acapella.crate", "Stemhouse - Best - Instrumental.m3u8"} <= {*lists}


def test_traktor_gets_what_the_library_knows(house: House) -> None:
    """The traktor-nml-utils package finds the grid and each mark; the cover is in the stem file."""
    [file] = house.files(DJTarget.TRAKTOR, StemFileOptions())
    assert ART in file.read_bytes()
    document = house.lists(DJTarget.TRAKTOR).files[0]
    facts = read_traktor_nml(BytesIO(document.read_bytes())).entries[0].facts
    assert facts
    assert (facts.album, facts.key, facts.is_grid_locked) == ("Homogenic", "Fm", True)
    collection = XmlParser().from_bytes(document.read_bytes(), Nml).collection
    assert collection
    marks = [(mark.name, mark.start, mark.hotcue) for mark in collection.entry[0].cue_v2]
    assert marks[:2] == [("AutoGrid", 125.0, -1), ("Intro", 125.0, 0)]
    assert [cue.kind for cue in facts.cues].count(CueKind.LOOP) == 1


Markers = list[tuple[float, float]]


def rekordbox_grid(house: House) -> Markers:
    """As pyrekordbox reads it."""
    house.files(DJTarget.REKORDBOX)
    [document] = house.lists(DJTarget.REKORDBOX).files
    tempos = RekordboxXml(without_colors(document)).get_track(0).tempos
    return [(tempo["Inizio"], tempo["Bpm"]) for tempo in tempos]


def traktor_grid(house: House) -> Markers:
    """As traktor-nml-utils reads it."""
    house.files(DJTarget.TRAKTOR, StemFileOptions())
    document = house.lists(DJTarget.TRAKTOR).files[0]
    collection = XmlParser().from_bytes(document.read_bytes(), Nml).collection
    assert collection
    anchors = [mark for mark in collection.entry[0].cue_v2 if mark.grid]
    return [(float(anchor.start) / 1000.0, float(anchor.grid.bpm)) for anchor in anchors]


def serato_grid(house: House) -> Markers:
    """As sidecaramel reads it out of a FLAC; all but the last marker tell beats instead of a tempo."""
    [file, _] = house.files(DJTarget.SERATO)
    theirs = {name: blob for name, blob, _ in their_blobs.harvest(str(file))}
    grid = their_blobs.decode_beatgrid(theirs["Serato BeatGrid"])
    last = grid["terminal_marker"]["position_s"], grid["terminal_marker"]["bpm"]
    markers = [(marker["position_s"], marker["beats_till_next"]) for marker in grid["non_terminal_markers"]]
    ends_s = [*(position_s for position_s, _ in markers), last[0]][1:]
    tempos = [(at, 60.0 * beats / (end - at)) for (at, beats), end in zip(markers, ends_s, strict=True)]
    return [*tempos, last]


@pytest.mark.parametrize("read", [rekordbox_grid, traktor_grid, serato_grid])
@pytest.mark.parametrize("grid", [FULL.grid, DRIFTING.grid])
def test_beats_of_five_minutes_are_where_they_were(
    read: Callable[[House], Markers], grid: tuple[BeatMarker, ...], house: House
) -> None:
    """To the millisecond, by readers of others; a grid that drifts, too."""
    track = replace(FULL, title="Jóga", grid=grid)
    house.library.found[SOURCE.file_name] = replace(FOUND, known=replace(KNOWN, track=track))
    wanted = beats_s([(marker.position_s, marker.bpm) for marker in grid])
    assert beats_s(read(house)) == pytest.approx(wanted, abs=0.001)


def beats_s(markers: Markers) -> list[float]:
    """Of some five minutes; each marker counts until the next one."""
    times_s = [markers[0][0]]
    while len(times_s) < 600:
        bpm = [bpm for at, bpm in markers if at <= times_s[-1] + 0.01][-1]
        times_s.append(times_s[-1] + 60.0 / bpm)
    return times_s


def test_grid_off_by_an_encoders_silence_is_told_and_moved(tmp_path: Path) -> None:
    """The drums of the fake analysis beat from 0 on; a grid 25 ms late is told, and moved if that is asked for."""
    late = replace(FULL, title="Jóga", bpm=124.0, grid=(BeatMarker(0.025, 124.0, 1),))
    with open_house(tmp_path, separated(10 * RATE_HZ)) as house:
        house.library.found[SOURCE.file_name] = replace(FOUND, known=replace(KNOWN, track=late))
        told = house.organize(DJTarget.SERATO).made
        moved = house.organize(DJTarget.SERATO, OrganizeOptions(DJTarget.SERATO, moves_origin=True)).made
    assert told
    assert moved
    assert told.warnings[0].startswith("Jóga: the grid of serato lies 25 ms behind the drums, as with programs")
    track = json.loads(moved.files[-1].read_text())["dj"]["files"][0]["track"]
    assert track["grid"][0]["position_s"] == pytest.approx(0.0, abs=1e-6)
    assert [cue["start_s"] for cue in track["cues"]] == pytest.approx([cue.start_s - 0.025 for cue in CUES])


def test_grid_is_moved_by_what_was_cut_off(tmp_path: Path) -> None:
    """As metadata.json has it: 1105 samples of LAME, where the drums are heard 4 ms from where the DJ has them."""
    late = replace(FULL, title="Jóga", bpm=124.0, grid=(BeatMarker(0.021, 124.0, 1),), cues=())
    with open_house(tmp_path, separated(10 * RATE_HZ)) as house:
        house.library.found[SOURCE.file_name] = replace(FOUND, known=replace(KNOWN, track=late))
        file = house.folder / "metadata.json"
        metadata = json.loads(file.read_text())
        metadata["source"]["trimmed_lead_frames"] = 1105
        file.write_text(json.dumps(metadata))
        made = house.organize(DJTarget.SERATO, OrganizeOptions(DJTarget.SERATO, moves_origin=True)).made
    assert made
    assert made.warnings[0].endswith("it was moved by 25.1 ms with its cues")
    [marker] = json.loads(made.files[-1].read_text())["dj"]["files"][0]["track"]["grid"]
    assert marker["position_s"] == pytest.approx(0.021 - 1105 / RATE_HZ + 60 / 124.0, abs=1e-6)


def test_mirror_lies_as_the_library_does(house: House) -> None:
    """Below its folder; lists find it there; a second run asks nothing of the exporter, and a track may be unknown."""
    organizer = house.organizer(DJTarget.SERATO, is_mirror=True)
    stems = house.stems()
    [outcome] = organizer.organize([stems], OrganizeOptions(DJTarget.SERATO))
    assert outcome.made
    assert outcome.made.folder == house.output / "Björk/1997/Björk - Jóga_01234567"
    assert len(house.lists(DJTarget.SERATO).files) > 4
    house.store.objects.clear()
    assert house.organize(DJTarget.SERATO).made == replace(outcome.made, is_reused=True)


def test_cli_asks_the_library_unless_told_otherwise(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For its own target's word, or another's; `none` leaves it in peace. Edited files are told of."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    arguments = ["export-dj", str(house.folder), "--target", "serato", "--output", str(house.output)]
    assert main([*arguments, "--json"]) == ExitCode.OK
    [track] = json.loads(capsys.readouterr().out)["tracks"]
    assert track["library_track"] == FOUND.path
    file = Path(track["files"][0])
    file.write_bytes(file.read_bytes() + b"edited")
    assert main([*arguments, "--grids-of", "traktor"]) == ExitCode.OK
    assert "edited since, and left alone: Jóga_Acapella.flac" in capsys.readouterr().err
    assert [request.program for request in house.library.searches] == ["serato"] * 3 + ["traktor"] * 3
    assert main([*arguments, "--grids-of", "none"]) == ExitCode.OK
    assert len(house.library.searches) == 6
    assert len([*house.output.glob("Björk*")]) == 2
    assert "note: tracks in lists more than once: 1, made with" in capsys.readouterr().err
