"""What a supervisor writes down about its stack, for clients and for whoever cleans up after it."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from stemhouse.local.home import Home
from stemhouse.local.origin import StackOrigin
from stemhouse.local.processes import ProcessId


@dataclass(frozen=True)
class ChildRecord:
    """A child process: its address, and how often it ended early in a row. No `service_name`: the object store."""

    process: ProcessId
    address: str
    service_name: str = ""
    failure_count: int = 0


@dataclass(frozen=True)
class StackRecord:
    """The stack as it stands. `is_store_verified` once a PUT and a GET have worked and anonymous access has not."""

    supervisor: ProcessId
    children: dict[str, ChildRecord] = field(default_factory=dict)
    is_store_verified: bool = False
    is_stopping: bool = False
    origin: StackOrigin = field(default_factory=StackOrigin)


Record = TypeVar("Record", ProcessId, StackOrigin, ChildRecord, StackRecord)


def write_record(home: Home, record: StackRecord) -> None:
    """Replace the record; a reader sees the old or the new one whole."""
    part = home.stack_file.with_suffix(".part")
    part.write_text(json.dumps(dataclasses.asdict(record), indent=1), encoding="utf-8")
    part.replace(home.stack_file)


def read_record(home: Home) -> StackRecord | None:
    """The last record, or None if there is none that can be read.

    Another version may have written it: what this one does not know is passed over, what is missing is empty.
    """
    try:
        content: dict[str, Any] = json.loads(home.stack_file.read_text(encoding="utf-8"))
        children = {name: _child(child) for name, child in content.pop("children").items()}
        supervisor = _known(ProcessId, content.pop("supervisor"))
        origin = _known(StackOrigin, content.pop("origin", {}))
        return _known(StackRecord, {**content, "supervisor": supervisor, "children": children, "origin": origin})
    except (OSError, ValueError, KeyError, TypeError):
        return None  # damaged: nothing that could be relied on


def _child(content: dict[str, Any]) -> ChildRecord:
    return _known(ChildRecord, {**content, "process": _known(ProcessId, content["process"])})


def _known(kind: type[Record], content: dict[str, Any]) -> Record:
    """A dataclass of the fields that it has."""
    return kind(**{name: value for name, value in content.items() if name in kind.__dataclass_fields__})
