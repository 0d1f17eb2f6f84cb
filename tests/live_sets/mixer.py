"""Slots, groups, routing, colours, scenes and tempo of a set."""

import math
import re
from collections.abc import Iterator
from itertools import groupby
from xml.etree.ElementTree import Element

from tests.live_sets.reading import (
    SetFile,
    all_clips,
    arrangement_clips,
    attribute,
    child,
    group_of,
    number,
    number_attribute,
    text,
    track_name,
)

NO_GROUP = "-1"
ROUTES = {
    "AudioIn/External/S0": ("Ext. In", "1/2"),
    "MidiIn/External.All/-1": ("Ext: All Ins", ""),
    "AudioOut/GroupTrack": ("Group", ""),
    "AudioOut/Master": ("Master", ""),
    "AudioOut/External/S0": ("Ext. Out", "1/2"),
    "MidiOut/None": ("None", ""),
}
"""What is shown for each place that sound comes from or goes to."""
TRACK_COLORS = {10: {*range(140, 200), *range(278, 288)}, 11: set(range(70))}
CLIP_COLORS = range(70)
LIVE_10_SCENE_ORDERS = re.compile(r"\d\s*bpm\b|\b\d+/\d+\b", re.IGNORECASE)
"""Live 10 obeys tempi and metres in names of scenes."""
DENOMINATORS = (1, 2, 4, 8, 16)


def slots(found: SetFile) -> Iterator[str]:
    """One slot for each scene, and none in what freezes groups and the master."""
    master = child(found.live_set, "MasterTrack/DeviceChain/FreezeSequencer/AudioSequencer/ClipSlotList")
    expected = [("Master freeze", master, 0)]
    for track in found.tracks:
        is_group = track.tag == "GroupTrack"
        freeze = child(track, "DeviceChain/FreezeSequencer/ClipSlotList")
        own = child(track, "Slots" if is_group else "DeviceChain/MainSequencer/ClipSlotList")
        expected += [(f"{track.tag} freeze", freeze, 0 if is_group else len(found.scenes))]
        expected += [(f"{track.tag} main", own, len(found.scenes))]
    if not found.scenes:
        yield "no scene"
    yield from (f"{name}: {len(given)} slots, not {count}" for name, given, count in expected if len(given) != count)


def sends(found: SetFile) -> Iterator[str]:
    """No returns, so no sends before or after them."""
    if len(child(found.live_set, "SendsPre")) or any(len(knobs) for knobs in found.root.iter("Sends")):
        yield "sends without returns"
    if any(track.tag not in {"GroupTrack", "AudioTrack"} for track in found.tracks):
        yield "a track that is neither group nor audio"
    if not found.audio_tracks:
        yield "no audio track"


def groups(found: SetFile) -> Iterator[str]:
    """A group stands right before its members, which follow without a gap."""
    runs = [(group, list(tracks)) for group, tracks in groupby(found.tracks, group_of) if group != NO_GROUP]
    if len({group for group, _ in runs}) < len(runs):
        yield "members of a group apart"
    for group, tracks in runs:
        before = found.tracks.index(tracks[0]) - 1
        leader = found.tracks[before] if before >= 0 else None
        if leader is None or leader.tag != "GroupTrack" or leader.get("Id") != group:
            yield f"group {group} does not lead its members"
    led = {group for group, _ in runs}
    for track in found.tracks:
        if track.tag == "GroupTrack" and track.get("Id") not in led:
            yield f"group {track.get('Id')} has no members"


def routing(found: SetFile) -> Iterator[str]:
    """Members play through their group, all else through the master, the master through the first outputs."""
    for track in found.tracks:
        goal = "AudioOut/Master" if group_of(track) == NO_GROUP else "AudioOut/GroupTrack"
        yield from _routes(track, goal)
    for name in ("MasterTrack", "PreHearTrack"):
        yield from _routes(child(found.live_set, name), "AudioOut/External/S0")


def _routes(track: Element, goal: str) -> Iterator[str]:
    wanted = {
        "AudioInputRouting": "AudioIn/External/S0",
        "MidiInputRouting": "MidiIn/External.All/-1",
        "AudioOutputRouting": goal,
        "MidiOutputRouting": "MidiOut/None",
    }
    for name, target in wanted.items():
        route = child(track, f"DeviceChain/{name}")
        shown = (text(route, "UpperDisplayString"), text(route, "LowerDisplayString"))
        if (text(route, "Target"), shown) != (target, ROUTES[target]):
            yield f"{track.tag} {name}: {text(route, 'Target')} shown as {shown}, not {target}"


def colors(found: SetFile) -> Iterator[str]:
    """Of the palette, as each version counts it; a clip has the colour of its track."""
    for track in found.tracks:
        color = number(track, found.color_tag)
        if color not in TRACK_COLORS[found.major]:
            yield f"track colour {color:g}"
        for clip in all_clips(track) if track.tag == "AudioTrack" else ():
            yield from _clip_color(number(clip, found.color_tag), color, found.major)
    for scene in found.scenes:
        color = number(scene, found.color_tag)
        if color not in TRACK_COLORS[found.major] | {0 if found.major == 10 else -1}:
            yield f"scene colour {color:g}"


def _clip_color(color: float, track_color: float, major: int) -> Iterator[str]:
    shift = 0 if major > 10 else 218 if color >= 60 else 140
    if color not in CLIP_COLORS:
        yield f"clip colour {color:g}"
    if color + shift != track_color:
        yield f"clip colour {color:g} on a track of colour {track_color:g}"


def names(found: SetFile) -> Iterator[str]:
    """A name that was given is the name that is shown; Live 10 must not take a scene's name for an order."""
    for track in found.tracks:
        if text(track, "Name/UserName") not in {"", track_name(track)}:
            yield f"track {track_name(track)!r} was named {text(track, 'Name/UserName')!r}"
    for scene in found.scenes if found.major == 10 else ():
        if LIVE_10_SCENE_ORDERS.search(attribute(scene, "Value")):
            yield f"scene {attribute(scene, 'Value')!r} sets tempo or metre"


def tempo(found: SetFile) -> Iterator[str]:
    """Within Live's range; where a song's own tempo was asked for, set and clips have it to the last digit."""
    bpm = number(found.live_set, "MasterTrack/DeviceChain/Mixer/Tempo/Manual")
    if not 20 <= bpm <= 999:
        yield f"{bpm:g} BPM"
    if found.own_bpm is not None:
        yield from _own_tempo(found, found.own_bpm, bpm)


def _own_tempo(found: SetFile, own_bpm: float, set_bpm: float) -> Iterator[str]:
    if not math.isclose(set_bpm, own_bpm, rel_tol=1e-9):
        yield f"the set has {set_bpm:g} BPM, not the song's {own_bpm:g}"
    for clip in (clip for track in found.audio_tracks for clip in arrangement_clips(track)):
        first, second, *_ = child(clip, "WarpMarkers")
        beats = number_attribute(second, "BeatTime") - number_attribute(first, "BeatTime")
        seconds = number_attribute(second, "SecTime") - number_attribute(first, "SecTime")
        if seconds <= 0 or not math.isclose(60 * beats / seconds, own_bpm, rel_tol=1e-9):
            yield f"a clip has another tempo than the song's {own_bpm:g} BPM"


def metre(found: SetFile) -> Iterator[str]:
    """The set has the metre of a clip, which is one that Live knows."""
    wanted = number(found.live_set, "MasterTrack/DeviceChain/Mixer/TimeSignature/Manual")
    given = set()
    for signature in found.root.iter("RemoteableTimeSignature"):
        numerator, denominator = number(signature, "Numerator"), number(signature, "Denominator")
        if denominator not in DENOMINATORS or not 1 <= numerator <= 99:
            yield f"metre {numerator:g}/{denominator:g}"
        else:
            given.add(99 * math.log2(denominator) + numerator - 1)
    if wanted not in given:
        yield f"the set's metre {wanted:g} is none of the clips'"


def locators(found: SetFile) -> Iterator[str]:
    """Cues lie on the timeline."""
    for locator in child(found.live_set, "Locators/Locators"):
        if number(locator, "Time") < 0:
            yield f"locator at {number(locator, 'Time'):g}"
