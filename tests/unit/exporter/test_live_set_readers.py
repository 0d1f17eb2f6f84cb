"""Other people's readers find in our sets what the model says."""

from dataclasses import replace
from pathlib import Path

import pytest
from buildable.live_set import LiveSet as ReadSet
from logic2ableton.ableton_parser import parse_ableton_project
from lxml.etree import _Element

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import LiveSet
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from tests.live_sets.models import plain_set

TITLE, VOICE = "A & <B>", 'Vocals "ü" 🎧'
SONG = plain_set().songs[0]
VOCALS, DRUMS = SONG.stems
LIVE_SET = LiveSet(120.0, (replace(SONG, title=TITLE, stems=(replace(VOCALS, name=VOICE), DRUMS)),))
TRACKS = LIVE_SET.songs[0].tracks
BOTH = pytest.mark.parametrize("profile", [LIVE_10, LIVE_11])
BEATS = (2.6, 18.6)
"""At 120 BPM, 1.4 beats before the first downbeat, which is pushed to 2.1.1, and 16 beats of file."""


def written(folder: Path, profile: LiveProfile) -> Path:
    """A set on disk, with files, though empty ones, in place of its samples."""
    samples = folder / "Samples" / "Imported"
    samples.mkdir(parents=True)
    for track in TRACKS:
        (samples / track.sample.file_name).touch()
    (folder / "Song.als").write_bytes(AbletonProjectExporter().build(LIVE_SET, profile))
    return folder / "Song.als"


@BOTH
def test_buildable_reads_tracks(profile: LiveProfile, tmp_path: Path) -> None:
    """Kinds, names, colours, the group and its members, what is muted, and where the sound goes."""
    live_set = ReadSet.from_file(written(tmp_path, profile))
    group, *tracks = live_set.primary_tracks
    assert (type(group).__name__, group.user_name) == ("GroupTrack", TITLE)
    assert [track.effective_name for track in tracks] == [track.name for track in TRACKS]
    assert [track.track_group_id for track in tracks] == [group.id, group.id, -1]
    color, shift = ("ColorIndex", 140) if profile is LIVE_10 else ("Color", 0)
    assert [int(said(track.element, color)) - shift for track in tracks] == [track.color for track in TRACKS]
    speakers = [said(track.device_chain.mixer.speaker.element, "Manual") for track in tracks]
    assert speakers == ["true", "true", "false"]
    targets = [track.device_chain.audio_output_routing.target for track in tracks]
    assert targets == ["AudioOut/GroupTrack", "AudioOut/GroupTrack", "AudioOut/Master"]
    assert live_set.return_tracks == []


def said(element: _Element, tag: str) -> str:
    """What buildable has no word for, or the wrong one, of what it found."""
    found = element.find(tag)
    assert found is not None
    return found.attrib["Value"]


@BOTH
def test_logic2ableton_reads_clips(profile: LiveProfile, tmp_path: Path) -> None:
    """Tempo, metre, names, where clips begin and end, on which second of the sample, and cues."""
    project = parse_ableton_project(written(tmp_path, profile))
    assert (project.tempo, project.time_sig_numerator, project.time_sig_denominator) == (120.0, 4, 4)
    assert project.track_names == [track.name for track in TRACKS]
    assert [(clip.start_beats, clip.end_beats) for clip in project.clips] == [pytest.approx(BEATS)] * 3
    assert [clip.source_in_seconds for clip in project.clips] == [pytest.approx(0.0, abs=1e-9)] * 3
    assert all(clip.is_warped for clip in project.clips)
    assert [locator.time_beats for locator in project.locators] == pytest.approx([BEATS[0], 12.0])
    assert [locator.name for locator in project.locators] == ["A", "B"]


def test_logic2ableton_finds_samples(tmp_path: Path) -> None:
    """In the folder of the project; of Live 10 it does not read paths."""
    clips = parse_ableton_project(written(tmp_path, LIVE_11)).clips
    assert [clip.source_issue for clip in clips] == [None] * 3
    expected = [tmp_path / "Samples" / "Imported" / track.sample.file_name for track in TRACKS]
    assert [clip.source_path for clip in clips] == [path.resolve() for path in expected]
