"""Cutting and counting streams of blocks."""

from collections.abc import Iterator

import numpy as np
import pytest

from services.separator.core.blocks import CountedBlocks, recut
from services.separator.core.ports import Block
from tests.signals import noise


@pytest.mark.parametrize("cut", [1, 7, 100, 1000])
def test_recut_gives_the_same_frames_in_equal_blocks(cut: int) -> None:
    """However a stream comes, it leaves in blocks of one length, and only the last one is shorter."""
    signal = noise(1000)
    recutted = list(recut((signal[:, start : start + cut] for start in range(0, 1000, cut)), 300))
    assert [block.shape[1] for block in recutted] == [300, 300, 300, 100]
    assert np.array_equal(np.concatenate(recutted, axis=1), signal)


def test_recut_gives_nothing_when_nothing_comes() -> None:
    """An empty stream stays empty."""
    assert list(recut([], 10)) == []


def test_recut_does_not_pull_ahead() -> None:
    """A block is given as soon as its frames are there."""
    pulled = []

    def blocks() -> Iterator[Block]:
        for number in range(4):
            pulled.append(number)
            yield noise(10)

    next(recut(blocks(), 10))
    assert pulled == [0]


def test_counted_blocks_count_what_has_passed() -> None:
    """The count follows the reader, block by block."""
    counted = CountedBlocks([noise(3), noise(4)])
    passed = iter(counted)
    next(passed)
    assert counted.frame_count == 3
    next(passed)
    assert counted.frame_count == 7
