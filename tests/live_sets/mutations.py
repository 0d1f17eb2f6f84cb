"""One fault at a time: what a slip in the writer, or a careless edit, does to a set."""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from tests.live_sets.container import opened
from tests.live_sets.identities import is_pointee

Fault = Callable[[Element, random.Random], str]
"""Does one thing to a tree and says what."""
COLOR_TAGS = ("Color", "ColorIndex")


@dataclass(frozen=True)
class Mutation:
    """A set with one fault."""

    fault: str
    root: Element


def mutated(als_bytes: bytes, seed: int) -> Mutation:
    """A set with the fault that a seed stands for; each kind of fault comes as often as any other."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    root, _ = opened(als_bytes)
    assert root is not None
    fault = chance.choice(FAULTS)
    return Mutation(f"{fault.__name__}: {fault(root, chance)}", root)


def _delete(root: Element, chance: random.Random) -> str:
    parent, element = _any_member(root, chance)
    parent.remove(element)
    return f"{parent.tag}/{element.tag}"


def _duplicate(root: Element, chance: random.Random) -> str:
    parent, element = _any_member(root, chance)
    parent.insert(list(parent).index(element), copy.deepcopy(element))
    return f"{parent.tag}/{element.tag}"


def _rename_element(root: Element, chance: random.Random) -> str:
    parent, element = _any_member(root, chance)
    before, element.tag = element.tag, f"{element.tag}{chance.choice('sX2')}"
    return f"{parent.tag}/{before} to {element.tag}"


def _rename_attribute(root: Element, chance: random.Random) -> str:
    element = chance.choice([element for element in root.iter() if element.attrib])
    name = chance.choice(list(element.attrib))
    element.attrib = {name.lower() if key == name else key: value for key, value in element.attrib.items()}
    return f"{element.tag} {name}"


def _break_type(root: Element, chance: random.Random) -> str:
    """Texts are left out: they have no type that could break."""
    places = [(element, name) for element in root.iter() for name in element.attrib if _is_typed(element.attrib[name])]
    element, name = chance.choice(places)
    before, element.attrib[name] = element.attrib[name], chance.choice(["", "Major", "0x10", "nan", "1,5", "True"])
    return f"{element.tag} {name}={before} to {element.attrib[name]!r}"


def _is_typed(value: str) -> bool:
    return value in {"true", "false"} or value.lstrip("-").replace(".", "", 1).isdigit()


def _reorder(root: Element, chance: random.Random) -> str:
    """Two children of different kinds change places."""
    parent = chance.choice([parent for parent in root.iter() if len({member.tag for member in parent}) > 1])
    first = chance.choice(parent)
    second = chance.choice([member for member in parent if member.tag != first.tag])
    at, to = list(parent).index(first), list(parent).index(second)
    parent[at], parent[to] = second, first
    return f"{first.tag} and {second.tag} in {parent.tag}"


def _duplicate_pointee(root: Element, chance: random.Random) -> str:
    first, second = chance.sample([element for element in root.iter() if is_pointee(element)], 2)
    first.set("Id", second.attrib["Id"])
    return f"{first.tag} {second.attrib['Id']}"


def _zero_pointee(root: Element, chance: random.Random) -> str:
    pointee = chance.choice([element for element in root.iter() if is_pointee(element)])
    pointee.set("Id", "0")
    return pointee.tag


def _dangling_reference(root: Element, chance: random.Random) -> str:
    pointer = chance.choice(list(root.iter("PointeeId")))
    pointer.set("Value", str(int(pointer.attrib["Value"]) + chance.choice([100_000, 1])))
    return pointer.attrib["Value"]


def _lower_next_pointee(root: Element, chance: random.Random) -> str:
    element = _one(root, "NextPointeeId", chance)
    element.set("Value", str(chance.randrange(int(element.attrib["Value"]) // 2)))
    return element.attrib["Value"]


def _remove_slot(root: Element, chance: random.Random) -> str:
    lists = [
        slots for tag in ("ClipSlotList", "Slots", "SceneNames", "Scenes") for slots in root.iter(tag) if len(slots)
    ]
    slots = chance.choice(lists)
    slots.remove(chance.choice(slots))
    return slots.tag


def _disorder_markers(root: Element, chance: random.Random) -> str:
    first, second = chance.sample(list(_one(root, "WarpMarkers", chance)), 2)
    name = chance.choice(["SecTime", "BeatTime"])
    first.attrib[name], second.attrib[name] = second.attrib[name], first.attrib[name]
    return name


def _change_markers(root: Element, chance: random.Random) -> str:
    """One clip's map runs ahead of the others'."""
    name, ahead = chance.choice(["SecTime", "BeatTime"]), chance.choice([1e-3, 0.5, 4.0])
    for marker in _one(root, "WarpMarkers", chance):
        marker.set(name, str(float(marker.attrib[name]) + ahead))
    return f"{name} by {ahead}"


def _change_tempo(root: Element, chance: random.Random) -> str:
    """Of the two places that hold it, one."""
    manual = root.find("LiveSet/MasterTrack/DeviceChain/Mixer/Tempo/Manual")
    element = chance.choice([manual, *root.iter("FloatEvent")])
    assert element is not None
    element.set("Value", str(float(element.attrib["Value"]) + chance.choice([-1, 0.01, 60])))
    return f"{element.tag} {element.attrib['Value']}"


def _move_clip(root: Element, chance: random.Random) -> str:
    clip = _one(root, "AudioClip", chance)
    name = chance.choice(["CurrentStart", "CurrentEnd", "Loop/LoopStart", "Loop/LoopEnd"])
    element = clip.find(name)
    assert element is not None
    element.set("Value", str(float(element.attrib["Value"]) + chance.choice([-1, 0.25, 10_000])))
    return name


def _negative_time(root: Element, chance: random.Random) -> str:
    clip = _one(root, "AudioClip", chance)
    clip.set("Time", str(-1 - float(clip.attrib["Time"])))
    return clip.attrib["Time"]


def _wrong_path(root: Element, chance: random.Random) -> str:
    element = chance.choice([*root.iter("RelativePath"), *root.iter("RelativePathElement")])
    name = "Dir" if element.tag == "RelativePathElement" else "Value"
    path = element.get(name, "")
    element.set(name, chance.choice([f"/{path}", path.upper(), f"../{path}", path.replace("/", "\\") + "x", ""]))
    return element.attrib[name]


def _wrong_size(root: Element, chance: random.Random) -> str:
    names = {"DefaultDuration", "DefaultSampleRate", "FileSize", "OriginalFileSize"}
    element = chance.choice([element for element in root.iter() if element.tag in names])
    element.set("Value", str(int(element.attrib["Value"]) + chance.choice([-1, 1, 1000])))
    return element.tag


def _wrong_color(root: Element, chance: random.Random) -> str:
    places = [track.find(tag) for track in (*root.iter("AudioTrack"), *root.iter("AudioClip")) for tag in COLOR_TAGS]
    element = chance.choice([element for element in places if element is not None])
    element.set("Value", chance.choice([str(int(element.attrib["Value"]) + 1), "70", "-2", "300"]))
    return f"{element.tag} {element.attrib['Value']}"


def _wrong_group(root: Element, chance: random.Random) -> str:
    element = chance.choice([group for group in root.iter("TrackGroupId") if group.attrib["Value"] != "-1"])
    element.set("Value", chance.choice(["-1", "0", "99999"]))
    return element.attrib["Value"]


def _wrong_route(root: Element, chance: random.Random) -> str:
    element = chance.choice([target for target in root.iter("Target") if "Out/" in target.attrib["Value"]])
    element.set("Value", chance.choice(["AudioOut/Main", "AudioOut/Track.3/TrackIn", "AudioOut/None"]))
    return element.attrib["Value"]


def _foreign_element(root: Element, chance: random.Random) -> str:
    """Something of another version, or nothing that any version knows."""
    parent = chance.choice(list(root.iter()))
    tag = chance.choice(
        ["Pointee", "MainTrack", "SceneNames", "Scenes", "MpeSettings", "Color", "ColorIndex", "Nonsense"]
    )
    SubElement(parent, tag, {"Value": "0"})
    return f"{tag} in {parent.tag}"


def _add_send(root: Element, chance: random.Random) -> str:
    element = _one(root, chance.choice(["Sends", "SendsPre"]), chance)
    SubElement(element, "SendPreBool", {"Id": "0", "Value": "false"})
    return element.tag


def _any_member(root: Element, chance: random.Random) -> tuple[Element, Element]:
    return chance.choice([(parent, member) for parent in root.iter() for member in parent])


def _one(root: Element, tag: str, chance: random.Random) -> Element:
    return chance.choice(list(root.iter(tag)))


FAULTS: tuple[Fault, ...] = (
    *(_delete, _duplicate, _rename_element, _rename_attribute, _break_type, _reorder, _foreign_element),
    *(_duplicate_pointee, _zero_pointee, _dangling_reference, _lower_next_pointee, _remove_slot, _add_send),
    *(_disorder_markers, _change_markers, _change_tempo, _move_clip, _negative_time),
    *(_wrong_path, _wrong_size, _wrong_color, _wrong_group, _wrong_route),
)
