"""What the records of DJs' trees tell: which files there are, what is known of each, what was asked for."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemhouse.client.dj_places import visible_folders
from stemhouse.client.trees import Made, edited_files
from stemhouse.dj import DJFile, DJTrack, TrackClue
from stemhouse.production import TREE_RECORD
from stemhouse.tracks import BeatMarker, Cue, CueKind


@dataclass(frozen=True)
class RecordedFile:
    """A file that is there, and which stems it has."""

    stem: str
    file: DJFile


@dataclass(frozen=True)
class RecordedTree:
    """A tree: what takes it, what it was made of, and what its record tells of its files."""

    folder: Path
    kind: str
    request_key: str
    source: TrackClue | None
    warnings: tuple[str, ...]
    _told: tuple[Mapping[str, Any], ...]

    def files(self) -> Iterator[RecordedFile]:
        """Those that are still there."""
        for told in self._told:
            path = self.folder / told["path"]
            if path.is_file():
                yield RecordedFile(told["stem"], _dj_file(path, told))

    def whole(self) -> Made | None:
        """The tree as it was made, edited or not; None if one of its files is gone."""
        paths = tuple(self.folder / told["path"] for told in self._told)
        if not all(path.is_file() for path in paths):
            return None
        edited = edited_files(self.folder, paths)
        record = self.folder / TREE_RECORD
        return Made(self.folder, (*paths, record), is_reused=True, warnings=self.warnings, edited=edited)


def recorded_trees(output_dir: Path) -> Iterator[RecordedTree]:
    """All trees below a folder, at any depth, by their paths; what is no record of ours is passed over."""
    for folder in sorted(visible_folders(output_dir)):
        tree = _tree(folder)
        if tree:
            yield tree


def note_on_doubles(trees: Sequence[RecordedTree]) -> tuple[str, ...]:
    """What is to be said of tracks whose stems are there more than once: lists name them all."""
    made: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for tree in trees:
        sha256 = tree.source.sha256 if tree.source else ""
        for told in tree.files() if sha256 else ():
            made[sha256, told.stem].append(tree.folder)
    doubles = {key: folders for key, folders in made.items() if len(folders) > 1}
    if not doubles:
        return ()
    count, folders = len({sha256 for sha256, _ in doubles}), next(iter(doubles.values()))
    told_folders = " and ".join(str(folder) for folder in folders)
    because = "made with other options, or for other grids and cues"
    return (f"tracks in lists more than once: {count}, {because}; remove what you do not want of {told_folders}, ...",)


def _tree(folder: Path) -> RecordedTree | None:
    try:
        document = json.loads((folder / TREE_RECORD).read_text(encoding="utf-8"))
        told = document["dj"]
        source = TrackClue(**told["source"]) if told.get("source") else None
        warnings = tuple(map(str, document.get("warnings", ())))
        files = tuple({**file, "track": _dj_track(file["track"])} for file in told["files"])
        return RecordedTree(folder, told["kind"], told.get("request_key", ""), source, warnings, files)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _dj_file(path: Path, told: Mapping[str, Any]) -> DJFile:
    size_bytes, duration_s = path.stat().st_size, float(told["duration_s"])
    return DJFile(
        location=path.as_posix(),
        track=told["track"],
        size_bytes=size_bytes,
        duration_s=duration_s,
        sample_rate_hz=int(told["sample_rate_hz"]),
        bits_per_s=round(size_bytes * 8 / duration_s),
    )


def _dj_track(fields: Mapping[str, Any]) -> DJTrack:
    grid = tuple(BeatMarker(**marker) for marker in fields["grid"])
    cues = tuple(Cue(**{**cue, "kind": CueKind(cue["kind"])}) for cue in fields["cues"])
    return DJTrack(**{**fields, "grid": grid, "cues": cues})
