"""stemhouse/v1/dj.proto, and what is of it in exporter.proto and library.proto <-> stemhouse.dj."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from math import inf, nextafter

from stemhouse.delivery import FileFormat
from stemhouse.dj import (
    DJ_SAMPLE_FORMATS,
    LARGEST_COVER_BYTES,
    TARGET_FORMATS,
    DJCollection,
    DJFile,
    DJOrder,
    DJTarget,
    DJTrack,
    FoundTrack,
    KnownTrack,
    OrganizeOptions,
    Playlist,
    PlaylistOptions,
    StemChoice,
    StemFileOptions,
    TrackClue,
)
from stemhouse.production import StemFolder
from stemhouse.v1 import dj_pb2 as pb, exporter_pb2, library_pb2
from stemhouse.wire.delivery import FILE_FORMATS, SAMPLE_FORMATS
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.production import folder_from_proto, folder_to_proto
from stemhouse.wire.tracks import beat_marker_from_proto, beat_marker_to_proto, cue_from_proto, cue_to_proto
from stemhouse.wire.validation import FieldChecks

LONGEST_TEMPLATE = 100
"""In characters."""
MOST_CLUES = 500
"""Of one call that finds tracks."""
_LONGEST_LOCATION = 4096
_LONGEST_KEY = 64
_COLOR = re.compile(r"(#[0-9A-Fa-f]{6})?")
_LARGEST = nextafter(inf, 0.0)
_FILES_BYTES, _PLACES_AT_ONCE = 1 << 20, 100_000
"""Of one message; a single file with a beat grid of its own for each beat may have some more."""
_AnyOrder = exporter_pb2.OrganizeStemsRequest | exporter_pb2.ExportStemFileRequest

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


def organize_request_to_proto(
    folder: StemFolder, options: OrganizeOptions, order: DJOrder
) -> exporter_pb2.OrganizeStemsRequest:
    """Values to message."""
    file_format = options.file_format
    return exporter_pb2.OrganizeStemsRequest(
        folder=folder_to_proto(folder),
        target=DJ_TARGETS.to_proto(options.target),
        stems=STEM_CHOICES.to_proto(options.stems),
        file_format=FILE_FORMATS.to_proto(file_format) if file_format else exporter_pb2.FILE_FORMAT_UNSPECIFIED,
        name_template=options.name_template,
        known=known_track_to_proto(order.known),
        request_key=order.request_key,
        moves_origin=options.moves_origin,
        sample_format=SAMPLE_FORMATS.to_proto(options.sample_format),
    )


def organize_request_from_proto(
    message: exporter_pb2.OrganizeStemsRequest,
) -> tuple[StemFolder, OrganizeOptions, DJOrder]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    told = message.sample_format
    options = OrganizeOptions(
        target=DJ_TARGETS.from_proto("target", message.target),
        stems=STEM_CHOICES.from_proto("stems", message.stems),
        file_format=FILE_FORMATS.from_proto("file_format", message.file_format) if message.file_format else None,
        name_template=message.name_template or OrganizeOptions.name_template,
        moves_origin=message.moves_origin,
        sample_format=SAMPLE_FORMATS.from_proto("sample_format", told) if told else OrganizeOptions.sample_format,
    )
    checks = FieldChecks()
    _check_format(checks, options.target, options.file_format)
    is_pcm = options.sample_format in DJ_SAMPLE_FORMATS
    checks.require("sample_format", holds=is_pcm, because="DJ programs take 16 or 24 bits")
    _check_template(checks, message.name_template)
    _check_order(checks, message)
    checks.done()
    return folder_from_proto(message.folder), options, _order(message)


def _check_format(checks: FieldChecks, target: DJTarget, file_format: FileFormat | None) -> None:
    able = TARGET_FORMATS.get(target, ())
    checks.require("target", holds=bool(able), because="must take files of single stems; ask for its stem file")
    if able and file_format:
        checks.require("file_format", holds=file_format in able, because=f"must be {' or '.join(able)} for {target}")


def _check_template(checks: FieldChecks, template: str) -> None:
    checks.within("name_template", len(template), 0, LONGEST_TEMPLATE)


def stem_file_request_to_proto(
    folder: StemFolder, options: StemFileOptions, order: DJOrder
) -> exporter_pb2.ExportStemFileRequest:
    """Values to message."""
    return exporter_pb2.ExportStemFileRequest(
        folder=folder_to_proto(folder),
        is_lossless=options.is_lossless,
        name_template=options.name_template,
        known=known_track_to_proto(order.known),
        request_key=order.request_key,
        moves_origin=options.moves_origin,
    )


def stem_file_request_from_proto(
    message: exporter_pb2.ExportStemFileRequest,
) -> tuple[StemFolder, StemFileOptions, DJOrder]:
    """Message to values; raises InvalidRequest that lists the bad fields."""
    checks = FieldChecks()
    _check_template(checks, message.name_template)
    _check_order(checks, message)
    checks.done()
    template = message.name_template or StemFileOptions.name_template
    options = StemFileOptions(message.is_lossless, template, message.moves_origin)
    return folder_from_proto(message.folder), options, _order(message)


def playlists_requests_to_proto(
    collection: DJCollection, options: PlaylistOptions
) -> Iterator[exporter_pb2.ExportPlaylistsRequest]:
    """Values to messages, none of which holds more than a server takes."""
    yield exporter_pb2.ExportPlaylistsRequest(
        target=DJ_TARGETS.to_proto(options.target), folder=options.folder, volume_root=options.volume_root
    )
    files: list[pb.DJFile] = []
    size_bytes = 0
    for file in map(dj_file_to_proto, collection.files):
        if files and size_bytes + file.ByteSize() > _FILES_BYTES:
            yield exporter_pb2.ExportPlaylistsRequest(files=files)
            files, size_bytes = [], 0
        files.append(file)
        size_bytes += file.ByteSize()
    yield exporter_pb2.ExportPlaylistsRequest(files=files)
    for playlist in collection.playlists:
        for start in range(0, max(1, len(playlist.files)), _PLACES_AT_ONCE):
            part = pb.DJPlaylist(path=playlist.path, files=playlist.files[start : start + _PLACES_AT_ONCE])
            yield exporter_pb2.ExportPlaylistsRequest(playlists=[part])


def playlists_requests_from_proto(
    messages: Iterable[exporter_pb2.ExportPlaylistsRequest],
) -> tuple[DJCollection, PlaylistOptions]:
    """Messages to values; raises InvalidRequest that lists the bad fields of the first bad message."""
    stream = iter(messages)
    first = next(stream, exporter_pb2.ExportPlaylistsRequest())
    options = _playlist_options(first)
    files: list[DJFile] = []
    places: dict[tuple[str, ...], list[int]] = {}
    for message in chain([first], stream):
        files += _files(message)
        for playlist in message.playlists:
            places.setdefault(tuple(playlist.path), []).extend(playlist.files)
    checks = FieldChecks()
    for index, (path, listed) in enumerate(places.items()):
        _check_playlist(checks, f"playlists[{index}]", path, listed, len(files))
    checks.done()
    return DJCollection(tuple(files), tuple(Playlist(path, tuple(found)) for path, found in places.items())), options


def _playlist_options(message: exporter_pb2.ExportPlaylistsRequest) -> PlaylistOptions:
    checks = FieldChecks()
    for field, place in (("folder", message.folder), ("volume_root", message.volume_root)):
        checks.within(field, len(place), 1, _LONGEST_LOCATION)
    checks.done()
    return PlaylistOptions(DJ_TARGETS.from_proto("target", message.target), message.folder, message.volume_root)


def _files(message: exporter_pb2.ExportPlaylistsRequest) -> list[DJFile]:
    checks = FieldChecks()
    for index, file in enumerate(message.files):
        _check_file(checks, f"files[{index}]", file)
    checks.done()
    return list(map(dj_file_from_proto, message.files))


def _check_file(checks: FieldChecks, field: str, message: pb.DJFile) -> None:
    checks.within(f"{field}.location", len(message.location), 1, _LONGEST_LOCATION)
    checks.within(f"{field}.duration_s", message.duration_s, 0.0, _LARGEST)
    _check_track(checks, f"{field}.track", message.track)


def _check_order(checks: FieldChecks, message: _AnyOrder) -> None:
    _check_track(checks, "known.track", message.known.track)
    checks.within("known.cover_art", len(message.known.cover_art), 0, LARGEST_COVER_BYTES)
    checks.within("request_key", len(message.request_key), 0, _LONGEST_KEY)


def _order(message: _AnyOrder) -> DJOrder:
    return DJOrder(known_track_from_proto(message.known), message.request_key)


def _check_track(checks: FieldChecks, field: str, track: pb.DJTrack) -> None:
    times = [*(marker.position_s for marker in track.grid), *(cue.start_s for cue in track.cues)]
    tempos = [track.bpm, *(marker.bpm for marker in track.grid)]
    are_finite = all(-_LARGEST <= time_s <= _LARGEST for time_s in times) and all(0.0 <= bpm < inf for bpm in tempos)
    checks.require(field, holds=are_finite, because="must have finite times and tempos")
    for color in (track.color, *(cue.color for cue in track.cues)):
        checks.matches(f"{field}.color", color, _COLOR)


def _check_playlist(checks: FieldChecks, field: str, path: tuple[str, ...], places: list[int], file_count: int) -> None:
    is_named = bool(path) and all(path)
    checks.require(f"{field}.path", holds=is_named, because="must name the list, and no empty name")
    are_there = all(0 <= place < file_count for place in places)
    checks.require(f"{field}.files", holds=are_there, because="must be places of files")


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


def known_track_to_proto(known: KnownTrack) -> pb.KnownTrack:
    """Value to message."""
    return pb.KnownTrack(track=dj_track_to_proto(known.track), program=known.program, cover_art=known.cover_art)


def known_track_from_proto(message: pb.KnownTrack) -> KnownTrack:
    """Message to value."""
    return KnownTrack(dj_track_from_proto(message.track), message.program, message.cover_art)


def clue_to_proto(clue: TrackClue) -> pb.TrackClue:
    """Value to message."""
    return pb.TrackClue(
        sha256=clue.sha256, size_bytes=clue.size_bytes, file_name=clue.file_name, duration_s=clue.duration_s
    )


def clues_from_proto(message: library_pb2.FindTracksRequest) -> tuple[TrackClue, ...]:
    """The clues of a request; raises InvalidRequest for more than MOST_CLUES."""
    checks = FieldChecks()
    checks.within("clues", len(message.clues), 0, MOST_CLUES)
    checks.done()
    return tuple(TrackClue(clue.sha256, clue.size_bytes, clue.file_name, clue.duration_s) for clue in message.clues)


def found_track_to_proto(place: int, found: FoundTrack) -> library_pb2.FindTracksResponse:
    """Value to message, with the place of its clue."""
    return library_pb2.FindTracksResponse(
        clue=place,
        path=found.path,
        known=known_track_to_proto(found.known),
        crates=found.crates,
        folder=found.folder,
        crate_places=found.crate_places,
    )


def found_track_from_proto(message: library_pb2.FindTracksResponse) -> tuple[int, FoundTrack]:
    """Message to value, and the place of its clue."""
    known, crates = known_track_from_proto(message.known), tuple(message.crates)
    return message.clue, FoundTrack(message.path, known, crates, message.folder, tuple(message.crate_places))
