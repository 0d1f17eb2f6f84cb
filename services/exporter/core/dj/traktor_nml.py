"""Playlists that Traktor imports, as NML: the entries that are in them, with grids and cues.

Nobody has published the layout; this is what files of versions 19 and 20 show. A collection is never written in place.
"""

import hashlib
from collections.abc import Mapping

from lxml import etree

from services.exporter.core.dj.cues import without_doubles
from services.exporter.core.dj.playlist_folders import PlaylistFolder, folder_tree
from services.exporter.core.dj.xml_text import child, document
from services.exporter.core.keys import key_from_name
from stemhouse.dj import DJCollection, DJFile
from stemhouse.tracks import BeatMarker, Cue, CueKind

_VERSION = "19"
_TYPES = {CueKind.CUE: 0, CueKind.FADE_IN: 1, CueKind.FADE_OUT: 2, CueKind.LOAD: 3, CueKind.LOOP: 5}
_GRID = 4
_NO_PAD = -1
_PADS = 8
_SEPARATOR = "/:"
_MAC_VOLUMES = "/Volumes/"
_MS_PER_S = 1000.0
_SURE = "100.000000"


def traktor_nml(collection: DJCollection, mac_volume: str = "Macintosh HD") -> bytes:
    """The document; `mac_volume` is the name of the volume that a Mac starts from, for paths that name none."""
    root = etree.Element("NML", {"VERSION": _VERSION})
    child(root, "HEAD", {"COMPANY": "www.native-instruments.com", "PROGRAM": "Traktor"})
    entries = child(root, "COLLECTION", {"ENTRIES": len(collection.files)})
    for file in collection.files:
        _add_entry(entries, file, mac_volume)
    playlists = child(root, "PLAYLISTS", {})
    keys = [_primary_key(file.location, mac_volume) for file in collection.files]
    _add_folder(playlists, folder_tree(collection.playlists, "$ROOT"), keys)
    return document(root, standalone=False)


def _add_entry(parent: etree._Element, file: DJFile, mac_volume: str) -> None:
    track = file.track
    entry = child(parent, "ENTRY", {"TITLE": track.title, "ARTIST": track.artist, **_lock(is_on=track.is_grid_locked)})
    volume, folders, name = _place(file.location, mac_volume)
    folder = _SEPARATOR + "".join(_escaped(part) + _SEPARATOR for part in folders)
    child(entry, "LOCATION", {"DIR": folder, "FILE": _escaped(name), "VOLUME": volume, "VOLUMEID": volume})
    if track.album:
        child(entry, "ALBUM", {"TITLE": track.album})
    child(entry, "INFO", _info(file))
    if track.bpm:
        child(entry, "TEMPO", {"BPM": f"{track.bpm:.6f}", "BPM_QUALITY": _SURE})
    key = key_from_name(track.key)
    if key:
        child(entry, "MUSICAL_KEY", {"VALUE": key.traktor})
    for marker in track.grid:
        _add_anchor(entry, marker)
    for order, cue in enumerate(without_doubles(track.cues)):
        child(entry, "CUE_V2", _mark(cue, order))


def _lock(*, is_on: bool) -> Mapping[str, object]:
    return {"LOCK": 1} if is_on else {}


def _info(file: DJFile) -> Mapping[str, object]:
    key = key_from_name(file.track.key)
    told = {
        "BITRATE": file.bits_per_s,
        "GENRE": file.track.genre,
        "COMMENT": file.track.comment,
        "KEY": key.open_key if key else file.track.key,
        "PLAYTIME": round(file.duration_s),
        "PLAYTIME_FLOAT": f"{file.duration_s:.6f}",
        "FILESIZE": file.size_bytes // 1024,
    }
    return {name: value for name, value in told.items() if value != ""}


def _add_anchor(entry: etree._Element, marker: BeatMarker) -> None:
    anchor = {"NAME": "AutoGrid", "DISPL_ORDER": 0, "TYPE": _GRID, **_times(marker.position_s, 0.0), "HOTCUE": _NO_PAD}
    child(child(entry, "CUE_V2", anchor), "GRID", {"BPM": f"{marker.bpm:.6f}"})


def _mark(cue: Cue, order: int) -> Mapping[str, object]:
    length_s = 0.0 if cue.end_s is None else cue.end_s - cue.start_s
    mark = {
        "NAME": cue.name or "n.n.",
        "DISPL_ORDER": order,
        "TYPE": _TYPES[cue.kind],
        **_times(cue.start_s, length_s),
        "HOTCUE": _NO_PAD if cue.slot is None or cue.slot >= _PADS else cue.slot,
    }
    return {**mark, "COLOR": cue.color} if cue.color else mark


def _times(start_s: float, length_s: float) -> Mapping[str, object]:
    return {"START": f"{start_s * _MS_PER_S:.6f}", "LEN": f"{length_s * _MS_PER_S:.6f}", "REPEATS": -1}


def _add_folder(parent: etree._Element, folder: PlaylistFolder, keys: list[str]) -> None:
    node = child(parent, "NODE", {"TYPE": "FOLDER", "NAME": folder.name})
    inside = child(node, "SUBNODES", {"COUNT": folder.count})
    for inner in folder.folders.values():
        _add_folder(inside, inner, keys)
    for name, files in folder.lists:
        playlist = child(inside, "NODE", {"TYPE": "PLAYLIST", "NAME": name})
        uuid = hashlib.md5(f"{folder.name}/{name}".encode(), usedforsecurity=False).hexdigest()
        entries = child(playlist, "PLAYLIST", {"ENTRIES": len(files), "TYPE": "LIST", "UUID": uuid})
        for place in files:
            child(child(entries, "ENTRY", {}), "PRIMARYKEY", {"TYPE": "TRACK", "KEY": keys[place]})


def _primary_key(location: str, mac_volume: str) -> str:
    volume, folders, name = _place(location, mac_volume)
    return _SEPARATOR.join([volume, *map(_escaped, folders), _escaped(name)])


def _place(location: str, mac_volume: str) -> tuple[str, list[str], str]:
    """Volume, folders and name: of `C:/..`, `/Volumes/USB/..`, and of a path on the volume that a Mac starts from."""
    if location.startswith(_MAC_VOLUMES):
        volume, *folders, name = location.removeprefix(_MAC_VOLUMES).split("/")
    elif location.startswith("/"):
        volume, (*folders, name) = mac_volume, location[1:].split("/")
    else:
        volume, *folders, name = location.split("/")
    return volume, folders, name


def _escaped(name: str) -> str:
    return name.replace(":", "//")
