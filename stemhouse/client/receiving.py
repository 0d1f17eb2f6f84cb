"""Receiving files: into a hidden folder beside where they will be, each checked against its digest."""

import errno
import hashlib
import itertools
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, Protocol

from stemhouse.errors import InternalFault, InvalidRequest, Unavailable
from stemhouse.v1 import exporter_pb2 as pb

_PART_SUFFIX = ".part"
_ABANDONED_AFTER_S = 24 * 3600.0


class FilePart(Protocol):
    """What the parts of all deliveries have in common; a message of protobuf."""

    @property
    def chunk(self) -> bytes:
        """A piece of a file."""

    @property
    def file_start(self) -> pb.FileStart:
        """The begin of a file."""

    @property
    def file_end(self) -> pb.FileEnd:
        """The end of a file."""

    def WhichOneof(self, oneof_group: Literal["part"], /) -> str | None:  # noqa: N802  protobuf's name
        """Which of them it is."""


def require_place(output_dir: Path) -> None:
    """Raises InvalidRequest if nothing can be delivered below `output_dir`; leaves nothing there."""
    with write_errors(output_dir), unfinished_folder(_nearest_existing(output_dir)):
        pass


def _nearest_existing(folder: Path) -> Path:
    """The folder, or the one above it in which it would have to be made. Raises OSError for an impossible name."""
    for found in (folder, *folder.parents):
        try:
            found.lstat()
        except FileNotFoundError:
            continue
        return found
    return folder


def discard_unfinished(output_dir: Path, label: str) -> None:
    """Remove what killed deliveries of that label have left directly in `output_dir`; raises OSError."""
    own = re.compile(re.escape(_part_prefix(label)) + "[0-9a-f]{32}" + re.escape(_PART_SUFFIX))
    for folder in output_dir.glob(".stemhouse-*" + _PART_SUFFIX):
        if own.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)


def _discard_abandoned(output_dir: Path) -> None:
    own = re.compile(re.escape(_part_prefix("")) + "[0-9a-f]{32}" + re.escape(_PART_SUFFIX))
    for folder in output_dir.glob(".stemhouse-*" + _PART_SUFFIX):
        is_own = own.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink()
        if is_own and time.time() - folder.stat().st_mtime > _ABANDONED_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)  # another program may be at it, too


def _part_prefix(label: str) -> str:
    return f".stemhouse-{label}-" if label else ".stemhouse-"


def check_segment(name: str) -> None:
    """Raises InternalFault unless the name stays within its folder on every system."""
    is_segment = PurePosixPath(name).name == name and PureWindowsPath(name).name == name
    has_control = any(ord(character) < ord(" ") for character in name)
    if not is_segment or has_control or name in {"", ".."}:
        message = f"the delivery names a file or folder {name!r}, which is not one safe path segment"
        raise InternalFault(message)


def candidates(output_dir: Path, folder: str) -> Iterator[Path]:
    """The folder, then "folder (2)" and so on."""
    yield output_dir / folder
    for number in itertools.count(2):
        yield output_dir / f"{folder} ({number})"


def receive_file(parts: Iterator[FilePart], path: Path, size_bytes: int) -> str:
    """Write a file whose start has come; gives its digest.

    Raises Unavailable if the stream ends within it, InternalFault if size or digest are not those that were told.
    """
    digest, received_bytes = hashlib.sha256(), 0
    with path.open("xb") as file:
        for part in parts:
            if part.WhichOneof("part") != "chunk":
                break
            file.write(part.chunk)
            digest.update(part.chunk)
            received_bytes += len(part.chunk)
        else:
            message = f"the delivery ended within {path.name}"
            raise Unavailable(message)
    if received_bytes != size_bytes or part.file_end.sha256 != digest.hexdigest():
        message = f"{path.name} was damaged on its way: size or SHA-256 differ"
        raise InternalFault(message)
    return digest.hexdigest()


@contextmanager
def unfinished_folder(output_dir: Path, label: str = "") -> Iterator[Path]:
    """A hidden sibling of the folder to come, on the same file system; gone afterwards.

    Without a label nobody looks for what a killed program has left, so what is older than a day goes here.
    """
    if not label:
        _discard_abandoned(output_dir)
    folder = output_dir / f"{_part_prefix(label)}{uuid.uuid4().hex}{_PART_SUFFIX}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def write_errors(output_dir: Path) -> Iterator[None]:
    """Turn an OSError into an InvalidRequest that names the folder and the cause."""
    try:
        yield
    except OSError as error:
        message = f"cannot write below {output_dir}: {error.strerror or error}"
        raise InvalidRequest(message, {"folder": str(output_dir), "errno": _errno_name(error)}) from error


def _errno_name(error: OSError) -> str:
    """`ENOSPC`, for example: what a program can tell a full disk by."""
    return errno.errorcode.get(error.errno or 0, "")
