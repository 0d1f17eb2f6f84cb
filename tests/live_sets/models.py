"""Live sets to try the writer on: one for the eye, and many drawn by Hypothesis."""

import string
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from services.exporter.core.ableton.model import LiveSet, LiveSong, LiveTrack, SampleFile
from stemhouse.analysis import SECONDS_PER_MINUTE, BeatGrid, GridMarker, Section

STEM_COLORS = {"Vocals": 12, "Drums": 19, "Bass": 9, "Other": 15}
RATE_HZ = 8000
"""Of small samples; Live takes any."""
ODD_NAMES = (
    *("", " ", "a\tb\nc", "&<>\"'", "]]><!--", "\0\x1b\ufffe", "🎧💿", "שלום עולם", "日本語", "e\u0301", "x" * 200),
    *("128 BPM", "6/8", "90bpm in 3/4", "../../etc", "C:\\Users", "#", "100%", "\u202eevil", "null"),
)


def sample(file_name: str, frame_count: int, sample_rate_hz: int = RATE_HZ) -> SampleFile:
    """A WAV file with 16 bits and two channels, as it would be."""
    return SampleFile(file_name, 44 + 4 * frame_count, frame_count, sample_rate_hz)


def drifting_grid(
    bpm: float, bar_count: int, beats_per_bar: int = 4, first_s: float = 0.5, drift: float = 0.02
) -> BeatGrid:
    """A marker every four bars; the tempo sways around `bpm` by a part of it, `drift`."""
    beats = np.arange(0, bar_count + 1, 4) * beats_per_bar
    tempi = bpm * (1 + drift * np.sin(np.arange(1, len(beats))))
    steps_s = np.diff(beats) * SECONDS_PER_MINUTE / tempi
    times_s = first_s + np.concatenate([[0.0], np.cumsum(steps_s)])
    markers = tuple(GridMarker(float(time_s), float(beat)) for time_s, beat in zip(times_s, beats, strict=True))
    return BeatGrid(bpm, markers, bpm, beats_per_bar)


def plain_set(duration_s: float = 8.0) -> LiveSet:
    """One song at 120 BPM with two stems, the original and two parts: small, with all that a set can have."""
    grid = BeatGrid(120.0, (GridMarker(0.7, 0.0),), 120.0)
    frame_count = round(duration_s * RATE_HZ)
    stems = tuple(
        LiveTrack(name, STEM_COLORS[name], sample(f"{name}.wav", frame_count)) for name in ("Vocals", "Drums")
    )
    original = LiveTrack("Original", 27, sample("Original.wav", frame_count), is_muted=True)
    sections = (Section(0.0, 4.7, "A"), Section(4.7, duration_s, "B"))
    return LiveSet(120.0, (LiveSong("Song", grid, stems, original, sections),))


names = st.sampled_from(ODD_NAMES) | st.text(max_size=200)
file_names = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="/\\"), max_size=40)
tempi = st.floats(20, 999) | st.integers(60, 200).map(float)


@st.composite
def live_sets(draw: st.DrawFn, most_songs: int = 4, most_markers: int = 200) -> LiveSet:
    """Some songs, in the tempo of the first or in another one."""
    count = draw(st.integers(1, most_songs))
    songs = tuple(draw(songs_of(number, most_markers)) for number in range(count))
    return LiveSet(draw(st.just(songs[0].grid.bpm) | tempi), songs)


def own_bpm(live_set: LiveSet) -> float | None:
    """The tempo of a set that is its only song's from beginning to end; None for all other sets."""
    grid = live_set.songs[0].grid
    return grid.bpm if len(live_set.songs) == 1 and grid.is_constant and live_set.bpm == grid.bpm else None


@st.composite
def songs_of(draw: st.DrawFn, number: int, most_markers: int) -> LiveSong:
    """One to sixty minutes with one to four stems, with and without the original."""
    duration_s, rate_hz = draw(st.floats(60, 3600)), draw(st.sampled_from([8000, 44_100, 48_000, 96_000]))
    frame_count = round(duration_s * rate_hz)
    letters = string.ascii_lowercase[: draw(st.integers(1, 5))]
    tracks = [
        LiveTrack(
            draw(names),
            draw(st.integers(0, 69)),
            sample(f"{draw(file_names)}{number}{letter}.wav", frame_count, rate_hz),
            draw(st.booleans()),
        )
        for letter in letters
    ]
    original = tracks.pop() if len(tracks) > 1 and draw(st.booleans()) else None
    grid = draw(grids(frame_count / rate_hz, most_markers))
    return LiveSong(draw(names), grid, tuple(tracks), original, draw(sections(grid, frame_count / rate_hz)))


@st.composite
def grids(draw: st.DrawFn, duration_s: float, most_markers: int) -> BeatGrid:
    """Up to three bars before the first downbeat; or that one up to a bar before the file, as grids of DJs may have."""
    bpm, beats_per_bar = draw(tempi), draw(st.sampled_from([3, 4]))
    first_s = draw(st.floats(-1, 3)) * beats_per_bar * SECONDS_PER_MINUTE / bpm
    marker_count = draw(st.just(1) | st.integers(2, most_markers))
    bars = draw(st.integers(1, 16))
    grid = drifting_grid(bpm, 4 * (marker_count - 1), beats_per_bar, first_s, draw(st.floats(0, 0.1)) / bars)
    within = tuple(marker for marker in grid.markers if marker.time_s < duration_s)
    return BeatGrid(bpm, within, bpm if len(within) == 1 else grid.end_bpm, beats_per_bar)


@st.composite
def sections(draw: st.DrawFn, grid: BeatGrid, duration_s: float) -> tuple[Section, ...]:
    """None, or up to six from the beginning to the end, which meet on bars."""
    last_bar = int(grid.beat_at(duration_s) / grid.beats_per_bar)
    bars = sorted(draw(st.sets(st.integers(1, max(1, last_bar)), max_size=5)))
    inner = [time_s for time_s in (grid.time_at(bar * grid.beats_per_bar) for bar in bars) if 0 < time_s < duration_s]
    bounds = [0.0, *inner, duration_s]
    parts = [Section(start, end, draw(names)) for start, end in pairwise(bounds)]
    return tuple(parts) if draw(st.booleans()) else ()
