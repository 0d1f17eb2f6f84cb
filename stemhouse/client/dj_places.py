"""One folder for DJs' files: used by one run at a time, and rid of what killed runs have left."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stemhouse.client.production import DJ_LABEL
from stemhouse.client.receiving import discard_unfinished, write_errors
from stemhouse.errors import Unavailable

_PATIENCE_S = 10.0


@contextmanager
def own_place(output_dir: Path, patience_s: float = _PATIENCE_S, *, tidies: bool = True) -> Iterator[None]:
    """The folder as long as the context lasts; raises Unavailable if another run on this machine goes on using it.

    With `tidies` what a killed run has left unfinished is removed first.
    """
    # Not beside the files: drives of players are copied and compared, and network drives do not lock well.
    name = hashlib.sha256(os.fsencode(output_dir.resolve())).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir(), f"stemhouse-dj-{name}.lock"), timeout=patience_s)
    try:
        lock.acquire()
    except Timeout as error:
        message = f"another export writes below {output_dir}: wait for its end, or choose another --output"
        raise Unavailable(message, {"folder": str(output_dir)}) from error
    try:
        with write_errors(output_dir):
            for folder in visible_folders(output_dir) if tidies else ():
                discard_unfinished(folder, DJ_LABEL)
        yield
    finally:
        lock.release()


def visible_folders(output_dir: Path) -> Iterator[Path]:
    """The folder and all that are visible below; none if it is not there."""
    for folder, subfolders, _ in os.walk(output_dir):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        yield Path(folder)
