"""Receiving a tree of files: into a hidden folder, checked, then moved into place as a whole.

A folder that is there is never written to: people go on working in it. It is found again by its `stemhouse.json`.
"""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from stemhouse.client.files import CHUNK_BYTES, read_errors, sha256_of
from stemhouse.client.receiving import candidates, check_segment, receive_file, unfinished_folder, write_errors
from stemhouse.errors import InternalFault, InvalidRequest, Unavailable
from stemhouse.production import TREE_RECORD, TreePlan, name_key
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.wire.production import tree_plan_from_proto

OnProgress = Callable[[float], None]
"""Is told a share from 0 to 1."""


def nobody_watches(_share: float) -> None:
    """For callers who do not ask how far it is."""


_NONE: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True)
class Made:
    """Where a tree is; `is_reused` if it had been there already, unchanged. `warnings` are those of its plan.

    `edited` are files that somebody has written into since, where that is accepted.
    """

    folder: Path
    files: tuple[Path, ...]
    is_reused: bool
    warnings: tuple[str, ...] = ()
    edited: tuple[Path, ...] = ()


class TreeResponse(Protocol):
    """A response of any stream of trees."""

    @property
    def part(self) -> pb.TreePart:
        """The piece that it carries."""


class TreeStream(Protocol):
    """The parts of a tree as they come, and a way to want no more of them."""

    def __iter__(self) -> Iterator[TreeResponse]:
        """The parts in order."""

    def cancel(self) -> object:
        """End the stream."""


class WatchedStream:
    """A stream without the parts that tell how far the work before the first file is: `on_progress` is told."""

    def __init__(self, stream: TreeStream, on_progress: OnProgress) -> None:
        """Nothing is read yet."""
        self._stream = stream
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[TreeResponse]:
        """See TreeStream."""
        for response in self._stream:
            if response.part.WhichOneof("part") == "progress":
                self._on_progress(response.part.progress)
            else:
                yield response

    def cancel(self) -> object:
        """See TreeStream."""
        return self._stream.cancel()


def receive_tree(
    stream: TreeStream,
    output_dir: Path,
    own_files: Mapping[str, Path] = _NONE,
    *,
    accepts_edits: bool = False,
    label: str = "",
) -> Made:
    """Take a tree into a new folder below `output_dir`, or find one that holds it unchanged.

    `own_files`, by their SHA-256, are those that the exporter may ask to be copied. With `accepts_edits` its files
    need only be there: whoever gets them goes on writing into them. `label` is as in `discard_unfinished`.
    Raises Unavailable if the stream ends early, InvalidRequest if the files cannot be written there, InternalFault for
    a damaged or unsafe stream.
    """
    parts = (response.part for response in stream)
    plan = tree_plan(parts)
    existing = itertools.takewhile(partial(_is_taken, _names_in(output_dir)), candidates(output_dir, plan.folder))
    holds = _has_files_of if accepts_edits else _holds
    reusable = next((folder for folder in existing if holds(folder, plan)), None)
    if reusable:
        stream.cancel()
        edited = edited_files(reusable, [reusable / path for path in plan.file_paths]) if accepts_edits else ()
        return Made(reusable, _paths(reusable, plan), is_reused=True, warnings=plan.warnings, edited=edited)
    with write_errors(output_dir), unfinished_folder(output_dir, label) as unfinished:
        tree = unfinished / plan.folder
        receive_files(parts, tree, plan, own_files)
        names = _names_in(output_dir)
        folder = next(found for found in candidates(output_dir, plan.folder) if not _is_taken(names, found))
        tree.rename(folder)
    return Made(folder, _paths(folder, plan), is_reused=False, warnings=plan.warnings)


def _names_in(folder: Path) -> frozenset[str]:
    """Of what lies there, as a file system sees them that tells apart less than this one may."""
    try:
        return frozenset(name_key(entry.name) for entry in folder.iterdir())
    except OSError:
        return frozenset()  # not there yet, or not to be listed: what is asked of it by name is seen all the same


def _is_taken(names: frozenset[str], path: Path) -> bool:
    return name_key(path.name) in names or os.path.lexists(path)


def tree_plan(parts: Iterator[pb.TreePart]) -> TreePlan:
    """The first part; raises InternalFault if it is none, or unsafe."""
    first = next(parts, None)
    if first is None or first.WhichOneof("part") != "plan":
        message = "the delivery does not begin with its plan"
        raise InternalFault(message)
    plan = tree_plan_from_proto(first.plan)
    check_segment(plan.folder)
    for path in (*plan.file_paths, *plan.empty_folders):
        for segment in path.split("/"):
            check_segment(segment)
    return plan


def _make_folders(tree: Path, plan: TreePlan) -> None:
    tree.mkdir()
    for path in plan.empty_folders:
        (tree / path).mkdir(parents=True, exist_ok=True)
    for path in plan.file_paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)


def receive_files(
    parts: Iterator[pb.TreePart], tree: Path, plan: TreePlan, own_files: Mapping[str, Path] = _NONE
) -> None:
    """Write all files, and the record, into a folder that is made for them."""
    _make_folders(tree, plan)
    missing = [*plan.file_paths, TREE_RECORD]
    for part in parts:
        name = part.file_start.name or part.file_copy.name
        if name not in missing:
            message = f"the delivery sends {name or part.WhichOneof('part')!r} out of turn"
            raise InternalFault(message)
        if part.WhichOneof("part") == "file_copy":
            _copy_own(own_files, part.file_copy, tree / name)
        else:
            receive_file(parts, tree / name, part.file_start.size_bytes)
        missing.remove(name)
    if missing:
        message = f"the delivery ended without {', '.join(missing)}"
        raise Unavailable(message)


def _copy_own(own_files: Mapping[str, Path], copy: pb.FileCopy, path: Path) -> None:
    """Copy a file of the user's; raises InvalidRequest if it is not what it was when the exporter was told of it."""
    own = own_files.get(copy.sha256)
    if own is None:
        message = f"the delivery asks for {copy.name} out of a file that it was not told of"
        raise InternalFault(message)
    with read_errors(own):
        source = own.open("rb")
    with source, path.open("xb") as target:
        shutil.copyfileobj(source, target, CHUNK_BYTES)
    if sha256_of(path) != copy.sha256:
        message = f"{own} was changed while it was copied: give the command again"
        raise InvalidRequest(message, {"file": str(own)})


def _paths(folder: Path, plan: TreePlan) -> tuple[Path, ...]:
    return tuple(folder / path for path in (*plan.file_paths, TREE_RECORD))


def _has_files_of(folder: Path, plan: TreePlan) -> bool:
    """Whether the folder was made to this plan, and no file of it is gone."""
    try:
        record = json.loads((folder / TREE_RECORD).read_text(encoding="utf-8"))
        is_of_plan = record["delivery_key"] == plan.delivery_key
    except (OSError, ValueError, KeyError, TypeError):
        return False  # none there, or not one of ours
    return is_of_plan and all((folder / path).is_file() for path in plan.file_paths)


def edited_files(folder: Path, paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files of a tree that are younger than its record, which is written last: digests would take long for many."""
    made_ns = (folder / TREE_RECORD).stat().st_mtime_ns
    return tuple(path for path in paths if path.stat().st_mtime_ns > made_ns)


def _holds(folder: Path, plan: TreePlan) -> bool:
    try:
        record = json.loads((folder / TREE_RECORD).read_text(encoding="utf-8"))
        if record["delivery_key"] != plan.delivery_key:
            return False
        recorded = {file["path"]: file for file in record["files"]}
        return all(is_as_recorded(folder / path, recorded[path]) for path in plan.file_paths)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # none there, or not one of ours


def is_as_recorded(path: Path, file: Mapping[str, Any]) -> bool:
    """Whether a file has the `size_bytes` and the `sha256` that a record tells."""
    return path.is_file() and path.stat().st_size == file["size_bytes"] and sha256_of(path) == file["sha256"]
