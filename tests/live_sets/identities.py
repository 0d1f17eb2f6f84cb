"""Numbers that name things: pointees across the whole set, members of lists among themselves."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from xml.etree.ElementTree import Element

from tests.live_sets.reading import SetFile, attribute, child, number, number_attribute, text

POINTEES_PER_TRACK = {
    10: {"AudioTrack": 23, "GroupTrack": 17, "MasterTrack": 24, "PreHearTrack": 11},
    11: {"AudioTrack": 26, "GroupTrack": 19, "MasterTrack": 26, "PreHearTrack": 12},
}
LISTS = {
    *("Tracks", "SceneNames", "Scenes", "ClipSlotList", "Slots", "Events", "Envelopes", "AutomationLanes"),
    *("WarpMarkers", "Locators", "TimeSignatures", "RelativePath", "PathHint", "ExpressionLanes", "ContentLanes"),
}
FROM_THE_BEGINNING = -63072000.0
"""The time of the first event of an envelope, in beats."""


def is_pointee(element: Element) -> bool:
    """Whether the Id is of the one space that all automatable things share."""
    return element.tag in {"Pointee", "AutomationTarget"} or element.tag.endswith("ModulationTarget")


def pointees(found: SetFile) -> Iterator[str]:
    """Each has a number of its own, from 1 to what comes next."""
    ids = [number_attribute(element, "Id") for element in found.root.iter() if is_pointee(element)]
    yield from (f"pointee {pointee:g} twice" for pointee, count in Counter(ids).items() if count > 1)
    if min(ids) < 1:
        yield f"pointee {min(ids):g}"
    top = max(number_attribute(element, "Id") for element in found.root.iter() if "Id" in element.attrib)
    if number(found.live_set, "NextPointeeId") <= top:
        yield f"NextPointeeId is not above {top:g}"


def pointee_counts(found: SetFile) -> Iterator[str]:
    """A track without sends and devices has a fixed number of them."""
    for track in (*found.tracks, child(found.live_set, "MasterTrack"), child(found.live_set, "PreHearTrack")):
        count = sum(map(is_pointee, track.iter()))
        if count != POINTEES_PER_TRACK[found.major].get(track.tag):
            yield f"{track.tag} has {count} pointees"


def references(found: SetFile) -> Iterator[str]:
    """Envelopes point at parameters."""
    targets = {element.get("Id") for element in found.root.iter("AutomationTarget")}
    for pointer in found.root.iter("PointeeId"):
        if pointer.get("Value") not in targets:
            yield f"PointeeId {pointer.get('Value')} points nowhere"


def list_members(found: SetFile) -> Iterator[str]:
    """All members of a list have Ids, no two the same."""
    for members in found.root.iter():
        if members.tag in LISTS and len(members) and not _is_wrapper(members):
            ids = [member.get("Id") for member in members]
            if None in ids:
                yield f"{members.tag}: a member without Id"
            if len(set(ids)) < len(ids):
                yield f"{members.tag}: an Id twice"


def _is_wrapper(members: Element) -> bool:
    return members[0].tag == members.tag


def positions(found: SetFile) -> Iterator[str]:
    """Slots are numbered by scene."""
    for slots in (*found.root.iter("ClipSlotList"), *found.root.iter("Slots")):
        if [slot.get("Id") for slot in slots] != [str(index) for index in range(len(slots))]:
            yield f"{slots.tag}: Ids are not positions"


def master_envelopes(found: SetFile) -> Iterator[str]:
    """Two, for time signature and tempo, each with the value of its parameter from the beginning."""
    master = child(found.live_set, "MasterTrack")
    envelopes = child(master, "AutomationEnvelopes/Envelopes").findall("AutomationEnvelope")
    for name, kind, envelope in zip(("TimeSignature", "Tempo"), ("EnumEvent", "FloatEvent"), envelopes, strict=False):
        parameter = child(master, f"DeviceChain/Mixer/{name}")
        events = child(envelope, "Automation/Events").findall(kind)
        if text(envelope, "EnvelopeTarget/PointeeId") != attribute(child(parameter, "AutomationTarget"), "Id"):
            yield f"envelope of {name}: another target"
        if not events or number_attribute(events[0], "Time") != FROM_THE_BEGINNING:
            yield f"envelope of {name}: nothing from the beginning"
        elif number_attribute(events[0], "Value") != number(parameter, "Manual"):
            yield f"envelope of {name}: not the value of the parameter"
        if any(number_attribute(a, "Time") > number_attribute(b, "Time") for a, b in pairwise(events)):
            yield f"envelope of {name}: events out of order"
