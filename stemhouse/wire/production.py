"""stemhouse/v1/production.proto and exporter.proto <-> stemhouse.production."""

from collections.abc import Sequence

from stemhouse.analysis import HIGHEST_BPM
from stemhouse.delivery import DeliveryOptions
from stemhouse.production import (
    LONGEST_HEAD_BYTES,
    LONGEST_RATIO,
    LOWEST_BPM,
    SHORTEST_RATIO,
    AbletonOptions,
    ChopGrid,
    ChopOptions,
    StemFile,
    StemFolder,
    StretchOptions,
    TreePlan,
)
from stemhouse.v1 import exporter_pb2, production_pb2 as pb
from stemhouse.wire.analysis import hints_from_proto, hints_to_proto
from stemhouse.wire.audio import MAX_FILE_NAME_CHARACTERS, result_from_proto, result_to_proto
from stemhouse.wire.delivery import FILE_FORMATS, SAMPLE_FORMATS, check_options
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.validation import NAME, SHA256, FieldChecks

MOST_SONGS = 100
_MOST_STEMS = 64
_SHORTEST_CHOP_S, _LONGEST_CHOP_S = 0.01, 600.0

CHOP_GRIDS = EnumTable(
    {
        ChopGrid.FREE: pb.CHOP_GRID_FREE,
        ChopGrid.SIXTEENTH: pb.CHOP_GRID_SIXTEENTH,
        ChopGrid.EIGHTH: pb.CHOP_GRID_EIGHTH,
        ChopGrid.QUARTER: pb.CHOP_GRID_QUARTER,
        ChopGrid.BAR: pb.CHOP_GRID_BAR,
    }
)


def stem_file_to_proto(file: StemFile) -> pb.StemFile:
    """Value to message."""
    return pb.StemFile(
        stem=file.stem, file_name=file.file_name, sha256=file.sha256, size_bytes=file.size_bytes, head=file.head
    )


def stem_file_from_proto(message: pb.StemFile) -> StemFile:
    """Message to value; raises InvalidRequest that lists the bad fields."""
    checks = FieldChecks()
    _check_file(checks, "file", message)
    checks.done()
    return StemFile(message.stem, message.file_name, message.sha256, message.size_bytes, message.head)


def _check_file(checks: FieldChecks, field: str, message: pb.StemFile) -> None:
    checks.matches(f"{field}.stem", message.stem, NAME)
    checks.matches(f"{field}.sha256", message.sha256, SHA256)
    checks.within(f"{field}.file_name", len(message.file_name), 1, MAX_FILE_NAME_CHARACTERS)
    checks.require(f"{field}.size_bytes", holds=message.size_bytes > 0, because="must be above 0")
    checks.within(f"{field}.head", len(message.head), 0, LONGEST_HEAD_BYTES)


def folder_to_proto(folder: StemFolder) -> pb.StemFolder:
    """Value to message."""
    return pb.StemFolder(
        artist=folder.artist,
        title=folder.title,
        files=map(stem_file_to_proto, folder.files),
        result=result_to_proto(folder.result) if folder.result else None,
        hints=hints_to_proto(folder.hints),
        name=folder.name,
    )


def folder_from_proto(message: pb.StemFolder) -> StemFolder:
    """Message to value; raises InvalidRequest that lists the bad fields."""
    checks = FieldChecks()
    for index, file in enumerate(message.files):
        _check_file(checks, f"folder.files[{index}]", file)
    for field, text in (("artist", message.artist), ("title", message.title), ("name", message.name)):
        checks.within(f"folder.{field}", len(text), 0, MAX_FILE_NAME_CHARACTERS)
    stems = [file.stem for file in message.files]
    checks.within("folder.files", len(stems), 1, _MOST_STEMS)
    checks.require("folder.files", holds=len(stems) == len({*stems}), because="must not name a stem twice")
    checks.done()
    return StemFolder(
        artist=message.artist,
        title=message.title,
        files=tuple(map(stem_file_from_proto, message.files)),
        result=result_from_proto(message.result) if message.HasField("result") else None,
        hints=hints_from_proto(message.hints),
        name=message.name,
    )


def ableton_request_to_proto(
    folders: Sequence[StemFolder], options: AbletonOptions
) -> exporter_pb2.ExportAbletonRequest:
    """Values to message."""
    return exporter_pb2.ExportAbletonRequest(folders=map(folder_to_proto, folders), bpm=options.bpm)


def ableton_request_from_proto(
    message: exporter_pb2.ExportAbletonRequest,
) -> tuple[tuple[StemFolder, ...], AbletonOptions]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    bpm = message.bpm if message.HasField("bpm") else None
    checks = FieldChecks()
    checks.within("folders", len(message.folders), 1, MOST_SONGS)
    _check_bpm(checks, bpm)
    checks.done()
    return tuple(map(folder_from_proto, message.folders)), AbletonOptions(bpm)


def stretch_request_to_proto(folder: StemFolder, options: StretchOptions) -> exporter_pb2.StretchStemsRequest:
    """Values to message."""
    target = {"bpm": options.bpm} if options.ratio is None else {"ratio": options.ratio}
    return exporter_pb2.StretchStemsRequest(
        folder=folder_to_proto(folder),
        **{name: value for name, value in target.items() if value is not None},
        file_format=FILE_FORMATS.to_proto(options.delivery.file_format),
        sample_format=SAMPLE_FORMATS.to_proto(options.delivery.sample_format),
        stems=options.delivery.stems,
    )


def stretch_request_from_proto(message: exporter_pb2.StretchStemsRequest) -> tuple[StemFolder, StretchOptions]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    target = message.WhichOneof("target")
    delivery = DeliveryOptions(
        file_format=FILE_FORMATS.from_proto("file_format", message.file_format),
        sample_format=SAMPLE_FORMATS.from_proto("sample_format", message.sample_format),
        stems=tuple(message.stems),
    )
    checks = FieldChecks()
    check_options(checks, delivery)
    checks.require("file_format", holds=not delivery.file_format.is_lossy, because="must be wav, flac or aiff")
    checks.require("target", holds=target is not None, because="must be a ratio or a tempo")
    if target == "ratio":
        checks.within("ratio", message.ratio, SHORTEST_RATIO, LONGEST_RATIO)
    bpm = message.bpm if target == "bpm" else None
    _check_bpm(checks, bpm)
    checks.done()
    ratio = message.ratio if target == "ratio" else None
    return folder_from_proto(message.folder), StretchOptions(ratio, bpm, delivery)


def _check_bpm(checks: FieldChecks, bpm: float | None) -> None:
    if bpm is not None:
        checks.within("bpm", bpm, LOWEST_BPM, HIGHEST_BPM)


def chop_options_to_proto(options: ChopOptions) -> pb.ChopOptions:
    """Value to message."""
    return pb.ChopOptions(
        stem=options.stem,
        grid=CHOP_GRIDS.to_proto(options.grid),
        shortest_s=options.shortest_s,
        longest_s=options.longest_s,
        is_by_phrase=options.is_by_phrase,
    )


def chop_options_from_proto(message: pb.ChopOptions) -> ChopOptions:
    """Message to value; raises InvalidRequest that lists the bad fields."""
    checks = FieldChecks()
    checks.matches("options.stem", message.stem, NAME)
    checks.within("options.shortest_s", message.shortest_s, _SHORTEST_CHOP_S, _LONGEST_CHOP_S)
    checks.within("options.longest_s", message.longest_s, _SHORTEST_CHOP_S, _LONGEST_CHOP_S)
    can_be_cut = 2 * message.shortest_s <= message.longest_s
    checks.require("options.longest_s", holds=can_be_cut, because="must be at least twice shortest_s")
    checks.done()
    return ChopOptions(
        stem=message.stem,
        grid=CHOP_GRIDS.from_proto("options.grid", message.grid),
        shortest_s=message.shortest_s,
        longest_s=message.longest_s,
        is_by_phrase=message.is_by_phrase,
    )


def tree_plan_to_proto(plan: TreePlan) -> pb.TreePlan:
    """Value to message."""
    return pb.TreePlan(
        folder=plan.folder,
        file_paths=plan.file_paths,
        empty_folders=plan.empty_folders,
        delivery_key=plan.delivery_key,
        warnings=plan.warnings,
    )


def tree_plan_from_proto(message: pb.TreePlan) -> TreePlan:
    """Message to value."""
    return TreePlan(
        message.folder,
        tuple(message.file_paths),
        tuple(message.empty_folders),
        message.delivery_key,
        tuple(message.warnings),
    )
