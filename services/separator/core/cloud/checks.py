"""Whether what came back is the track that was sent: its length, its place in time, and nothing foreign in it."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from services.separator.core.ports import Block

TOLERATED_S = 0.1
"""Of length; codecs pad, and what is cut off is more."""
_MOST_LAG_S = 0.1
_LOUDER_DB = 6.0
_FLOOR_POWER = 10.0**-4.5
"""-45 dB of full scale, below which a difference is no damage."""

Mono = npt.NDArray[np.float64]


def lag_frames(mixture: Block, total: Block, sample_rate_hz: int) -> int:
    """How much later the sum of the tracks is than the mixture, by the same excerpt (channels, frames) of both.

    0 for silence, and where nothing fits better than the place itself.
    """
    ours, theirs = mixture.mean(axis=0, dtype=np.float64), total.mean(axis=0, dtype=np.float64)
    most = min(round(_MOST_LAG_S * sample_rate_hz), len(ours) - 1)
    size = 2 * len(ours)
    correlation = np.fft.irfft(np.fft.rfft(theirs, size) * np.conj(np.fft.rfft(ours, size)), size)
    around = np.concatenate([correlation[-most:], correlation[: most + 1]])
    best = int(np.argmax(around)) - most
    return best if around.max() > 0.0 else 0


def is_foreign(mixture: Iterable[Block], total: Iterable[Block], sample_rate_hz: int) -> bool:
    """Whether the sum of the tracks is in some second far from the mixture: damage that a decoder does not see.

    Tracks of the service need not sum to the mixture exactly; in no second may they miss it by more than it holds.
    """
    powers = np.array(list(_second_powers(mixture, total, sample_rate_hz)))
    if not len(powers):
        return False
    own, missing = powers[:, 0], powers[:, 1]
    return bool((missing > 10 ** (_LOUDER_DB / 10) * np.maximum(own, _FLOOR_POWER)).any())


def _second_powers(
    mixture: Iterable[Block], total: Iterable[Block], sample_rate_hz: int
) -> Iterator[tuple[float, float]]:
    """Of the mixture, and of what the total misses of it."""
    own_sum = missing_sum = 0.0
    count = 0
    for ours, theirs in zip(mixture, total, strict=True):
        for start in range(0, ours.shape[1], sample_rate_hz):
            piece = slice(start, start + sample_rate_hz)
            own_sum += float(np.square(ours[:, piece], dtype=np.float64).sum())
            missing_sum += float(np.square(ours[:, piece] - theirs[:, piece], dtype=np.float64).sum())
            count += ours[:, piece].size
            if count >= sample_rate_hz * ours.shape[0]:
                yield own_sum / count, missing_sum / count
                own_sum, missing_sum, count = 0.0, 0.0, 0
    if count:
        yield own_sum / count, missing_sum / count
