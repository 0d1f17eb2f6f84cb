"""The catalogue of models: the built-in one, and one's own."""

from importlib.resources import files
from pathlib import Path

from services.separator.core.model_store import merged_catalogue
from services.separator.core.models import ModelEntry, entries_from_catalogue
from stemhouse.errors import ModelRejected


def read_catalogue(own: Path | None = None) -> tuple[ModelEntry, ...]:
    """Both catalogues in one; an entry of one's own takes the place of a built-in one. Raises ModelRejected."""
    built_in = files("services.separator").joinpath("catalogue.json").read_bytes()
    entries = entries_from_catalogue(built_in, "the built-in catalogue")
    return merged_catalogue(entries, _own_entries(own) if own else ())


def _own_entries(path: Path) -> tuple[ModelEntry, ...]:
    try:
        document = path.read_bytes()
    except OSError as error:
        raise ModelRejected(f"{path} cannot be read: {error.strerror}", {"file": str(path)}) from error
    return entries_from_catalogue(document, str(path))
