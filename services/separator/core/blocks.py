"""Small things that every stream of blocks needs: one length for all, any length, and a count of what has passed."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np

from services.separator.core.ports import Block, PcmBlock

Piece = TypeVar("Piece", Block, PcmBlock)


def recut(blocks: Iterable[Block], block_frames: int) -> Iterator[Block]:
    """Give the same frames in blocks of `block_frames` (>= 1); the last one may be shorter, none is empty."""
    held: list[Block] = []
    held_frames = 0
    for block in blocks:
        held.append(block)
        held_frames += block.shape[1]
        if held_frames >= block_frames:
            joined = np.concatenate(held, axis=1)
            whole_frames = held_frames - held_frames % block_frames
            for start in range(0, whole_frames, block_frames):
                yield joined[:, start : start + block_frames]
            held = [joined[:, whole_frames:].copy()]  # a copy, so that `joined` can go
            held_frames -= whole_frames
    if held_frames:
        yield np.concatenate(held, axis=1)


class CountedBlocks:
    """Passes a stream on, once; `frame_count` is the number of frames that have passed so far."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks = blocks
        self.frame_count = 0

    def __iter__(self) -> Iterator[Block]:
        for block in self._blocks:
            self.frame_count += block.shape[1]
            yield block


class Intake(Generic[Piece]):
    """Takes a stream in pieces of whatever length is asked for, and reads it no further than that needs."""

    def __init__(self, blocks: Iterable[Piece]) -> None:
        self._blocks: Iterator[Piece] = iter(blocks)
        self._rest: Piece | None = None

    def take(self, frame_count: int) -> Piece | None:
        """The next frames: fewer where the stream ends, None behind its end."""
        parts: list[Piece] = []
        missing_frames = frame_count
        while missing_frames and (block := self._next()) is not None:
            parts.append(block[:, :missing_frames])
            self._rest = block[:, missing_frames:] if block.shape[1] > missing_frames else None
            missing_frames -= parts[-1].shape[1]
        return np.concatenate(parts, axis=1) if parts else None

    def _next(self) -> Piece | None:
        return next(self._blocks, None) if self._rest is None else self._rest
