"""A separation as a client and the router speak of it: the wish, the decision, the result, the job."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stemhouse.audio import QualityReport, SourceFacts, SourceRef, StemSet
from stemhouse.cloud import CloudTerms
from stemhouse.vocab import AUTO_ENGINE, JobState, Stage

DEFAULT_PRIORITY = 100
"""Between 0 (first) and 1000 (last)."""


class CacheHit(StrEnum):
    """Where an answer came from: computed now, known by the file's MD5, or known by the decoded samples."""

    NONE = "none"
    FILE = "file"
    PCM = "pcm"


class Preset(StrEnum):
    """How time is weighed against quality where the engine is chosen by `auto`."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


@dataclass(frozen=True)
class SeparationRequest:
    """What to separate and how.

    `engine` is `auto` or an engine's name, `model` one of its models, or empty for the best that is installed. `force`
    separates again even if a result is known. With `sum_to_mix` the stems add up to the mixture. `references` maps
    stem names to uploaded true stems to measure against. `is_difficult`: its user expects an ordinary engine to fail.
    `is_vocals_only`: nothing but vocals and the rest is wanted. `cloud_minutes` is the most that the job, together with
    all others of its batch, may take of the account of a cloud engine.
    """

    source: SourceRef
    engine: str = AUTO_ENGINE
    priority: int = DEFAULT_PRIORITY
    force: bool = False
    sum_to_mix: bool = True
    references: dict[str, SourceRef] = field(default_factory=dict)
    model: str = ""
    preset: Preset = Preset.BALANCED
    is_difficult: bool = False
    is_vocals_only: bool = False
    cloud_minutes: float = 0.0


@dataclass(frozen=True)
class EngineOffer:
    """An engine that can be asked for now; `cloud` if it sends audio away."""

    name: str
    model: str
    engine_id: str
    stems: tuple[str, ...]
    grade: str
    device: str
    cloud: CloudTerms | None = None


@dataclass(frozen=True)
class EngineGap:
    """An engine that could be offered but for its model: why not, and the command that helps."""

    engine: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class EngineSurvey:
    """What can be asked for now, and what is missing; `is_partial`: a separator did not answer, and may offer more."""

    offers: tuple[EngineOffer, ...]
    gaps: tuple[EngineGap, ...] = ()
    is_partial: bool = False


@dataclass(frozen=True)
class Decision:
    """The chosen engine, and why, in sentences; then the ids of those that follow if it fails, in order."""

    engine: str
    engine_id: str
    reasons: tuple[str, ...]
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One engine's go at a track: how good it was, whether it counts, and what is to be said about that."""

    decision: Decision
    quality: QualityReport
    is_accepted: bool
    note: str = ""


@dataclass(frozen=True)
class SeparationPlan:
    """What a separation would be, before anything is done.

    `duration_s` is a guess by the file's size if `is_duration_guessed`. `expected_s` is None for an engine whose speed
    is not known yet. `store_bytes` is what the result takes in the store, `scratch_bytes` what a separator needs
    meanwhile; `cloud_minutes` is the most that could be charged. `is_known`: a result is there, nothing would be done.
    """

    decision: Decision
    duration_s: float
    is_duration_guessed: bool
    expected_s: float | None
    store_bytes: int
    scratch_bytes: int
    cloud_minutes: float
    is_known: bool


@dataclass(frozen=True)
class SeparationResult:
    """All that a client or the exporter needs to know about a finished separation.

    `attempts` are all engines that had a go, in order; empty for results of routers that did not note them.
    """

    source: SourceRef
    facts: SourceFacts
    stem_set: StemSet
    quality: QualityReport
    decision: Decision
    cache_hit: CacheHit = CacheHit.NONE
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class JobError:
    """Why a job failed or was cancelled; `reason` is that of a `StemhouseError`."""

    reason: str
    message: str
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A separation as the ledger has it; `sequence` grows with each change, `progress` is of the current stage.

    `batch_id` is a label to list jobs by. `updated_at` is given by the ledger: no two jobs of it have the same one.
    `tenant` is the name of the one whose it is.
    """

    job_id: str
    request_id: str
    request: SeparationRequest
    state: JobState
    created_at: datetime
    stage: Stage | None = None
    progress: float = 0.0
    sequence: int = 1
    ended_at: datetime | None = None
    result: SeparationResult | None = None
    error: JobError | None = None
    batch_id: str = ""
    updated_at: datetime | None = None
    tenant: str = ""
