"""The XML that rekordbox imports: a collection with grids and cues, and playlists.

Layout: rekordbox.com, "Developer", xml_format_list.pdf. `KeyType` is written although it may be left out: rekordbox 7
shows lists without it as empty.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from lxml import etree

from services.exporter.core.dj.cues import without_doubles
from services.exporter.core.dj.playlist_folders import PlaylistFolder, folder_tree
from services.exporter.core.dj.xml_text import child, document
from stemhouse.dj import DJCollection, DJFile
from stemhouse.tracks import BeatMarker, Cue, CueKind

_KINDS = {"wav": "WAV File", "aiff": "AIFF File", "flac": "FLAC File", "m4a": "M4A File", "mp4": "M4A File"}
_TYPES = {CueKind.CUE: 0, CueKind.FADE_IN: 1, CueKind.FADE_OUT: 2, CueKind.LOAD: 3, CueKind.LOOP: 4}
_MEMORY_CUE = -1
_PADS = 8
_FOLDER, _LIST, _BY_TRACK_ID = 0, 1, 0
_HIGHEST_ID = 0x7FFFFFFF


def rekordbox_xml(collection: DJCollection, program_version: str) -> bytes:
    """The document. The same location has the same number in every collection.

    Times are to the millisecond, as rekordbox itself writes them. Its tempos have two decimals, with which a grid of
    one marker is off by a millisecond after half a minute; four keep it within a fifth of one for five minutes.
    """
    root = etree.Element("DJ_PLAYLISTS", {"Version": "1.0.0"})
    child(root, "PRODUCT", {"Name": "Stemhouse", "Version": program_version, "Company": ""})
    tracks = child(root, "COLLECTION", {"Entries": len(collection.files)})
    ids = _track_ids(collection.files)
    for file, track_id in zip(collection.files, ids, strict=True):
        _add_track(tracks, file, track_id)
    playlists = child(root, "PLAYLISTS", {})
    _add_folder(playlists, folder_tree(collection.playlists, "ROOT"), ids)
    return document(root)


def location_uri(location: str) -> str:
    """`file://localhost/` and the path, percent-encoded; a drive's letter keeps its colon."""
    return "file://localhost/" + quote(location.removeprefix("/"), safe="/:()'!,~*")


def _track_ids(files: Sequence[DJFile]) -> list[int]:
    """By location; of two that would be equal the later one takes the next free number."""
    ids: dict[int, None] = {}
    for file in files:
        digest = hashlib.sha256(file.location.encode(errors="surrogateescape")).digest()
        track_id = int.from_bytes(digest[:4]) & _HIGHEST_ID or 1
        while track_id in ids:
            track_id = track_id % _HIGHEST_ID + 1
        ids[track_id] = None
    return list(ids)


def _add_track(parent: etree._Element, file: DJFile, track_id: int) -> None:
    element = child(parent, "TRACK", _attributes(file, track_id))
    for marker in file.track.grid:
        child(element, "TEMPO", _tempo(marker))
    for mark in _marks(file.track.cues):
        child(element, "POSITION_MARK", mark)


def _attributes(file: DJFile, track_id: int) -> Mapping[str, object]:
    track = file.track
    told = {
        "TrackID": track_id,
        "Name": track.title,
        "Artist": track.artist,
        "Album": track.album,
        "Genre": track.genre,
        "Kind": _KINDS.get(file.location.rpartition(".")[2].lower(), ""),
        "Size": file.size_bytes,
        "TotalTime": round(file.duration_s),
        "AverageBpm": f"{track.bpm:.2f}" if track.bpm else "",
        "BitRate": round(file.bits_per_s / 1000),
        "SampleRate": file.sample_rate_hz,
        "Comments": track.comment,
        "Tonality": track.key,
        "Colour": track.color.replace("#", "0x"),
        "Location": location_uri(file.location),
    }
    return {name: value for name, value in told.items() if value != ""}


def _tempo(marker: BeatMarker) -> Mapping[str, object]:
    return {
        "Inizio": f"{marker.position_s:.3f}",
        "Bpm": f"{marker.bpm:.4f}",
        "Metro": "4/4",
        "Battito": marker.bar_beat or 1,
    }


def _marks(cues: Sequence[Cue]) -> Iterator[Mapping[str, object]]:
    """A pad's mark, and the same as a memory cue, since players show no others; one without a pad is that alone."""
    for cue in without_doubles(cues):
        mark = _mark(cue)
        if cue.slot is not None and cue.slot < _PADS:
            yield {**mark, "Num": cue.slot, **_color(cue.color)}
        yield {**mark, "Num": _MEMORY_CUE}


def _mark(cue: Cue) -> Mapping[str, object]:
    """Kind, name and place."""
    mark: dict[str, object] = {"Name": cue.name, "Type": _TYPES[cue.kind], "Start": f"{cue.start_s:.3f}"}
    return mark if cue.end_s is None else {**mark, "End": f"{cue.end_s:.3f}"}


def _color(color: str) -> Mapping[str, object]:
    channels = zip(("Red", "Green", "Blue"), bytes.fromhex(color.removeprefix("#")), strict=False)
    return dict(channels)


def _add_folder(parent: etree._Element, folder: PlaylistFolder, ids: Sequence[int]) -> None:
    element = child(parent, "NODE", {"Type": _FOLDER, "Name": folder.name, "Count": folder.count})
    for inner in folder.folders.values():
        _add_folder(element, inner, ids)
    for name, files in folder.lists:
        attributes = {"Name": name, "Type": _LIST, "KeyType": _BY_TRACK_ID, "Entries": len(files)}
        playlist = child(element, "NODE", attributes)
        for place in files:
            child(playlist, "TRACK", {"Key": ids[place]})
