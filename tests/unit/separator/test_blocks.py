"""Cutting and counting streams of blocks."""

from collections.abc import Iterator

import numpy as np
import pytest

from services.separator.core.blocks import CountedBlocks, Intake, recut
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


def test_intake_gives_as_many_frames_as_are_asked_for() -> None:
    """Across blocks, fewer where the stream ends, nothing behind its end."""
    signal = noise(100)
    intake = Intake([signal[:, :10], signal[:, 10:33], signal[:, 33:]])
    pieces = [intake.take(frame_count) for frame_count in (5, 30, 1, 70)]
    assert [piece.shape[1] for piece in pieces if piece is not None] == [5, 30, 1, 64]
    assert np.array_equal(np.concatenate([piece for piece in pieces if piece is not None], axis=1), signal)
    assert intake.take(1) is None


def test_intake_does_not_pull_ahead() -> None:
    """A block is read only when its first frame is asked for."""
    pulled = []

    def blocks() -> Iterator[Block]:
        for number in range(4):
            pulled.append(number)
            yield noise(10)

    intake = Intake(blocks())
    assert intake.take(10) is not None
    assert pulled == [0]
