"""What is heard: samples through the warp markers that were written."""

from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import LiveSet, LiveSong, LiveTrack, SampleFile
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from stemhouse.analysis import BeatGrid, GridMarker
from tests.live_sets.checker import findings
from tests.live_sets.clips import along, warp_markers
from tests.live_sets.container import opened
from tests.live_sets.models import drifting_grid, plain_set, sample
from tests.live_sets.reading import SetFile, arrangement_clips, number, session_clips
from tests.live_sets.samples import relative_path
from tests.signals import noise

RATE_HZ = 8000
LONG_S = 240.0
NEAR_S = 1e-3
STEMS = ("vocals", "drums", "bass", "other")
FULL_SCALE = 1 << 23
GRIDS = {
    "pre-roll": BeatGrid(174.0, (GridMarker(3.21, 0.0),), 174.0),
    "no pre-roll": BeatGrid(88.88, (GridMarker(0.0, 0.0),), 88.88),
    "waltz": BeatGrid(97.3, (GridMarker(1.7, 0.0),), 97.3, 3),
    "drift": drifting_grid(121.7, 100, first_s=4.4),
    "fast drift": drifting_grid(240.0, 80, first_s=0.3, drift=0.05),
    "drifting waltz": drifting_grid(63.0, 80, beats_per_bar=3, first_s=0.01, drift=0.08),
}


def read(live_set: LiveSet, profile: LiveProfile) -> SetFile:
    """A set, written and opened."""
    root, problems = opened(AbletonProjectExporter().build(live_set, profile))
    assert root is not None
    assert not problems
    return SetFile(root, profile.major, None)


def song_of(grid: BeatGrid) -> LiveSong:
    """A long song with one stem."""
    stem = LiveTrack("Vocals", 12, sample("a.wav", round(LONG_S * RATE_HZ)))
    return replace(plain_set().songs[0], grid=grid, stems=(stem,), original=None, sections=())


def downbeats_s(grid: BeatGrid) -> npt.NDArray[np.float64]:
    """Seconds of all downbeats within the long song, from the first on."""
    beats = np.arange(0, grid.beat_at(LONG_S), grid.beats_per_bar)
    return np.array([grid.time_at(float(beat)) for beat in beats])


def heard_beats(clip: Element, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where on the timeline these seconds of the sample are heard."""
    moved = number(clip, "CurrentStart") - number(clip, "Loop/LoopStart")
    seconds, beats = warp_markers(clip)
    return along(times_s, seconds, beats) + moved


@pytest.mark.parametrize("profile", [LIVE_10, LIVE_11])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_downbeats_are_on_bar_lines(grid: BeatGrid, profile: LiveProfile) -> None:
    """Each on the line after the one before, within a millisecond; on the timeline and in the scene."""
    [track] = read(LiveSet(grid.bpm, (song_of(grid),)), profile).audio_tracks
    times_s = downbeats_s(grid)
    for clip in (*arrangement_clips(track), *session_clips(track).values()):
        bars = heard_beats(clip, times_s) / grid.beats_per_bar
        lines = np.round(bars[0]) + np.arange(len(bars))
        slowest_bar_s = np.max(np.diff(times_s))
        assert np.max(np.abs(bars - lines)) * slowest_bar_s < NEAR_S


def test_songs_begin_on_the_same_bar() -> None:
    """Of songs with different tempi and pre-rolls, the first downbeats are heard together, on a bar line."""
    grids = [grid for grid in GRIDS.values() if grid.beats_per_bar == 4]
    tracks = read(LiveSet(120.0, tuple(map(song_of, grids))), LIVE_11).audio_tracks
    firsts = [
        heard_beats(arrangement_clips(track)[0], np.array([grid.markers[0].time_s]))[0]
        for track, grid in zip(tracks, grids, strict=True)
    ]
    assert firsts == pytest.approx([firsts[0]] * len(grids))
    assert firsts[0] % 4 == pytest.approx(0.0)


def write_song(root: Path, grid: BeatGrid, frame_count: int) -> LiveSong:
    """Four stems of noise and their exact sum, as a project holds them."""
    folder = root / "Samples" / "Imported"
    folder.mkdir(parents=True)
    (root / "Ableton Project Info").mkdir()
    steps = FULL_SCALE / 8
    audio = {stem: np.round(noise(frame_count, seed=seed) * steps) for seed, stem in enumerate(STEMS)}
    audio["original"] = np.sum(list(audio.values()), axis=0)
    for name, samples in audio.items():
        soundfile.write(folder / f"{name}.wav", samples.T / FULL_SCALE, RATE_HZ, "PCM_24")
    tracks = {name: LiveTrack(name, 3, sample_of(folder / f"{name}.wav")) for name in audio}
    return LiveSong("Song", grid, tuple(tracks[stem] for stem in STEMS), tracks["original"])


def sample_of(path: Path) -> SampleFile:
    """A file as it is."""
    info = soundfile.info(path)
    return SampleFile(path.name, path.stat().st_size, info.frames, info.samplerate)


def played(found: SetFile, root: Path, track: Element, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a track sounds like at times of the timeline, (times, channels), linear between frames."""
    [clip] = arrangement_clips(track)
    bpm = number(found.live_set, "MasterTrack/DeviceChain/Mixer/Tempo/Manual")
    beats = times_s * bpm / 60 - number(clip, "CurrentStart") + number(clip, "Loop/LoopStart")
    seconds, at_beats = warp_markers(clip)
    data, rate_hz = soundfile.read(root / relative_path(clip, found.major))
    frames = along(beats, at_beats, seconds) * rate_hz
    return np.stack([np.interp(frames, np.arange(len(data)), channel) for channel in data.T], axis=1)


@pytest.mark.parametrize("profile", [LIVE_10, LIVE_11])
@pytest.mark.parametrize("name", ["pre-roll", "fast drift"])
def test_stems_sum_to_the_original(name: str, profile: LiveProfile, tmp_path: Path) -> None:
    """At every moment of the timeline; and a stem that is a millisecond late is heard."""
    live_set = LiveSet(GRIDS[name].bpm, (write_song(tmp_path, GRIDS[name], 10 * RATE_HZ),))
    assert findings(AbletonProjectExporter().build(live_set, profile), profile, tmp_path) == []
    found = read(live_set, profile)
    *stems, original = found.audio_tracks
    times_s = np.arange(0, 15, 1 / RATE_HZ)
    mix = played(found, tmp_path, original, times_s)
    assert np.max(np.abs(sum(played(found, tmp_path, stem, times_s) for stem in stems) - mix)) < 1 / FULL_SCALE
    delay(arrangement_clips(stems[0])[0])
    assert np.max(np.abs(sum(played(found, tmp_path, stem, times_s) for stem in stems) - mix)) > 0.01


def delay(clip: Element) -> None:
    """Let a clip lag behind."""
    for marker in clip.iter("WarpMarker"):
        marker.set("SecTime", str(float(marker.attrib["SecTime"]) - NEAR_S))


def test_nothing_is_stretched_or_cut_in_its_own_tempo(tmp_path: Path) -> None:
    """All frames are played, in their own time, each a frame after the one before."""
    grid = GRIDS["pre-roll"]
    found = read(LiveSet(grid.bpm, (write_song(tmp_path, grid, RATE_HZ),)), LIVE_11)
    [clip] = arrangement_clips(found.audio_tracks[0])
    start_s = number(clip, "CurrentStart") * 60 / grid.bpm
    seconds, beats = warp_markers(clip)
    times_s = start_s + np.arange(RATE_HZ) / RATE_HZ
    frames = along(times_s * grid.bpm / 60, beats, seconds) * RATE_HZ
    assert frames == pytest.approx(np.arange(RATE_HZ), abs=1e-6)
    assert number(clip, "CurrentEnd") - number(clip, "CurrentStart") == pytest.approx(grid.bpm / 60)
