"""Receiving documents that belong to a folder as a whole: each is put into its place there, in one step.

The folder's `stemhouse.json` is the record of what was put there. A document that differs from the record has been
changed by somebody, who keeps it: the new one becomes "name (2)".
"""

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stemhouse.client.files import sha256_of
from stemhouse.client.receiving import unfinished_folder, write_errors
from stemhouse.client.trees import TreeStream, is_as_recorded, receive_files, tree_plan
from stemhouse.production import TREE_RECORD, TreePlan

_SCHEMA = 1


@dataclass(frozen=True)
class Documents:
    """Where the documents are; `is_reused` if all had been there already. `warnings` are those of their plan."""

    files: tuple[Path, ...]
    is_reused: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Record:
    """What was put into a folder: `keys` of what came together, and by the place of each document how it was."""

    keys: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def places_of(self, plan: TreePlan) -> Mapping[str, str]:
        """Where the documents of a plan were put, as far as they were."""
        places = {file["path"]: place for place, file in self.files.items()}
        return {path: places[path] for path in plan.file_paths if path in places}


def receive_documents(stream: TreeStream, output_dir: Path, label: str = "") -> Documents:
    """Take documents into `output_dir`, or find them there; raises as receive_tree does.

    `label` is as in `discard_unfinished`.
    """
    parts = (response.part for response in stream)
    plan = tree_plan(parts)
    record = _read(output_dir)
    known = record.places_of(plan)
    if _are_there(output_dir, record, known, plan):
        stream.cancel()
        return Documents(_paths(output_dir, known, plan), is_reused=True, warnings=plan.warnings)
    with write_errors(output_dir), unfinished_folder(output_dir, label) as unfinished:
        tree = unfinished / plan.folder
        receive_files(parts, tree, plan)
        put = {path: _put(tree / path, output_dir, path, record) for path in plan.file_paths}
        _write(_added(record, plan, put, output_dir), unfinished, output_dir)
    return Documents(_paths(output_dir, put, plan), is_reused=False, warnings=plan.warnings)


def _are_there(folder: Path, record: _Record, places: Mapping[str, str], plan: TreePlan) -> bool:
    if record.keys.get(plan.folder) != plan.delivery_key or len(places) < len(plan.file_paths):
        return False
    return all(is_as_recorded(folder / place, record.files[place]) for place in places.values())


def _paths(folder: Path, places: Mapping[str, str], plan: TreePlan) -> tuple[Path, ...]:
    return tuple(folder / places[path] for path in plan.file_paths)


def _put(file: Path, folder: Path, path: str, record: _Record) -> str:
    """Move a document to the first place that is free, or that holds one of ours as it was; gives the place."""
    digest = sha256_of(file)
    for place in _candidates(path):
        target = folder / place
        ours = {digest, record.files.get(place, {}).get("sha256")}
        if not os.path.lexists(target) or (target.is_file() and sha256_of(target) in ours):
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
            return place
    raise AssertionError  # there is no last candidate


def _candidates(path: str) -> Iterator[str]:
    yield path
    named = PurePosixPath(path)
    for number in itertools.count(2):
        yield str(named.with_name(f"{named.stem} ({number}){named.suffix}"))


def _added(record: _Record, plan: TreePlan, places: Mapping[str, str], folder: Path) -> _Record:
    files = {
        place: {"path": path, "size_bytes": (folder / place).stat().st_size, "sha256": sha256_of(folder / place)}
        for path, place in places.items()
    }
    earlier = {place: file for place, file in record.files.items() if file["path"] not in places}
    return _Record({**record.keys, plan.folder: plan.delivery_key}, {**earlier, **files})


def _read(folder: Path) -> _Record:
    try:
        record = json.loads((folder / TREE_RECORD).read_text(encoding="utf-8"))
        files = {file["place"]: file for file in record["documents"]}
        return _Record(dict(record["keys"]), {place: file for place, file in files.items() if "path" in file})
    except (OSError, ValueError, KeyError, TypeError):
        return _Record()  # none there, or not one of ours


def _write(record: _Record, unfinished: Path, folder: Path) -> None:
    documents = [{"place": place, **file} for place, file in record.files.items()]
    text = json.dumps({"schema": _SCHEMA, "keys": record.keys, "documents": documents}, indent=2, ensure_ascii=False)
    written = unfinished / TREE_RECORD
    written.write_text(f"{text}\n", encoding="utf-8")
    written.replace(folder / TREE_RECORD)
