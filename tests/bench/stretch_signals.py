"""Audio of which it is known what stretching should make of it. Shapes are (frames, channels), float32, at 44.1 kHz."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.bench.quality import known_songs
from tests.rendered_bands import SynthBand
from tests.rendered_songs import SONGS, songs

RATE_HZ = 44_100
SECONDS = 6
FRAMES = SECONDS * RATE_HZ
TONES_HZ = (220.0, 277.18, 659.26)
DELAY_FRAMES = 13
"""Of the right channel in `wide`: 0.3 ms, as far as a sound from the left has to go around a head."""
PANNED = 0.6
"""The right channel's part of the left one in `panned`."""
HITS = np.arange(RATE_HZ // 2, FRAMES - RATE_HZ // 2, RATE_HZ // 4)
"""The frames of clicks and of drum hits."""

EXCERPT_S = 12

Audio = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Excerpt:
    """Some seconds of a song's true stems, whose sum is the song."""

    name: str
    sample_rate_hz: int
    stems: list[Audio]

    @property
    def mix(self) -> Audio:
        """All stems together."""
        return np.asarray(np.sum(self.stems, axis=0), np.float32)


def signals() -> dict[str, Audio]:
    """Clicks, drum hits and a chord in mono; noise from the left, and hits and chord panned, in stereo."""
    both = (drum_hits() + chord()) * np.array([1.0, PANNED], np.float32)
    return {"clicks": clicks(), "hits": drum_hits(), "chord": chord(), "wide": noise_from_the_left(), "panned": both}


def excerpts(data: Path | None) -> Iterator[Excerpt]:
    """Of a rendered house track, of the real song that is at hand, and of all songs in a folder."""
    rendered = next(songs(SONGS[1:2], SynthBand()))
    yield _excerpt("rendered house", RATE_HZ, rendered.stems)
    for song in known_songs(data):
        yield _excerpt(song.name, song.format.sample_rate_hz, song.stems)


def _excerpt(name: str, rate_hz: int, stems: Mapping[str, Audio]) -> Excerpt:
    """From the middle on, or as much as there is."""
    frame_count = next(iter(stems.values())).shape[1]
    start = max(frame_count - EXCERPT_S * rate_hz, 0) // 2
    part = slice(start, start + EXCERPT_S * rate_hz)
    return Excerpt(name, rate_hz, [np.ascontiguousarray(samples[:, part].T) for samples in stems.values()])


def clicks() -> Audio:
    """One frame each."""
    samples = np.zeros((FRAMES, 1), np.float32)
    samples[HITS] = 0.9
    return samples


def drum_hits() -> Audio:
    """Noise that falls by 9 dB every 12 ms, from its loudest frame on."""
    generator = np.random.default_rng(1)
    samples = np.zeros((FRAMES, 1), np.float32)
    for hit in HITS:
        samples[hit : hit + 4000, 0] = 0.3 * generator.standard_normal(4000) * np.exp(-np.arange(4000) / 500)
    return samples


def chord() -> Audio:
    """Three steady tones."""
    time_s = np.arange(FRAMES) / RATE_HZ
    tones = sum(0.2 * np.sin(2 * np.pi * hertz * time_s) for hertz in TONES_HZ)
    return np.asarray(tones, np.float32)[:, np.newaxis]


def noise_from_the_left() -> Audio:
    """Softer and later on the right."""
    noise = 0.1 * np.random.default_rng(2).standard_normal(FRAMES + DELAY_FRAMES)
    return np.stack([noise[DELAY_FRAMES:], PANNED * noise[:FRAMES]], axis=1).astype(np.float32)
