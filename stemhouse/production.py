"""What a client may ask for beyond a folder of stems: Live sets, stretched stems, chops."""

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from stemhouse.analysis import AnalysisHints
from stemhouse.delivery import DeliveryOptions
from stemhouse.jobs import SeparationResult

SHORTEST_RATIO, LONGEST_RATIO = 0.5, 2.0
LOWEST_BPM: float = 20
"""What a tempo may be wished for at least, as Live takes it; at most it is HIGHEST_BPM."""
"""Of what a stretch gives to what it takes, in length."""


@dataclass(frozen=True)
class StemFile:
    """A stem as a file of the user's: its name, size, and digest in lower-case hex; `head` is how it begins."""

    stem: str
    file_name: str
    sha256: str
    size_bytes: int
    head: bytes = b""


@dataclass(frozen=True)
class StemFolder:
    """Stems that belong together: all equally long, at one rate, with one number of channels.

    `files` lie with the user and may have been edited since they were delivered. `result` is what the folder's
    metadata.json says of their origin, with those of its stems only whose files are as they were delivered at the
    source's level; None if it says nothing. `name` is the folder's own.
    """

    artist: str
    title: str
    files: tuple[StemFile, ...]
    result: SeparationResult | None = None
    hints: AnalysisHints = field(default_factory=AnalysisHints)
    name: str = ""

    def file(self, stem: str) -> StemFile | None:
        """The stem's file, or None."""
        return next((file for file in self.files if file.stem == stem), None)


@dataclass(frozen=True)
class AbletonOptions:
    """Of a Live set. Its tempo is that of the first song with a beat, if none is given (LOWEST_BPM to HIGHEST_BPM)."""

    bpm: float | None = None


class ChopGrid(StrEnum):
    """Where chops may begin: at the onsets themselves, or on the grid of beats."""

    FREE = "free"
    SIXTEENTH = "1/16"
    EIGHTH = "1/8"
    QUARTER = "1/4"
    BAR = "bar"


@dataclass(frozen=True)
class ChopOptions:
    """Which stem is cut, where, and how long chops are, in seconds: the longest at least twice the shortest."""

    stem: str = "vocals"
    grid: ChopGrid = ChopGrid.FREE
    shortest_s: float = 0.08
    longest_s: float = 8.0
    is_by_phrase: bool = False


@dataclass(frozen=True)
class StretchOptions:
    """How long stems become, or how fast (LOWEST_BPM to HIGHEST_BPM): one of the two; and what their files are."""

    ratio: float | None = None
    bpm: float | None = None
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)


@dataclass(frozen=True)
class TreePlan:
    """A tree of files: a folder (one safe path segment), what is in it, and a key: equal keys mean equal files.

    Paths are relative to the folder, with `/` between safe segments. `warnings` tell people what is not as they may
    expect.
    """

    folder: str
    file_paths: tuple[str, ...]
    empty_folders: tuple[str, ...]
    delivery_key: str
    warnings: tuple[str, ...] = ()


LONGEST_HEAD_BYTES = 128
"""Of a file, for all that stands before its samples where Stemhouse has written it."""

TREE_RECORD = "stemhouse.json"
"""The file of a tree that comes last: `delivery_key`, and in `files` the path, size and SHA-256 of each other one."""


def name_key(name: str) -> str:
    """Equal for names that a file system takes for one, if it tells apart neither case nor ways to write an accent."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
