"""stemhouse/v1/audio.proto <-> stemhouse.audio and stemhouse.jobs."""

from math import isfinite
from typing import Literal, get_args

from stemhouse.audio import (
    AudioFormat,
    AudioRef,
    QualityReport,
    SourceFacts,
    SourceRef,
    StemQuality,
    StemRef,
    StemSet,
)
from stemhouse.cloud import CloudOrder, CloudTerms
from stemhouse.jobs import Attempt, CacheHit, Decision, EngineGap, EngineOffer, SeparationResult
from stemhouse.v1 import audio_pb2 as pb
from stemhouse.vocab import QualityStatus
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.validation import MD5, NAME, OBJECT_KEY, SHA256, UUID4, FieldChecks

MAX_SAMPLE_RATE_HZ = 768_000
MAX_FILE_NAME_CHARACTERS = 1024
MOST_CLOUD_MINUTES = 1e6
LARGEST_PEAK = 2.0**32
"""On the source's scale; far above what ingest and engines let through."""

QUALITY_STATUSES = EnumTable(
    {
        QualityStatus.MEASURED: pb.QUALITY_STATUS_MEASURED,
        QualityStatus.ESTIMATED: pb.QUALITY_STATUS_ESTIMATED,
        QualityStatus.NOT_APPLICABLE: pb.QUALITY_STATUS_NOT_APPLICABLE,
    }
)
CACHE_HITS = EnumTable(
    {
        CacheHit.NONE: pb.CACHE_HIT_NONE,
        CacheHit.FILE: pb.CACHE_HIT_FILE,
        CacheHit.PCM: pb.CACHE_HIT_PCM,
    }
)


_Figure = Literal[
    "si_sdr_db",
    "sdr_db",
    "estimated_si_sdr_db",
    "uncertainty_db",
    "remix_db",
    "level_db",
    "peak_db",
    "clipped_share",
    "bleed_db",
]
_FIGURES: tuple[_Figure, ...] = get_args(_Figure)
"""Fields of StemQuality that may be missing."""


def source_ref_to_proto(source: SourceRef) -> pb.SourceRef:
    """Value to message."""
    return pb.SourceRef(sha256=source.sha256, md5=source.md5, size_bytes=source.size_bytes, file_name=source.file_name)


def source_ref_from_proto(message: pb.SourceRef) -> SourceRef:
    """Message to value; raises InvalidRequest for a malformed digest, size or name."""
    checks = FieldChecks()
    checks.matches("source.sha256", message.sha256, SHA256)
    checks.matches("source.md5", message.md5, MD5)
    checks.require("source.size_bytes", holds=message.size_bytes >= 0, because="must not be negative")
    checks.within("source.file_name", len(message.file_name), 1, MAX_FILE_NAME_CHARACTERS)
    checks.done()
    return SourceRef(message.sha256, message.md5, message.size_bytes, message.file_name)


def audio_ref_to_proto(audio: AudioRef) -> pb.AudioRef:
    """Value to message."""
    return pb.AudioRef(
        object_key=audio.object_key,
        pcm_sha256=audio.pcm_sha256,
        format=pb.AudioFormat(sample_rate_hz=audio.format.sample_rate_hz, channel_count=audio.format.channel_count),
        frame_count=audio.frame_count,
        gain=audio.gain,
        peak=audio.peak,
        size_bytes=audio.size_bytes,
    )


def audio_ref_from_proto(message: pb.AudioRef) -> AudioRef:
    """Message to value; raises InvalidRequest for a shape that no ingest can have written."""
    checks = FieldChecks()
    checks.matches("audio.object_key", message.object_key, OBJECT_KEY)
    checks.matches("audio.pcm_sha256", message.pcm_sha256, SHA256)
    checks.within("audio.format.sample_rate_hz", message.format.sample_rate_hz, 1, MAX_SAMPLE_RATE_HZ)
    checks.within("audio.format.channel_count", message.format.channel_count, 1, 2)
    checks.require("audio.frame_count", holds=message.frame_count > 0, because="must be positive")
    checks.within("audio.peak", message.peak, 0.0, LARGEST_PEAK)
    checks.require("audio.gain", holds=0.0 < message.gain <= 1.0, because="must be above 0 and at most 1")
    checks.require("audio.size_bytes", holds=message.size_bytes >= 0, because="must not be negative")
    checks.done()
    return AudioRef(
        object_key=message.object_key,
        pcm_sha256=message.pcm_sha256,
        format=AudioFormat(message.format.sample_rate_hz, message.format.channel_count),
        frame_count=message.frame_count,
        gain=message.gain,
        peak=message.peak,
        size_bytes=message.size_bytes,
    )


def source_facts_to_proto(facts: SourceFacts) -> pb.SourceFacts:
    """Value to message."""
    return pb.SourceFacts(
        container=facts.container,
        codec=facts.codec,
        bits_per_sample=facts.bits_per_sample,
        decoder=facts.decoder,
        trimmed_lead_frames=facts.trimmed_lead_frames,
        artist=facts.artist,
        title=facts.title,
        damage=facts.damage,
        trimmed_tail_frames=facts.trimmed_tail_frames,
        timing_note=facts.timing_note,
        bpm=facts.bpm,
        genre=facts.genre,
    )


def source_facts_from_proto(message: pb.SourceFacts) -> SourceFacts:
    """Message to value."""
    return SourceFacts(
        container=message.container,
        codec=message.codec,
        bits_per_sample=message.bits_per_sample,
        decoder=message.decoder,
        trimmed_lead_frames=message.trimmed_lead_frames,
        artist=message.artist,
        title=message.title,
        damage=message.damage,
        trimmed_tail_frames=message.trimmed_tail_frames,
        timing_note=message.timing_note,
        bpm=message.bpm,
        genre=message.genre,
    )


def stem_set_to_proto(stem_set: StemSet) -> pb.StemSet:
    """Value to message."""
    return pb.StemSet(
        audio=audio_ref_to_proto(stem_set.audio),
        engine=stem_set.engine,
        model=stem_set.model,
        engine_id=stem_set.engine_id,
        stems=[
            pb.Stem(name=stem.name, object_key=stem.object_key, peak=stem.peak, size_bytes=stem.size_bytes)
            for stem in stem_set.stems
        ],
        gain=stem_set.gain,
        null_depth_db=stem_set.null_depth_db,
        instrumental_peak=stem_set.instrumental_peak,
        sums_to_mix=stem_set.sums_to_mix,
        processing_s=stem_set.processing_s,
        device=stem_set.device,
        versions=stem_set.versions,
        vocal_share=stem_set.vocal_share,
        cloud_minutes=stem_set.cloud_minutes,
        batch_segments=stem_set.batch_segments,
    )


def stem_set_from_proto(message: pb.StemSet) -> StemSet:
    """Message to value; raises InvalidRequest for bad audio, keys or gain."""
    checks = FieldChecks()
    for index, stem in enumerate(message.stems):
        checks.matches(f"stem_set.stems[{index}].name", stem.name, NAME)
        checks.matches(f"stem_set.stems[{index}].object_key", stem.object_key, OBJECT_KEY)
        checks.within(f"stem_set.stems[{index}].peak", stem.peak, 0.0, LARGEST_PEAK)
        is_size = stem.size_bytes >= 0
        checks.require(f"stem_set.stems[{index}].size_bytes", holds=is_size, because="must not be negative")
    checks.within("stem_set.instrumental_peak", message.instrumental_peak, 0.0, LARGEST_PEAK)
    checks.require("stem_set.null_depth_db", holds=isfinite(message.null_depth_db), because="must be finite")
    checks.require("stem_set.gain", holds=0.0 < message.gain <= 1.0, because="must be above 0 and at most 1")
    checks.within("stem_set.vocal_share", message.vocal_share, 0.0, 1.0)
    checks.require("stem_set.batch_segments", holds=message.batch_segments >= 0, because="must not be negative")
    checks.within("stem_set.cloud_minutes", message.cloud_minutes, 0.0, MOST_CLOUD_MINUTES)
    checks.done()
    return StemSet(
        audio=audio_ref_from_proto(message.audio),
        engine=message.engine,
        model=message.model,
        engine_id=message.engine_id,
        stems=tuple(StemRef(stem.name, stem.object_key, stem.peak, stem.size_bytes) for stem in message.stems),
        gain=message.gain,
        null_depth_db=message.null_depth_db,
        instrumental_peak=message.instrumental_peak,
        sums_to_mix=message.sums_to_mix,
        processing_s=message.processing_s,
        device=message.device,
        versions=dict(message.versions),
        vocal_share=message.vocal_share if message.HasField("vocal_share") else None,
        cloud_minutes=message.cloud_minutes,
        batch_segments=message.batch_segments,
    )


def quality_to_proto(report: QualityReport) -> pb.QualityReport:
    """Value to message."""
    return pb.QualityReport(
        method=report.method,
        stems=[_stem_quality_to_proto(stem) for stem in report.stems],
        engine_id=report.engine_id,
        calibration_id=report.calibration_id,
        verifier_id=report.verifier_id,
    )


def quality_from_proto(message: pb.QualityReport) -> QualityReport:
    """Message to value."""
    return QualityReport(
        method=message.method,
        stems=tuple(_stem_quality_from_proto(stem) for stem in message.stems),
        engine_id=message.engine_id,
        calibration_id=message.calibration_id,
        verifier_id=message.verifier_id,
    )


def _stem_quality_to_proto(quality: StemQuality) -> pb.StemQuality:
    return pb.StemQuality(
        stem=quality.stem,
        status=QUALITY_STATUSES.to_proto(QualityStatus(quality.status)),
        note=quality.note,
        **{name: getattr(quality, name) for name in _FIGURES},
    )


def _stem_quality_from_proto(message: pb.StemQuality) -> StemQuality:
    return StemQuality(
        stem=message.stem,
        status=QUALITY_STATUSES.from_proto("quality.status", message.status),
        note=message.note,
        **{name: getattr(message, name) for name in _FIGURES if message.HasField(name)},
    )


def engine_to_proto(offer: EngineOffer) -> pb.Engine:
    """Value to message."""
    return pb.Engine(
        name=offer.name,
        model=offer.model,
        engine_id=offer.engine_id,
        stems=offer.stems,
        grade=offer.grade,
        device=offer.device,
        cloud=_cloud_terms_to_proto(offer.cloud) if offer.cloud else None,
    )


def engine_from_proto(message: pb.Engine) -> EngineOffer:
    """Message to value."""
    return EngineOffer(
        name=message.name,
        model=message.model,
        engine_id=message.engine_id,
        stems=tuple(message.stems),
        grade=message.grade,
        device=message.device,
        cloud=_cloud_terms_from_proto(message.cloud) if message.HasField("cloud") else None,
    )


def _cloud_terms_to_proto(terms: CloudTerms) -> pb.CloudTerms:
    return pb.CloudTerms(account=terms.account, rate=terms.rate, minutes_left=terms.minutes_left)


def _cloud_terms_from_proto(message: pb.CloudTerms) -> CloudTerms:
    return CloudTerms(message.account, message.rate, message.minutes_left if message.HasField("minutes_left") else None)


def cloud_order_to_proto(order: CloudOrder) -> pb.CloudOrder:
    """Value to message."""
    return pb.CloudOrder(idempotency_key=order.idempotency_key, minutes=order.minutes)


def cloud_order_from_proto(message: pb.CloudOrder) -> CloudOrder:
    """Message to value; raises InvalidRequest for a key that is no UUID, or minutes out of range."""
    checks = FieldChecks()
    checks.matches("cloud.idempotency_key", message.idempotency_key, UUID4)
    checks.within("cloud.minutes", message.minutes, 0.0, MOST_CLOUD_MINUTES)
    checks.done()
    return CloudOrder(message.idempotency_key, message.minutes)


def engine_gap_to_proto(gap: EngineGap) -> pb.EngineGap:
    """Value to message."""
    return pb.EngineGap(engine=gap.engine, cause=gap.cause, remedy=gap.remedy)


def engine_gap_from_proto(message: pb.EngineGap) -> EngineGap:
    """Message to value."""
    return EngineGap(message.engine, message.cause, message.remedy)


def result_to_proto(result: SeparationResult) -> pb.SeparationResult:
    """Value to message."""
    return pb.SeparationResult(
        source=source_ref_to_proto(result.source),
        facts=source_facts_to_proto(result.facts),
        stem_set=stem_set_to_proto(result.stem_set),
        quality=quality_to_proto(result.quality),
        decision=decision_to_proto(result.decision),
        cache_hit=CACHE_HITS.to_proto(result.cache_hit),
        attempts=map(_attempt_to_proto, result.attempts),
    )


def result_from_proto(message: pb.SeparationResult) -> SeparationResult:
    """Message to value; raises InvalidRequest for a malformed part."""
    return SeparationResult(
        source=source_ref_from_proto(message.source),
        facts=source_facts_from_proto(message.facts),
        stem_set=stem_set_from_proto(message.stem_set),
        quality=quality_from_proto(message.quality),
        decision=decision_from_proto(message.decision),
        cache_hit=CACHE_HITS.from_proto("result.cache_hit", message.cache_hit),
        attempts=tuple(map(_attempt_from_proto, message.attempts)),
    )


def decision_to_proto(decision: Decision) -> pb.Decision:
    """Value to message."""
    return pb.Decision(
        engine=decision.engine,
        engine_id=decision.engine_id,
        reasons=decision.reasons,
        fallback_engine_ids=decision.fallbacks,
    )


def decision_from_proto(message: pb.Decision) -> Decision:
    """Message to value."""
    fallbacks = tuple(message.fallback_engine_ids)
    return Decision(message.engine, message.engine_id, tuple(message.reasons), fallbacks)


def _attempt_to_proto(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        decision=decision_to_proto(attempt.decision),
        quality=quality_to_proto(attempt.quality),
        is_accepted=attempt.is_accepted,
        note=attempt.note,
    )


def _attempt_from_proto(message: pb.Attempt) -> Attempt:
    return Attempt(
        decision=decision_from_proto(message.decision),
        quality=quality_from_proto(message.quality),
        is_accepted=message.is_accepted,
        note=message.note,
    )
