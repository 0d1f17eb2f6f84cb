"""The collection of Traktor, and the playlists that it exports, both NML.

Nobody has published the layout; this is what files of versions 19 and 20 show. Positions are milliseconds of Traktor's
own decoder.
"""

import re
from collections.abc import Mapping
from typing import BinaryIO

from services.library.core.dj_library import DJLibrary, LibraryEntry, with_crate_entries
from services.library.core.dj_values import color_from_text, in_order, seconds_from_text, slot_from_text
from services.library.core.locations import is_path
from services.library.core.musical_key import key_from_open_key, key_from_traktor
from services.library.core.playlist_tree import PlaylistTree
from services.library.core.tags import bpm_from_tag, text_from_tag
from services.library.core.xml_reading import XmlTag, XmlTags
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts

TRAKTOR_ROOT = "NML"
_PROGRAM = "traktor"
_GRID = "4"
_KINDS = {
    "0": CueKind.CUE,
    "1": CueKind.FADE_IN,
    "2": CueKind.FADE_OUT,
    "3": CueKind.LOAD,
    _GRID: CueKind.CUE,
    "5": CueKind.LOOP,
}
_MS_PER_S = 1000.0
_NO_NAME = "n.n."
_MARK = re.compile(r"/:|//")
_DRIVE = re.compile(r"[A-Za-z]:")
_PARTS = ("LOCATION", "ALBUM", "INFO", "TEMPO", "MUSICAL_KEY")


def read_traktor_nml(stream: BinaryIO) -> DJLibrary:
    """The tracks, and the playlists with the folders that they are in.

    Locations are `C:/..`, or `/Volumes/NAME/..` even for the volume that a Mac starts from, where the path itself has
    no such beginning: `candidate_paths` tries both. Smart lists are left out. Raises LibraryRejected if it is no NML;
    what is damaged or cut in one is a warning.
    """
    tags = XmlTags(stream, TRAKTOR_ROOT)
    reading = _Reading()
    for tag in tags:
        reading.take(tag)
    library = reading.library()
    return DJLibrary(library.entries, library.crates, (*tags.warnings, *library.warnings))


class _Reading:
    """What the tags so far have told."""

    def __init__(self) -> None:
        self._entries: dict[str, LibraryEntry] = {}
        self._fileless_count = 0
        self._smart_count = 0
        self._playlists = PlaylistTree("$ROOT")
        self._entry = _Entry({})

    def take(self, tag: XmlTag) -> None:
        match tag.name:
            case "ENTRY":
                self._finish_entry()
                self._entry = _Entry(tag.attributes)
            case "PRIMARYKEY":
                self._playlists.add_track(tag.depth, location_from_key(tag.attributes.get("KEY", "")))
            case "NODE" if tag.attributes.get("TYPE") == "SMARTLIST":
                self._smart_count += 1
            case "NODE":
                is_list = tag.attributes.get("TYPE") == "PLAYLIST"
                self._playlists.begin_node(tag.depth, tag.attributes.get("NAME", ""), is_list=is_list)
            case _:
                self._entry.take(tag)

    def library(self) -> DJLibrary:
        self._finish_entry()
        keys = self._playlists.track_keys()
        crates = self._playlists.crates({key: key for key in keys if key})
        fileless_count = self._fileless_count + keys.count("")
        warnings = []
        if fileless_count:
            warnings.append(f"{fileless_count} tracks are left out: they name no file")
        if self._smart_count:
            warnings.append(f"{self._smart_count} smart lists are left out: what is in them only Traktor knows")
        return DJLibrary(with_crate_entries(self._entries, crates), crates, tuple(warnings))

    def _finish_entry(self) -> None:
        """Keep the entry whose tags are over; of two for the same file the first. Those of playlists have no place."""
        place = self._entry.parts.get("LOCATION")
        if place is None:
            return
        location = _location_from_place(place)
        self._fileless_count += not location
        if location and location not in self._entries:
            self._entries[location] = LibraryEntry(location, self._entry.facts())


class _Entry:
    """A track, as its tags come."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.parts: dict[str, Mapping[str, str]] = {"ENTRY": attributes}
        self._anchors: list[tuple[float, float]] = []
        """Positions in seconds, and the tempo from there on; 0 for that of the track."""
        self._cues: list[Cue] = []
        self._is_in_anchor = False

    def take(self, tag: XmlTag) -> None:
        if tag.name in _PARTS:
            self.parts[tag.name] = tag.attributes
        elif tag.name == "CUE_V2":
            self._take_mark(tag.attributes)
        elif tag.name == "GRID" and self._is_in_anchor:
            self._anchors[-1] = (self._anchors[-1][0], bpm_from_tag(tag.attributes.get("BPM", "")))

    def facts(self) -> DJFacts:
        track_bpm = bpm_from_tag(self._text("TEMPO", "BPM"))
        markers = [BeatMarker(position_s, bpm or track_bpm) for position_s, bpm in self._anchors if bpm or track_bpm]
        return DJFacts(
            program=_PROGRAM,
            artist=self._text("ENTRY", "ARTIST"),
            title=self._text("ENTRY", "TITLE"),
            album=self._text("ALBUM", "TITLE"),
            genre=self._text("INFO", "GENRE"),
            key=key_from_traktor(self._text("MUSICAL_KEY", "VALUE")) or key_from_open_key(self._text("INFO", "KEY")),
            bpm=track_bpm,
            duration_s=self._seconds("PLAYTIME_FLOAT") or self._seconds("PLAYTIME"),
            is_grid_locked=self._text("ENTRY", "LOCK") == "1",
            grid=in_order(markers),
            cues=tuple(self._cues),
        )

    def _take_mark(self, mark: Mapping[str, str]) -> None:
        """A cue, an anchor of the grid, or both: version 19 lets an anchor have a pad."""
        cue = _cue(mark)
        is_anchor = mark.get("TYPE") == _GRID
        self._is_in_anchor = is_anchor and cue is not None
        if cue is not None and is_anchor:
            self._anchors.append((cue.start_s, 0.0))
        if cue is not None and (not is_anchor or cue.slot is not None):
            self._cues.append(cue)

    def _text(self, part: str, name: str) -> str:
        return text_from_tag(self.parts.get(part, {}).get(name, ""))

    def _seconds(self, name: str) -> float:
        return seconds_from_text(self._text("INFO", name)) or 0.0


def location_from_key(key: str) -> str:
    """The path that `VOLUME/:folder/:file` names; empty if it names none.

    `/:` separates and `//` is a colon of a name; a name has no slash of its own.
    """
    volume, mark, path = _decoded(key).partition("/")
    if not (volume and mark and is_path(path)) or "\0" in volume:
        return ""
    return f"{volume}/{path}" if _DRIVE.fullmatch(volume) else f"/Volumes/{volume}/{path}"


def _location_from_place(place: Mapping[str, str]) -> str:
    if not place.get("FILE"):
        return ""
    folder = place.get("DIR", "").removesuffix("/:")
    return location_from_key(f"{place.get('VOLUME', '')}{folder}/:{place['FILE']}")


def _decoded(raw: str) -> str:
    return _MARK.sub(lambda mark: "/" if mark[0] == "/:" else ":", raw)


def _cue(mark: Mapping[str, str]) -> Cue | None:
    """None if its times or its kind cannot be true."""
    kind = _KINDS.get(mark.get("TYPE", ""))
    start_s = seconds_from_text(mark.get("START", ""), _MS_PER_S)
    if kind is None or start_s is None:
        return None
    end_s = None
    if kind is CueKind.LOOP:
        length_s = seconds_from_text(mark.get("LEN", ""), _MS_PER_S)
        if not length_s:
            return None
        end_s = start_s + length_s
    name = text_from_tag(mark.get("NAME", ""))
    color = color_from_text(mark.get("COLOR", ""))
    return Cue(kind, start_s, end_s, slot_from_text(mark.get("HOTCUE", "")), "" if name == _NO_NAME else name, color)
