"""stemhouse/v1/library.proto <-> stemhouse.tracks."""

from stemhouse.tracks import ScanProblem, ScanProgress, Track, TrackPage
from stemhouse.v1 import library_pb2 as pb


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
    )


def scan_progress_to_proto(progress: ScanProgress) -> pb.ScanLibraryResponse:
    """Value to message."""
    return pb.ScanLibraryResponse(
        found_count=progress.found_count,
        added_count=progress.added_count,
        updated_count=progress.updated_count,
        unchanged_count=progress.unchanged_count,
        removed_count=progress.removed_count,
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
        problems=tuple(ScanProblem(problem.path, problem.reason) for problem in message.problems),
        is_complete=message.is_complete,
    )


def track_page_to_proto(page: TrackPage) -> pb.ListTracksResponse:
    """Value to message."""
    return pb.ListTracksResponse(
        tracks=[track_to_proto(track) for track in page.tracks],
        next_page_token=page.next_page_token,
        total_count=page.total_count,
    )


def track_page_from_proto(message: pb.ListTracksResponse) -> TrackPage:
    """Message to value."""
    return TrackPage(
        tracks=tuple(track_from_proto(track) for track in message.tracks),
        next_page_token=message.next_page_token,
        total_count=message.total_count,
    )
