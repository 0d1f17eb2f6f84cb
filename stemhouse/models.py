"""Models of engines as clients, router and separators speak of them."""

from dataclasses import dataclass
from enum import StrEnum


class ModelState(StrEnum):
    """Whether a model can be used: only listed in the catalogue, installed, or installed and not what it was."""

    AVAILABLE = "available"
    INSTALLED = "installed"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Model:
    """A model by its name; `size_bytes` is that of all its files, `problem` says what is wrong with a damaged one.

    `licence_note` is what is known about the terms of its weights, `origin` an address without file names or a word.
    """

    name: str
    engine: str
    stems: tuple[str, ...]
    size_bytes: int
    licence_note: str
    origin: str
    state: ModelState
    problem: str = ""


@dataclass(frozen=True)
class PullProgress:
    """How far a download is: bytes of all files of the model, and the file that is on its way."""

    file_name: str
    done_bytes: int
    total_bytes: int
