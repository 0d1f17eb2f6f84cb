"""Composition root of the model store; run as a program it pulls models without any server.

    python -m services.separator.pull NAME...

For images, init containers and machines without a stack: it takes the separator's own settings, `STEMHOUSE_MODELS__...`
(and `STEMHOUSE_STORE__...` only where the mirror is in the object store), and may fill a volume that others share.
Exit codes are those of the `stemhouse` command.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from services.separator.adapters.model_builds import ModelFolders
from services.separator.adapters.model_catalogue import read_catalogue
from services.separator.adapters.model_origins import OpenStore, catalogue_origin, uploads_in
from services.separator.adapters.runs import ThreadedRuns
from services.separator.core.model_ports import ModelOrigins
from services.separator.core.model_store import ModelStore
from services.separator.settings import MirrorStoreSettings, ModelSettings, PullSettings
from stemhouse.errors import (
    EngineFailed,
    InputRejected,
    InvalidRequest,
    NotFound,
    ResultGone,
    StemhouseError,
    StorageUnavailable,
    Unauthenticated,
    Unavailable,
)
from stemhouse.models import Model, PullProgress
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging
from stemhouse.ports import ObjectStore

_EXIT_CODES: tuple[tuple[type[StemhouseError], int], ...] = (
    (InvalidRequest, 2),
    (ResultGone, 5),
    (NotFound, 2),
    (InputRejected, 3),
    (Unauthenticated, 4),
    (EngineFailed, 5),
    (Unavailable, 4),
)
_FAILURE = 5
_INTERRUPTED = 130
_STEPS = 10


def open_model_store(settings: ModelSettings, open_store: OpenStore) -> ModelStore:
    """The store over the settings' folder; the object store is opened only when something is read from it.

    Raises ModelRejected for a catalogue that is none.
    """
    return ModelStore(
        read_catalogue(settings.catalogue),
        ModelFolders(settings.dir),
        ModelOrigins(
            catalogue_origin(settings.mirror, is_offline=settings.offline, open_store=open_store),
            uploads_in(open_store),
        ),
        ThreadedRuns(),
        lambda: datetime.now(UTC),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Pull what is named; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.separator.pull", description="Pull models.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="a model of the catalogue")
    names = parser.parse_args(arguments).names
    try:
        settings = read_settings(PullSettings)
        configure_logging("separator-pull", settings.log_level)
        _pull_all(open_model_store(settings.models, _open_mirror_store), names)
    except StemhouseError as error:
        _tell(f"error: {error.message}")
        return exit_code_of(error)
    except KeyboardInterrupt:
        _tell("interrupted; what has come is kept, and the next pull goes on there")
        return _INTERRUPTED
    return 0


def exit_code_of(error: StemhouseError) -> int:
    """As the command has it, which cannot be imported here; a test compares them."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), _FAILURE)


def _pull_all(store: ModelStore, names: Sequence[str]) -> None:
    entries = [store.entry(name) for name in names]  # a wrong name must not wait for the download of a right one
    for entry in entries:
        _tell(f"{entry.name}: {entry.size_bytes / 1e6:.0f} MB from {entry.origin}")
        _tell(f"Licence: {entry.licence_note}")
        told = None
        for event in store.pull(entry.name, lambda: True):
            if isinstance(event, Model):
                _tell(f"{event.name}: installed")
            elif (step := _step(event)) != told:
                _tell(f"{entry.name}: {event.file_name} {step * 100 // _STEPS} %")
                told = step


def _step(progress: PullProgress) -> int:
    return progress.done_bytes * _STEPS // progress.total_bytes


def _open_mirror_store() -> ObjectStore:
    try:
        return connect_object_store(read_settings(MirrorStoreSettings).store)
    except InvalidRequest as error:
        message = f"the mirror is in the object store, whose settings are incomplete: {error.message}"
        raise StorageUnavailable(message) from error


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
