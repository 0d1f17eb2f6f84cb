"""Small things that every stream of blocks needs: one length for all, and a count of what has passed."""

from collections.abc import Iterable, Iterator

import numpy as np

from services.separator.core.ports import Block


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
