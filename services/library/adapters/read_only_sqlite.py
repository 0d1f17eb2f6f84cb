"""Opening the SQLite file of another program without leaving a trace beside it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from stemhouse.errors import LibraryRejected

_COMPANIONS = ("-wal", "-journal")
_TRIES = 3
_LONGEST_VALUE_BYTES = 1_000_000


@contextmanager
def opened_read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the state that the file and its log of changes hold together.

    SQLite makes files beside a database whose changes are still in a log, so such a database is copied first. Raises
    OSError if it cannot be read, LibraryRejected if its program is writing to it, and sqlite3.Error in use.
    """
    whole = file.resolve(strict=True)
    with ExitStack() as stack:
        if _companions(whole):
            folder = stack.enter_context(TemporaryDirectory(prefix="stemhouse-"))
            address = _settled_copy(whole, Path(folder)).as_uri()
        else:
            address = f"{whole.as_uri()}?mode=ro&immutable=1"
        connection = stack.enter_context(closing(sqlite3.connect(address, uri=True)))
        _distrust(connection)
        yield connection


def _companions(file: Path) -> list[Path]:
    """The logs that hold something; an empty one holds no changes."""
    beside = [file.with_name(file.name + suffix) for suffix in _COMPANIONS]
    return [log for log in beside if log.is_file() and log.stat().st_size]


def _settled_copy(file: Path, folder: Path) -> Path:
    """The database and its logs at one moment."""
    for _ in range(_TRIES):
        before = _stamps(file)
        for source in (file, *_companions(file)):
            shutil.copyfile(source, folder / source.name)
        if _stamps(file) == before:
            return folder / file.name
    raise LibraryRejected(f"{file}: is being written to; close the program that it belongs to, and try again")


def _stamps(file: Path) -> list[tuple[str, int, int]]:
    facts = [(each.name, each.stat()) for each in (file, *_companions(file))]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in facts]


def _distrust(connection: sqlite3.Connection) -> None:
    """Keep a damaged or foreign database from writing, from running code, and from filling the memory."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE_BYTES)
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
