"""stemhouse/v1/library.proto <-> stemhouse.batches."""

from collections.abc import Sequence
from datetime import UTC

from stemhouse.batches import (
    Batch,
    BatchCounts,
    BatchItem,
    BatchLayout,
    BatchPlan,
    BatchSpec,
    BatchState,
    DiskNeed,
    ItemState,
    VolumePlan,
)
from stemhouse.delivery import DeliveryOptions, FileFormat
from stemhouse.dj import DJTarget
from stemhouse.v1 import library_pb2 as pb
from stemhouse.vocab import BASE_STEMS
from stemhouse.wire.delivery import FILE_FORMATS, SAMPLE_FORMATS, check_options
from stemhouse.wire.dj import DJ_TARGETS
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.jobs import job_error_from_proto, job_error_to_proto, timestamp
from stemhouse.wire.tracks import LIBRARY_KINDS
from stemhouse.wire.validation import NAME, FieldChecks

LAYOUTS = EnumTable(
    {BatchLayout.TRACK: pb.BATCH_LAYOUT_TRACK, BatchLayout.MIRROR: pb.BATCH_LAYOUT_MIRROR},
)
BATCH_STATES = EnumTable(
    {
        BatchState.RUNNING: pb.BATCH_STATE_RUNNING,
        BatchState.PAUSED: pb.BATCH_STATE_PAUSED,
        BatchState.DONE: pb.BATCH_STATE_DONE,
        BatchState.CANCELLED: pb.BATCH_STATE_CANCELLED,
    }
)
ITEM_STATES = EnumTable(
    {
        ItemState.WAITING: pb.ITEM_STATE_WAITING,
        ItemState.SENT: pb.ITEM_STATE_SENT,
        ItemState.SEPARATED: pb.ITEM_STATE_SEPARATED,
        ItemState.DONE: pb.ITEM_STATE_DONE,
        ItemState.SKIPPED: pb.ITEM_STATE_SKIPPED,
        ItemState.FAILED: pb.ITEM_STATE_FAILED,
        ItemState.CANCELLED: pb.ITEM_STATE_CANCELLED,
    }
)


def batch_spec_to_proto(spec: BatchSpec) -> pb.BatchSpec:
    """Value to message."""
    return pb.BatchSpec(
        location=spec.location,
        library=LIBRARY_KINDS.to_proto(spec.library),
        output_dir=spec.output_dir,
        crates=spec.crates,
        is_crates_only=spec.is_crates_only,
        engine=spec.engine,
        model=spec.model,
        sum_to_mix=spec.sum_to_mix,
        force=spec.force,
        file_format=FILE_FORMATS.to_proto(spec.delivery.file_format),
        sample_format=SAMPLE_FORMATS.to_proto(spec.delivery.sample_format),
        stems=spec.delivery.stems,
        layout=LAYOUTS.to_proto(spec.layout),
        is_watching=spec.is_watching,
        keeps_results=spec.keeps_results,
        probes_vocals=spec.probes_vocals,
        cloud_minutes=spec.cloud_minutes,
        targets=map(DJ_TARGETS.to_proto, spec.targets),
    )


def batch_spec_from_proto(message: pb.BatchSpec) -> BatchSpec:
    """Message to value; raises InvalidRequest that lists the bad fields."""
    delivery = DeliveryOptions(
        file_format=FILE_FORMATS.from_proto("spec.file_format", message.file_format),
        sample_format=SAMPLE_FORMATS.from_proto("spec.sample_format", message.sample_format),
        stems=tuple(message.stems),
    )
    checks = FieldChecks()
    checks.require("spec.location", holds=bool(message.location), because="must be set")
    checks.require("spec.output_dir", holds=bool(message.output_dir), because="must be set")
    checks.matches("spec.engine", message.engine, NAME)
    if message.model:
        checks.matches("spec.model", message.model, NAME)
    is_named = bool(message.crates) or not message.is_crates_only
    checks.require("spec.crates", holds=is_named, because="must name a crate where there are to be no other tracks")
    check_options(checks, delivery, "spec.")
    targets = tuple(DJ_TARGETS.from_proto("spec.targets", target) for target in message.targets)
    _check_targets(checks, targets, delivery)
    checks.done()
    return BatchSpec(
        location=message.location,
        output_dir=message.output_dir,
        library=LIBRARY_KINDS.from_proto("spec.library", message.library),
        crates=tuple(message.crates),
        is_crates_only=message.is_crates_only,
        engine=message.engine,
        model=message.model,
        sum_to_mix=message.sum_to_mix if message.HasField("sum_to_mix") else True,
        force=message.force,
        delivery=delivery,
        layout=LAYOUTS.from_proto("spec.layout", message.layout),
        is_watching=message.is_watching,
        keeps_results=message.keeps_results,
        probes_vocals=message.probes_vocals,
        cloud_minutes=message.cloud_minutes,
        targets=targets,
    )


def _check_targets(checks: FieldChecks, targets: Sequence[DJTarget], delivery: DeliveryOptions) -> None:
    """DJs' files are made of what is delivered."""
    is_lossless = delivery.file_format in {FileFormat.WAV, FileFormat.FLAC, FileFormat.AIFF}
    has_all = not delivery.stems or {*BASE_STEMS} <= {*delivery.stems}
    holds = not targets or (is_lossless and has_all)
    checks.require("spec.targets", holds=holds, because="need all stems as wav, flac or aiff")


def batch_plan_to_proto(plan: BatchPlan) -> pb.BatchPlan:
    """Value to message."""
    return pb.BatchPlan(
        track_count=plan.track_count,
        skipped_count=plan.skipped_count,
        audio_s=plan.audio_s,
        work_s=plan.work_s,
        cloud_minutes=plan.cloud_minutes,
        volumes=map(_volume_to_proto, plan.volumes),
        obstacles=plan.obstacles,
    )


def batch_plan_from_proto(message: pb.BatchPlan) -> BatchPlan:
    """Message to value."""
    return BatchPlan(
        track_count=message.track_count,
        skipped_count=message.skipped_count,
        audio_s=message.audio_s,
        work_s=message.work_s if message.HasField("work_s") else None,
        cloud_minutes=message.cloud_minutes,
        volumes=tuple(map(_volume_from_proto, message.volumes)),
        obstacles=tuple(message.obstacles),
    )


def _volume_to_proto(volume: VolumePlan) -> pb.VolumePlan:
    needs = [pb.DiskNeed(use=need.use, peak_bytes=need.peak_bytes) for need in volume.needs]
    return pb.VolumePlan(folder=volume.folder, needs=needs, free_bytes=volume.free_bytes)


def _volume_from_proto(message: pb.VolumePlan) -> VolumePlan:
    return VolumePlan(
        folder=message.folder,
        needs=tuple(DiskNeed(need.use, need.peak_bytes) for need in message.needs),
        free_bytes=message.free_bytes if message.HasField("free_bytes") else None,
    )


def batch_item_to_proto(item: BatchItem) -> pb.BatchItem:
    """Value to message; the time of change stays with the library."""
    return pb.BatchItem(
        place=item.place,
        path=item.path,
        reasons=item.reasons,
        state=ITEM_STATES.to_proto(item.state),
        attempt=item.attempt,
        size_bytes=item.size_bytes,
        audio_s=item.audio_s,
        job_id=item.job_id,
        engine_id=item.engine_id,
        folder=item.folder,
        file_sizes_bytes=item.file_sizes_bytes,
        error=job_error_to_proto(item.error) if item.error else None,
        remedy=item.remedy,
        work_s=item.work_s,
        damage=item.damage,
    )


def batch_item_from_proto(message: pb.BatchItem) -> BatchItem:
    """Message to value."""
    return BatchItem(
        place=message.place,
        path=message.path,
        reasons=tuple(message.reasons),
        state=ITEM_STATES.from_proto("item.state", message.state),
        attempt=message.attempt,
        size_bytes=message.size_bytes,
        audio_s=message.audio_s,
        job_id=message.job_id,
        engine_id=message.engine_id,
        folder=message.folder,
        file_sizes_bytes=dict(message.file_sizes_bytes),
        error=job_error_from_proto(message.error) if message.HasField("error") else None,
        remedy=message.remedy,
        work_s=message.work_s,
        damage=message.damage,
    )


def batch_to_proto(batch: Batch) -> pb.Batch:
    """Value to message."""
    counts = batch.counts
    return pb.Batch(
        batch_id=batch.batch_id,
        request_id=batch.request_id,
        spec=batch_spec_to_proto(batch.spec),
        state=BATCH_STATES.to_proto(batch.state),
        counts=pb.BatchCounts(
            waiting=counts.waiting,
            active=counts.active,
            done=counts.done,
            skipped=counts.skipped,
            failed=counts.failed,
            cancelled=counts.cancelled,
        ),
        sequence=batch.sequence,
        create_time=timestamp(batch.created_at),
        end_time=timestamp(batch.ended_at) if batch.ended_at else None,
        tracks_per_hour=batch.tracks_per_hour,
        remaining_s=batch.remaining_s,
        hindrance=batch.hindrance,
    )


def batch_from_proto(message: pb.Batch) -> Batch:
    """Message to value."""
    counts = message.counts
    return Batch(
        batch_id=message.batch_id,
        request_id=message.request_id,
        spec=batch_spec_from_proto(message.spec),
        state=BATCH_STATES.from_proto("batch.state", message.state),
        created_at=message.create_time.ToDatetime(UTC),
        counts=BatchCounts(
            waiting=counts.waiting,
            active=counts.active,
            done=counts.done,
            skipped=counts.skipped,
            failed=counts.failed,
            cancelled=counts.cancelled,
        ),
        sequence=message.sequence,
        ended_at=message.end_time.ToDatetime(UTC) if message.HasField("end_time") else None,
        tracks_per_hour=message.tracks_per_hour if message.HasField("tracks_per_hour") else None,
        remaining_s=message.remaining_s if message.HasField("remaining_s") else None,
        hindrance=message.hindrance,
    )
