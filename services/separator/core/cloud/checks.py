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
_LEAST_LIKENESS = 0.5
"""Of the correlation of the sum of the tracks with the mixture: another recording has about 0, at any gain."""

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
    """Whether the sum of the tracks is in some second far from the mixture, or on the whole nothing like it.

    The first is damage that a decoder does not see, the second another recording, or none. Tracks of the service need
    not sum to the mixture exactly; in no second may they miss it by more than it holds.
    """
    powers = np.array(list(_second_powers(mixture, total, sample_rate_hz)))
    if not len(powers):
        return False
    own, their, missing = powers.T
    is_damaged = (missing > 10 ** (_LOUDER_DB / 10) * np.maximum(own, _FLOOR_POWER)).any()
    product = (own + their - missing).sum() / 2.0
    is_alike = product > _LEAST_LIKENESS * np.sqrt(own.sum() * their.sum())
    return bool(is_damaged or (own.mean() > _FLOOR_POWER and not is_alike))


def _second_powers(mixture: Iterable[Block], total: Iterable[Block], sample_rate_hz: int) -> Iterator[Mono]:
    """Of the mixture, of the total, and of what it misses of the mixture."""
    sums, count = np.zeros(3), 0
    for ours, theirs in zip(mixture, total, strict=True):
        for start in range(0, ours.shape[1], sample_rate_hz):
            piece = slice(start, start + sample_rate_hz)
            parts = (ours[:, piece], theirs[:, piece], ours[:, piece] - theirs[:, piece])
            sums += [np.square(part, dtype=np.float64).sum() for part in parts]
            count += ours[:, piece].size
            if count >= sample_rate_hz * ours.shape[0]:
                yield sums / count
                sums, count = np.zeros(3), 0
    if count:
        yield sums / count
