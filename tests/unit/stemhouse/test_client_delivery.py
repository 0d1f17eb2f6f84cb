"""Receiving a delivery: whole, checked, and never over somebody's edits."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stemhouse.client.delivery import METADATA, Delivered, receive_delivery
from stemhouse.delivery import DeliveryPlan
from stemhouse.errors import InternalFault, InvalidRequest, Unavailable
from stemhouse.v1 import exporter_pb2 as pb
from tests.fakes_front import delivery_parts, metadata_of

FOLDER = "Artist - Title_abcd1234"
CONTENTS = {"vocals.wav": b"v" * 2500, "drums.wav": b"d" * 10}
OTHER_CONTENTS = {"vocals.wav": b"V" * 2500, "drums.wav": b"D" * 10}


class _Stream:
    """Parts, and whether they were wanted to the end."""

    def __init__(self, parts: Iterator[pb.DeliverResponse]) -> None:
        self._parts = parts
        self.is_cancelled = False

    def __iter__(self) -> Iterator[pb.DeliverResponse]:
        return self._parts

    def cancel(self) -> None:
        self.is_cancelled = True


def plan(contents: dict[str, bytes], key: str = "key-1", folder: str = FOLDER) -> DeliveryPlan:
    """The plan of a delivery."""
    return DeliveryPlan(folder, tuple(contents), key)


def deliver(output_dir: Path, contents: dict[str, bytes], key: str = "key-1", folder: str = FOLDER) -> Delivered:
    """One delivery from start to end."""
    return receive_delivery(_Stream(delivery_parts(plan(contents, key, folder), contents)), output_dir)


def contents_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_files_and_metadata_are_written(tmp_path: Path) -> None:
    """All of them, in the folder of the plan, and nothing else is left."""
    delivered = deliver(tmp_path / "new" / "stems", CONTENTS)
    folder = tmp_path / "new" / "stems" / FOLDER
    assert delivered == Delivered(folder, tuple(folder / name for name in (*CONTENTS, METADATA)), is_reused=False)
    assert contents_of(folder) == {**CONTENTS, METADATA: metadata_of(plan(CONTENTS), CONTENTS)}
    assert list(folder.parent.iterdir()) == [folder]


def test_second_delivery_is_reused_and_the_stream_cancelled(tmp_path: Path) -> None:
    """Nothing is sent but the plan."""
    first = deliver(tmp_path, CONTENTS)
    stream = _Stream(iter([next(delivery_parts(plan(CONTENTS), CONTENTS))]))
    second = receive_delivery(stream, tmp_path)
    assert (second.folder, second.files, second.is_reused) == (first.folder, first.files, True)
    assert stream.is_cancelled


def test_other_delivery_replaces_untouched_files(tmp_path: Path) -> None:
    """Another key, for example another bit depth, in the same folder."""
    deliver(tmp_path, CONTENTS)
    delivered = deliver(tmp_path, OTHER_CONTENTS, key="key-2")
    assert delivered.folder == tmp_path / FOLDER
    assert contents_of(delivered.folder)["vocals.wav"] == OTHER_CONTENTS["vocals.wav"]


@pytest.mark.parametrize("key", ["key-1", "key-2"])
@pytest.mark.parametrize("edit", [b"cut", b"e" * len(CONTENTS["vocals.wav"])])
def test_edited_file_is_never_overwritten(tmp_path: Path, key: str, edit: bytes) -> None:
    """Of another length or of the same: the delivery goes beside it, and is found there the next time."""
    folder = deliver(tmp_path, CONTENTS).folder
    (folder / "vocals.wav").write_bytes(edit)
    second = deliver(tmp_path, OTHER_CONTENTS, key)
    third = deliver(tmp_path, OTHER_CONTENTS, key)
    assert second.folder == third.folder == tmp_path / f"{FOLDER} (2)"
    assert (second.is_reused, third.is_reused) == (False, True)
    assert (folder / "vocals.wav").read_bytes() == edit


def test_two_edited_deliveries_lead_to_a_third_folder(tmp_path: Path) -> None:
    """The numbers go on."""
    for _ in range(2):
        (deliver(tmp_path, CONTENTS).folder / "drums.wav").write_bytes(b"my edit")
    assert deliver(tmp_path, CONTENTS).folder == tmp_path / f"{FOLDER} (3)"


def test_removed_file_is_delivered_again_in_place(tmp_path: Path) -> None:
    """A missing file is no edit."""
    folder = deliver(tmp_path, CONTENTS).folder
    (folder / "vocals.wav").unlink()
    assert deliver(tmp_path, CONTENTS) == Delivered(
        folder, tuple(folder / name for name in (*CONTENTS, METADATA)), is_reused=False
    )
    assert contents_of(folder)["vocals.wav"] == CONTENTS["vocals.wav"]


def test_files_of_others_stay_and_block_only_their_names(tmp_path: Path) -> None:
    """Notes beside the stems are no matter; a file of a stem's name that nobody recorded is."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "notes.txt").write_text("hot")
    assert deliver(tmp_path, CONTENTS).folder == tmp_path / FOLDER
    assert (tmp_path / FOLDER / "notes.txt").read_text() == "hot"
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "vocals.wav").write_bytes(b"not ours")
    assert deliver(tmp_path, CONTENTS, folder="foreign").folder == tmp_path / "foreign (2)"


def test_torn_move_is_completed(tmp_path: Path) -> None:
    """A crash between two moves leaves new files without their record; they equal what comes, so they are ours."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "vocals.wav").write_bytes(CONTENTS["vocals.wav"])
    assert deliver(tmp_path, CONTENTS).folder == tmp_path / FOLDER


@pytest.mark.parametrize("text", ["{", "[]", '{"files": []}', '{"delivery": {"delivery_key": "key-1"}, "files": [1]}'])
def test_foreign_metadata_is_not_overwritten(tmp_path: Path, text: str) -> None:
    """A metadata.json that is none of ours belongs to somebody."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / METADATA).write_text(text)
    assert deliver(tmp_path, CONTENTS).folder == tmp_path / f"{FOLDER} (2)"
    assert (tmp_path / FOLDER / METADATA).read_text() == text


def _damaged(part: pb.DeliverResponse) -> pb.DeliverResponse:
    return pb.DeliverResponse(chunk=part.chunk[:-1] + b"x") if part.chunk else part


def _short(part: pb.DeliverResponse) -> pb.DeliverResponse:
    return pb.DeliverResponse(chunk=part.chunk[:-1]) if part.chunk else part


def _renamed(part: pb.DeliverResponse) -> pb.DeliverResponse:
    start = pb.FileStart(name="evil.exe", size_bytes=part.file_start.size_bytes)
    return pb.DeliverResponse(file_start=start) if part.HasField("file_start") else part


@pytest.mark.parametrize("change", [_damaged, _short, _renamed])
def test_damaged_delivery_leaves_nothing_behind(
    tmp_path: Path, change: Callable[[pb.DeliverResponse], pb.DeliverResponse]
) -> None:
    """Wrong bytes, too few, or a file that was not planned."""
    stream = _Stream(map(change, delivery_parts(plan(CONTENTS), CONTENTS)))
    with pytest.raises(InternalFault):
        receive_delivery(stream, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [2, 3, 6])
def test_delivery_that_ends_early_leaves_nothing_behind(tmp_path: Path, count: int) -> None:
    """Within a file, or between two."""
    parts = delivery_parts(plan(CONTENTS), CONTENTS)
    stream = _Stream(part for part, _ in zip(parts, range(count), strict=False))
    with pytest.raises(Unavailable):
        receive_delivery(stream, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\\b", "C:", "C:x", "a\nb", "a\0"])
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    """Of the folder and of files, before anything is written."""
    for unsafe in (plan(CONTENTS, folder=name), plan({name: b"x"})):
        with pytest.raises(InternalFault, match="safe path segment"):
            receive_delivery(_Stream(delivery_parts(unsafe, CONTENTS)), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["A. - 12:30 AM?_1", "東京　-　夜_1", "👨‍👩‍👧_1", ".hidden"])
def test_unusual_but_safe_names_are_taken(tmp_path: Path, name: str) -> None:
    """Any language, emoji, and what only Windows minds."""
    assert deliver(tmp_path, CONTENTS, folder=name).folder == tmp_path / name


def test_delivery_without_plan_is_refused(tmp_path: Path) -> None:
    """The plan comes first."""
    with pytest.raises(InternalFault, match="plan"):
        receive_delivery(_Stream(iter([pb.DeliverResponse(chunk=b"x")])), tmp_path)


def test_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "stems").touch()
    with pytest.raises(InvalidRequest, match="cannot write below"):
        deliver(tmp_path / "stems", CONTENTS)


def test_record_names_each_file_with_its_digest(tmp_path: Path) -> None:
    """What the next delivery relies on is what the server sent, byte for byte."""
    folder = deliver(tmp_path, CONTENTS).folder
    assert [file["name"] for file in json.loads((folder / METADATA).read_bytes())["files"]] == list(CONTENTS)
