"""stemhouse/v1/exporter.proto <-> stemhouse.delivery."""

from stemhouse.delivery import DeliveryOptions, DeliveryPlan, FileFormat, SampleFormat
from stemhouse.jobs import SeparationResult
from stemhouse.v1 import exporter_pb2 as pb
from stemhouse.wire.audio import result_from_proto, result_to_proto
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.validation import NAME, FieldChecks

FILE_FORMATS = EnumTable(
    {
        FileFormat.WAV: pb.FILE_FORMAT_WAV,
        FileFormat.FLAC: pb.FILE_FORMAT_FLAC,
        FileFormat.AIFF: pb.FILE_FORMAT_AIFF,
        FileFormat.MP3: pb.FILE_FORMAT_MP3,
        FileFormat.M4A: pb.FILE_FORMAT_M4A,
    }
)
SAMPLE_FORMATS = EnumTable(
    {
        SampleFormat.PCM16: pb.SAMPLE_FORMAT_PCM16,
        SampleFormat.PCM24: pb.SAMPLE_FORMAT_PCM24,
        SampleFormat.FLOAT32: pb.SAMPLE_FORMAT_FLOAT32,
    }
)


def deliver_request_to_proto(result: SeparationResult, options: DeliveryOptions) -> pb.DeliverRequest:
    """Values to message."""
    return pb.DeliverRequest(
        result=result_to_proto(result),
        file_format=FILE_FORMATS.to_proto(options.file_format),
        sample_format=SAMPLE_FORMATS.to_proto(options.sample_format),
        stems=options.stems,
    )


def deliver_request_from_proto(message: pb.DeliverRequest) -> tuple[SeparationResult, DeliveryOptions]:
    """Message to values; raises InvalidRequest for unknown formats, or samples that the file format cannot hold."""
    options = DeliveryOptions(
        file_format=FILE_FORMATS.from_proto("file_format", message.file_format),
        sample_format=SAMPLE_FORMATS.from_proto("sample_format", message.sample_format),
        stems=tuple(message.stems),
    )
    checks = FieldChecks()
    check_options(checks, options)
    checks.done()
    return result_from_proto(message.result), options


def check_options(checks: FieldChecks, options: DeliveryOptions, prefix: str = "") -> None:
    """Note names that no stem can have, and samples that the file format cannot hold; `prefix` is of the fields."""
    for index, stem in enumerate(options.stems):
        checks.matches(f"{prefix}stems[{index}]", stem, NAME)
    able = options.file_format.sample_formats
    because = f"{options.file_format} takes {' or '.join(able)} bits, not {options.sample_format}"
    checks.require(f"{prefix}sample_format", holds=options.sample_format in able, because=because)


def plan_to_proto(plan: DeliveryPlan) -> pb.DeliveryPlan:
    """Value to message."""
    return pb.DeliveryPlan(
        folder=plan.folder, file_names=plan.file_names, delivery_key=plan.delivery_key, gain=plan.gain
    )


def plan_from_proto(message: pb.DeliveryPlan) -> DeliveryPlan:
    """Message to value."""
    return DeliveryPlan(message.folder, tuple(message.file_names), message.delivery_key, message.gain)
