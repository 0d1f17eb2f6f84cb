"""metadata.json of a delivered folder: where the stems come from, how good they are, how to find them again.

Units are in the names; figures are finite; a figure that does not exist is null.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.exporter.core.plan import PlannedDelivery
from stemhouse.audio import SourceFacts, StemSet
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import Attempt, SeparationResult

SCHEMA = 1
FILE_NAME = "metadata.json"


@dataclass(frozen=True)
class DeliveredFile:
    """A file as it was sent."""

    name: str
    stem: str
    size_bytes: int
    sha256: str


def metadata_json(
    result: SeparationResult,
    planned: PlannedDelivery,
    tool_versions: Mapping[str, str],
    files: Iterable[DeliveredFile],
) -> bytes:
    """The document as UTF-8; raises InvalidRequest if a figure of the result is not finite.

    `tool_versions` are the exporter's; those of the separator are in the result.
    """
    stem_set = result.stem_set
    document = {
        "schema": SCHEMA,
        "source": {**asdict(result.source), **_facts(result.facts)},
        "separation": {
            "engine": stem_set.engine,
            "model": stem_set.model,
            "engine_id": stem_set.engine_id,
            "device": stem_set.device,
            "batch_segments": stem_set.batch_segments,
            "processing_s": stem_set.processing_s,
            "cache_hit": result.cache_hit.value,
            "decision_reasons": list(result.decision.reasons),
            "fallback_engine_ids": list(result.decision.fallbacks),
            "cloud_minutes": stem_set.cloud_minutes,
        },
        "attempts": [_attempt(attempt) for attempt in result.attempts],
        "quality": asdict(result.quality),
        "fidelity": _fidelity(stem_set),
        "objects": _objects(stem_set),
        "tool_versions": {"separator": stem_set.versions, "exporter": dict(tool_versions)},
        "delivery": {
            "file_format": planned.options.file_format.value,
            "sample_format": planned.options.sample_format.value,
            "gain": planned.gain,
            "delivery_key": planned.announcement.delivery_key,
        },
        "files": [asdict(file) for file in files],
    }
    return _encoded(document)


def _facts(facts: SourceFacts) -> dict[str, Any]:
    return {**asdict(facts), "bits_per_sample": facts.bits_per_sample or None}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    """One engine's go at the track; `note` says why it counts, or does not."""
    return {
        "engine": attempt.decision.engine,
        "engine_id": attempt.decision.engine_id,
        "decision_reasons": list(attempt.decision.reasons),
        "is_accepted": attempt.is_accepted,
        "note": attempt.note,
        "quality": asdict(attempt.quality),
    }


def _fidelity(stem_set: StemSet) -> dict[str, Any]:
    audio = stem_set.audio
    return {
        "frame_count": audio.frame_count,
        "sample_rate_hz": audio.format.sample_rate_hz,
        "channel_count": audio.format.channel_count,
        "duration_s": audio.duration_s,
        "sums_to_mix": stem_set.sums_to_mix,
        "null_depth_db": stem_set.null_depth_db,
        "common_gain": stem_set.gain,
        "mix_gain": audio.gain,
        "mix_peak": audio.peak,
        "stem_peaks": {stem.name: stem.peak for stem in stem_set.stems},
        "instrumental_peak": stem_set.instrumental_peak,
    }


def _objects(stem_set: StemSet) -> dict[str, Any]:
    return {
        "pcm_sha256": stem_set.audio.pcm_sha256,
        "mix": stem_set.audio.object_key,
        "stems": {stem.name: stem.object_key for stem in stem_set.stems},
    }


def _encoded(document: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2)
    except ValueError as error:
        message = f"the result holds a figure that is not finite: {error}"
        raise InvalidRequest(message, {"result": message}) from error
    return f"{text}\n".encode()
