"""Every threshold that the choice of an engine depends on; what each is for stands in `policy.toml` beside it.

The defaults here are those of that file. Each class refuses values that mean nothing with a ValueError that names the
key.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from stemhouse.jobs import Preset

_RULES_VERSION = 3
"""Grows whenever the rules that go by these values change, so that older answers to `auto` no longer count."""

_ENGINES = ("starter", "demucs", "uvr", "lalal")
_SLIP_LIKENESS = 0.75
"""Of two names, 1 being equal: a letter more, less or changed."""
_LOWEST_PRIORITY = 1000
_HIGHEST_DB = 60.0


def _require(key: str, *, holds: bool, because: str) -> None:
    if not holds:
        message = f"{key} {because}"
        raise ValueError(message)


def _require_names(key: str, names: tuple[str, ...]) -> None:
    is_list = bool(names) and all(names) and len(set(names)) == len(names)
    _require(key, holds=is_list, because="must name at least one, and none twice")


def _require_engines(key: str, names: tuple[str, ...]) -> None:
    """A separator may offer an engine that nobody here has heard of; one that is almost called as ours is a slip."""
    _require_names(key, names)
    for name in names:
        _require_no_slip(key, name)


def _require_no_slip(key: str, engine: str) -> None:
    meant = next(iter(get_close_matches(engine, _ENGINES, 1, _SLIP_LIKENESS)), engine)
    _require(key, holds=meant == engine, because=f"names {engine}: is {meant} meant?")


@dataclass(frozen=True)
class PresetPolicy:
    """Engines in the order in which they are asked, and models of an engine that go before its others."""

    engines: tuple[str, ...]
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an order of nothing."""
        _require_engines("engines", self.engines)
        for engine, models in self.models.items():
            _require_no_slip("models", engine)
            _require_names(f"models.{engine}", models)


@dataclass(frozen=True)
class PresetPolicies:
    """One for each preset."""

    fast: PresetPolicy = PresetPolicy(("starter", "demucs", "uvr"), {"demucs": ("htdemucs",)})
    balanced: PresetPolicy = PresetPolicy(("demucs", "uvr", "starter"), {"demucs": ("htdemucs",)})
    best: PresetPolicy = PresetPolicy(("uvr", "demucs", "starter"), {"demucs": ("htdemucs_ft", "htdemucs")})

    def of(self, preset: Preset) -> PresetPolicy:
        """That of a preset."""
        return {Preset.FAST: self.fast, Preset.BALANCED: self.balanced, Preset.BEST: self.best}[preset]


@dataclass(frozen=True)
class LargeFilePolicy:
    """Files of `from_bytes` on, outside of batches, go only to engines that work through any length."""

    from_bytes: int = 50_000_000
    engines: tuple[str, ...] = ("demucs", "starter", "lalal")

    def __post_init__(self) -> None:
        """Refuse what would never, or always, be large."""
        _require("from_bytes", holds=self.from_bytes > 0, because="must be above 0")
        _require_engines("engines", self.engines)


@dataclass(frozen=True)
class DifficultPolicy:
    """What goes before a preset's engines for tracks that are marked difficult."""

    engines: tuple[str, ...] = ("uvr",)

    def __post_init__(self) -> None:
        """Refuse an order of nothing."""
        _require_engines("engines", self.engines)


@dataclass(frozen=True)
class UrgentVocalsPolicy:
    """What goes before all others where nothing but vocals and the rest is wanted, and soon."""

    priority_up_to: int = 20
    engines: tuple[str, ...] = ("lalal",)

    def __post_init__(self) -> None:
        """Refuse a priority that no job can have."""
        _require("priority_up_to", holds=0 <= self.priority_up_to <= _LOWEST_PRIORITY, because="must be 0 to 1000")
        _require_engines("engines", self.engines)


@dataclass(frozen=True)
class RetryPolicy:
    """When the vocals are so bad that another engine tries, how far a score is trusted, and which engines may."""

    vocals_si_sdr_db: float = 7.0
    calibrated_margin_db: float = 1.5
    uncalibrated_margin_db: float = 3.0
    engines: tuple[str, ...] = ("uvr", "demucs", "lalal")

    def __post_init__(self) -> None:
        """Refuse what no score can be held against."""
        limit = f"must be within {-_HIGHEST_DB:g} to {_HIGHEST_DB:g}"
        _require("vocals_si_sdr_db", holds=abs(self.vocals_si_sdr_db) <= _HIGHEST_DB, because=limit)
        for key in ("calibrated_margin_db", "uncalibrated_margin_db"):
            _require(key, holds=0.0 <= getattr(self, key) <= _HIGHEST_DB, because=f"must be 0 to {_HIGHEST_DB:g}")
        is_wider = self.uncalibrated_margin_db >= self.calibrated_margin_db
        _require("uncalibrated_margin_db", holds=is_wider, because="must be at least calibrated_margin_db")
        _require_engines("engines", self.engines)


@dataclass(frozen=True)
class BreakerPolicy:
    """When an engine that fails again and again rests, and for how long."""

    failures: int = 3
    within_s: float = 600.0
    rest_s: float = 120.0

    def __post_init__(self) -> None:
        """Refuse a breaker that could not close or open."""
        for key in ("failures", "within_s", "rest_s"):
            _require(key, holds=getattr(self, key) > 0, because="must be above 0")


@dataclass(frozen=True)
class Policy:
    """All of it. `speeds` are seconds of audio a second on a processor, until results have shown better."""

    presets: PresetPolicies = field(default_factory=PresetPolicies)
    large_files: LargeFilePolicy = field(default_factory=LargeFilePolicy)
    difficult: DifficultPolicy = field(default_factory=DifficultPolicy)
    urgent_vocals: UrgentVocalsPolicy = field(default_factory=UrgentVocalsPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    speeds: Mapping[str, float] = field(default_factory=lambda: {"starter": 8.0, "demucs": 1.0})

    def __post_init__(self) -> None:
        """Refuse an engine that never ends."""
        for engine, speed in self.speeds.items():
            _require_no_slip("speeds", engine)
            _require(f"speeds.{engine}", holds=speed > 0, because="must be above 0")

    @property
    def digest(self) -> str:
        """Eight hex digits that differ wherever a choice, or a second one, may."""
        parts = (self.presets, self.large_files, self.difficult, self.urgent_vocals, self.retry)
        return hashlib.sha256(f"{_RULES_VERSION} {parts}".encode()).hexdigest()[:8]
