"""Tracks whose beats and key are known, because they are rendered from a score: deterministic by seed.

The score is drawn from the seed: patterns, timbres, velocities, a player's inaccuracy, room. The beats are those of
the score; what a player does early or late around them is not in them. Nothing here knows how beats are found.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from tests.rendered_sounds import Samples, bass_note, hat, kick, pad, room, snare, voice

STEPS_PER_BEAT = 4
_STEPS_PER_BAR = 16
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS = {
    False: ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4)),
    True: ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 6), (0, 3, 0, 4), (0, 0, 5, 6)),
}
"""Degrees of the scale, one a bar."""


@dataclass(frozen=True)
class Pattern:
    """Steps of a bar on which each drum plays."""

    kick: tuple[int, ...]
    snare: tuple[int, ...]
    hat: tuple[int, ...]
    ghost: tuple[int, ...] = ()


_EIGHTHS, _OFFBEATS, _SIXTEENTHS = tuple(range(0, 16, 2)), (2, 6, 10, 14), tuple(range(16))
PATTERNS = {
    "four": Pattern((0, 4, 8, 12), (4, 12), _OFFBEATS),
    "techno": Pattern((0, 4, 8, 12), (), _SIXTEENTHS, (3, 7, 11, 14)),
    "rock": Pattern((0, 8, 10), (4, 12), _EIGHTHS),
    "boombap": Pattern((0, 7, 10), (4, 12), _EIGHTHS, (9, 15)),
    "break": Pattern((0, 2, 10), (4, 12), _EIGHTHS, (7, 9, 15)),
    "halftime": Pattern((0, 6, 14), (8,), _EIGHTHS),
    "sparse": Pattern((0, 10), (8,), ()),
    "kicks": Pattern((0,), (), (4, 12)),
    "funk": Pattern((0, 3, 6, 10), (4, 12), _SIXTEENTHS, (7, 9)),
    "ballad": Pattern((0, 8), (4, 12), _EIGHTHS),
}


_STEP = 0.08
"""Of a tempo, in the middle of a song: 120 and then 129.6."""


@dataclass(frozen=True)
class Score:
    """What is to be rendered. `drift` is "", "sine", "ramp", "drummer" or "step"; `swing` is a part of a step."""

    name: str
    seed: int
    bpm: float
    pattern: str = "four"
    genre: str = ""
    tonic: int = 9
    is_minor: bool = True
    swing: float = 0.0
    looseness_s: float = 0.003
    lead_in_s: float = 0.1
    has_pickup: bool = False
    has_voice: bool = True
    drift: str = ""
    duration_s: float = 75.0
    sample_rate_hz: int = 22_050
    has_stems: bool = True


@dataclass(frozen=True)
class RenderedTrack:
    """float32 (frames,): the mixture and its drums, with a little of the rest in them, as engines leave it."""

    score: Score
    mix: Samples
    drums: Samples
    beats_s: npt.NDArray[np.float64]

    @property
    def downbeats_s(self) -> npt.NDArray[np.float64]:
        """The first beats of all bars."""
        return self.beats_s[::4]

    @property
    def key_name(self) -> str:
        """As `Am` or `F#`."""
        return f"{_MINOR_TONICS[self.score.tonic]}m" if self.score.is_minor else _TONICS[self.score.tonic]


def render(score: Score) -> RenderedTrack:
    """Play a score."""
    return _Rendering(score).track()


class _Rendering:
    """One performance: a random generator, a canvas for drums, one for all else, and a map from steps to time."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._random = np.random.default_rng(score.seed)
        self._beats_s = _beat_times_s(score, self._random)
        frame_count = round(score.duration_s * score.sample_rate_hz)
        self._drums, self._rest = (np.zeros(frame_count, np.float32) for _ in range(2))
        self._bars = range((len(self._beats_s) - 1) // 4)
        self._scale = _MINOR_SCALE if score.is_minor else _MAJOR_SCALE
        progressions = _PROGRESSIONS[score.is_minor]
        self._progression = progressions[self._random.integers(len(progressions))]
        self._silent_drums = range(16, 20) if len(self._bars) > 28 else range(0)

    def track(self) -> RenderedTrack:
        self._play_drums()
        self._play_harmony()
        if self._score.has_voice:
            self._play_voice()
        return self._mixed()

    def _mixed(self) -> RenderedTrack:
        """Room, a floor of noise, soft clipping as mastering does; drums with some of the rest at -26 dB."""
        random, score = self._random, self._score
        wetness = random.uniform(0.0, 0.25)
        drums = room(self._drums, score.sample_rate_hz, wetness, random)
        rest = room(self._rest, score.sample_rate_hz, 2 * wetness, random) * random.uniform(0.5, 1.0)
        floor = random.normal(0, 10 ** (random.uniform(-75, -55) / 20), len(drums))
        mix = np.tanh(0.8 * (drums + rest) + floor).astype(np.float32)
        bled = (0.8 * drums + 0.05 * rest).astype(np.float32)
        inside = self._beats_s[self._beats_s < score.duration_s]
        return RenderedTrack(score, mix, bled, inside)

    def _time_s(self, step: float) -> float:
        """When a step of the song begins; odd steps are late by the swing."""
        late = self._score.swing if step % 2 == 1 else 0.0
        beat = (step + late) / STEPS_PER_BEAT
        beats = np.arange(len(self._beats_s))
        if beat < 0:
            return float(self._beats_s[0] + beat * (self._beats_s[1] - self._beats_s[0]))
        return float(np.interp(beat, beats, self._beats_s))

    def _place(self, canvas: Samples, step: float, sound: Samples, gain: float, lag_s: float = 0.0) -> None:
        loose_s = self._random.normal(0.0, self._score.looseness_s)
        start = round((self._time_s(step) + loose_s + lag_s) * self._score.sample_rate_hz)
        if 0 <= start < len(canvas):
            end = min(start + len(sound), len(canvas))
            canvas[start:end] += np.float32(gain) * sound[: end - start]

    def _play_drums(self) -> None:
        pattern, rate_hz, random = PATTERNS[self._score.pattern], self._score.sample_rate_hz, self._random
        drums = (
            (pattern.kick, _takes(lambda: kick(rate_hz, random)), random.uniform(0.7, 1.0)),
            (pattern.snare, _takes(lambda: snare(rate_hz, random)), random.uniform(0.4, 0.8)),
            (pattern.ghost, _takes(lambda: snare(rate_hz, random)), random.uniform(0.1, 0.25)),
            (pattern.hat, _takes(lambda: hat(rate_hz, random)), random.uniform(0.1, 0.35)),
        )
        for bar in self._bars:
            for steps, takes, gain in drums if bar not in self._silent_drums else drums[-1:]:
                for step in steps:
                    self._hit(bar * _STEPS_PER_BAR + step, takes, gain)
            if bar % 8 == 7:
                self._fill(bar, drums[1][1])
        if self._score.has_pickup:
            self._fill(-1, drums[1][1])

    def _hit(self, step: int, takes: list[Samples], gain: float) -> None:
        take = takes[self._random.integers(len(takes))]
        self._place(self._drums, step, take, gain * self._random.uniform(0.7, 1.0))

    def _fill(self, bar: int, takes: list[Samples]) -> None:
        for step in range(12, 16):
            self._hit(bar * _STEPS_PER_BAR + step, takes, self._random.uniform(0.2, 0.5))

    def _play_harmony(self) -> None:
        """A pad in whole bars and a bass line, of one of three habits."""
        rate_hz, random = self._score.sample_rate_hz, self._random
        habit = ((0, 4, 8, 12), (0, 6, 8, 14), (2, 6, 10, 14), (0, 3, 8, 11))[random.integers(4)]
        brightness, pad_lag_s = random.uniform(0.3, 0.8), random.uniform(0.0, 0.03)
        for bar in self._bars:
            degree = self._progression[bar % len(self._progression)]
            bar_s = self._time_s((bar + 1) * _STEPS_PER_BAR) - self._time_s(bar * _STEPS_PER_BAR)
            chord = [self._pitch(degree + third, 48) for third in (0, 2, 4)]
            sound = pad(chord, bar_s, rate_hz, brightness, random)
            self._place(self._rest, bar * _STEPS_PER_BAR, sound, 0.25, pad_lag_s)
            for step in habit:
                note = bass_note(self._pitch(degree, 36), bar_s / 5, rate_hz, random)
                self._place(self._rest, bar * _STEPS_PER_BAR + step, note, 0.35 * random.uniform(0.7, 1.0), 0.004)

    def _play_voice(self) -> None:
        """A melody of its own rhythm, behind the beat as singers are."""
        rate_hz, random = self._score.sample_rate_hz, self._random
        step, last = 4 * _STEPS_PER_BAR, len(self._bars) * _STEPS_PER_BAR
        while step < last:
            length = int(random.integers(2, 9))
            if random.random() < 0.7:
                length_s = self._time_s(step + length) - self._time_s(step)
                note = voice(self._pitch(int(random.integers(0, 7)), 60), length_s, rate_hz, random)
                self._place(self._rest, step, note, 0.3, random.uniform(0.0, 0.05))
            step += length

    def _pitch(self, degree: int, base: int) -> int:
        """The MIDI note of a degree of the scale, from the tonic next above `base`."""
        octave, place = divmod(degree, 7)
        return base + self._score.tonic + 12 * octave + self._scale[place]


def _takes(sound: Callable[[], Samples]) -> list[Samples]:
    return [sound() for _ in range(3)]


def _beat_times_s(score: Score, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Beats from the first downbeat on, past the end."""
    start_s = score.lead_in_s + (240.0 / score.bpm if score.has_pickup else 0.0)
    beats = np.arange(int((score.duration_s - start_s) * score.bpm / 60) + 24)
    lengths_s = 60.0 / _tempi(score, beats[:-1], random)
    times_s: npt.NDArray[np.float64] = start_s + np.append(0.0, np.cumsum(lengths_s))
    return times_s


def _tempi(score: Score, beats: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """The tempo of each beat."""
    if score.drift == "sine":
        sway: npt.NDArray[np.float64] = np.sin(2 * np.pi * beats / random.uniform(60, 110))
        return score.bpm * (1 + 0.03 * sway)
    if score.drift == "ramp":
        return score.bpm * np.linspace(0.96, 1.04, len(beats))
    if score.drift == "drummer":
        steps = random.normal(0, 0.004, len(beats))
        wander = np.zeros(len(beats))
        for beat in range(1, len(beats)):
            wander[beat] = 0.97 * wander[beat - 1] + steps[beat]
        return score.bpm * (1 + wander)
    if score.drift == "step":
        return score.bpm * np.where(beats < len(beats) // 2 // 4 * 4, 1.0, 1.0 + _STEP)
    return np.full(len(beats), score.bpm)


def bench_scores(seed: int) -> Iterator[Score]:
    """The tracks of the benchmark: constant tempi of all habits, then drifting ones; with the seed all else changes."""
    seeds, random = count(100 * seed), np.random.default_rng(2023 + seed)
    for pattern, genre, bpms in _CONSTANT:
        for bpm in bpms:
            yield _drawn(f"{pattern} {bpm:g}", next(seeds), bpm, pattern, genre, random)
    for drift in ("sine", "ramp", "drummer"):
        for pattern, genre, bpm in _DRIFTING:
            yield _drawn(f"{drift} {pattern} {bpm:g}", next(seeds), bpm, pattern, genre, random, drift)


def step_scores(seed: int) -> Iterator[Score]:
    """Tracks of the same habits whose tempo steps in the middle."""
    random = np.random.default_rng(4046 + seed)
    for place, (pattern, genre, bpms) in enumerate(_CONSTANT):
        bpm = bpms[0]
        yield _drawn(f"step {pattern} {bpm:g}", 100 * seed + place, bpm, pattern, genre, random, "step")


_CONSTANT = (
    ("four", "House", (118, 120, 122.3517, 124, 125.5, 126, 127.98, 128, 130)),
    ("techno", "Techno", (132, 135.2731, 140, 145)),
    ("rock", "Rock", (96, 104.62, 112, 121.7, 136)),
    ("boombap", "Hip-Hop", (82, 86.4, 90, 93.1684, 98)),
    ("break", "Drum & Bass", (168, 172, 174, 175.4962)),
    ("break", "Breakbeat", (110, 128.6, 133)),
    ("halftime", "Trap", (130, 140, 147.3046)),
    ("halftime", "Dubstep", (140, 142)),
    ("sparse", "Downtempo", (72, 84, 95.85, 100)),
    ("kicks", "Ambient", (100, 120)),
    ("funk", "Funk", (98, 103.3, 108, 115)),
    ("ballad", "Soul", (60, 66.6129, 70, 76)),
    ("four", "Hardstyle", (150,)),
    ("four", "Trance", (138,)),
    ("rock", "Punk", (180,)),
)
_DRIFTING = (("rock", "Rock", 118), ("funk", "Funk", 104), ("ballad", "Soul", 72), ("four", "Disco", 124))


def _drawn(
    name: str, seed: int, bpm: float, pattern: str, genre: str, random: np.random.Generator, drift: str = ""
) -> Score:
    """A score whose other properties are drawn."""
    swings = (0.0, 0.0, 0.0, 0.2, 0.33)
    return Score(
        name,
        seed,
        bpm,
        pattern,
        genre,
        tonic=int(random.integers(12)),
        is_minor=bool(random.random() < 0.6),
        swing=swings[random.integers(len(swings))],
        looseness_s=float(random.choice([0.0, 0.002, 0.004, 0.006])),
        lead_in_s=float(random.uniform(0.0, 2.5)),
        has_pickup=bool(random.random() < 0.25),
        has_voice=bool(random.random() < 0.7),
        drift=drift,
        duration_s=float(random.uniform(70, 110)),
        sample_rate_hz=int(random.choice([22_050, 22_050, 22_050, 44_100])),
        has_stems=bool(random.random() < 0.7),
    )
