"""Stems cut into pieces: at attacks that are known, by phrases, without clicks."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from services.exporter.core.analysis.signals import heard
from services.exporter.core.remix.attacks import attack_times_s
from services.exporter.core.remix.chops import create_vocal_chops
from services.exporter.core.remix.kit import ChopFiles, index_json
from stemhouse.analysis import BeatGrid, GridMarker
from stemhouse.production import ChopGrid, ChopOptions
from tests.rendered_sounds import hat, kick, pad, voice
from tests.unit.exporter.sung import NOTES, RATE_HZ, placed, sung

LONGEST_LEAD_S = 0.015


def test_syllables_are_cut_shortly_before_their_attacks() -> None:
    """Each has its own chop, named by its place and its pitch, and nothing that sounds is lost."""
    samples = sung()
    chops = create_vocal_chops(samples, RATE_HZ, ChopOptions(), None)
    assert len(chops) == len(NOTES)
    for number, (chop, (start_s, note, name)) in enumerate(zip(chops, NOTES, strict=True), 1):
        assert 0.0 < start_s - chop.start_s <= LONGEST_LEAD_S
        assert chop.pitch is not None
        assert (chop.pitch.name, chop.pitch.midi_note) == (name, note)
        assert chop.name == f"00{number} 0m{chop.start_s:06.3f}s {name}"
    kept = sum(np.square(chop.samples, dtype=np.float64).sum() for chop in chops)
    assert kept >= 0.99 * np.square(samples, dtype=np.float64).sum()


def test_syllables_that_touch_are_cut_between_them() -> None:
    """Shortly before the next consonant, where the stem crosses zero."""
    random = np.random.default_rng(2)
    vowels = [voice(note, 0.3, RATE_HZ, random) for note in (57, 60, 64, 62)]
    mono = np.concatenate(vowels)
    starts = np.cumsum([0, *map(len, vowels[:-1])])
    for start in starts:
        mono[start : start + 1000] += 0.6 * hat(RATE_HZ, random)[:1000]
    attacks_s = attack_times_s(heard(mono, RATE_HZ))
    assert attacks_s[1:] == pytest.approx(starts[1:] / RATE_HZ, abs=0.005)
    chops = create_vocal_chops(mono[:, np.newaxis], RATE_HZ, ChopOptions(), None)
    assert len(chops) == 4
    for chop, start in zip(chops[1:], starts[1:], strict=True):
        assert 0 < start - chop.start_frame <= LONGEST_LEAD_S * RATE_HZ
        assert abs(mono[chop.start_frame]) < 0.01 * np.abs(mono).max()


def test_held_chords_are_not_cut_to_shards() -> None:
    """A choir flickers all the time, as partials of its voices beat, and begins once."""
    random = np.random.default_rng(4)
    choir = np.sum([pad([48, 55, 60, 64], 3.0, RATE_HZ, 0.7, random) for _ in range(4)], axis=0)
    chops = create_vocal_chops(placed({0.5: choir}, 4.0), RATE_HZ, ChopOptions(), None)
    assert len(chops) == 1
    assert 0.0 < 0.5 - chops[0].start_s <= LONGEST_LEAD_S


def test_phrases_are_what_lies_between_breaths() -> None:
    """Breaks between syllables are none."""
    first, second = create_vocal_chops(sung(), RATE_HZ, ChopOptions(is_by_phrase=True), None)
    assert first.start_s == pytest.approx(0.3, abs=LONGEST_LEAD_S)
    assert first.end_s == pytest.approx(1.55, abs=0.06)
    assert second.start_s == pytest.approx(2.4, abs=LONGEST_LEAD_S)
    assert second.end_s == pytest.approx(3.25, abs=0.06)


def test_drums_are_cut_at_every_hit() -> None:
    """Also those that are shorter than the shortest chop: these get some of the silence behind them."""
    random = np.random.default_rng(3)
    hits = [0.2, 0.45, 0.7, 1.2, 1.45]
    samples = placed({hit_s: hat(RATE_HZ, random)[:2500] for hit_s in hits}, 2.0)
    chops = create_vocal_chops(samples, RATE_HZ, ChopOptions(stem="drums", shortest_s=0.2), None)
    assert [round(chop.start_s + 0.007, 2) for chop in chops] == hits
    assert {len(chop.samples) for chop in chops} == {round(0.2 * RATE_HZ)}


def test_long_pieces_are_cut_where_they_are_quietest() -> None:
    """Here in the dip of a swell."""
    swell = np.abs(np.cos(np.pi * np.arange(2 * RATE_HZ) / (1.4 * RATE_HZ))).astype(np.float32)
    samples = (swell * voice(57, 2.0, RATE_HZ, np.random.default_rng(1)))[:, np.newaxis]
    options = ChopOptions(shortest_s=0.3, longest_s=1.35, is_by_phrase=True)
    first, second = create_vocal_chops(samples, RATE_HZ, options, None)
    assert first.end_s == second.start_s == pytest.approx(0.7, abs=0.02)


def test_silence_gives_nothing_and_noise_floors_do_not_count() -> None:
    """Bleed 40 dB below the voice is no sound; what is no number is silence."""
    for nothing in (np.zeros((RATE_HZ, 2)), np.full((RATE_HZ, 2), np.nan), np.zeros((0, 2))):
        assert create_vocal_chops(nothing.astype(np.float32), RATE_HZ, ChopOptions(), None) == ()
    noisy = sung() + np.random.default_rng(1).normal(0, 0.001, (4 * RATE_HZ, 2)).astype(np.float32)
    assert len(create_vocal_chops(noisy, RATE_HZ, ChopOptions(is_by_phrase=True), None)) == 2
    noisy[round(0.5 * RATE_HZ)] = np.nan
    chops = create_vocal_chops(noisy, RATE_HZ, ChopOptions(), None)
    assert len(chops) == len(NOTES)
    assert all(np.isfinite(chop.samples).all() for chop in chops)


def test_channels_that_cancel_each_other_are_heard() -> None:
    """A widened voice may have its sides turned against each other; a third channel does no harm."""
    mono = sung()[:, :1]
    wide = np.hstack([mono, -mono, np.zeros_like(mono)])
    assert len(create_vocal_chops(wide, RATE_HZ, ChopOptions(), None)) == len(NOTES)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    grid=st.sampled_from(ChopGrid),
    is_by_phrase=st.booleans(),
    shortest_s=st.floats(0.02, 0.5),
    ratio=st.floats(2.0, 20.0),
    bpm=st.floats(60.0, 200.0),
)
def test_whatever_is_cut_keeps_its_promises(
    seed: int,
    grid: ChopGrid,
    is_by_phrase: bool,  # noqa: FBT001  by name
    shortest_s: float,
    ratio: float,
    bpm: float,
) -> None:
    """No overlap, no click, no length out of limits, samples as they were, names that sort and no file system minds."""
    random = np.random.default_rng(seed)
    sounds = [[hat, kick][random.integers(2)](RATE_HZ, random) for _ in range(random.integers(0, 8))]
    starts_s = [float(random.uniform(0.0, 2.8)) for _ in sounds]
    samples = np.repeat(placed(dict(zip(starts_s, sounds, strict=True)), 3.0), 2, axis=1)
    options = ChopOptions("drums", grid, shortest_s, ratio * shortest_s, is_by_phrase)
    first_s = float(random.uniform(0, 1))
    beats = BeatGrid(bpm, (GridMarker(first_s, 0.0), GridMarker(first_s + 241 / bpm, 4.0)), bpm * 1.02)
    chops = create_vocal_chops(samples, RATE_HZ, options, beats)
    end = 0
    for chop in chops:
        assert chop.start_frame >= end
        end = chop.start_frame + len(chop.samples)
        assert end <= len(samples)
        assert shortest_s - 0.001 <= len(chop.samples) / RATE_HZ <= ratio * shortest_s + 0.001
        assert np.abs(chop.samples[[0, -1]]).max() < 1e-3
        inner = slice(300, -300)
        assert np.array_equal(chop.samples[inner], samples[chop.start_frame : end][inner])
        assert re.fullmatch(r"[0-9A-Gbarm.s -]+", chop.name)
    if grid is ChopGrid.FREE:
        for start_s in starts_s:
            is_late = start_s + shortest_s > 2.95
            assert is_late or any(chop.start_s <= start_s < chop.end_s for chop in chops)
    names = [chop.name for chop in chops]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    json.loads(index_json(ChopFiles("drums", RATE_HZ, ".wav", chops)))
