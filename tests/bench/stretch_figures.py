"""How far stretched audio is from what it should be."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tests.bench.stretch_signals import DELAY_FRAMES, FRAMES, HITS, PANNED, RATE_HZ, TONES_HZ, Audio

DEEPEST_DB = -150.0
"""What is printed for less, and for nothing at all."""

Floats = npt.NDArray[np.float64]


def figures_of_signals(stretched: Mapping[str, Audio], ratio: float) -> dict[str, float]:
    """Of `stretch_signals.signals`, by column."""
    hits, chord = stretched["hits"][:, 0], stretched["chord"][:, 0]
    return {
        "frames": frames_off(FRAMES, stretched["wide"], ratio),
        "click": click_error_ms(stretched["clicks"][:, 0], ratio),
        "pre": max(before_db(around) for around in _around_hits(hits, ratio)),
        "spread": float(np.mean([spread_ms(around) for around in _around_hits(hits, ratio)])),
        "cents": abs(1200 * np.log2(peak_hz(chord, TONES_HZ[-1]) / TONES_HZ[-1])),
        "purity": purity_db(chord),
        "wide": delayed_correlation(stretched["wide"]),
        "panned": error_db(stretched["panned"][:, 1], PANNED * stretched["panned"][:, 0].astype(np.float64)),
    }


def frames_off(frame_count: int, stretched: Audio, ratio: float) -> float:
    """By how much the length is wrong."""
    return abs(len(stretched) - round(frame_count * ratio))


def click_error_ms(samples: Audio, ratio: float) -> float:
    """The furthest of all clicks, the loudest frame within 40 ms taken for each."""
    half = round(0.04 * RATE_HZ)
    expected = np.rint(HITS * ratio).astype(int)
    errors = [abs(int(np.argmax(np.abs(samples[at - half : at + half]))) - half) for at in expected]
    return 1000 * max(errors) / RATE_HZ


def _around_hits(samples: Audio, ratio: float) -> Iterator[Floats]:
    """Energy of 60 ms before and after each hit: half of the least that is between two."""
    half = round(0.06 * RATE_HZ)
    for at in np.rint(HITS * ratio).astype(int):
        yield np.square(samples[at - half : at + half], dtype=np.float64)


def before_db(energy: Floats) -> float:
    """What is more than 5 ms before the middle, of all of it."""
    early = energy[: len(energy) // 2 - round(0.005 * RATE_HZ)].sum()
    return _db(early / energy.sum())


def spread_ms(energy: Floats) -> float:
    """The time that holds 90 %."""
    held = np.cumsum(energy) / energy.sum()
    return float(1000 * (np.searchsorted(held, 0.95) - np.searchsorted(held, 0.05)) / RATE_HZ)


def _spectrum(samples: Audio) -> tuple[Floats, Floats]:
    """Frequencies and energies of the inner part."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)
    energy: Floats = np.abs(np.fft.rfft(middle * np.blackman(len(middle)))) ** 2
    return np.fft.rfftfreq(len(middle), 1 / RATE_HZ).astype(np.float64), energy


def peak_hz(samples: Audio, near_hz: float) -> float:
    """Between the bins, by a parabola through logarithms."""
    hertz, energy = _spectrum(samples)
    at = int(np.argmax(np.where(np.abs(hertz - near_hz) < 20, energy, 0)))
    before, middle, after = np.log(energy[at - 1 : at + 2])
    return float(hertz[at] + (hertz[1] - hertz[0]) * 0.5 * (before - after) / (before - 2 * middle + after))


def purity_db(samples: Audio) -> float:
    """Energy of the chord's tones against everything else."""
    hertz, energy = _spectrum(samples)
    is_tone = np.any([np.abs(hertz - tone_hz) < 4 for tone_hz in TONES_HZ], axis=0)
    return -_db(energy[~is_tone].sum() / energy[is_tone].sum())


def delayed_correlation(samples: Audio) -> float:
    """Of left and right at their true delay; 1.0 if the place of the sound is kept."""
    left, right = samples[:-DELAY_FRAMES, 0].astype(np.float64), samples[DELAY_FRAMES:, 1].astype(np.float64)
    return float(np.sum(left * right) / np.sqrt(np.sum(left**2) * np.sum(right**2)))


def sum_db(parts: Sequence[Audio], whole: Audio) -> float:
    """What is left of the whole when its parts are taken from it."""
    shortest = min(map(len, (*parts, whole)))
    total: Floats = np.sum([part[:shortest] for part in parts], axis=0, dtype=np.float64)
    return error_db(total, whole[:shortest].astype(np.float64))


def error_db(estimate: npt.NDArray[np.floating], reference: Floats) -> float:
    """Energy of the difference against that of the reference."""
    return _db(float(np.sum(np.square(estimate - reference)) / np.sum(np.square(reference))))


def _db(part: float) -> float:
    return float(10 * np.log10(part + 10 ** (DEEPEST_DB / 10)))
