"""Receiving a tree of files: into a hidden folder, checked, then moved into place as a whole.

A folder that is there is never written to: people go on working in it. It is found again by its `stemhouse.json`.
"""

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stemhouse.client.files import sha256_of
from stemhouse.client.receiving import candidates, check_segment, receive_file, unfinished_folder, write_errors
from stemhouse.errors import InternalFault, Unavailable
from stemhouse.production import TREE_RECORD, TreePlan
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.wire.production import tree_plan_from_proto


@dataclass(frozen=True)
class Made:
    """Where a tree is; `is_reused` if it had been there already, unchanged. `warnings` are those of its plan."""

    folder: Path
    files: tuple[Path, ...]
    is_reused: bool
    warnings: tuple[str, ...] = ()


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


def receive_tree(stream: TreeStream, output_dir: Path) -> Made:
    """Take a tree into a new folder below `output_dir`, or find one that holds it unchanged.

    Raises Unavailable if the stream ends early, InvalidRequest if the files cannot be written there, InternalFault for
    a damaged or unsafe stream.
    """
    parts = (response.part for response in stream)
    plan = _plan(parts)
    existing = itertools.takewhile(os.path.lexists, candidates(output_dir, plan.folder))
    reusable = next((folder for folder in existing if _holds(folder, plan)), None)
    if reusable:
        stream.cancel()
        return Made(reusable, _paths(reusable, plan), is_reused=True, warnings=plan.warnings)
    with write_errors(output_dir), unfinished_folder(output_dir) as unfinished:
        tree = unfinished / plan.folder
        _make_folders(tree, plan)
        _receive_files(parts, tree, plan)
        folder = next(found for found in candidates(output_dir, plan.folder) if not os.path.lexists(found))
        tree.rename(folder)
    return Made(folder, _paths(folder, plan), is_reused=False, warnings=plan.warnings)


def _plan(parts: Iterator[pb.TreePart]) -> TreePlan:
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


def _receive_files(parts: Iterator[pb.TreePart], tree: Path, plan: TreePlan) -> None:
    missing = [*plan.file_paths, TREE_RECORD]
    for part in parts:
        name = part.file_start.name
        if part.WhichOneof("part") != "file_start" or name not in missing:
            message = f"the delivery sends {name or part.WhichOneof('part')!r} out of turn"
            raise InternalFault(message)
        receive_file(parts, tree / name, part.file_start.size_bytes)
        missing.remove(name)
    if missing:
        message = f"the delivery ended without {', '.join(missing)}"
        raise Unavailable(message)


def _paths(folder: Path, plan: TreePlan) -> tuple[Path, ...]:
    return tuple(folder / path for path in (*plan.file_paths, TREE_RECORD))


def _holds(folder: Path, plan: TreePlan) -> bool:
    try:
        record = json.loads((folder / TREE_RECORD).read_text(encoding="utf-8"))
        if record["delivery_key"] != plan.delivery_key:
            return False
        recorded = {file["path"]: file for file in record["files"]}
        return all(_is_as_recorded(folder / path, recorded[path]) for path in plan.file_paths)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # none there, or not one of ours


def _is_as_recorded(path: Path, file: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == file["size_bytes"] and sha256_of(path) == file["sha256"]
