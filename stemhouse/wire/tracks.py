"""stemhouse/v1/library.proto and dj.proto <-> stemhouse.tracks."""

from stemhouse.tracks import (
    BeatMarker,
    Crate,
    Cue,
    CueKind,
    DJFacts,
    LibraryKind,
    ProbeProgress,
    RankedPage,
    RankedTrack,
    ScanProblem,
    ScanProgress,
    Track,
    TrackPage,
)
from stemhouse.v1 import dj_pb2 as dj_pb, library_pb2 as pb
from stemhouse.wire.enums import EnumTable

LIBRARY_KINDS = EnumTable(
    {
        LibraryKind.AUTO: pb.LIBRARY_KIND_UNSPECIFIED,
        LibraryKind.FOLDER: pb.LIBRARY_KIND_FOLDER,
        LibraryKind.SERATO: pb.LIBRARY_KIND_SERATO,
        LibraryKind.REKORDBOX: pb.LIBRARY_KIND_REKORDBOX,
        LibraryKind.TRAKTOR: pb.LIBRARY_KIND_TRAKTOR,
        LibraryKind.M3U: pb.LIBRARY_KIND_M3U,
        LibraryKind.S3: pb.LIBRARY_KIND_S3,
    }
)
CUE_KINDS = EnumTable(
    {
        CueKind.CUE: dj_pb.CUE_KIND_CUE,
        CueKind.LOOP: dj_pb.CUE_KIND_LOOP,
        CueKind.FADE_IN: dj_pb.CUE_KIND_FADE_IN,
        CueKind.FADE_OUT: dj_pb.CUE_KIND_FADE_OUT,
        CueKind.LOAD: dj_pb.CUE_KIND_LOAD,
    }
)


def cue_to_proto(cue: Cue) -> dj_pb.Cue:
    """Value to message."""
    return dj_pb.Cue(
        kind=CUE_KINDS.to_proto(cue.kind),
        start_s=cue.start_s,
        end_s=cue.end_s,
        slot=cue.slot,
        name=cue.name,
        color=cue.color,
        is_locked=cue.is_locked,
    )


def cue_from_proto(message: dj_pb.Cue) -> Cue:
    """Message to value."""
    return Cue(
        kind=CUE_KINDS.from_proto("cue.kind", message.kind),
        start_s=message.start_s,
        end_s=message.end_s if message.HasField("end_s") else None,
        slot=message.slot if message.HasField("slot") else None,
        name=message.name,
        color=message.color,
        is_locked=message.is_locked,
    )


def beat_marker_to_proto(marker: BeatMarker) -> dj_pb.BeatMarker:
    """Value to message."""
    return dj_pb.BeatMarker(position_s=marker.position_s, bpm=marker.bpm, bar_beat=marker.bar_beat)


def beat_marker_from_proto(message: dj_pb.BeatMarker) -> BeatMarker:
    """Message to value."""
    return BeatMarker(message.position_s, message.bpm, message.bar_beat)


def dj_facts_to_proto(facts: DJFacts) -> pb.DJFacts:
    """Value to message."""
    return pb.DJFacts(
        program=facts.program,
        artist=facts.artist,
        title=facts.title,
        album=facts.album,
        genre=facts.genre,
        key=facts.key,
        bpm=facts.bpm,
        duration_s=facts.duration_s,
        color=facts.color,
        is_grid_locked=facts.is_grid_locked,
        grid=map(beat_marker_to_proto, facts.grid),
        cues=map(cue_to_proto, facts.cues),
    )


def dj_facts_from_proto(message: pb.DJFacts) -> DJFacts:
    """Message to value."""
    return DJFacts(
        program=message.program,
        artist=message.artist,
        title=message.title,
        album=message.album,
        genre=message.genre,
        key=message.key,
        bpm=message.bpm,
        duration_s=message.duration_s,
        color=message.color,
        is_grid_locked=message.is_grid_locked,
        grid=tuple(map(beat_marker_from_proto, message.grid)),
        cues=tuple(map(cue_from_proto, message.cues)),
    )


def track_to_proto(track: Track) -> pb.Track:
    """Value to message."""
    return pb.Track(
        path=track.path,
        size_bytes=track.size_bytes,
        artist=track.artist,
        title=track.title,
        album=track.album,
        genre=track.genre,
        key=track.key,
        bpm=track.bpm,
        duration_s=track.duration_s,
        crates=track.crates,
        dj_facts=map(dj_facts_to_proto, track.dj_facts),
    )


def track_from_proto(message: pb.Track) -> Track:
    """Message to value."""
    return Track(
        path=message.path,
        size_bytes=message.size_bytes,
        artist=message.artist,
        title=message.title,
        album=message.album,
        genre=message.genre,
        key=message.key,
        bpm=message.bpm,
        duration_s=message.duration_s,
        crates=tuple(message.crates),
        dj_facts=tuple(map(dj_facts_from_proto, message.dj_facts)),
    )


def scan_progress_to_proto(progress: ScanProgress) -> pb.ScanLibraryResponse:
    """Value to message."""
    return pb.ScanLibraryResponse(
        found_count=progress.found_count,
        added_count=progress.added_count,
        updated_count=progress.updated_count,
        unchanged_count=progress.unchanged_count,
        removed_count=progress.removed_count,
        missing_count=progress.missing_count,
        own_count=progress.own_count,
        crate_count=progress.crate_count,
        problems=[pb.ScanProblem(path=problem.path, reason=problem.reason) for problem in progress.problems],
        is_complete=progress.is_complete,
    )


def scan_progress_from_proto(message: pb.ScanLibraryResponse) -> ScanProgress:
    """Message to value."""
    return ScanProgress(
        found_count=message.found_count,
        added_count=message.added_count,
        updated_count=message.updated_count,
        unchanged_count=message.unchanged_count,
        removed_count=message.removed_count,
        missing_count=message.missing_count,
        own_count=message.own_count,
        crate_count=message.crate_count,
        problems=tuple(ScanProblem(problem.path, problem.reason) for problem in message.problems),
        is_complete=message.is_complete,
    )


def probe_progress_to_proto(progress: ProbeProgress) -> pb.ProbeTracksResponse:
    """Value to message."""
    problem = progress.problem
    return pb.ProbeTracksResponse(
        done_count=progress.done_count,
        total_count=progress.total_count,
        problem=pb.ScanProblem(path=problem.path, reason=problem.reason) if problem else None,
    )


def probe_progress_from_proto(message: pb.ProbeTracksResponse) -> ProbeProgress:
    """Message to value."""
    problem = ScanProblem(message.problem.path, message.problem.reason) if message.HasField("problem") else None
    return ProbeProgress(message.done_count, message.total_count, problem)


def track_page_to_proto(page: TrackPage | RankedPage) -> pb.ListTracksResponse:
    """Value to message."""
    return pb.ListTracksResponse(
        tracks=map(_listed, page.tracks), next_page_token=page.next_page_token, total_count=page.total_count
    )


def _listed(track: Track | RankedTrack) -> pb.ListedTrack:
    if isinstance(track, Track):
        return pb.ListedTrack(track=track_to_proto(track))
    return pb.ListedTrack(track=track_to_proto(track.track), place=track.place, reasons=track.reasons)


def track_page_from_proto(message: pb.ListTracksResponse) -> TrackPage:
    """Message to value, of a listing by path."""
    return TrackPage(
        tracks=tuple(track_from_proto(listed.track) for listed in message.tracks),
        next_page_token=message.next_page_token,
        total_count=message.total_count,
    )


def ranked_page_from_proto(message: pb.ListTracksResponse) -> RankedPage:
    """Message to value, of a listing in the order of work."""
    return RankedPage(
        tracks=tuple(
            RankedTrack(listed.place, track_from_proto(listed.track), tuple(listed.reasons))
            for listed in message.tracks
        ),
        next_page_token=message.next_page_token,
        total_count=message.total_count,
    )


def crate_to_proto(crate: Crate) -> pb.Crate:
    """Value to message."""
    return pb.Crate(
        name=crate.name, library=crate.library, track_count=crate.track_count, missing_count=crate.missing_count
    )


def crate_from_proto(message: pb.Crate) -> Crate:
    """Message to value."""
    return Crate(message.name, message.library, message.track_count, message.missing_count)
