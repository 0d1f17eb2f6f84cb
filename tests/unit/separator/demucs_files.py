"""Files that may be models of demucs, and a try at loading them."""

from dataclasses import replace
from pathlib import Path

from services.separator.adapters.demucs.bags import load_bag
from services.separator.core.models import ModelEntry
from stemhouse.vocab import BASE_STEMS
from tests.tiny_demucs import (
    CD_STEREO,
    described,
)


def promised(folder: Path, name: str, content: bytes, entry: ModelEntry) -> ModelEntry:
    """An entry for a file of that very content."""
    (folder / name).write_bytes(content)
    return replace(entry, files=(described(folder / name),))


def any_entry() -> ModelEntry:
    """One without files."""
    return ModelEntry("mine", "demucs", BASE_STEMS, CD_STEREO, (), "", "")


def load_content(folder: Path, name: str, content: bytes) -> None:
    """As a model of one file."""
    load_bag(folder, promised(folder, name, content, any_entry()))
