"""What a Live set holds, without a word of XML."""

from dataclasses import dataclass

from stemhouse.analysis import BeatGrid, Section

VOCALS_PINK, DRUMS_GREEN, BASS_BLUE, OTHER_ORANGE = 12, 19, 9, 15
"""Indices of Live's palette of 70 colours, 14 in a row."""
GROUP_WHITE, ORIGINAL_GREY = 13, 27


@dataclass(frozen=True)
class SampleFile:
    """A file in `Samples/Imported` of the project: WAV with PCM of 16 or 24 bits or float, FLAC or AIFF."""

    file_name: str
    size_bytes: int
    frame_count: int
    sample_rate_hz: int


@dataclass(frozen=True)
class LiveTrack:
    """An audio track with one sample; `color` is an index of Live's palette, 0 to 69."""

    name: str
    color: int
    sample: SampleFile
    is_muted: bool = False


@dataclass(frozen=True)
class LiveSong:
    """One group of tracks, all equally long, under one map of beats.

    `original` is the song as it was, a track beside the group. `sections` become locators and scenes.
    """

    title: str
    grid: BeatGrid
    stems: tuple[LiveTrack, ...]
    original: LiveTrack | None = None
    sections: tuple[Section, ...] = ()

    @property
    def tracks(self) -> tuple[LiveTrack, ...]:
        """All tracks, the original last."""
        return (*self.stems, self.original) if self.original else self.stems


@dataclass(frozen=True)
class LiveSet:
    """Songs whose first downbeats share a bar line, in one tempo."""

    bpm: float
    songs: tuple[LiveSong, ...]
