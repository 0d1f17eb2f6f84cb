"""The collection that rekordbox exports as XML.

Layout: rekordbox.com, "Developer", xml_format_list.pdf. Positions are seconds, those of rekordbox's own decoder.
"""

from collections.abc import Mapping
from typing import BinaryIO

from services.library.core.dj_library import DJLibrary, LibraryEntry, with_crate_entries
from services.library.core.dj_values import (
    bar_beat_from_text,
    color_from_parts,
    color_from_text,
    in_order,
    seconds_from_text,
    slot_from_text,
)
from services.library.core.locations import location_from_uri
from services.library.core.playlist_tree import PlaylistTree
from services.library.core.tags import bpm_from_tag, text_from_tag
from services.library.core.xml_reading import XmlTag, XmlTags
from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts

REKORDBOX_ROOT = "DJ_PLAYLISTS"
_PROGRAM = "rekordbox"
_KINDS = {
    "0": CueKind.CUE,
    "1": CueKind.FADE_IN,
    "2": CueKind.FADE_OUT,
    "3": CueKind.LOAD,
    "4": CueKind.LOOP,
}
_PLAYLIST = "1"


def read_rekordbox_xml(stream: BinaryIO) -> DJLibrary:
    """The tracks, and the playlists with the folders that they are in; locations are absolute.

    Tracks of streaming services are left out. Raises LibraryRejected if it is no collection of rekordbox; what is
    damaged or cut in one is a warning.
    """
    tags = XmlTags(stream, REKORDBOX_ROOT)
    reading = _Reading()
    for tag in tags:
        reading.take(tag)
    library = reading.library()
    return DJLibrary(library.entries, library.crates, (*tags.warnings, *library.warnings))


class _Reading:
    """What the tags so far have told."""

    def __init__(self) -> None:
        self._entries: dict[str, LibraryEntry] = {}
        self._locations: dict[str, str] = {}
        """By the key that playlists use; empty where there is no file."""
        self._fileless_count = 0
        self._playlists = PlaylistTree("ROOT")
        self._track: Mapping[str, str] = {}
        self._grid: list[BeatMarker] = []
        self._cues: list[Cue] = []

    def take(self, tag: XmlTag) -> None:
        match tag.name:
            case "TRACK" if "Key" in tag.attributes:
                self._add_to_playlist(tag.depth, tag.attributes["Key"])
            case "TRACK":
                self._finish_track()
                self._track = tag.attributes
            case "TEMPO" if (marker := _beat_marker(tag.attributes)) is not None:
                self._grid.append(marker)
            case "POSITION_MARK" if (cue := _cue(tag.attributes)) is not None:
                self._cues.append(cue)
            case "NODE":
                is_list = tag.attributes.get("Type") == _PLAYLIST
                self._playlists.begin_node(tag.depth, tag.attributes.get("Name", ""), is_list=is_list)

    def library(self) -> DJLibrary:
        self._finish_track()
        crates = self._playlists.crates({key: location for key, location in self._locations.items() if location})
        warnings = []
        if self._fileless_count:
            warnings.append(f"{self._fileless_count} tracks are left out: they have no file, but stream from a service")
        if lost_count := sum(key not in self._locations for key in self._playlists.track_keys()):
            warnings.append(f"playlists name {lost_count} tracks that the collection does not have")
        return DJLibrary(with_crate_entries(self._entries, crates), crates, tuple(warnings))

    def _add_to_playlist(self, depth: int, key: str) -> None:
        """By number or by location, which `KeyType` says and the key shows."""
        if key.lower().startswith("file:"):
            self._locations[key] = location_from_uri(key)
        self._playlists.add_track(depth, key)

    def _finish_track(self) -> None:
        """Keep the track whose tags are over; of two for the same file the first."""
        track, grid, cues = self._track, self._grid, self._cues
        self._track, self._grid, self._cues = {}, [], []
        if not track:
            return
        location = location_from_uri(track.get("Location", ""))
        self._fileless_count += not location
        if "TrackID" in track:
            self._locations.setdefault(track["TrackID"], location)
        if location and location not in self._entries:
            self._entries[location] = LibraryEntry(location, _facts(track, in_order(grid), tuple(cues)))


def _facts(track: Mapping[str, str], grid: tuple[BeatMarker, ...], cues: tuple[Cue, ...]) -> DJFacts:
    return DJFacts(
        program=_PROGRAM,
        artist=text_from_tag(track.get("Artist", "")),
        title=text_from_tag(track.get("Name", "")),
        album=text_from_tag(track.get("Album", "")),
        genre=text_from_tag(track.get("Genre", "")),
        key=text_from_tag(track.get("Tonality", "")),
        bpm=bpm_from_tag(track.get("AverageBpm", "")),
        duration_s=seconds_from_text(track.get("TotalTime", "")) or 0.0,
        color=color_from_text(track.get("Colour", "")),
        grid=grid,
        cues=cues,
    )


def _beat_marker(tempo: Mapping[str, str]) -> BeatMarker | None:
    """`Inizio` is where, `Battito` which beat of the bar."""
    position_s = seconds_from_text(tempo.get("Inizio", ""))
    bpm = bpm_from_tag(tempo.get("Bpm", ""))
    if position_s is None or not bpm:
        return None
    return BeatMarker(position_s, bpm, bar_beat_from_text(tempo.get("Battito", "")))


def _cue(mark: Mapping[str, str]) -> Cue | None:
    """None if its times or its kind cannot be true."""
    kind = _KINDS.get(mark.get("Type", ""))
    start_s = seconds_from_text(mark.get("Start", ""))
    end_s = seconds_from_text(mark.get("End", "")) if kind is CueKind.LOOP else None
    if kind is None or start_s is None or (kind is CueKind.LOOP and (end_s is None or end_s <= start_s)):
        return None
    color = color_from_parts(*(mark.get(part, "") for part in ("Red", "Green", "Blue")))
    return Cue(kind, start_s, end_s, slot_from_text(mark.get("Num", "")), text_from_tag(mark.get("Name", "")), color)
