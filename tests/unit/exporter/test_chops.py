"""Stems cut into pieces: at attacks that are known, on grids, by phrases, without clicks, and named rightly."""

import csv
import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from services.exporter.core.remix.chops import Chop, create_vocal_chops
from services.exporter.core.remix.kit import index_csv, index_json, sfz_kit
from services.exporter.core.remix.ports import FloatBlock
from stemhouse.analysis import BeatGrid, GridMarker
from stemhouse.production import ChopGrid, ChopOptions
from tests.rendered_sounds import hat, kick, pad, voice

RATE_HZ = 44_100
GRID = BeatGrid(120.0, (GridMarker(0.1, 0.0),), 120.0)
NOTES = ((0.3, 57, "A3"), (0.8, 61, "Db4"), (1.2, 64, "E4"), (2.4, 52, "E3"), (2.9, 69, "A4"))
"""When a syllable begins, its MIDI note, and the name of that."""


def sung(lag_right_frames: int = 0) -> FloatBlock:
    """Two phrases of syllables in stereo: each a consonant and a vowel of 0.35 s; four seconds in all."""
    random = np.random.default_rng(5)
    mono = np.zeros(4 * RATE_HZ, dtype=np.float32)
    for start_s, note, _ in NOTES:
        start = round(start_s * RATE_HZ)
        consonant, vowel = hat(RATE_HZ, random)[:1500], voice(note, 0.35, RATE_HZ, random)
        mono[start : start + len(vowel)] += 0.6 * vowel
        mono[start : start + len(consonant)] += 0.5 * consonant
    return np.stack([mono, np.roll(mono, lag_right_frames)], axis=1)


def chopped(samples: FloatBlock, **options: object) -> tuple[Chop, ...]:
    """With the grid at hand."""
    return create_vocal_chops(samples, RATE_HZ, ChopOptions(**options), GRID)  # type: ignore[arg-type]  # by name


def test_syllables_are_cut_shortly_before_their_attacks() -> None:
    """Each has its own chop, named by its place and its pitch, and nothing that sounds is lost."""
    samples = sung()
    chops = create_vocal_chops(samples, RATE_HZ, ChopOptions(), None)
    assert len(chops) == len(NOTES)
    for number, (chop, (start_s, note, name)) in enumerate(zip(chops, NOTES, strict=True), 1):
        assert 0.0 <= start_s - chop.start_s <= 0.04
        assert chop.pitch is not None
        assert (chop.pitch.name, chop.pitch.midi_note) == (name, note)
        assert abs(chop.pitch.cents) < 20
        assert re.fullmatch(rf"00{number} 0m0{start_s - 0.02:.1f}\d\ds {name}", chop.name) or chop.start_s < start_s
        assert (chop.start_beat, chop.bar) == (None, None)
    kept = sum(np.square(chop.samples, dtype=np.float64).sum() for chop in chops)
    assert kept >= 0.99 * np.square(samples, dtype=np.float64).sum()


def test_syllables_that_touch_are_cut_between_them() -> None:
    """At the quietest moment before the next consonant."""
    random = np.random.default_rng(2)
    vowels = [voice(note, 0.3, RATE_HZ, random) for note in (57, 60, 64, 62)]
    mono = np.concatenate(vowels)
    starts = np.cumsum([0, *map(len, vowels[:-1])])
    for start in starts:
        mono[start : start + 1000] += 0.6 * hat(RATE_HZ, random)[:1000]
    chops = chopped(mono[:, np.newaxis])
    assert len(chops) == 4
    for chop, start in zip(chops[1:], starts[1:], strict=True):
        assert 0 <= start - chop.start_frame <= 0.04 * RATE_HZ


def test_phrases_are_what_lies_between_breaths() -> None:
    """Breaks between syllables are none."""
    first, second = create_vocal_chops(sung(), RATE_HZ, ChopOptions(is_by_phrase=True), None)
    assert first.start_s == pytest.approx(0.3, abs=0.03)
    assert first.end_s == pytest.approx(1.55, abs=0.06)
    assert second.start_s == pytest.approx(2.4, abs=0.03)
    assert second.end_s == pytest.approx(3.25, abs=0.06)


@pytest.mark.parametrize(
    ("grid", "beats"),
    [(ChopGrid.SIXTEENTH, 0.25), (ChopGrid.EIGHTH, 0.5), (ChopGrid.QUARTER, 1.0), (ChopGrid.BAR, 4.0)],
)
def test_chops_on_a_grid_begin_at_its_lines(grid: ChopGrid, beats: float) -> None:
    """To the frame, and only where something sounds; what a chop holds is in its place in time."""
    samples = sung()
    chops = chopped(samples, grid=grid)
    assert chops
    for chop in chops:
        line_s = GRID.time_at(round((chop.start_beat or 0.0) / beats) * beats)
        assert chop.start_frame in (round(line_s * RATE_HZ), 0)
        middle = len(chop.samples) // 2
        assert np.array_equal(chop.samples[middle], samples[chop.start_frame + middle])
        assert np.abs(chop.samples).max() > 0.001
    sounding = [start_s for start_s, _, _ in NOTES]
    assert all(any(chop.start_s <= start_s < chop.end_s for chop in chops) for start_s in sounding)


def test_positions_on_a_grid_are_told_in_bars_and_beats() -> None:
    """From 1; a pickup lies in bar 0."""
    names = [chop.name for chop in chopped(sung(), grid=ChopGrid.SIXTEENTH)]
    assert names[0].startswith("001 bar 1.1.25")
    late = BeatGrid(120.0, (GridMarker(1.1, 0.0),), 120.0)
    first = create_vocal_chops(sung(), RATE_HZ, ChopOptions(grid=ChopGrid.QUARTER), late)[0]
    assert (first.bar, first.name.split(" ")[2]) == (0, "0.3")


def test_phrases_on_a_grid_begin_at_the_line_before_them() -> None:
    """So that they are in time wherever they are dropped."""
    chops = chopped(sung(), grid=ChopGrid.QUARTER, is_by_phrase=True)
    assert [chop.start_beat for chop in chops] == [0.0, 4.0]
    assert [chop.start_frame for chop in chops] == [round(0.1 * RATE_HZ), round(2.1 * RATE_HZ)]


def test_drums_are_cut_at_every_hit_and_have_no_pitch() -> None:
    """Nor has a chord."""
    random = np.random.default_rng(3)
    mono = np.zeros(2 * RATE_HZ, dtype=np.float32)
    hits = [0.2, 0.45, 0.7, 1.2, 1.45]
    for hit_s in hits:
        sound = hat(RATE_HZ, random)
        mono[round(hit_s * RATE_HZ) :][: len(sound)] += sound
    chops = create_vocal_chops(mono[:, np.newaxis], RATE_HZ, ChopOptions(stem="drums"), None)
    assert [round(chop.start_s + 0.02, 1) for chop in chops] == [round(hit_s, 1) for hit_s in hits]
    assert [chop.pitch for chop in chops] == [None] * len(hits)
    chord = pad([48, 52, 55, 59], 0.8, RATE_HZ, 0.6, random)
    assert create_vocal_chops(chord[:, np.newaxis], RATE_HZ, ChopOptions(), None)[0].pitch is None
    assert create_vocal_chops(kick(RATE_HZ, random)[:, np.newaxis], RATE_HZ, ChopOptions(), None)[0].pitch is None


def test_silence_gives_nothing_and_noise_floors_do_not_count() -> None:
    """Bleed 40 dB below the voice is no sound; what is no number is silence."""
    assert create_vocal_chops(np.zeros((RATE_HZ, 2), dtype=np.float32), RATE_HZ, ChopOptions(), None) == ()
    assert create_vocal_chops(np.full((RATE_HZ, 2), np.nan, dtype=np.float32), RATE_HZ, ChopOptions(), None) == ()
    noisy = sung() + np.random.default_rng(1).normal(0, 0.001, (4 * RATE_HZ, 2)).astype(np.float32)
    assert len(create_vocal_chops(noisy, RATE_HZ, ChopOptions(is_by_phrase=True), None)) == 2


def test_channels_that_cancel_each_other_are_heard() -> None:
    """A widened voice may have its sides turned against each other."""
    mono = sung()[:, :1]
    assert len(create_vocal_chops(np.hstack([mono, -mono]), RATE_HZ, ChopOptions(), None)) == len(NOTES)


@settings(max_examples=40, deadline=None)
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
    samples = np.zeros((3 * RATE_HZ, 2), dtype=np.float32)
    for _ in range(random.integers(0, 8)):
        sound = [hat, kick][random.integers(2)](RATE_HZ, random)
        start = random.integers(0, len(samples) - len(sound))
        samples[start : start + len(sound)] += sound[:, np.newaxis]
    options = ChopOptions("drums", grid, shortest_s, ratio * shortest_s, is_by_phrase)
    beats = BeatGrid(bpm, (GridMarker(float(random.uniform(0, 1)), 0.0),), bpm)
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
    names = [chop.name for chop in chops]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    json.loads(index_json(chops, ".wav"))


def test_indices_tell_the_same_and_no_name_is_a_formula() -> None:
    """As JSON and as a table."""
    chops = chopped(sung())
    told = json.loads(index_json(chops, ".wav"))["chops"]
    rows = list(csv.DictReader(io.StringIO(index_csv(chops, ".wav"), newline="")))
    assert [row["file"] for row in rows] == [entry["file"] for entry in told] == [f"{chop.name}.wav" for chop in chops]
    assert all(row["file"][0].isdigit() for row in rows)
    assert [float(row["rms_db"]) for row in rows] == [entry["rms_db"] for entry in told]
    assert [entry["note"] for entry in told] == [name for _, _, name in NOTES]
    assert told[0]["peak_db"] == pytest.approx(20 * np.log10(np.abs(chops[0].samples).max()), abs=0.01)


def test_kit_gives_each_chop_a_key_at_its_own_pitch() -> None:
    """From C2 on; what finds no key is named and not lost in silence."""
    chop = chopped(sung())[0]
    kit = sfz_kit([chop] * 95, ".wav")
    regions = re.findall(r"^<region> key=(\d+) sample=(.+)$", kit, re.MULTILINE)
    assert [int(key) for key, _ in regions] == list(range(36, 128))
    assert {sample for _, sample in regions} == {f"{chop.name}.wav"}
    assert "loop_mode=one_shot" in kit
    assert kit.count("no key is left") == 3
