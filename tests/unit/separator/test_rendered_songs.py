"""The songs that quality is measured by: the same on every run, and as loud as their scores say."""

from dataclasses import replace

import numpy as np
import pytest

from stemhouse.vocab import BASE_STEMS, VOCALS
from tests.rendered_bands import SynthBand
from tests.rendered_songs import SONGS, RenderedSong, songs


def rendered(number: int, duration_s: float = 3.0) -> RenderedSong:
    """The beginning of a song, by plain synthesis."""
    return next(songs((replace(SONGS[number], duration_s=duration_s),), SynthBand()))


def test_song_is_the_same_on_every_run() -> None:
    """Four stems of one shape, finite, none silent; sample by sample the same from the same seed."""
    first, again = rendered(1), rendered(1)
    assert set(first.stems) == set(BASE_STEMS)
    for name, stem in first.stems.items():
        assert stem.shape == (2, 3 * 44_100)
        assert np.all(np.isfinite(stem))
        assert np.any(stem)
        assert np.array_equal(stem, again.stems[name])


def test_voice_has_the_level_of_its_score() -> None:
    """Against all else, where it sounds."""
    song = rendered(13)
    voice = song.stems[VOCALS]
    rest = np.sum(list(song.stems.values()), axis=0) - voice
    is_sung = np.abs(voice).max(axis=0) > 0.02 * np.abs(voice).max()
    level_db = 10 * np.log10(np.mean(voice[:, is_sung] ** 2) / np.mean(rest[:, is_sung] ** 2))
    assert level_db == pytest.approx(song.score.voice_db, abs=0.1)
    assert song.score.name == "soul, loud voice"
