"""Receiving a delivery: into a hidden folder, checked, then moved into place; nobody's edits are overwritten.

The folder's `metadata.json` is the record of what was delivered: `delivery.delivery_key`, and in `files` the name,
size and SHA-256 of each. A file whose digest differs from the record belongs to the user.
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
from stemhouse.delivery import DeliveryPlan
from stemhouse.errors import InternalFault, Unavailable
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.wire.delivery import plan_from_proto

METADATA = "metadata.json"
_EARLIER = "earlier_files"


@dataclass(frozen=True)
class Delivered:
    """Where the files are; `is_reused` if they had all been there already. `gain` is theirs against the source."""

    folder: Path
    files: tuple[Path, ...]
    is_reused: bool
    gain: float = 1.0


class DeliveryStream(Protocol):
    """The parts of a delivery as they come, and a way to want no more of them."""

    def __iter__(self) -> Iterator[pb.DeliverResponse]:
        """The parts in order."""

    def cancel(self) -> object:
        """End the stream."""


def receive_delivery(stream: DeliveryStream, output_dir: Path, label: str = "") -> Delivered:
    """Take a delivery into a folder below `output_dir`, or find that it is there.

    What is unfinished bears the label, by which `discard_unfinished` finds it if this process is killed.
    Raises Unavailable if the stream ends early, InvalidRequest if the files cannot be written there, InternalFault for
    a damaged or unsafe stream.
    """
    parts = iter(stream)
    plan = _plan(parts)
    existing = itertools.takewhile(os.path.lexists, candidates(output_dir, plan.folder))
    reusable = next((folder for folder in existing if _holds(folder, plan)), None)
    if reusable:
        stream.cancel()
        return Delivered(reusable, _paths(reusable, plan), is_reused=True, gain=plan.gain)
    with write_errors(output_dir), unfinished_folder(output_dir, label) as part_folder:
        digests = _receive_files(parts, part_folder, plan)
        folder = next(found for found in candidates(output_dir, plan.folder) if _is_free_for(found, digests))
        folder.mkdir(exist_ok=True)
        _carry_over(folder, part_folder / METADATA, digests)
        for name in (*plan.file_names, METADATA):
            (part_folder / name).replace(folder / name)
    return Delivered(folder, _paths(folder, plan), is_reused=False, gain=plan.gain)


def _plan(parts: Iterator[pb.DeliverResponse]) -> DeliveryPlan:
    first = next(parts, None)
    if first is None or first.WhichOneof("part") != "plan":
        message = "the delivery does not begin with its plan"
        raise InternalFault(message)
    plan = plan_from_proto(first.plan)
    for name in (plan.folder, *plan.file_names):
        check_segment(name)
    return plan


def _paths(folder: Path, plan: DeliveryPlan) -> tuple[Path, ...]:
    return tuple(folder / name for name in (*plan.file_names, METADATA))


@dataclass(frozen=True)
class _Record:
    delivery_key: str
    sizes_bytes: Mapping[str, int]
    digests: Mapping[str, str]


def _carry_over(folder: Path, metadata_file: Path, digests: Mapping[str, str]) -> None:
    """Keep the record of files of earlier deliveries that stay in the folder, so that they are still known as ours."""
    earlier = [file for file in _recorded_files(_metadata(folder)) if file["name"] not in digests]
    kept = [file for file in earlier if (folder / file["name"]).is_file()]
    if kept:
        metadata = {**_metadata(metadata_file.parent), _EARLIER: kept}
        text = json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False)
        metadata_file.write_text(text + "\n", encoding="utf-8")


def _metadata(folder: Path) -> dict[str, Any]:
    """The folder's metadata; empty if there is none that can be read."""
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _recorded_files(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*metadata.get("files", ()), *metadata.get(_EARLIER, ())]


def _record(folder: Path) -> _Record | None:
    try:
        metadata = _metadata(folder)
        files = _recorded_files(metadata)
        return _Record(
            delivery_key=metadata["delivery"]["delivery_key"],
            sizes_bytes={file["name"]: file["size_bytes"] for file in files},
            digests={file["name"]: file["sha256"] for file in files},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none there, or not one of ours


def _holds(folder: Path, plan: DeliveryPlan) -> bool:
    record = _record(folder)
    if record is None or record.delivery_key != plan.delivery_key:
        return False
    return all(_is_as_recorded(folder / name, record) for name in plan.file_names)


def _is_as_recorded(path: Path, record: _Record) -> bool:
    if not path.is_file() or path.stat().st_size != record.sizes_bytes.get(path.name):
        return False
    return sha256_of(path) == record.digests[path.name]


def _is_free_for(folder: Path, digests: Mapping[str, str]) -> bool:
    """Whether the files can go there without a loss: none is there but our own, or one equal to what comes."""
    if not os.path.lexists(folder):
        return True
    record = _record(folder)
    if not folder.is_dir() or (record is None and os.path.lexists(folder / METADATA)):
        return False
    recorded = record.digests if record else {}
    return all(_is_replaceable(folder / name, {digest, recorded.get(name)}) for name, digest in digests.items())


def _is_replaceable(path: Path, digests: set[str | None]) -> bool:
    if path.name == METADATA or not os.path.lexists(path):
        return True
    return path.is_file() and sha256_of(path) in digests


def _receive_files(parts: Iterator[pb.DeliverResponse], part_folder: Path, plan: DeliveryPlan) -> dict[str, str]:
    """Write every file of the plan and the metadata; gives their digests."""
    missing = {*plan.file_names, METADATA}
    digests: dict[str, str] = {}
    for part in parts:
        name = part.file_start.name
        if part.WhichOneof("part") != "file_start" or name not in missing:
            message = f"the delivery sends {name or part.WhichOneof('part')!r} out of turn"
            raise InternalFault(message)
        digests[name] = receive_file(parts, part_folder / name, part.file_start.size_bytes)
        missing.remove(name)
    if missing:
        message = f"the delivery ended without {', '.join(sorted(missing))}"
        raise Unavailable(message)
    return digests
