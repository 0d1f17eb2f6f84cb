"""Receiving a tree: whole, checked, and never into a folder that is there."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemhouse.client.trees import Made, receive_tree
from stemhouse.errors import InternalFault, InvalidRequest, StemhouseError, Unavailable
from stemhouse.production import TREE_RECORD, TreePlan
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.wire.production import tree_plan_to_proto

CONTENTS = {"Samples/Imported/vocals.wav": b"v" * 2500, "Song.als": b"set"}
PLAN = TreePlan("Song Project", tuple(CONTENTS), ("Info",), "key-1", ("note",))


class _Stream:
    """Parts, and whether they were wanted to the end."""

    def __init__(self, parts: list[pb.TreePart]) -> None:
        self._parts = parts
        self.is_cancelled = False

    def __iter__(self) -> Iterator[pb.ExportAbletonResponse]:
        return (pb.ExportAbletonResponse(part=part) for part in self._parts)

    def cancel(self) -> None:
        self.is_cancelled = True


def parts_of(plan: TreePlan = PLAN) -> list[pb.TreePart]:
    """All parts of a tree that holds CONTENTS."""
    files = [
        {"path": path, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in CONTENTS.items()
    ]
    record = json.dumps({"delivery_key": plan.delivery_key, "files": files}).encode()
    parts = [pb.TreePart(plan=tree_plan_to_proto(plan))]
    for path, data in {**CONTENTS, TREE_RECORD: record}.items():
        parts.append(pb.TreePart(file_start=pb.FileStart(name=path, size_bytes=len(data))))
        parts.append(pb.TreePart(chunk=data))
        parts.append(pb.TreePart(file_end=pb.FileEnd(sha256=hashlib.sha256(data).hexdigest())))
    return parts


def receive(output_dir: Path, parts: list[pb.TreePart] | None = None) -> Made:
    """One tree from start to end."""
    return receive_tree(_Stream(parts or parts_of()), output_dir)


def test_tree_is_written_whole(tmp_path: Path) -> None:
    """Files in folders, empty folders, and nothing else is left."""
    made = receive(tmp_path / "new")
    folder = tmp_path / "new" / "Song Project"
    paths = tuple(folder / path for path in (*CONTENTS, TREE_RECORD))
    assert made == Made(folder, paths, is_reused=False, warnings=("note",))
    assert {path: (folder / path).read_bytes() for path in CONTENTS} == CONTENTS
    assert (folder / "Info").is_dir()
    assert [*folder.parent.iterdir()] == [folder]


def test_unchanged_tree_is_found_again(tmp_path: Path) -> None:
    """Also beside an edited one; nothing is sent but the plan."""
    first = receive(tmp_path)
    stream = _Stream(parts_of()[:1])
    assert receive_tree(stream, tmp_path).is_reused
    assert stream.is_cancelled
    (first.folder / "Song.als").write_bytes(b"sEt")
    second = receive(tmp_path)
    assert (second.folder.name, second.is_reused) == ("Song Project (2)", False)
    assert (first.folder / "Song.als").read_bytes() == b"sEt"
    assert receive(tmp_path) == Made(second.folder, second.files, is_reused=True, warnings=("note",))


def test_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """With or without a record."""
    (tmp_path / "Song Project").mkdir()
    assert receive(tmp_path).folder.name == "Song Project (2)"
    assert [*(tmp_path / "Song Project").iterdir()] == []


@pytest.mark.parametrize("path", ["../vocals.wav", "/etc/x", "a//b", "a/../b", "C:/x", "a\\b", ""])
def test_unsafe_paths_are_refused(path: str, tmp_path: Path) -> None:
    """Nothing is written, whatever a server says."""
    plan = TreePlan("Song Project", (path,), (), "key-1")
    with pytest.raises(InternalFault, match="safe"):
        receive(tmp_path, [pb.TreePart(plan=tree_plan_to_proto(plan))])
    assert [*tmp_path.iterdir()] == []


def _cut(parts: list[pb.TreePart]) -> list[pb.TreePart]:
    return parts[:-1]


def _without_record(parts: list[pb.TreePart]) -> list[pb.TreePart]:
    return parts[:-3]


def _damaged(parts: list[pb.TreePart]) -> list[pb.TreePart]:
    parts[2].chunk = b"V" * 2500
    return parts


def _unannounced(parts: list[pb.TreePart]) -> list[pb.TreePart]:
    parts[1].file_start.name = "other.wav"
    return parts


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_cut, Unavailable),
        (_without_record, Unavailable),
        (_damaged, InternalFault),
        (_unannounced, InternalFault),
    ],
)
def test_broken_tree_leaves_nothing(change: object, error: type[StemhouseError], tmp_path: Path) -> None:
    """However it is broken."""
    assert callable(change)
    with pytest.raises(error):
        receive(tmp_path, change(parts_of()))
    assert [*tmp_path.iterdir()] == []


def with_copy(digest: str) -> list[pb.TreePart]:
    """The parts, with the first file as a copy of the user's own."""
    path, data = next(iter(CONTENTS.items()))
    plan, _, _, _, *others = parts_of()
    return [plan, pb.TreePart(file_copy=pb.FileCopy(name=path, size_bytes=len(data), sha256=digest)), *others]


def test_own_file_is_copied(tmp_path: Path) -> None:
    """It is the user's before and afterwards."""
    path, data = next(iter(CONTENTS.items()))
    own, digest = tmp_path / "mine.wav", hashlib.sha256(data).hexdigest()
    own.write_bytes(data)
    made = receive_tree(_Stream(with_copy(digest)), tmp_path / "new", {digest: own})
    assert (made.folder / path).read_bytes() == data == own.read_bytes()
    assert receive_tree(_Stream(parts_of()[:1]), tmp_path / "new").is_reused


def test_own_file_must_be_what_it_was(tmp_path: Path) -> None:
    """Edited meanwhile, gone, or never told of: nothing is left of the tree."""
    own, digest = tmp_path / "mine.wav", "a" * 64
    own.write_bytes(b"v" * 2501)
    with pytest.raises(InvalidRequest, match=r"mine\.wav was changed"):
        receive_tree(_Stream(with_copy(digest)), tmp_path / "new", {digest: own})
    with pytest.raises(InvalidRequest, match=r"gone\.wav"):
        receive_tree(_Stream(with_copy(digest)), tmp_path / "new", {digest: tmp_path / "gone.wav"})
    with pytest.raises(InternalFault, match="not told of"):
        receive_tree(_Stream(with_copy(digest)), tmp_path / "new", {"b" * 64: own})
    assert [*(tmp_path / "new").iterdir()] == []


def test_what_a_killed_program_has_left_goes_after_a_day(tmp_path: Path) -> None:
    """What is younger may be somebody's work; what only looks like it is somebody's."""
    abandoned, young, other = (tmp_path / f".stemhouse-{name}.part" for name in ("a" * 32, "b" * 32, "mine"))
    for folder in (abandoned, young, other):
        (folder / "Song").mkdir(parents=True)
    for folder in (abandoned, other):
        os.utime(folder, (1.0, 1.0))
    receive(tmp_path)
    assert [folder.exists() for folder in (abandoned, young, other)] == [False, True, True]
