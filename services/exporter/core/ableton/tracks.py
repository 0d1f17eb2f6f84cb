"""Tracks: groups, audio tracks, and the two that every set has."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml.etree import _Element

from services.exporter.core.ableton import track_outlines as outlines
from services.exporter.core.ableton.clips import Clip, clip_element
from services.exporter.core.ableton.elements import ElementFactory, Values, new_element
from services.exporter.core.ableton.profiles import LiveProfile

NO_GROUP = -1

_MASTER_NAME = "Master"
_MASTER_COLOR = 3
_BEFORE_ALL = -63072000
"""Where Live puts the first event of an envelope, in beats."""

_TO_MASTER = {"output": "AudioOut/Master", "output_upper": "Master", "output_lower": ""}
_TO_GROUP = {"output": "AudioOut/GroupTrack", "output_upper": "Group", "output_lower": ""}
_TO_SPEAKERS = {"output": "AudioOut/External/S0", "output_upper": "Ext. Out", "output_lower": "1/2"}


@dataclass(frozen=True)
class AudioTrack:
    """A track with its clip in the arrangement, and those of the session: one for each scene, or None."""

    name: str
    color: int
    clip: Clip
    session: Sequence[Clip | None]
    is_muted: bool = False
    group_id: int = NO_GROUP


class TrackFactory:
    """Makes the tracks of one set."""

    def __init__(self, profile: LiveProfile, elements: ElementFactory) -> None:
        """Keep what the colours and the members of tracks depend on."""
        self._profile = profile
        self._elements = elements

    def audio_track(self, track: AudioTrack) -> _Element:
        """A track that plays a sample."""
        values: Values = {
            **_head(track.name, self._profile.track_color(track.color), track.clip.name),
            **(_TO_MASTER if track.group_id == NO_GROUP else _TO_GROUP),
            "group_id": track.group_id,
            "is_audible": not track.is_muted,
            "slots": [self._slot(index, clip) for index, clip in enumerate(track.session)],
            "freeze_slots": [self._slot(index, None) for index in range(len(track.session))],
            "clips": [clip_element(self._elements, track.clip, track.clip.span.start)],
        }
        return self._listed("AudioTrack", outlines.AUDIO_TRACK, values)

    def group_track(self, name: str, color: int, scene_count: int) -> tuple[_Element, int]:
        """A group, and the id by which its members name it; they come right behind it."""
        slots = [new_element("GroupTrackSlot", Id=index) for index in range(scene_count)]
        for slot in slots:
            self._elements.fill(slot, outlines.GROUP_SLOT, {})
        values: Values = {**_head(name, self._profile.track_color(color)), **_TO_MASTER, "slots": slots}
        element = self._listed("GroupTrack", outlines.GROUP_TRACK, values)
        return element, int(element.attrib["Id"])

    def master_track(self, bpm: float, signature: int) -> _Element:
        """The track that all others end in; it also holds the tempo and the time signature, each twice."""
        tempo_id, signature_id = self._elements.new_id(), self._elements.new_id()
        envelopes = [
            self._envelope(0, signature_id, new_element("EnumEvent", Id=0, Time=_BEFORE_ALL, Value=signature)),
            self._envelope(1, tempo_id, new_element("FloatEvent", Id=0, Time=_BEFORE_ALL, Value=bpm)),
        ]
        values: Values = {
            **_head(_MASTER_NAME, self._profile.track_color(_MASTER_COLOR)),
            **_TO_SPEAKERS,
            "user_name": "",
            "envelopes": envelopes,
            "bpm": bpm,
            "tempo_id": tempo_id,
            "signature": signature,
            "signature_id": signature_id,
        }
        return self._filled("MasterTrack", outlines.MASTER_TRACK, values)

    def pre_hear_track(self) -> _Element:
        """What headphones hear."""
        values = {**_head(_MASTER_NAME, self._profile.no_color), **_TO_SPEAKERS, "user_name": ""}
        return self._filled("PreHearTrack", outlines.PRE_HEAR_TRACK, values)

    def _slot(self, index: int, clip: Clip | None) -> _Element:
        clips = [clip_element(self._elements, clip, 0.0)] if clip else []
        slot = new_element("ClipSlot", Id=index)
        self._elements.fill(slot, outlines.CLIP_SLOT, {"clips": clips})
        return slot

    def _envelope(self, index: int, target_id: int, event: _Element) -> _Element:
        envelope = new_element("AutomationEnvelope", Id=index)
        self._elements.fill(envelope, outlines.ENVELOPE, {"target_id": target_id, "events": [event]})
        return envelope

    def _listed(self, tag: str, outline: str, values: Values) -> _Element:
        """A track of the list, which has an id."""
        element = new_element(tag, Id=self._elements.new_id())
        self._elements.fill(element, outline, values)
        return element

    def _filled(self, tag: str, outline: str, values: Values) -> _Element:
        element = new_element(tag)
        self._elements.fill(element, outline, values)
        return element


def _head(name: str, color: int, first_clip_name: str = "") -> Values:
    """What all tracks have; most are in no group, and can be heard."""
    return {
        "name": name,
        "user_name": name,
        "first_clip_name": first_clip_name,
        "color": color,
        "envelopes": (),
        "group_id": NO_GROUP,
        "is_audible": True,
        "nothing": (),
    }
