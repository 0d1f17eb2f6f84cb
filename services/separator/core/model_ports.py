"""What the model store asks of the world; beside `core.ports`, which descriptions of models build on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.separator.core.models import ModelEntry, ModelFile
from services.separator.core.ports import TaskControl

Clock = Callable[[], datetime]
"""Gives the time, in UTC."""


def _nothing() -> None:
    """For deliveries that hold nothing open."""


@dataclass(frozen=True)
class Delivery:
    """The bytes of a file from `offset_bytes` on: 0 where the origin cannot begin where it was asked to.

    `close` is to be called, whether or not all chunks have been taken.
    """

    offset_bytes: int
    chunks: Iterator[bytes]
    close: Callable[[], None] = _nothing


class ModelOrigin(Protocol):
    """Where files of models come from."""

    def address(self, model: str, file: ModelFile) -> str:
        """The place of a file, as a message names it."""

    def read(self, model: str, file: ModelFile, offset_bytes: int) -> Delivery:
        """Begin to read a file; the chunks end where the origin's file ends, whatever its size should be.

        Now and while chunks come, raises Unavailable for what another try may get over, EngineUnavailable and
        StorageUnavailable for what waits for somebody.
        """


@dataclass(frozen=True)
class ModelOrigins:
    """Of the catalogue's models, and of those that are added."""

    catalogue: ModelOrigin
    uploads: ModelOrigin


class ModelBuild(Protocol):
    """The folder of one model while it is put together; what was fetched outlives the process.

    All methods raise StorageUnavailable if the folder cannot be read or written, those that take long Cancelled.
    """

    @property
    def folder(self) -> str:
        """Where fetched files lie under their own names, until they are published."""

    def holds(self, file: ModelFile) -> bool:
        """Whether the installed file is what it should be, read from end to end."""

    def fetch(self, file: ModelFile, origin: ModelOrigin, arrived: Callable[[int], None]) -> None:
        """Have the file in `folder`, going on where an earlier attempt ended; `arrived` hears how many bytes are there.

        Raises ModelRejected if it is not what was promised: it is removed, so that the next attempt starts afresh.
        Raises Unavailable if it cannot be had: what has come is kept.
        """

    def publish(self, entry: ModelEntry, installed_at: datetime) -> None:
        """Install the fetched files in place of older ones, the record last; takes all marks away."""

    def discard(self) -> None:
        """Remove what was fetched."""


class ModelShelf(Protocol):
    """Installed models in a folder that several processes may share."""

    def entries(self) -> Sequence[ModelEntry]:
        """The models whose records can be read, by name."""

    def broken(self) -> Mapping[str, str]:
        """By name, the models whose records cannot be read, and why."""

    def problem(self, entry: ModelEntry) -> str:
        """What can be seen at a glance to be wrong with a model's files, or was found before; else empty."""

    def read_through(self, entry: ModelEntry, control: TaskControl) -> str:
        """What reading all files from end to end finds wrong; else empty. Raises Cancelled."""

    def mark_damaged(self, name: str, problem: str) -> None:
        """Let nobody offer the model until its files are found whole or installed again."""

    def unmark_damaged(self, name: str) -> None:
        """Take that mark away."""

    def mark_unloadable(self, name: str, problem: str) -> None:
        """Let nobody offer the model, whose files are whole, until it is installed again."""

    def remember_unloadable(self, name: str, problem: str, stamp: str) -> None:
        """Likewise, but in memory alone, and only of what was installed when the record had that stamp."""

    def stamp(self, name: str) -> str:
        """Changes when the model is installed again; empty if it is not installed."""

    def claim(self, name: str, control: TaskControl) -> AbstractContextManager[ModelBuild]:
        """Wait until no other caller, in any process, has the folder of that model; raises Cancelled."""
