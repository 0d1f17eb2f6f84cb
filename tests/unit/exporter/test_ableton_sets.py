"""Live sets as Live would read them."""

import gzip
from collections import Counter
from dataclasses import replace

import pytest
from lxml import etree
from lxml.etree import _Element

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import LiveSet
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from stemhouse.analysis import Section
from stemhouse.errors import InvalidRequest
from tests.unit.exporter.live_songs import RATE_HZ, grid, read_set, song, value, values

SONG = song(grid(126.3, (0.25, 0.0)))
SET = LiveSet(126.3, (SONG,))
BOTH = pytest.mark.parametrize("profile", [LIVE_10, LIVE_11])
CLIPS = "Tracks/AudioTrack/DeviceChain/MainSequencer/Sample/ArrangerAutomation/Events/AudioClip"


@BOTH
def test_bytes_are_the_same_every_time(profile: LiveProfile) -> None:
    """A plain gzip header, without time and name."""
    data = AbletonProjectExporter().build(SET, profile)
    assert data == AbletonProjectExporter().build(SET, profile)
    assert data[:8] == b"\x1f\x8b\x08\0\0\0\0\0"
    assert gzip.decompress(data).startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Ableton MajorVersion="5" ')


def test_roots_name_their_versions() -> None:
    """The lowest change count that was seen; Live 11.0 had none."""
    roots = [
        etree.fromstring(gzip.decompress(AbletonProjectExporter().build(SET, it))).attrib for it in (LIVE_10, LIVE_11)
    ]
    assert [root["MinorVersion"] for root in roots] == ["10.0_377", "11.0_433"]
    assert [root.get("SchemaChangeCount") for root in roots] == ["3", None]


def is_pointee(element: _Element) -> bool:
    """Whether its id is one of the whole set."""
    return element.tag == "Pointee" or (str(element.tag).endswith("Target") and "Id" in element.attrib)


@pytest.mark.parametrize(("profile", "counts"), [(LIVE_10, (17, 23, 24, 11)), (LIVE_11, (19, 26, 26, 12))])
def test_ids_are_unique(profile: LiveProfile, counts: tuple[int, ...]) -> None:
    """Those of the whole set, as many as Live has; and among siblings."""
    live = read_set(SET, profile)
    ids = [int(element.attrib["Id"]) for element in live.iter() if is_pointee(element)]
    assert len(ids) == len({*ids})
    assert 0 < min(ids) <= max(ids) < int(value(live, "NextPointeeId"))
    assert {*map(int, values(live, ".//PointeeId"))} < {*ids}
    for path, count in zip(
        ("Tracks/GroupTrack", "Tracks/AudioTrack", "MasterTrack", "PreHearTrack"), counts, strict=True
    ):
        track = live.find(path)
        assert track is not None
        assert sum(map(is_pointee, track.iter())) == count
    for parent in live.iter():
        siblings = Counter(child.get("Id") for child in parent if "Id" in child.attrib and not is_pointee(child))
        assert not siblings or max(siblings.values()) == 1


@BOTH
def test_tempo_stands_in_both_places(profile: LiveProfile) -> None:
    """The envelope would win over the knob; both name the same parameter."""
    master = read_set(SET, profile).find("MasterTrack")
    assert master is not None
    assert value(master, "DeviceChain/Mixer/Tempo/Manual") == "126.3"
    [signature, tempo] = master.iterfind("AutomationEnvelopes/Envelopes/AutomationEnvelope")
    for envelope, name, held in ((signature, "TimeSignature", "201"), (tempo, "Tempo", "126.3")):
        target = master.find(f"DeviceChain/Mixer/{name}/AutomationTarget")
        assert target is not None
        assert value(envelope, "EnvelopeTarget/PointeeId") == target.get("Id")
        assert value(envelope, "Automation/Events/*") == held


@BOTH
def test_stems_are_in_a_group_and_the_original_beside_it(profile: LiveProfile) -> None:
    """The group comes first, then its members, then the original, which is muted."""
    live = read_set(LiveSet(126.3, (SONG, replace(SONG, title="Other"))), profile)
    tracks = live.findall("Tracks/*")
    assert values(live, "Tracks/*/Name/UserName")[:7] == [
        "Jóga", "Vocals", "Drums", "Bass", "Other", "Original", "Other",
    ]  # fmt: skip
    for group, *members, original in (tracks[:6], tracks[6:]):
        assert (group.tag, value(group, "TrackGroupId")) == ("GroupTrack", "-1")
        assert {value(member, "TrackGroupId") for member in members} == {group.get("Id")}
        assert value(members[0], "DeviceChain/AudioOutputRouting/Target") == "AudioOut/GroupTrack"
        assert value(original, "TrackGroupId") == "-1"
        assert value(original, "DeviceChain/AudioOutputRouting/Target") == "AudioOut/Master"
        assert [value(it, "DeviceChain/Mixer/Speaker/Manual") for it in (*members, original)] == ["true"] * 4 + [
            "false"
        ]


@pytest.mark.parametrize(
    ("profile", "name", "colors"),
    [
        (LIVE_10, "ColorIndex", ["153", "152", "159", "149", "155", "286"]),
        (LIVE_11, "Color", ["13", "12", "19", "9", "15", "68"]),
    ],
)
def test_colors(profile: LiveProfile, name: str, colors: list[str]) -> None:
    """Live 10 has numbers of its own for tracks; those of clips are the palette's."""
    assert SONG.original
    colorful = replace(SONG, original=replace(SONG.original, color=68))
    live = read_set(LiveSet(126.3, (colorful,)), profile)
    assert values(live, f"Tracks/*/{name}") == colors
    assert values(live, f"{CLIPS}/{name}") == ["12", "19", "9", "15", "68"]


@BOTH
def test_scenes_have_a_slot_in_every_track(profile: LiveProfile) -> None:
    """Also where a frozen track would play; a group has slots of another kind."""
    sections = [
        Section(0.25 + 240 / 126.3 * bar, 0.25 + 240 / 126.3 * (bar + 1), f"{bar + 99} BPM") for bar in range(9)
    ]
    for parts, count in (((), 8), (sections, 9)):
        live = read_set(LiveSet(126.3, (song(SONG.grid, sections=parts),)), profile)
        assert len(live.findall("Scenes/Scene") or live.findall("SceneNames/Scene")) == count
        for list_path in ("*/ClipSlotList", "*/Slots"):
            lists = live.findall(f"Tracks/AudioTrack/DeviceChain/{list_path}") or live.findall(
                "Tracks/GroupTrack/Slots"
            )
            assert {len(slots) for slots in lists} == {count}
        assert {len(slots) for slots in live.iterfind("Tracks/GroupTrack//ClipSlotList")} == {0}
        clips = live.findall(
            "Tracks/AudioTrack/DeviceChain/MainSequencer/ClipSlotList/ClipSlot/ClipSlot/Value/AudioClip"
        )
        assert len(clips) == 5 * max(len(parts), 1)
        assert {clip.get("Time") for clip in clips} == {"0"}
    names = [scene.get("Value") or value(scene, "Name") for scene in live.iterfind("*/Scene")]
    assert names[0] == "99-BPM"  # as "99 BPM" it would set the tempo in Live 10


@BOTH
@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("&<>\"'", "&<>\"'"),
        ("🎧 שלום ❤️", "🎧 שלום ❤️"),
        ("a\0b\x1b[31m\ud83c\uffffc\n", "a b [31m c"),
        ("x" * 300, "x" * 300),
        ("\0", "Untitled"),
        ("$name {} Id=new 11: + mixer", "$name {} Id=new 11: + mixer"),
    ],
)
def test_any_title_is_safe(profile: LiveProfile, title: str, written: str) -> None:
    """What XML cannot hold becomes a blank; nothing is taken for an order."""
    live = read_set(LiveSet(126.3, (replace(SONG, title=title),)), profile)
    assert value(live, "Tracks/GroupTrack/Name/UserName") == written


def test_samples_are_found_from_the_project() -> None:
    """Relative to its root, in the words of each version."""
    eleven, ten = (read_set(SET, profile).find(f"{CLIPS}/SampleRef") for profile in (LIVE_11, LIVE_10))
    assert eleven is not None
    assert ten is not None
    assert value(eleven, "FileRef/RelativePath") == "Samples/Imported/Vocals.wav"
    assert [it.get("Dir") for it in ten.iterfind("FileRef/RelativePath/*")] == ["Samples", "Imported"]
    assert value(ten, "FileRef/Name") == "Vocals.wav"
    for sample in (ten, eleven):
        assert value(sample, "FileRef/RelativePathType") == "3"
        assert value(sample, "DefaultDuration") == str(60 * RATE_HZ)


@pytest.mark.parametrize(
    ("live_set", "reason"),
    [
        (replace(SET, bpm=19.99), "BPM"),
        (replace(SET, bpm=999.1), "BPM"),
        (replace(SET, bpm=float("nan")), "BPM"),
        (replace(SET, songs=()), "song"),
        (LiveSet(126.3, (replace(SONG, stems=()),)), "no stems"),
        (LiveSet(126.3, (song(grid(126.3, (0.0, 0.0), beats_per_bar=100)),)), "100 beats"),
        (LiveSet(126.3, (song(SONG.grid, seconds=0.0),)), "empty"),
        (LiveSet(126.3, (replace(SONG, stems=(replace(SONG.stems[0], color=70),)),)), "colour 70"),
    ],
)
def test_what_no_set_can_hold_is_refused(live_set: LiveSet, reason: str) -> None:
    """By name, before anything is written."""
    with pytest.raises(InvalidRequest, match=reason):
        AbletonProjectExporter().build(live_set, LIVE_11)
