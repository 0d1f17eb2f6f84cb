"""Folders of stems as what a DJ program takes: files in a folder for each track, and lists of all of them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemhouse.client.documents import Documents
from stemhouse.client.production import ProductionClient
from stemhouse.client.stem_folders import LocalStems
from stemhouse.client.trees import Made
from stemhouse.dj import (
    DJCollection,
    DJFile,
    DJTarget,
    DJTrack,
    OrganizeOptions,
    Playlist,
    PlaylistOptions,
    StemFileOptions,
)
from stemhouse.errors import InputRejected, InvalidRequest, NotFound, StemhouseError
from stemhouse.production import TREE_RECORD
from stemhouse.tracks import BeatMarker, Cue, CueKind

_OWN_FOLDER = "Stemhouse"
"""In which the playlists lie: they stay apart from a DJ's own."""


@dataclass(frozen=True)
class Organized:
    """What became of a folder: files that were made or found, or why there are none."""

    stems: LocalStems
    made: Made | None = None
    error: StemhouseError | None = None


@dataclass(frozen=True)
class _ListedFile:
    stem: str
    file: DJFile


class StemOrganizer:
    """Writes below one folder for one target: what is there stays, what is missing is made, lists name all of it."""

    def __init__(
        self, production: ProductionClient, target: DJTarget, output_dir: Path, volume_root: Path | None = None
    ) -> None:
        """`volume_root` is that of the drive, of which crates name files relative to it; found if it is not given."""
        self._production = production
        self._target = target
        self._output_dir = output_dir.resolve()
        self._volume_root = volume_root.resolve() if volume_root else _volume_root(self._output_dir)

    def organize(
        self, folders: Sequence[LocalStems], options: OrganizeOptions | StemFileOptions
    ) -> Iterator[Organized]:
        """Make the files of each folder, one after the other; a folder that cannot be made does not stop the rest.

        Raises what would fail every folder, Unavailable above all.
        """
        for stems in folders:
            try:
                yield Organized(stems, self._make(stems, options))
            except (InvalidRequest, InputRejected, NotFound) as error:
                yield Organized(stems, error=error)

    def _make(self, stems: LocalStems, options: OrganizeOptions | StemFileOptions) -> Made:
        if isinstance(options, OrganizeOptions):
            return self._production.organize(stems, options, self._output_dir)
        return self._production.export_stem_file(stems, options, self._output_dir)

    def write_lists(self) -> Documents | None:
        """Make all files that are now below the folder known to the target; None if there is none."""
        listed = [*self._listed_files()]
        if not listed:
            return None
        places: dict[str, list[int]] = {}
        for place, entry in enumerate(listed):
            places.setdefault(entry.stem, []).append(place)
        playlists = (Playlist((_OWN_FOLDER, stem.capitalize()), tuple(files)) for stem, files in places.items())
        collection = DJCollection(tuple(entry.file for entry in listed), tuple(playlists))
        options = PlaylistOptions(self._target, self._output_dir.as_posix(), self._volume_root.as_posix())
        return self._production.export_playlists(collection, options, self._output_dir)

    def _listed_files(self) -> Iterator[_ListedFile]:
        for record_file in sorted(self._output_dir.glob(f"*/{TREE_RECORD}")):
            for told in _told_files(record_file, self._target.file_kind):
                path = record_file.parent / told["path"]
                if path.is_file():
                    yield _ListedFile(told["stem"], _dj_file(path, told))


def _volume_root(folder: Path) -> Path:
    """The nearest folder above at which a volume is mounted."""
    return next(found for found in (folder, *folder.parents) if os.path.ismount(found) or found == found.parent)


def _told_files(record_file: Path, kind: str) -> Sequence[Mapping[str, Any]]:
    """What a tree's record tells of files of that kind; nothing if it is none of ours."""
    try:
        told = json.loads(record_file.read_text(encoding="utf-8"))["dj"]
        return [file for file in told["files"] if told["kind"] == kind]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _dj_file(path: Path, told: Mapping[str, Any]) -> DJFile:
    size_bytes, duration_s = path.stat().st_size, float(told["duration_s"])
    return DJFile(
        location=path.as_posix(),
        track=_dj_track(told["track"]),
        size_bytes=size_bytes,
        duration_s=duration_s,
        sample_rate_hz=int(told["sample_rate_hz"]),
        bits_per_s=round(size_bytes * 8 / duration_s),
    )


def _dj_track(fields: Mapping[str, Any]) -> DJTrack:
    grid = tuple(BeatMarker(**marker) for marker in fields["grid"])
    cues = tuple(Cue(**{**cue, "kind": CueKind(cue["kind"])}) for cue in fields["cues"])
    return DJTrack(**{**fields, "grid": grid, "cues": cues})
