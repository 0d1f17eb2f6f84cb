"""What no Live set can hold."""

from services.exporter.core.ableton.model import LiveSet, LiveSong, LiveTrack
from services.exporter.core.ableton.profiles import PALETTE_SIZE
from stemhouse.errors import InvalidRequest

SLOWEST_BPM, FASTEST_BPM = 20.0, 999.0
MOST_BEATS_PER_BAR = 99


def check_live_set(live_set: LiveSet) -> None:
    """Raise InvalidRequest, with the reason, for a set that Live would not open."""
    if not SLOWEST_BPM <= live_set.bpm <= FASTEST_BPM:
        _refuse("bpm", f"a Live set has {SLOWEST_BPM:g} to {FASTEST_BPM:g} BPM, not {live_set.bpm:g}")
    if not live_set.songs:
        _refuse("songs", "a Live set needs a song")
    for song in live_set.songs:
        _check_song(song)


def _check_song(song: LiveSong) -> None:
    if not song.stems:
        _refuse("stems", f"{song.title} has no stems")
    if not 1 <= song.grid.beats_per_bar <= MOST_BEATS_PER_BAR:
        _refuse("grid", f"{song.title} has {song.grid.beats_per_bar} beats a bar; Live counts to {MOST_BEATS_PER_BAR}")
    for track in song.tracks:
        _check_track(track)


def _check_track(track: LiveTrack) -> None:
    if not 0 <= track.color < PALETTE_SIZE:
        _refuse("color", f"{track.name} has colour {track.color}; Live has 0 to {PALETTE_SIZE - 1}")
    if track.sample.frame_count < 1:
        _refuse("sample", f"{track.sample.file_name} is empty")


def _refuse(field: str, message: str) -> None:
    raise InvalidRequest(message, {field: message})
