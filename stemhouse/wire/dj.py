"""stemhouse/v1/dj.proto and exporter.proto <-> stemhouse.dj."""

import re
from collections.abc import Iterable
from math import inf, nextafter

from stemhouse.delivery import FileFormat
from stemhouse.dj import (
    TARGET_FORMATS,
    DJCollection,
    DJFile,
    DJTarget,
    DJTrack,
    OrganizeOptions,
    Playlist,
    PlaylistOptions,
    StemChoice,
    StemFileOptions,
)
from stemhouse.production import StemFolder
from stemhouse.v1 import dj_pb2 as pb, exporter_pb2
from stemhouse.wire.delivery import FILE_FORMATS
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.production import folder_from_proto, folder_to_proto
from stemhouse.wire.tracks import beat_marker_from_proto, beat_marker_to_proto, cue_from_proto, cue_to_proto
from stemhouse.wire.validation import FieldChecks

LONGEST_TEMPLATE = 100
"""In characters."""
_LONGEST_LOCATION = 4096
_COLOR = re.compile(r"(#[0-9A-Fa-f]{6})?")
_LARGEST = nextafter(inf, 0.0)

DJ_TARGETS = EnumTable(
    {
        DJTarget.REKORDBOX: pb.DJ_TARGET_REKORDBOX,
        DJTarget.SERATO: pb.DJ_TARGET_SERATO,
        DJTarget.TRAKTOR: pb.DJ_TARGET_TRAKTOR,
        DJTarget.STEM_MP4: pb.DJ_TARGET_STEM_MP4,
    }
)
STEM_CHOICES = EnumTable(
    {
        StemChoice.DJ: pb.STEM_CHOICE_DJ,
        StemChoice.FOUR: pb.STEM_CHOICE_FOUR,
        StemChoice.ALL: pb.STEM_CHOICE_ALL,
    }
)


def organize_request_to_proto(folder: StemFolder, options: OrganizeOptions) -> exporter_pb2.OrganizeStemsRequest:
    """Values to message."""
    file_format = options.file_format
    return exporter_pb2.OrganizeStemsRequest(
        folder=folder_to_proto(folder),
        target=DJ_TARGETS.to_proto(options.target),
        stems=STEM_CHOICES.to_proto(options.stems),
        file_format=FILE_FORMATS.to_proto(file_format) if file_format else exporter_pb2.FILE_FORMAT_UNSPECIFIED,
        name_template=options.name_template,
    )


def organize_request_from_proto(message: exporter_pb2.OrganizeStemsRequest) -> tuple[StemFolder, OrganizeOptions]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    options = OrganizeOptions(
        target=DJ_TARGETS.from_proto("target", message.target),
        stems=STEM_CHOICES.from_proto("stems", message.stems),
        file_format=FILE_FORMATS.from_proto("file_format", message.file_format) if message.file_format else None,
        name_template=message.name_template or OrganizeOptions.name_template,
    )
    checks = FieldChecks()
    _check_format(checks, options.target, options.file_format)
    _check_template(checks, message.name_template)
    checks.done()
    return folder_from_proto(message.folder), options


def _check_format(checks: FieldChecks, target: DJTarget, file_format: FileFormat | None) -> None:
    able = TARGET_FORMATS.get(target, ())
    checks.require("target", holds=bool(able), because="must take files of single stems; ask for its stem file")
    if able and file_format:
        checks.require("file_format", holds=file_format in able, because=f"must be {' or '.join(able)} for {target}")


def _check_template(checks: FieldChecks, template: str) -> None:
    checks.within("name_template", len(template), 0, LONGEST_TEMPLATE)


def stem_file_request_to_proto(folder: StemFolder, options: StemFileOptions) -> exporter_pb2.ExportStemFileRequest:
    """Values to message."""
    return exporter_pb2.ExportStemFileRequest(
        folder=folder_to_proto(folder), is_lossless=options.is_lossless, name_template=options.name_template
    )


def stem_file_request_from_proto(
    message: exporter_pb2.ExportStemFileRequest,
) -> tuple[StemFolder, StemFileOptions]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    checks = FieldChecks()
    _check_template(checks, message.name_template)
    checks.done()
    template = message.name_template or StemFileOptions.name_template
    return folder_from_proto(message.folder), StemFileOptions(message.is_lossless, template)


def playlists_request_to_proto(
    collection: DJCollection, options: PlaylistOptions
) -> exporter_pb2.ExportPlaylistsRequest:
    """Values to message."""
    return exporter_pb2.ExportPlaylistsRequest(
        target=DJ_TARGETS.to_proto(options.target),
        files=map(dj_file_to_proto, collection.files),
        playlists=[pb.DJPlaylist(path=playlist.path, files=playlist.files) for playlist in collection.playlists],
        folder=options.folder,
        volume_root=options.volume_root,
    )


def playlists_request_from_proto(
    message: exporter_pb2.ExportPlaylistsRequest,
) -> tuple[DJCollection, PlaylistOptions]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    options = PlaylistOptions(DJ_TARGETS.from_proto("target", message.target), message.folder, message.volume_root)
    checks = FieldChecks()
    for index, file in enumerate(message.files):
        _check_file(checks, f"files[{index}]", file)
    for index, playlist in enumerate(message.playlists):
        _check_playlist(checks, f"playlists[{index}]", playlist, len(message.files))
    for field, place in (("folder", options.folder), ("volume_root", options.volume_root)):
        checks.within(field, len(place), 1, _LONGEST_LOCATION)
    checks.done()
    playlists = (Playlist(tuple(playlist.path), tuple(playlist.files)) for playlist in message.playlists)
    return DJCollection(tuple(map(dj_file_from_proto, message.files)), tuple(playlists)), options


def _check_file(checks: FieldChecks, field: str, message: pb.DJFile) -> None:
    checks.within(f"{field}.location", len(message.location), 1, _LONGEST_LOCATION)
    checks.within(f"{field}.duration_s", message.duration_s, 0.0, _LARGEST)
    times = [*(marker.position_s for marker in message.track.grid), *(cue.start_s for cue in message.track.cues)]
    tempos = [message.track.bpm, *(marker.bpm for marker in message.track.grid)]
    are_finite = all(-_LARGEST <= time_s <= _LARGEST for time_s in times) and all(0.0 <= bpm < inf for bpm in tempos)
    checks.require(f"{field}.track", holds=are_finite, because="must have finite times and tempos")
    for color in (message.track.color, *(cue.color for cue in message.track.cues)):
        checks.matches(f"{field}.track.color", color, _COLOR)


def _check_playlist(checks: FieldChecks, field: str, message: pb.DJPlaylist, file_count: int) -> None:
    checks.require(f"{field}.path", holds=_are_told(message.path), because="must name the list, and no empty name")
    are_there = all(0 <= place < file_count for place in message.files)
    checks.require(f"{field}.files", holds=are_there, because="must be places of files")


def _are_told(names: Iterable[str]) -> bool:
    given = tuple(names)
    return bool(given) and all(given)


def dj_file_to_proto(file: DJFile) -> pb.DJFile:
    """Value to message."""
    return pb.DJFile(
        location=file.location,
        track=dj_track_to_proto(file.track),
        size_bytes=file.size_bytes,
        duration_s=file.duration_s,
        sample_rate_hz=file.sample_rate_hz,
        bits_per_s=file.bits_per_s,
    )


def dj_file_from_proto(message: pb.DJFile) -> DJFile:
    """Message to value."""
    return DJFile(
        location=message.location,
        track=dj_track_from_proto(message.track),
        size_bytes=message.size_bytes,
        duration_s=message.duration_s,
        sample_rate_hz=message.sample_rate_hz,
        bits_per_s=message.bits_per_s,
    )


def dj_track_to_proto(track: DJTrack) -> pb.DJTrack:
    """Value to message."""
    return pb.DJTrack(
        title=track.title,
        artist=track.artist,
        album=track.album,
        genre=track.genre,
        comment=track.comment,
        key=track.key,
        bpm=track.bpm,
        color=track.color,
        is_grid_locked=track.is_grid_locked,
        gain_db=track.gain_db,
        grid=map(beat_marker_to_proto, track.grid),
        cues=map(cue_to_proto, track.cues),
    )


def dj_track_from_proto(message: pb.DJTrack) -> DJTrack:
    """Message to value."""
    return DJTrack(
        title=message.title,
        artist=message.artist,
        album=message.album,
        genre=message.genre,
        comment=message.comment,
        key=message.key,
        bpm=message.bpm,
        color=message.color,
        is_grid_locked=message.is_grid_locked,
        gain_db=message.gain_db if message.HasField("gain_db") else None,
        grid=tuple(map(beat_marker_from_proto, message.grid)),
        cues=tuple(map(cue_from_proto, message.cues)),
    )
