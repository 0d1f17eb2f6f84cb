"""A separation that is no separation: fixed bands of the spectrum, which sum to the mix exactly.

Samples are float64 (channels, frames) in steps of 2**-23 of full scale, so that every value survives 24-bit files and
float32 alike. Stems are taken out one by one, and each is held where both it and what remains fit into full scale.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

STEPS = 2.0**23
Samples = npt.NDArray[np.float64]
Audio = npt.NDArray[np.float32]
Band = tuple[float, float]

TOP_HZ = 1e9
BANDS_HZ: Mapping[str, tuple[Band, ...]] = {
    "bass": ((0, 200),),
    "strings": ((200, 230),),
    "wind": ((230, 260),),
    "piano": ((260, 300),),
    "vocals": ((300, 3400),),
    "vocals@0": ((300, 1200),),
    "vocals@1": ((1200, 3400),),
    "voice": ((300, 3400),),
    "music": ((0, 300), (3400, TOP_HZ)),
    "acoustic_guitar": ((3400, 3800),),
    "electric_guitar": ((3800, 4300),),
    "synthesizer": ((4300, 5000),),
    "drum": ((5000, TOP_HZ),),
}
"""What each stem gets: lower edge included, upper edge not. 200 to 300 Hz and 3.4 to 5 kHz belong to `other`, where
only vocals, drum and bass are asked for."""


def separate(
    mix: Audio, sample_rate_hz: int, stems: Sequence[str], backs: Mapping[str, Sequence[str]], *, has_grid: bool
) -> dict[str, Audio]:
    """The stems, and for each back the mix without its stems; float32 of the shape of the mix.

    With `has_grid` all of it fits 24-bit files: the mix is rounded to steps and cut at full scale. Without it a mix
    that lies between steps is off by half a float32 step at most.
    """
    target = _on_grid(mix) if has_grid else mix.astype(np.float64) * STEPS
    taken = _taken(target, _bands(target, sample_rate_hz, stems))
    rests = {back: target - np.add.reduce([taken[stem] for stem in out]) for back, out in backs.items()}
    return {label: (samples / STEPS).astype(np.float32) for label, samples in (taken | rests).items()}


def _on_grid(mix: Audio) -> Samples:
    whole: Samples = np.clip(np.rint(mix.astype(np.float64) * STEPS), -STEPS, STEPS - 1)
    return whole


def _bands(mix: Samples, sample_rate_hz: int, stems: Sequence[str]) -> dict[str, Audio]:
    frames = mix.shape[1]
    length = 1 << frames.bit_length()  # more than there are, so that the end does not ring into the beginning
    spectrum = np.fft.rfft(mix.astype(np.float32), length)
    bins_per_hz = length / sample_rate_hz
    bands = {}
    for stem in stems:
        cut = np.zeros_like(spectrum)
        for low_hz, high_hz in BANDS_HZ[stem]:
            kept = slice(math.ceil(low_hz * bins_per_hz), math.ceil(high_hz * bins_per_hz))
            cut[:, kept] = spectrum[:, kept]
        bands[stem] = np.fft.irfft(cut, length)[:, :frames].astype(np.float32)
    return bands


def _taken(mix: Samples, bands: Mapping[str, Audio]) -> dict[str, Samples]:
    low, high = min(-STEPS, float(mix.min(initial=0))), max(STEPS - 1, float(mix.max(initial=0)))
    rest, taken = mix, {}
    for stem, band in bands.items():
        held = np.clip(np.rint(band), np.ceil(np.maximum(low, rest - high)), np.floor(np.minimum(high, rest - low)))
        taken[stem] = held
        rest = rest - held
    return taken
