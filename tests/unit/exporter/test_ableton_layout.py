"""Where songs lie in a set: bars, pre-rolls, drift, sections."""

from dataclasses import replace
from itertools import pairwise

import pytest

from services.exporter.core.ableton.layout import lay_out
from services.exporter.core.ableton.model import LiveSet, LiveSong
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11
from stemhouse.analysis import BeatGrid, Section
from tests.unit.exporter.live_songs import grid, markers, read_set, song, value

HIDDEN = 1 / 32


def test_pre_roll_is_kept_by_whole_bars() -> None:
    """3.1 s at 120 BPM are 6.2 beats: two bars are left free, and the first frame is 1.8 beats in."""
    [layout] = lay_out(LiveSet(120.0, (song(grid(120.0, (3.1, 0.0))),)))
    assert [point.beat for point in layout.points] == [8.0, 8.0 + HIDDEN]
    assert layout.whole.start == pytest.approx(1.8)
    assert layout.whole.end == pytest.approx(1.8 + 120)
    assert layout.scenes[0].start == 4.0  # the session's clip begins with its first whole bar


@pytest.mark.parametrize("bpm", [60 + index * 0.77 for index in range(40)])
def test_rounding_costs_no_bar(bpm: float) -> None:
    """A file that begins on a bar line begins at 1.1.1, whatever the arithmetic says, and never before."""
    [layout] = lay_out(LiveSet(bpm, (song(grid(bpm, (3 * 60 / bpm, 0.0), beats_per_bar=3)),)))
    assert layout.points[0].beat == 3.0
    assert 0.0 <= layout.whole.start < 1e-12


@pytest.mark.parametrize(("beats_per_bar", "first_downbeat"), [(3, 3.0), (4, 4.0), (7, 7.0), (1, 2.0)])
def test_bars_are_those_of_the_grid(beats_per_bar: int, first_downbeat: float) -> None:
    """And the set's time signature, with its number, is too."""
    live_set = LiveSet(120.0, (song(grid(120.0, (0.75, 0.0), beats_per_bar=beats_per_bar)),))
    [layout] = lay_out(live_set)
    assert layout.points[0].beat == first_downbeat
    live = read_set(live_set, LIVE_11)
    assert value(live, "MasterTrack/DeviceChain/Mixer/TimeSignature/Manual") == str(198 + beats_per_bar - 1)
    assert {int(it.attrib["Value"]) for it in live.iter("Numerator")} == {beats_per_bar}


@pytest.mark.parametrize("bpm", [20.0, 93.37, 174.123456789, 999.0])
@pytest.mark.parametrize("offset_s", [0.0, 0.123456, 41.7])
def test_constant_tempo_is_the_sets(bpm: float, offset_s: float) -> None:
    """As exactly as the seconds can say it, so that nothing is stretched."""
    live = read_set(LiveSet(bpm, (song(grid(bpm, (offset_s, 0.0))),)), LIVE_10)
    assert float(value(live, "MasterTrack/DeviceChain/Mixer/Tempo/Manual")) == bpm
    clip = next(live.iter("AudioClip"))
    [(start_s, start), (end_s, end)] = markers(clip)
    assert start_s == offset_s
    assert end - start == HIDDEN
    assert end_s - start_s == pytest.approx(HIDDEN * 60 / bpm, rel=0, abs=2e-14)


def test_drifting_grid_is_followed_by_all_stems_alike() -> None:
    """Every marker within the file, and the hidden one at the tempo after the last."""
    beats = BeatGrid(121.0, grid(0, (1.0, 0.0), (9.1, 16.0), (17.0, 32.0), (70.0, 140.0)).markers, 122.0)
    live = read_set(LiveSet(121.0, (song(beats),)), LIVE_11)
    clips = [*live.iter("AudioClip")]
    assert len(clips) == 10
    [points] = {tuple(markers(clip)) for clip in clips}
    assert [beat for _, beat in points] == [4.0, 20.0, 36.0, 36.0 + HIDDEN]
    assert [time_s for time_s, _ in points][:3] == [1.0, 9.1, 17.0]
    # The marker beyond the end is left out, but its tempo stays.
    assert points[3][0] - points[2][0] == pytest.approx(HIDDEN * 53 / 108, abs=1e-12)
    for clip in (clips[1], clips[3]):
        assert float(value(clip, "CurrentStart")) == pytest.approx(4.0 - 16 / 8.1)
        assert float(value(clip, "CurrentEnd")) == pytest.approx(4.0 + beats.beat_at(60.0))


def test_grid_that_begins_before_the_file() -> None:
    """Its first frame takes the place of a marker at negative seconds; the beats are the same."""
    beats = grid(120.0, (-3.0, 0.0), (7.0, 20.0))
    [layout] = lay_out(LiveSet(120.0, (song(beats),)))
    assert [(point.time_s, point.beat) for point in layout.points[:2]] == [(0.0, 6.0), (7.0, 20.0)]
    assert layout.whole.start == 6.0


def test_songs_share_the_bar_of_their_first_downbeats() -> None:
    """In their own beats: other tempi are warped."""
    songs = (song(grid(120.0, (0.5, 0.0))), song(grid(90.0, (4.0, 0.0)), "Slow"))
    first, second = lay_out(LiveSet(120.0, songs))
    assert first.points[0].beat == second.points[0].beat == 8.0
    assert (first.whole.start, second.whole.start) == (7.0, 2.0)
    assert second.whole.end == pytest.approx(2.0 + 90.0)


def sectioned() -> LiveSong:
    """At 120 BPM, two seconds a bar: a pick-up of half a bar, an intro, less than a bar, and an end within one."""
    sections = (Section(0.0, 9.0, "intro"), Section(9.0, 10.5, "break"), Section(10.5, 30.0, "verse"))
    return song(grid(120.0, (1.0, 0.0)), seconds=30.0, sections=sections)


def test_sections_become_scenes_of_whole_bars_and_locators() -> None:
    """A section of less than a bar gets no scene; what begins with the file has its locator there."""
    [layout] = lay_out(LiveSet(120.0, (sectioned(),)))
    assert [(it.start, it.end, it.name) for it in layout.scenes] == [(4.0, 20.0, "intro"), (24.0, 60.0, "verse")]
    assert layout.cues == ((2.0, "intro"), (20.0, "break"), (23.0, "verse"))
    live = read_set(LiveSet(120.0, (sectioned(),)), LIVE_11)
    clips = live.findall(
        "Tracks/AudioTrack[1]/DeviceChain/MainSequencer/ClipSlotList/ClipSlot/ClipSlot/Value/AudioClip"
    )
    assert [value(clip, "Loop/LoopOn") for clip in clips] == ["true", "true"]
    assert [value(clip, "Loop/LoopEnd") for clip in clips] == ["20", "60"]


def test_locators_of_songs_that_fall_together_are_one() -> None:
    """Live has one locator at a place."""
    songs = []
    for bpm, label in ((126.3, "chorus"), (97.1, "drop")):
        beats = grid(bpm, (0.7, 0.0))
        songs.append(song(beats, sections=(Section(beats.time_at(12.0), beats.time_at(28.0), label),)))
    live = read_set(LiveSet(126.3, (*songs, songs[0])), LIVE_10)
    [locator] = live.findall("Locators/Locators/Locator")
    assert (value(locator, "Time"), value(locator, "Name")) == ("16", "chorus + drop")


@pytest.mark.parametrize("bpm", [60 + index * 0.77 for index in range(20)])
def test_sections_are_on_bars_whatever_rounding_says(bpm: float) -> None:
    """Scenes are as long as sections, and locators on bars, though times come in tenths of milliseconds."""
    beats = grid(bpm, (0.7, 0.0))
    section = Section(round(beats.time_at(8.0), 4), round(beats.time_at(24.0), 4), "")
    [layout] = lay_out(LiveSet(bpm, (song(beats, sections=[section]),)))
    assert [(it.start, it.end) for it in layout.scenes] == [(12.0, 28.0)]
    assert layout.cues == ((12.0, ""),)


def test_200_markers() -> None:
    """Times and beats increase, down to the hidden one; the next id is above theirs, too."""
    beats = grid(126.0, *((2.5 + index * 1.9, index * 4.0) for index in range(200)))
    live_set = LiveSet(126.0, (song(beats, seconds=400.0),))
    live_set = replace(live_set, songs=(replace(live_set.songs[0], stems=live_set.songs[0].stems[:1], original=None),))
    [layout] = lay_out(live_set)
    assert int(value(read_set(live_set, LIVE_10), "NextPointeeId")) > 200
    assert len(layout.points) == 201
    assert all(a.time_s < b.time_s and a.beat < b.beat for a, b in pairwise(layout.points))
