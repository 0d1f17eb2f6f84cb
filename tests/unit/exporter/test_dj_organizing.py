"""Names, rates, levels and grids of files for DJs."""

import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from services.exporter.adapters.soxr_resampler import SoxrResampler
from services.exporter.core.dj.loudness import loudness_lufs, replay_gain_db
from services.exporter.core.dj.naming import LONGEST_NAME_BYTES, NameFields, song_file_name, stem_file_names
from services.exporter.core.dj.ports import resampled_frames
from services.exporter.core.dj.songs import beat_markers
from services.exporter.core.dj.targets import require_player_room, target_rate_hz
from services.exporter.core.ports import FileSpec
from services.exporter.core.production.ports import AudioShape
from stemhouse.analysis import BeatGrid, GridMarker
from stemhouse.client.receiving import check_segment
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import DJTarget
from stemhouse.errors import InvalidRequest
from stemhouse.production import name_key
from stemhouse.tracks import BeatMarker

RATE_HZ = 48_000
FIELDS = ("artist", "title", "bpm", "camelot", "engine")
STEMS = st.lists(
    st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=64).filter(
        lambda name: name[0].isalnum()
    ),
    min_size=1,
    max_size=6,
    unique=True,
)
TEMPLATES = st.lists(
    st.one_of(
        st.sampled_from([f"{{{field}}}" for field in FIELDS]), st.text(max_size=40).filter(lambda t: not {*t} & {*"{}"})
    ),
    max_size=6,
).map("".join)
SONGS = st.builds(NameFields, st.text(max_size=300), st.text(max_size=300), st.floats(0, 999), st.just("8A"), st.text())


def portable(name: str) -> bool:
    """What Windows, macOS and a USB stick take: no mark of theirs, no end that they cut off, not too long."""
    check_segment(name)
    is_plain = not {*name} & {*'<>:"/\\|?*'} and name == name.strip() and not name.startswith(".")
    return is_plain and not name.endswith(".") and len(name.encode()) <= LONGEST_NAME_BYTES


@given(TEMPLATES, SONGS, STEMS)
def test_names_stay_in_their_folder_and_apart(template: str, song: NameFields, stems: list[str]) -> None:
    """Whatever artists and titles are called: on a file system that tells apart neither case nor accents, too."""
    names = stem_file_names(template + "{stem}", song, stems, ".aiff")
    assert all(portable(name) and name.endswith(".aiff") for name in names)
    assert len({name_key(name) for name in names}) == len(stems)
    assert portable(song_file_name(template, song, ".stem.mp4"))


def test_key_is_equal_for_what_a_drive_takes_for_one() -> None:
    """Upper case and decomposed accents are no other name."""
    assert name_key("Jo\u0301ga ẞ") == name_key("JÓGA ss")
    assert name_key("Joga") != name_key("Jóga")


def test_templates_say_what_they_are_asked() -> None:
    """Unicode is kept; long titles are cut before the stem is."""
    song = NameFields("Björk / Sugarcubes", "Jóga 🎶?", 127.6, "4A", "demucs")
    assert stem_file_names("{artist} - {title} [{camelot} {bpm}] ({stem}, {engine})", song, ["acapella"], ".wav") == (
        "Björk _ Sugarcubes - Jóga 🎶_ [4A 128] (Acapella, demucs).wav",
    )
    long = NameFields("", "ß" * 300)
    [name] = stem_file_names("{title}_{stem}", long, ["instrumental"], ".aiff")
    assert name.endswith("ß_Instrumental.aiff")
    assert stem_file_names("{stem}", long, ["con", "aux"], ".aiff") == ("_Con.aiff", "_Aux.aiff")


@pytest.mark.parametrize(
    ("rate_hz", "for_players"),
    [(44_100, 44_100), (48_000, 48_000), (88_200, 44_100), (96_000, 48_000), (192_000, 48_000), (22_050, 44_100)],
)
def test_players_get_rates_that_they_play(rate_hz: int, for_players: int) -> None:
    """The nearest of kin; Serato takes what comes."""
    assert target_rate_hz(DJTarget.REKORDBOX, rate_hz) == for_players
    assert target_rate_hz(DJTarget.STEM_MP4, rate_hz) == for_players
    assert target_rate_hz(DJTarget.SERATO, rate_hz) == rate_hz


def test_files_beyond_four_gibibytes_are_refused() -> None:
    """What only RF64 holds is no WAV to a player; FLAC of the same is far below."""
    long = FileSpec(SampleFormat.PCM24, 48_000, 2, 5 * 3600 * 48_000)
    for file_format in (FileFormat.WAV, FileFormat.AIFF):
        with pytest.raises(InvalidRequest, match="no player takes that"):
            require_player_room(long, file_format)
    require_player_room(long, FileFormat.FLAC)
    require_player_room(replace(long, frame_count=4 * 3600 * 48_000), FileFormat.WAV)


@pytest.mark.parametrize(("channel_count", "frame_count"), [(1, 10_001), (2, 4_801), (2, 1)])
def test_resampling_keeps_time_and_length(channel_count: int, frame_count: int) -> None:
    """To the frame, whatever the blocks; a slow sine stays where it is."""
    shape = AudioShape(96_000, channel_count, frame_count)
    sine = np.sin(2 * np.pi * 500 * np.arange(frame_count) / 96_000)
    samples = np.repeat(sine[:, None], channel_count, axis=1).astype(np.float32)
    found = np.concatenate([*SoxrResampler().resample(np.array_split(samples, 3), shape, 44_100)])
    assert found.shape == (resampled_frames(shape, 44_100), channel_count)
    middle = slice(500, -500)
    wanted = np.sin(2 * np.pi * 500 * np.arange(len(found)) / 44_100)
    assert np.allclose(found[middle, -1], wanted[middle], atol=1e-3)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_loudness_is_that_of_the_standard(rate_hz: int) -> None:
    """A full sine of 997 Hz on one channel has -3.01 LUFS (BS.1770-4), at any rate and in any blocks."""
    sine = np.sin(2 * np.pi * 997 * np.arange(3 * rate_hz) / rate_hz).astype(np.float32)[:, None]
    assert loudness_lufs(np.array_split(sine, 7), rate_hz) == pytest.approx(-3.01, abs=0.02)
    assert replay_gain_db([0.1 * sine], rate_hz) == pytest.approx(-18 + 23.01, abs=0.02)


def test_quiet_parts_do_not_count() -> None:
    """A minute of near silence around a second of sound leaves its loudness; silence has none."""
    sine = np.sin(2 * np.pi * 997 * np.arange(4 * RATE_HZ) / RATE_HZ).astype(np.float32)[:, None]
    quiet = 1e-3 * np.tile(sine, (5, 1))
    assert loudness_lufs([quiet, sine, quiet], RATE_HZ) == pytest.approx(-3.01, abs=0.4)
    assert loudness_lufs([0 * sine], RATE_HZ) is None
    assert loudness_lufs([], RATE_HZ) is None


def test_grid_begins_with_the_first_bar() -> None:
    """Not with the marker that it was found by; and each marker tells the tempo up to the next one."""
    constant = BeatGrid(120.0, (GridMarker(5.25, 0.0),), 120.0)
    assert beat_markers(constant) == (BeatMarker(1.25, 120.0, 1),)
    drifting = BeatGrid(121.0, (GridMarker(1.0, 0.0), GridMarker(9.0, 16.0), GridMarker(16.5, 32.0)), 130.0)
    assert beat_markers(drifting) == (BeatMarker(1.0, 120.0, 1), BeatMarker(9.0, 128.0, 1), BeatMarker(16.5, 130.0, 1))
