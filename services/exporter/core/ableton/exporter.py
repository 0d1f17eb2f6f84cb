"""Live sets as bytes."""

import gzip
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from lxml import etree
from lxml.etree import _Element

from services.exporter.core.ableton.checks import check_live_set
from services.exporter.core.ableton.clips import Clip
from services.exporter.core.ableton.elements import ElementFactory, Values, new_element, writable
from services.exporter.core.ableton.layout import SongLayout, Span, lay_out
from services.exporter.core.ableton.model import GROUP_WHITE, LiveSet, LiveSong, LiveTrack
from services.exporter.core.ableton.profiles import LIVE_10, LiveProfile
from services.exporter.core.ableton.set_outline import LIVE_SET, LOCATOR, SCENE
from services.exporter.core.ableton.tracks import NO_GROUP, AudioTrack, TrackFactory

FEWEST_SCENES = 8
"""As many as Live begins a new set with."""

UNTITLED = "Untitled"

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_TEMPO = re.compile(r"(?<=\d)\s*bpm", re.IGNORECASE)
_METER = re.compile(r"(?<=\d)\s*/\s*(?=\d)")


class AbletonProjectExporter:
    """Writes sets: for each song a group of its stems, with clips in the arrangement and in the session."""

    def build(self, live_set: LiveSet, profile: LiveProfile) -> bytes:
        """The `.als` file of one version of Live; equal sets are equal bytes.

        Raises InvalidRequest for what no set can hold: no songs, no stems, tempi and metres beyond Live's.
        """
        check_live_set(live_set)
        root = _SetWriter(live_set, profile).root()
        etree.indent(root, space="\t")
        document = _DECLARATION + etree.tostring(root, encoding="UTF-8", xml_declaration=False) + b"\n"
        return gzip.compress(document, compresslevel=6, mtime=0)


class _SetWriter:
    """One set on its way into XML."""

    def __init__(self, live_set: LiveSet, profile: LiveProfile) -> None:
        self._live_set = live_set
        self._profile = profile
        self._layouts = lay_out(live_set)
        self._elements = ElementFactory(profile.major)
        self._tracks = TrackFactory(profile, self._elements)
        self._scene_count = max(FEWEST_SCENES, *(len(layout.scenes) for layout in self._layouts))

    def root(self) -> _Element:
        root = etree.Element("Ableton", self._profile.root_attributes)
        values: Values = {
            # The master comes first: it has the lowest ids in sets by Live.
            "master_track": [self._tracks.master_track(self._live_set.bpm, _signature(self._live_set))],
            "pre_hear_track": [self._tracks.pre_hear_track()],
            "tracks": [*self._all_tracks()],
            "overwrite_protection_number": self._profile.overwrite_protection_number,
            "scenes": [*self._scenes()],
            "locators": [*self._locators()],
            "next_id": 0,
        }
        live_set = etree.SubElement(root, "LiveSet")
        self._elements.fill(live_set, LIVE_SET, values)
        _set_next_id(live_set)
        return root

    def _all_tracks(self) -> Iterator[_Element]:
        for song, layout in zip(self._live_set.songs, self._layouts, strict=True):
            group, group_id = self._tracks.group_track(_name(song.title), GROUP_WHITE, self._scene_count)
            yield group
            for stem in song.stems:
                yield self._audio_track(stem, song, layout, group_id)
            if song.original:
                yield self._audio_track(song.original, song, layout, NO_GROUP)

    def _audio_track(self, track: LiveTrack, song: LiveSong, layout: SongLayout, group_id: int) -> _Element:
        name = _name(track.name)
        scenes = [_clip(track, song, layout, scene) for scene in layout.scenes]
        audio_track = AudioTrack(
            name=name,
            color=track.color,
            clip=_clip(track, song, layout),
            session=[*scenes, *[None] * (self._scene_count - len(scenes))],
            is_muted=track.is_muted,
            group_id=group_id,
        )
        return self._tracks.audio_track(audio_track)

    def _scenes(self) -> Iterator[_Element]:
        rows = list(zip_longest(*([scene.name for scene in layout.scenes] for layout in self._layouts), fillvalue=""))
        for index in range(self._scene_count):
            name = _scene_name(rows[index] if index < len(rows) else ())
            # Live 10 has the name beside the number, Live 11 below it.
            named = {"Value": name} if self._profile is LIVE_10 else {}
            scene = new_element("Scene", Id=index, **named)
            self._elements.fill(scene, SCENE, {"name": name})
            yield scene

    def _locators(self) -> Iterator[_Element]:
        """One at a beat, as many songs as there may begin a section at it."""
        names: dict[float, list[str]] = {}
        for layout in self._layouts:
            for beat, name in layout.cues:
                names.setdefault(beat, []).append(name)
        for index, (beat, labels) in enumerate(sorted(names.items())):
            locator = new_element("Locator", Id=index)
            self._elements.fill(locator, LOCATOR, {"time": beat, "name": _joined(labels)})
            yield locator


def _set_next_id(live_set: _Element) -> None:
    """Higher than every id, those of lists with them: Live refuses a set in which it is not."""
    highest = max(int(element.attrib["Id"]) for element in live_set.iter() if "Id" in element.attrib)
    live_set[0].attrib["Value"] = str(highest + 1)


def _clip(track: LiveTrack, song: LiveSong, layout: SongLayout, scene: Span | None = None) -> Clip:
    """The clip of a scene, or that of the arrangement."""
    return Clip(
        name=_name(track.name) if scene is None or not writable(scene.name) else writable(scene.name),
        color=track.color,
        sample=track.sample,
        points=layout.points,
        beats_per_bar=song.grid.beats_per_bar,
        span=scene or layout.whole,
        sample_end=layout.whole.end,
        is_looped=scene is not None and layout.are_sections,
    )


def _signature(live_set: LiveSet) -> int:
    """The number of the first song's time signature: 99 for each halving of the whole note, and beats from 0."""
    return 99 * 2 + live_set.songs[0].grid.beats_per_bar - 1


def _name(text: str) -> str:
    return writable(text) or UNTITLED


def _joined(labels: Sequence[str]) -> str:
    """Labels of several songs, each once."""
    return " + ".join(dict.fromkeys(filter(None, map(writable, labels))))


def _scene_name(labels: Sequence[str]) -> str:
    """A name that Live 10 does not read as an order: "128 BPM" and "3/4" change the set when the scene is launched."""
    return _METER.sub("\N{DIVISION SLASH}", _TEMPO.sub("-BPM", _joined(labels)))
