"""Sources and tasks as facts, and what a task is at a given moment: computed, never stored."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.fake_lalal.faults import FaultKind
from tests.fake_lalal.vocabulary import DEMUSER, LEAD_BACK, MULTISTEM, VOICE_CLEAN


class State(StrEnum):
    """QUEUED is told as progress 0."""

    QUEUED = "queued"
    PROGRESS = "progress"
    SUCCESS = "success"
    ERROR = "error"
    CANCELLED = "cancelled"


RUNNING = (State.QUEUED, State.PROGRESS)


@dataclass
class Source:
    """An uploaded file."""

    id: str
    name: str
    content: bytes = field(repr=False)
    sha256: str
    duration_s: float
    expires_s: float
    deleted_s: float | None = None

    def is_there(self, now_s: float) -> bool:
        """Whether tasks can be made from it."""
        return self.deleted_s is None and now_s < self.expires_s


@dataclass(frozen=True)
class Job:
    """What a submission asks for."""

    kind: str
    stems: tuple[str, ...]
    splitter: str
    encoding: str | None = None
    """None: that of the source."""
    multivocal: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """What else the presets said; it changes no sample here."""

    @property
    def stem_labels(self) -> tuple[str, ...]:
        """Of the tracks of type stem, in their order."""
        return ("vocals@0", "vocals@1") if self.multivocal == LEAD_BACK else self.stems

    @property
    def backs(self) -> dict[str, tuple[str, ...]]:
        """Of the tracks of type back: the stems that are taken out of each."""
        if self.multivocal == LEAD_BACK:
            return {"no_vocals": self.stem_labels, "mix_no_lead": self.stem_labels[:1]}
        return {"no_multistem" if self.kind == MULTISTEM else f"no_{self.stems[0]}": self.stems}

    @property
    def presets(self) -> dict[str, Any]:
        """As `check` echoes them."""
        common = {"task_type": "split", "label": self.kind, "splitter": self.splitter, "encoder_format": self.encoding}
        stems = {"stem_list": list(self.stems)} if self.kind == MULTISTEM else {"stem": self.stems[0]}
        extras = {} if self.kind in {VOICE_CLEAN, DEMUSER, MULTISTEM} else {"multivocal": self.multivocal}
        return {**self.options, **common, **stems, **extras}


@dataclass
class Task:
    """A submission that was accepted. `fate` is how it ends where it does not end well, half-way through."""

    id: str
    source: Source
    job: Job
    minutes: float
    created_s: float
    starts_s: float
    ends_s: float
    fate: FaultKind | None = None
    cancelled_s: float | None = None

    def state(self, now_s: float) -> State:
        """What it is at that moment; what has ended stays as it ended."""
        if self.cancelled_s is not None:
            return State.CANCELLED
        if now_s < self.starts_s:
            return State.QUEUED
        if self.fate and now_s >= (self.starts_s + self.ends_s) / 2:
            return State.CANCELLED if self.fate is FaultKind.CANCELLED_BY_SERVICE else State.ERROR
        return State.PROGRESS if now_s < self.ends_s else State.SUCCESS

    def progress(self, now_s: float) -> int:
        """0 while queued, then 1 to 99."""
        if now_s < self.starts_s:
            return 0
        done = (now_s - self.starts_s) / (self.ends_s - self.starts_s)
        return min(99, 1 + int(99 * done))

    def is_known(self, now_s: float, retention_s: float) -> bool:
        """Whether `check` still answers for it."""
        return now_s < self.created_s + retention_s

    def has_links(self, now_s: float, link_grace_s: float) -> bool:
        """Whether its results can be fetched."""
        deleted_s = self.source.deleted_s
        lives = deleted_s is None or now_s < deleted_s + link_grace_s
        return lives and now_s < self.source.expires_s and self.state(now_s) is State.SUCCESS
