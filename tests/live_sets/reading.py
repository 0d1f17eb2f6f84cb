"""A set as the checks see it: a tree of elements that may lack anything."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element


class Unreadable(Exception):
    """A check cannot look at what it judges."""


@dataclass(frozen=True)
class SetFile:
    """An opened set, the major version of Live that it is for, and the folder that it lies in, if there is one.

    `own_bpm` is the tempo of its song, where the song has one and the set was asked for in it.
    """

    root: Element
    major: int
    project_root: Path | None = None
    own_bpm: float | None = None

    @property
    def live_set(self) -> Element:
        """The one child of the root."""
        return child(self.root, "LiveSet")

    @property
    def tracks(self) -> list[Element]:
        """Groups and audio tracks, in order."""
        return list(child(self.live_set, "Tracks"))

    @property
    def audio_tracks(self) -> list[Element]:
        """Audio tracks, in order."""
        return [track for track in self.tracks if track.tag == "AudioTrack"]

    @property
    def scenes(self) -> list[Element]:
        """Scenes, in order."""
        return list(child(self.live_set, "SceneNames" if self.major == 10 else "Scenes"))

    @property
    def color_tag(self) -> str:
        """What holds the colour of tracks, clips and scenes."""
        return "ColorIndex" if self.major == 10 else "Color"


def major_version(root: Element) -> int:
    """10, 11 or 12, of the Live that saved a set; raises Unreadable for other versions, and for what is no set."""
    version = attribute(root, "MinorVersion").partition(".")[0] if root.tag == "Ableton" else ""
    if version not in {"10", "11", "12"}:
        raise Unreadable("no set of Live 10, 11 or 12")
    return int(version)


def with_older_names(root: Element) -> Element:
    """What Live 12 calls main is the master, as before."""
    renamed = copy.deepcopy(root)
    for element in renamed.iter():
        element.tag = element.tag.replace("MainTrack", "MasterTrack")
        if element.get("Value") == "AudioOut/Main":
            element.set("Value", "AudioOut/Master")
    return renamed


def child(element: Element, path: str) -> Element:
    """What is at a path; raises Unreadable where there is nothing."""
    found = element.find(path)
    if found is None:
        raise Unreadable(f"{element.tag} has no {path}")
    return found


def text(element: Element, path: str) -> str:
    """The `Value` of what is at a path; raises Unreadable."""
    return attribute(child(element, path), "Value")


def number(element: Element, path: str) -> float:
    """A finite number at a path; raises Unreadable."""
    return number_attribute(child(element, path), "Value")


def attribute(element: Element, name: str) -> str:
    """An attribute; raises Unreadable."""
    value = element.get(name)
    if value is None:
        raise Unreadable(f"{element.tag} has no {name}")
    return value


def number_attribute(element: Element, name: str) -> float:
    """An attribute that is a finite number; raises Unreadable."""
    value = attribute(element, name)
    try:
        found = float(value)
    except ValueError:
        raise Unreadable(f"{element.tag} {name} is no number: {value!r}") from None
    if not math.isfinite(found):
        raise Unreadable(f"{element.tag} {name} is {value}")
    return found


def track_name(track: Element) -> str:
    """What Live shows of a track's name."""
    return text(track, "Name/EffectiveName")


def group_of(track: Element) -> str:
    """The Id of the group that a track is in, or -1."""
    return text(track, "TrackGroupId")


def arrangement_clips(track: Element) -> list[Element]:
    """The clips of an audio track on the timeline."""
    return list(child(track, "DeviceChain/MainSequencer/Sample/ArrangerAutomation/Events"))


def session_clips(track: Element) -> dict[int, Element]:
    """The clips of an audio track in scenes, by the place of the scene."""
    slots = child(track, "DeviceChain/MainSequencer/ClipSlotList")
    found = ((index, slot.find("ClipSlot/Value/AudioClip")) for index, slot in enumerate(slots))
    return {index: clip for index, clip in found if clip is not None}


def all_clips(track: Element) -> list[Element]:
    """The clips of an audio track, those on the timeline first."""
    return [*arrangement_clips(track), *session_clips(track).values()]
