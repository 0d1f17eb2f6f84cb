"""stemhouse/v1/router.proto <-> stemhouse.jobs."""

from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from stemhouse.audio import SourceRef
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import DEFAULT_PRIORITY, Job, JobError, Preset, SeparationPlan, SeparationRequest
from stemhouse.v1 import audio_pb2, router_pb2 as pb
from stemhouse.vocab import JobState, Stage
from stemhouse.wire.audio import (
    MOST_CLOUD_MINUTES,
    decision_from_proto,
    decision_to_proto,
    result_from_proto,
    result_to_proto,
    source_ref_from_proto,
    source_ref_to_proto,
)
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.validation import NAME, FieldChecks

LOWEST_PRIORITY = 1000

JOB_STATES = EnumTable(
    {
        JobState.QUEUED: pb.JOB_STATE_QUEUED,
        JobState.RUNNING: pb.JOB_STATE_RUNNING,
        JobState.DONE: pb.JOB_STATE_DONE,
        JobState.FAILED: pb.JOB_STATE_FAILED,
        JobState.CANCELLED: pb.JOB_STATE_CANCELLED,
    }
)
STAGES = EnumTable(
    {
        Stage.LOOKUP: pb.STAGE_LOOKUP,
        Stage.INGEST: pb.STAGE_INGEST,
        Stage.CHOOSE: pb.STAGE_CHOOSE,
        Stage.RESERVE: pb.STAGE_RESERVE,
        Stage.SEPARATE: pb.STAGE_SEPARATE,
        Stage.ASSESS: pb.STAGE_ASSESS,
        Stage.ACCEPT: pb.STAGE_ACCEPT,
    }
)


PRESETS = EnumTable(
    {
        Preset.FAST: pb.PRESET_FAST,
        Preset.BALANCED: pb.PRESET_BALANCED,
        Preset.BEST: pb.PRESET_BEST,
    }
)


def request_to_proto(request: SeparationRequest) -> pb.SeparationRequest:
    """Value to message."""
    return pb.SeparationRequest(
        source=source_ref_to_proto(request.source),
        engine=request.engine,
        priority=request.priority,
        force=request.force,
        sum_to_mix=request.sum_to_mix,
        references={stem: source_ref_to_proto(source) for stem, source in request.references.items()},
        model=request.model,
        preset=PRESETS.to_proto(request.preset),
        is_difficult=request.is_difficult,
        is_vocals_only=request.is_vocals_only,
        cloud_minutes=request.cloud_minutes,
    )


def request_from_proto(message: pb.SeparationRequest) -> SeparationRequest:
    """Message to value; raises InvalidRequest that lists the bad fields."""
    priority = message.priority if message.HasField("priority") else DEFAULT_PRIORITY
    checks = FieldChecks()
    checks.matches("request.engine", message.engine, NAME)
    checks.within("request.priority", priority, 0, LOWEST_PRIORITY)
    checks.within("request.cloud_minutes", message.cloud_minutes, 0.0, MOST_CLOUD_MINUTES)
    if message.model:
        checks.matches("request.model", message.model, NAME)
    for stem in message.references:
        checks.matches(f"request.references[{stem}]", stem, NAME)
    checks.done()
    return SeparationRequest(
        source=source_ref_from_proto(message.source),
        engine=message.engine,
        priority=priority,
        force=message.force,
        sum_to_mix=message.sum_to_mix if message.HasField("sum_to_mix") else True,
        references=_references_from_proto(message.references),
        model=message.model,
        preset=PRESETS.from_proto("request.preset", message.preset) if message.preset else Preset.BALANCED,
        is_difficult=message.is_difficult,
        is_vocals_only=message.is_vocals_only,
        cloud_minutes=message.cloud_minutes,
    )


def _references_from_proto(messages: Mapping[str, audio_pb2.SourceRef]) -> dict[str, SourceRef]:
    return {stem: source_ref_from_proto(source) for stem, source in messages.items()}


def job_to_proto(job: Job) -> pb.Job:
    """Value to message."""
    return pb.Job(
        job_id=job.job_id,
        request_id=job.request_id,
        request=request_to_proto(job.request),
        state=JOB_STATES.to_proto(job.state),
        stage=STAGES.to_proto(job.stage) if job.stage else pb.STAGE_UNSPECIFIED,
        progress=job.progress,
        sequence=job.sequence,
        create_time=timestamp(job.created_at),
        end_time=timestamp(job.ended_at) if job.ended_at else None,
        result=result_to_proto(job.result) if job.result else None,
        error=job_error_to_proto(job.error) if job.error else None,
        batch_id=job.batch_id,
        update_time=timestamp(job.updated_at) if job.updated_at else None,
    )


def job_from_proto(message: pb.Job) -> Job:
    """Message to value."""
    return Job(
        job_id=message.job_id,
        request_id=message.request_id,
        request=request_from_proto(message.request),
        state=JOB_STATES.from_proto("job.state", message.state),
        created_at=message.create_time.ToDatetime(UTC),
        stage=STAGES.from_proto("job.stage", message.stage) if message.stage else None,
        progress=message.progress,
        sequence=message.sequence,
        ended_at=message.end_time.ToDatetime(UTC) if message.HasField("end_time") else None,
        result=result_from_proto(message.result) if message.HasField("result") else None,
        error=job_error_from_proto(message.error) if message.HasField("error") else None,
        batch_id=message.batch_id,
        updated_at=message.update_time.ToDatetime(UTC) if message.HasField("update_time") else None,
    )


def plan_to_proto(plan: SeparationPlan) -> pb.PlanSeparationResponse:
    """Value to message."""
    return pb.PlanSeparationResponse(
        decision=decision_to_proto(plan.decision),
        duration_s=plan.duration_s,
        is_duration_guessed=plan.is_duration_guessed,
        expected_s=plan.expected_s,
        store_bytes=plan.store_bytes,
        scratch_bytes=plan.scratch_bytes,
        cloud_minutes=plan.cloud_minutes,
        is_known=plan.is_known,
    )


def plan_from_proto(message: pb.PlanSeparationResponse) -> SeparationPlan:
    """Message to value."""
    return SeparationPlan(
        decision=decision_from_proto(message.decision),
        duration_s=message.duration_s,
        is_duration_guessed=message.is_duration_guessed,
        expected_s=message.expected_s if message.HasField("expected_s") else None,
        store_bytes=message.store_bytes,
        scratch_bytes=message.scratch_bytes,
        cloud_minutes=message.cloud_minutes,
        is_known=message.is_known,
    )


def job_error_to_proto(error: JobError) -> pb.JobError:
    """Value to message."""
    return pb.JobError(reason=error.reason, message=error.message, details=error.details)


def job_error_from_proto(message: pb.JobError) -> JobError:
    """Message to value."""
    return JobError(message.reason, message.message, dict(message.details))


def moment_from_proto(field: str, stamp: Timestamp) -> datetime:
    """A moment of a message, in UTC; raises InvalidRequest that names the field for a time that no calendar has."""
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{field} is no time: {error}", {field: str(error)}) from error


def timestamp(moment: datetime) -> Timestamp:
    """A moment (UTC) as messages carry it."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
