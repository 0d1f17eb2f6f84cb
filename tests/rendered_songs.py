"""Songs whose four true stems are known, because they are rendered: deterministic by seed and band.

Sixteen songs of all sorts of genre, tempo and mix. How loud the voice is, what masks it, and how natural it is differ
so much that a separation of some is easy and of others hopeless. Nothing here knows how songs are separated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS
from tests.rendered_bands import DRUM_KIT, HAT, KICK, SNARE, Band
from tests.rendered_tracks import PATTERNS
from tests.rendered_voices import RATE_HZ, Note, Stereo, VoiceStyle, in_room, sung

_STEPS_PER_BAR = 16
_SCALES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}
_MIX_RMS = 0.14
"""Loudness of the finished mixture, as of a modest master."""


@dataclass(frozen=True)
class SongScore:
    """What is to be rendered: programs are of General MIDI; `voice_db` is the level of the voice against the rest.

    `rhythm` is how the chords are played: "held", "stabs" or "arpeggio"; `lead` is a second melody under the voice.
    """

    name: str
    seed: int
    bpm: float
    pattern: str
    voice_db: float
    voice: VoiceStyle = field(default_factory=VoiceStyle)
    voice_key: int = 62
    chords: int = 0
    bass: int = 33
    kit: int = 0
    lead: int | None = None
    rhythm: str = "held"
    is_minor: bool = True
    balance_db: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wetness: float = 0.08
    duration_s: float = 30.0


@dataclass(frozen=True)
class RenderedSong:
    """float32 (2, frames) at 44.1 kHz of each stem; their sum is the mixture."""

    score: SongScore
    stems: dict[str, Stereo]


def songs(scores: tuple[SongScore, ...], band: Band) -> Iterator[RenderedSong]:
    """Render each score."""
    for score in scores:
        yield _Arrangement(score).played_by(band)


class _Arrangement:
    """A score as notes."""

    def __init__(self, score: SongScore) -> None:
        self._score = score
        self._random = np.random.default_rng(score.seed)
        self._step_s = 15.0 / score.bpm
        self._bar_count = int(score.duration_s / (self._step_s * _STEPS_PER_BAR)) + 1
        self._frame_count = round(score.duration_s * RATE_HZ)
        self._tonic = int(self._random.integers(12))
        self._degrees = [0, *(int(degree) for degree in self._random.permutation([3, 4, 5])[:3])]

    def played_by(self, band: Band) -> RenderedSong:
        """Play all parts and balance them."""
        score = self._score
        drums = self._part(band, self._drums(), score.kit, DRUM_KIT)
        bass = self._part(band, self._bass(), score.bass)
        other = self._part(band, self._chords(), score.chords)
        if score.lead is not None:
            other = other + 0.8 * self._part(band, self._melody(72, 0.9), score.lead)
        parts = [10 ** (db / 20) * part for db, part in zip(score.balance_db, (drums, bass, other), strict=True)]
        voice = sung(self._melody(score.voice_key, 0.75), self._frame_count, score.voice, self._random)
        return RenderedSong(score, _balanced(voice, parts, score.voice_db))

    def _part(self, band: Band, notes: list[Note], program: int, bank: int = 0) -> Stereo:
        """One part in its room, at the level of all others."""
        dry = band.play(notes, self._frame_count, program, bank, self._score.seed)
        wet = in_room(dry, self._score.wetness if bank != DRUM_KIT else 0.5 * self._score.wetness, self._random)
        part: Stereo = (wet / np.sqrt(np.mean(wet**2))).astype(np.float32)
        return part

    def _note(self, step: float, length_steps: float, key: int, velocity: float) -> Note:
        loose_s = abs(float(self._random.normal(0, 0.004)))
        return Note(step * self._step_s + loose_s, length_steps * self._step_s, key, velocity)

    def _key(self, degree: int, base: int) -> int:
        octave, place = divmod(degree, 7)
        return base + self._tonic + 12 * octave + _SCALES[self._score.is_minor][place]

    def _degree(self, bar: int) -> int:
        return self._degrees[bar % len(self._degrees)]

    def _drums(self) -> list[Note]:
        pattern, notes = PATTERNS[self._score.pattern], []
        for bar in range(self._bar_count):
            for steps, key, loud in ((pattern.kick, KICK, 0.9), (pattern.snare, SNARE, 0.8), (pattern.hat, HAT, 0.6)):
                for step in steps:
                    velocity = loud * float(self._random.uniform(0.75, 1.0))
                    notes.append(self._note(bar * _STEPS_PER_BAR + step, 1, key, velocity))
        return notes

    def _bass(self) -> list[Note]:
        habits = ((0, 4, 8, 12), (0, 6, 8, 14), (2, 6, 10, 14), (0, 3, 8, 11))
        habit = habits[self._random.integers(len(habits))]
        return [
            self._note(bar * _STEPS_PER_BAR + step, 3, self._key(self._degree(bar), 28), 0.85)
            for bar in range(self._bar_count)
            for step in habit
        ]

    def _chords(self) -> list[Note]:
        notes = []
        for bar in range(self._bar_count):
            keys = [self._key(self._degree(bar) + third, 48) for third in (0, 2, 4, 6)]
            first = bar * _STEPS_PER_BAR
            if self._score.rhythm == "held":
                notes += [self._note(first, 15, key, 0.7) for key in keys]
            elif self._score.rhythm == "stabs":
                notes += [self._note(first + step, 2, key, 0.75) for step in (0, 3, 6, 10, 12) for key in keys]
            else:
                notes += [self._note(first + step, 2, keys[step // 2 % 4] + 12, 0.7) for step in range(0, 16, 2)]
        return notes

    def _melody(self, base: int, density: float) -> list[Note]:
        """Phrases of one or two bars with rests between them, which wander along the scale."""
        notes, step, degree = [], 0.0, int(self._random.integers(0, 5))
        lengths = (1, 1, 2, 2) if self._score.voice.is_spoken else (2, 2, 3, 4, 6)
        while step < self._bar_count * _STEPS_PER_BAR:
            length = int(self._random.choice(lengths))
            if self._random.random() < density:
                degree = int(np.clip(degree + self._random.integers(-2, 3), -2, 6))
                key = self._key(degree, base - 6) - (12 if self._tonic > 6 else 0)
                notes.append(self._note(step, 0.92 * length, key, float(self._random.uniform(0.6, 1.0))))
            elif self._random.random() < 0.3:
                step += 6
            step += length
        return notes


def _balanced(voice: Stereo, parts: list[Stereo], voice_db: float) -> dict[str, Stereo]:
    """The voice at its level where it sounds, the mixture at its loudness."""
    backing = np.sum(parts, axis=0)
    is_sung = np.abs(voice).max(axis=0) > 0.02 * np.abs(voice).max()
    gain = 10 ** (voice_db / 20) * np.sqrt(np.mean(backing[:, is_sung] ** 2) / np.mean(voice[:, is_sung] ** 2))
    mixture = gain * voice + backing
    scale = _MIX_RMS / np.sqrt(np.mean(mixture**2))
    stems = dict(zip((DRUMS, BASS, OTHER), parts, strict=True)) | {VOCALS: gain * voice}
    return {name: (scale * stem).astype(np.float32) for name, stem in stems.items()}


_WOMAN, _MAN = VoiceStyle(size=1.15), VoiceStyle(size=1.0, vibrato=0.008)

SONGS = (
    SongScore("piano ballad", 1, 66, "ballad", 4, _WOMAN, 68, chords=0, bass=32, balance_db=(-6, -3, 0)),
    SongScore("house", 2, 124, "four", 0, _WOMAN, 68, chords=4, bass=38, kit=24, rhythm="stabs"),
    SongScore(
        "techno, few words",
        3,
        135,
        "techno",
        -3,
        VoiceStyle(breath=0.3),
        57,
        chords=81,
        bass=38,
        kit=24,
        rhythm="arpeggio",
        balance_db=(4, 2, 0),
    ),
    SongScore(
        "rock, loud guitars",
        4,
        121.7,
        "rock",
        0,
        VoiceStyle(drive=4),
        62,
        chords=30,
        bass=34,
        rhythm="held",
        balance_db=(0, 0, 3),
    ),
    SongScore(
        "folk, guitar alone",
        5,
        96,
        "kicks",
        9,
        VoiceStyle(size=1.05),
        57,
        chords=25,
        bass=32,
        rhythm="arpeggio",
        is_minor=False,
        balance_db=(-14, -8, 0),
    ),
    SongScore(
        "boom bap rap", 6, 90, "boombap", 2, VoiceStyle(is_spoken=True, wetness=0.04, vibrato=0), 50, chords=4, bass=33
    ),
    SongScore(
        "drum and bass",
        7,
        174,
        "break",
        0,
        VoiceStyle(size=1.15, wetness=0.5),
        69,
        chords=89,
        bass=39,
        balance_db=(3, 1, -2),
    ),
    SongScore(
        "trap, doubled", 8, 70, "halftime", 3, VoiceStyle(take_count=3, wetness=0.3), 60, chords=88, bass=38, kit=25
    ),
    SongScore("choir behind the voice", 9, 84, "sparse", 0, _WOMAN, 67, chords=52, bass=33, lead=53),
    SongScore(
        "strings and a soprano",
        10,
        72,
        "kicks",
        3,
        VoiceStyle(size=1.2, vibrato=0.025, wetness=0.5),
        74,
        chords=48,
        bass=43,
        is_minor=False,
        balance_db=(-12, -4, 0),
    ),
    SongScore(
        "funk", 11, 103.3, "funk", 2, VoiceStyle(size=1.05, drive=1.5), 62, chords=27, bass=36, lead=56, rhythm="stabs"
    ),
    SongScore(
        "vocoder", 12, 118, "four", 5, VoiceStyle(is_vocoded=True), 57, chords=81, bass=38, kit=24, rhythm="stabs"
    ),
    SongScore(
        "punk, buried voice",
        13,
        180,
        "rock",
        -5,
        VoiceStyle(drive=6, vibrato=0.004),
        60,
        chords=29,
        bass=34,
        balance_db=(2, 0, 4),
    ),
    SongScore(
        "soul, loud voice",
        14,
        76,
        "ballad",
        8,
        VoiceStyle(size=1.1, vibrato=0.02, wetness=0.2),
        66,
        chords=16,
        bass=33,
        is_minor=False,
    ),
    SongScore(
        "saxophone with the voice", 15, 100, "sparse", 2, _MAN, 60, chords=5, bass=32, lead=65, balance_db=(-4, 0, 2)
    ),
    SongScore(
        "whispered trance",
        16,
        138,
        "four",
        -1,
        VoiceStyle(size=1.15, breath=1.5, wetness=0.6),
        69,
        chords=90,
        bass=38,
        kit=24,
        lead=80,
        rhythm="arpeggio",
    ),
    SongScore(
        "fast rap",
        17,
        98,
        "boombap",
        5,
        VoiceStyle(is_spoken=True, wetness=0.06, size=1.1),
        54,
        chords=11,
        bass=38,
        kit=25,
        rhythm="stabs",
    ),
    SongScore(
        "disco, high voice",
        18,
        120,
        "four",
        4,
        VoiceStyle(size=1.2, vibrato=0.015, take_count=3),
        72,
        chords=48,
        bass=36,
        rhythm="stabs",
        is_minor=False,
    ),
    SongScore(
        "march and tenor",
        19,
        108,
        "rock",
        6,
        VoiceStyle(size=1.05, vibrato=0.02),
        62,
        chords=61,
        bass=58,
        is_minor=False,
        balance_db=(-6, -3, 0),
    ),
    SongScore(
        "reggae", 20, 76, "sparse", 2, VoiceStyle(size=1.1, wetness=0.25), 65, chords=16, bass=33, rhythm="stabs"
    ),
)
"""What `make bench-quality-estimates` and `make calibrate` separate."""
