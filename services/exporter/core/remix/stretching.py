"""Stems made longer or shorter, together.

The map of time is linear: what was at t is at `ratio * t`. The map of phase is one for all stems, since they are
stretched as the channels of one piece of audio; so they still sum to the stretched mix (docs/adr/0017-stretching.md).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.exporter.core.ports import BLOCK_FRAMES
from services.exporter.core.remix.ports import FloatBlock, Stretcher
from services.exporter.core.remix.seams import best_seam, joined
from stemhouse.errors import InvalidRequest
from stemhouse.production import LONGEST_RATIO, SHORTEST_RATIO

PIECE_SAMPLES = 2**24
"""What a piece may hold before and after stretching, in samples of all channels together: 64 MiB."""
SHORTEST_PIECE_S = 8.0
OVERLAP_S = 2.0
"""Long enough for an attack to hide a seam at, in nearly all music."""
_MARGIN_S = 0.25
"""More than stretchers' windows reach beyond the end of a piece."""
_SPARE_FRAMES = 2
"""At the end: ends are rounded in pieces, and then as a whole."""


@dataclass(frozen=True)
class _Piece:
    """Some of the track, and the frames at which it and the piece after it start; None after the last."""

    samples: FloatBlock
    start: int
    next_start: int | None


class StemRemixer:
    """Stretches stems by one map of time and phase."""

    def __init__(self, stretcher: Stretcher) -> None:
        """Keep what stretches a piece of audio."""
        self._stretcher = stretcher

    def time_stretch_stem(self, samples: FloatBlock, sample_rate_hz: int, ratio: float) -> FloatBlock:
        """A stem of shape (frames, channels) in `round(frames * ratio)` frames; at a ratio of 1.0 itself.

        What was at the beginning stays there, silence stays silent, and peaks may exceed 1.0. Raises InvalidRequest for
        a ratio that is not within 0.5 and 2.0.
        """
        blocks = [samples[start : start + BLOCK_FRAMES] for start in range(0, len(samples), BLOCK_FRAMES)]
        parts = [given[""] for given in self.stretch_stems({"": blocks}, sample_rate_hz, ratio)]
        return np.concatenate(parts) if parts else samples[:0]

    def stretch_stems(
        self, stems: Mapping[str, Iterable[FloatBlock]], sample_rate_hz: int, ratio: float
    ) -> Iterator[dict[str, FloatBlock]]:
        """All stems of a track, walked side by side, in blocks of `BLOCK_FRAMES` as everywhere in the exporter.

        Every stem gets `round(frames * ratio)` frames. Any sum of stems is what their sum would have become, within
        -120 dB of it; so is a mix that is given as one of them. At a ratio of 1.0 they are as they came. Memory is
        bounded by PIECE_SAMPLES, whatever the length. Raises InvalidRequest for a ratio that is not within 0.5 and
        2.0, before anything is read, and ValueError for stems that are not equally long.
        """
        _require_ratio(ratio)
        return self._stretched(stems, sample_rate_hz, ratio)

    def _stretched(
        self, stems: Mapping[str, Iterable[FloatBlock]], sample_rate_hz: int, ratio: float
    ) -> Iterator[dict[str, FloatBlock]]:
        walked = (dict(zip(stems, blocks, strict=True)) for blocks in zip(*stems.values(), strict=True))
        return walked if ratio == 1.0 else self._together(walked, sample_rate_hz, ratio)

    def _together(
        self, walked: Iterator[dict[str, FloatBlock]], sample_rate_hz: int, ratio: float
    ) -> Iterator[dict[str, FloatBlock]]:
        first = next(walked, None)
        if first is None:
            return
        counts = [block.shape[1] for block in first.values()]
        piece_frames = _piece_frames(sum(counts), sample_rate_hz, ratio)
        pieces = _pieces(_side_by_side(first, walked), piece_frames, round(OVERLAP_S * sample_rate_hz))
        for block in _reblocked(self._joined(pieces, sample_rate_hz, ratio)):
            yield dict(zip(first, _split(block, counts), strict=True))

    def _joined(self, pieces: Iterator[_Piece], sample_rate_hz: int, ratio: float) -> Iterator[FloatBlock]:
        """The pieces stretched, up to each seam from one, and from there on from the next."""
        margin = round(_MARGIN_S * sample_rate_hz * ratio)
        tail: FloatBlock | None = None
        for piece in pieces:
            stretched = self._stretch(piece, sample_rate_hz, ratio)
            overlap = stretched[: 0 if tail is None else len(tail)]
            if tail is not None:
                before = tail[: len(overlap)]
                yield joined(before, overlap, best_seam(before, overlap, margin, sample_rate_hz))
            kept = _kept_frames(piece, len(stretched), ratio)
            yield stretched[len(overlap) : kept]
            tail = stretched[kept:].copy()

    def _stretch(self, piece: _Piece, sample_rate_hz: int, ratio: float) -> FloatBlock:
        if piece.next_start is not None:
            return self._stretcher.stretch(piece.samples, sample_rate_hz, ratio)
        wanted = round((piece.start + len(piece.samples)) * ratio) - round(piece.start * ratio)
        padded = np.pad(piece.samples, ((0, _SPARE_FRAMES), (0, 0)))
        return self._stretcher.stretch(padded, sample_rate_hz, ratio)[:wanted]


def _require_ratio(ratio: float) -> None:
    if not (math.isfinite(ratio) and SHORTEST_RATIO <= ratio <= LONGEST_RATIO):
        message = f"a stretch must be by a ratio of {SHORTEST_RATIO} to {LONGEST_RATIO}, not {ratio}"
        raise InvalidRequest(message, {"ratio": message})


def _piece_frames(channel_count: int, sample_rate_hz: int, ratio: float) -> int:
    return max(int(PIECE_SAMPLES / (channel_count * (1.0 + ratio))), round(SHORTEST_PIECE_S * sample_rate_hz))


def _kept_frames(piece: _Piece, frame_count: int, ratio: float) -> int:
    """What of a stretched piece lies before the next one."""
    return frame_count if piece.next_start is None else round(piece.next_start * ratio) - round(piece.start * ratio)


def _side_by_side(first: dict[str, FloatBlock], others: Iterator[dict[str, FloatBlock]]) -> Iterator[FloatBlock]:
    """All channels of all stems in one block."""
    yield np.concatenate(list(first.values()), axis=1)
    for given in others:
        yield np.concatenate(list(given.values()), axis=1)


def _pieces(blocks: Iterator[FloatBlock], piece_frames: int, overlap_frames: int) -> Iterator[_Piece]:
    """Pieces of `piece_frames` that overlap; the last has what is left, more than the overlap if there is another."""
    start, advance = 0, piece_frames - overlap_frames
    held: list[FloatBlock] = []
    for block in blocks:
        held.append(block)
        while sum(map(len, held)) > piece_frames:
            samples = np.concatenate(held)
            yield _Piece(samples[:piece_frames], start, start + advance)
            start += advance
            held = [samples[advance:].copy()]
    yield _Piece(np.concatenate(held), start, None)


def _reblocked(blocks: Iterable[FloatBlock]) -> Iterator[FloatBlock]:
    """The same frames in blocks of `BLOCK_FRAMES`, the last of what is left, none empty."""
    held: list[FloatBlock] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= BLOCK_FRAMES:
            samples = np.concatenate(held)
            whole = len(samples) // BLOCK_FRAMES * BLOCK_FRAMES
            for start in range(0, whole, BLOCK_FRAMES):
                yield samples[start : start + BLOCK_FRAMES]
            held = [samples[whole:].copy()]
    if any(map(len, held)):
        yield np.concatenate(held)


def _split(block: FloatBlock, channel_counts: Sequence[int]) -> list[FloatBlock]:
    return [np.ascontiguousarray(part) for part in np.split(block, np.cumsum(channel_counts)[:-1], axis=1)]
