"""Models of engines: what a catalogue says of them, what a record of an installed one holds, and the engine they make.

Catalogue and records share one form, a JSON object for each model: `name`, `engine`, `stems` (in the order of the
listing), `sample_rate_hz`, `channel_count`, `files` (each with `name`, `sha256`, `size_bytes`, and `url` where it can
be fetched), `weights` and `segment_s` of the bag, `licence_note`, `origin`. A record has `installed_at` besides.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.separator.core.demucs_options import DEFAULT_OPTIONS, BackendKind, DemucsOptions, ScheduleKind
from services.separator.core.model_fields import check_model_fields
from services.separator.core.ports import EngineSpec, Task
from stemhouse.audio import AudioFormat
from stemhouse.errors import ModelRejected
from stemhouse.models import Model, ModelState
from stemhouse.vocab import OTHER, VOCALS, in_listing_order

DEMUCS = "demucs"
UVR = "uvr"
STARTER_MODEL = "spleeter-2stems"
"""Of the engine that is always there; no other model may have its name."""
FAILED_LOAD = "failed_load"
"""Detail of an EngineUnavailable: why the checkpoints of the model named beside it could not be loaded."""
LOADED_STAMP = "loaded_stamp"
"""Detail beside it: the stamp of the model's record before the load."""
FOUND_SHA256 = "found_sha256"
"""Detail beside it where a file was not the one that was promised."""
OVERLAP = 0.25
"""Of neighbouring segments, as a share of one: what demucs' own command uses."""

_DIGEST_DIGITS = 8
_SCHEDULE_MARKS = {ScheduleKind.DEMUCS: "", ScheduleKind.LEAN: "lean"}
_BACKEND_MARKS = {BackendKind.TORCH: "fp32", BackendKind.OPENVINO: "ovfp32"}


@dataclass(frozen=True)
class ModelFile:
    """A file of a model; `url` is empty where only a mirror, or its owner, has it."""

    name: str
    sha256: str
    size_bytes: int
    url: str = ""


@dataclass(frozen=True)
class ModelEntry:
    """A model as it is described: checkpoints in the order of the bag, and how the bag weighs them.

    `weights` has a row for each checkpoint and a column for each stem in the checkpoints' own order; None: all count
    alike. `segment_s` overrides the length, in seconds, that the networks work on at once; None: their own.
    """

    name: str
    engine: str
    stems: tuple[str, ...]
    audio_format: AudioFormat
    files: tuple[ModelFile, ...]
    licence_note: str
    origin: str
    weights: tuple[tuple[float, ...], ...] | None = None
    segment_s: float | None = None

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    def in_state(self, state: ModelState, problem: str = "") -> Model:
        """The model as clients see it."""
        return Model(
            self.name, self.engine, self.stems, self.size_bytes, self.licence_note, self.origin, state, problem
        )


@dataclass(frozen=True)
class ModelShape:
    """What only a loaded model tells: its stems in the order of the listing, and the audio that it works on."""

    stems: tuple[str, ...]
    audio_format: AudioFormat


@dataclass(frozen=True)
class InspectModelTask(Task[ModelShape]):
    """Load a model from the checkpoints of a folder, and tell its shape; raises ModelRejected."""

    folder: str
    entry: ModelEntry


def demucs_spec(entry: ModelEntry, options: DemucsOptions = DEFAULT_OPTIONS) -> EngineSpec:
    """The engine that a demucs model makes.

    The id holds the weights (by a digest of the digests of all files), how the bag weighs and cuts, and the schedule:
    overlap in percent, marked if it is not demucs' own, no random shifts, single precision by one backend or another.
    """
    cut = f"ov{round(OVERLAP * 100)}{_SCHEDULE_MARKS[options.schedule]}"
    return EngineSpec(
        name=DEMUCS,
        model=entry.name,
        engine_id=f"{_weights_id(entry)}-{cut}-sh0-{_BACKEND_MARKS[options.backend]}",
        stems=entry.stems,
        native_format=entry.audio_format,
    )


def demucs_specs(entry: ModelEntry, options: DemucsOptions = DEFAULT_OPTIONS) -> tuple[EngineSpec, ...]:
    """All engines that a demucs model makes: that of all its stems, and one of vocals and the rest if that is cheaper.

    It is, if each stem can do without some network of the bag: which of them makes the vocals, only checkpoints tell.
    """
    whole = demucs_spec(entry, options)
    has_idle_networks = bool(entry.weights) and all(0.0 in column for column in zip(*entry.weights or (), strict=False))
    if not has_idle_networks or not {VOCALS, OTHER} <= set(entry.stems):
        return (whole,)
    return whole, replace(whole, engine_id=f"{whole.engine_id}-{VOCALS}", stems=(VOCALS, OTHER))


def uvr_spec(entry: ModelEntry) -> EngineSpec:
    """The engine that a model of UVR makes.

    The id holds weights and parameters (by a digest of the digests of both files), whose windows it has, those of
    audio-separator 0.47, and single precision.
    """
    return EngineSpec(
        name=UVR,
        model=entry.name,
        engine_id=f"{_weights_id(entry)}-as047-fp32",
        stems=entry.stems,
        native_format=entry.audio_format,
    )


def is_engine_of(entry: ModelEntry, engine_id: str) -> bool:
    """Whether an engine has the weights of this very model, whatever it does with them."""
    return engine_id.startswith(f"{_weights_id(entry)}-")


def _weights_id(entry: ModelEntry) -> str:
    return f"{entry.engine}-{entry.name}-{_digest(entry)}"


def _digest(entry: ModelEntry) -> str:
    determining = [[file.sha256 for file in entry.files], entry.weights, entry.segment_s]
    return hashlib.sha256(json.dumps(determining).encode()).hexdigest()[:_DIGEST_DIGITS]


def entries_from_catalogue(document: bytes, origin: str) -> tuple[ModelEntry, ...]:
    """The models of a catalogue, a JSON array; raises ModelRejected that names `origin` for anything else."""
    try:
        return _entries(json.loads(document))
    except (ValueError, KeyError, RecursionError) as error:
        message = f"{origin} is not a catalogue of models: {_cause(error)}"
        raise ModelRejected(message, {"file": origin}) from error


def entry_from_record(document: bytes, origin: str) -> ModelEntry:
    """The model that a record describes; raises ModelRejected that names `origin`."""
    try:
        return _entry(json.loads(document))
    except (ValueError, KeyError, RecursionError) as error:
        message = f"{origin} is not a model's record: {_cause(error)}"
        raise ModelRejected(message, {"file": origin}) from error


def checked(entry: ModelEntry) -> ModelEntry:
    """The entry as its record will give it back; raises ModelRejected for one that would not be believed then."""
    try:
        return _entry(json.loads(record_of(entry)))
    except ValueError as error:
        message = f"{entry.name} cannot be installed: {error}"
        raise ModelRejected(message, {"model": entry.name}) from error


def record_of(entry: ModelEntry, installed_at: datetime | None = None) -> bytes:
    """The record: JSON in UTF-8. When the model was installed is for people; nothing reads it."""
    fields: dict[str, Any] = {
        "name": entry.name,
        "engine": entry.engine,
        "stems": entry.stems,
        "sample_rate_hz": entry.audio_format.sample_rate_hz,
        "channel_count": entry.audio_format.channel_count,
        "files": [vars(file) for file in entry.files],
        "weights": entry.weights,
        "segment_s": entry.segment_s,
        "licence_note": entry.licence_note,
        "origin": entry.origin,
        "installed_at": installed_at.isoformat(timespec="seconds") if installed_at else None,
    }
    return json.dumps(fields, indent=1).encode()


def _entries(listed: Any) -> tuple[ModelEntry, ...]:
    if not isinstance(listed, list):
        raise ValueError("it is not a list")  # noqa: TRY004 - input of a wrong form, as all else that is wrong with it
    entries = tuple(_entry(fields) for fields in listed)
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError(f"a model is named twice: {', '.join(names)}")
    return entries


def _entry(fields: Any) -> ModelEntry:
    """Raises ValueError, and KeyError for what is missing."""
    check_model_fields(fields)
    weights = fields.get("weights")
    return ModelEntry(
        name=fields["name"],
        engine=fields["engine"],
        stems=in_listing_order(fields["stems"]),
        audio_format=AudioFormat(fields["sample_rate_hz"], fields["channel_count"]),
        files=tuple(_file(file) for file in fields["files"]),
        licence_note=fields["licence_note"],
        origin=fields["origin"],
        weights=tuple(tuple(row) for row in weights) if weights else None,
        segment_s=fields.get("segment_s"),
    )


def _file(fields: dict[str, Any]) -> ModelFile:
    return ModelFile(fields["name"], fields["sha256"], fields["size_bytes"], fields.get("url", ""))


def _cause(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
