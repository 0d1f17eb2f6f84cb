"""How fast a batch goes, measured while it goes."""

from services.library.core.batch_ports import Remainder

_FEWEST_TRACKS = 3
"""Fewer tell more about the first of them than about the rest."""


class Pace:
    """Counts tracks and audio that were finished, and the time in which the batch was at work."""

    def __init__(self, now_s: float) -> None:
        """Begin now, on a monotonic clock."""
        self._seen_at_s = now_s
        self._working_s = 0.0
        self._track_count = 0
        self._audio_s = 0.0

    def tick(self, now_s: float, *, is_working: bool) -> float:
        """Count the time since the last call as work, or leave it out; gives the work that it counted."""
        worked_s = now_s - self._seen_at_s if is_working else 0.0
        self._seen_at_s = now_s
        self._working_s += worked_s
        return worked_s

    def add_track(self, audio_s: float) -> None:
        """A track was finished."""
        self._track_count += 1
        self._audio_s += audio_s

    @property
    def tracks_per_hour(self) -> float | None:
        """None before there is enough to tell."""
        if self._track_count < _FEWEST_TRACKS or self._working_s <= 0.0:
            return None
        return 3600.0 * self._track_count / self._working_s

    def remaining_s(self, remainder: Remainder) -> float | None:
        """By the audio that is left, since a long track takes longer than a short one; None like `tracks_per_hour`."""
        if self.tracks_per_hour is None or self._audio_s <= 0.0:
            return None
        return remainder.audio_s * self._working_s / self._audio_s
