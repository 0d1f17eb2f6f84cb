"""How the networks of UVR go through a track: windows of one length that overlap, and their weighted mean.

Offsets and weights are those of audio-separator 0.47, so that the same network gives the same samples; but here a
track is a stream, and only what the next window needs is held. The length of the track has to be known before. Arrays
are float32, their last axis is frames.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from services.separator.core.ports import Block
from services.separator.core.segments import Segment

Fade = Callable[[int], npt.NDArray[np.float64]]
"""The weights of a window of so many frames; zero at most at its ends."""


def mdx_segments(track_frames: int, heard_frames: int, margin_frames: int, overlap: float) -> Iterator[Segment]:
    """Of an MDX network: the first window begins `margin_frames` before the track, the last ones are cut behind it.

    `overlap` is the share that two windows have in common.
    """
    inner_frames = heard_frames - 2 * margin_frames
    end = track_frames + margin_frames + inner_frames - track_frames % inner_frames
    begins = range(-margin_frames, track_frames, int((1 - overlap) * heard_frames))
    return _segments(begins, heard_frames, end)


def tail_aligned_segments(track_frames: int, heard_frames: int, stride_frames: int) -> Iterator[Segment]:
    """Of a RoFormer: the last window ends with the track. A track shorter than a window is heard with silence."""
    last_begin = max(track_frames - heard_frames, 0)
    begins = [*range(0, last_begin, stride_frames), *([last_begin] if track_frames else [])]
    return _segments(begins, heard_frames, last_begin + heard_frames)


def even_segments(track_frames: int, heard_frames: int, stride_frames: int) -> Iterator[Segment]:
    """Of an MDX23C network: every frame is heard equally often, the first and last ones with silence around them."""
    begins = range(stride_frames - heard_frames, track_frames, stride_frames)
    return _segments(begins, heard_frames, track_frames + heard_frames)


def _segments(begins: Sequence[int], heard_frames: int, end: int) -> Iterator[Segment]:
    """A window at each place, none beyond `end`."""
    for begin, following in zip_longest(begins, begins[1:], fillvalue=end):
        frame_count = min(heard_frames, end - begin)
        yield Segment(begin, frame_count, begin, heard_frames, min(following - begin, frame_count))


class OverlapAdd:
    """Adds up windows that come in order, and divides by the sum of their weights."""

    def __init__(self, row_count: int, track_frames: int, fade: Fade) -> None:
        self._track_frames = track_frames
        self._fade = fade
        self._sum = np.zeros((row_count, 0), np.float32)
        self._weights = np.zeros(0, np.float32)

    def add(self, segment: Segment, block: Block) -> Block:
        """Take the next window: float32 (rows, its frames). Gives the frames of the track that no later one changes."""
        missing_frames = max(segment.frame_count - len(self._weights), 0)
        self._sum = np.pad(self._sum, ((0, 0), (0, missing_frames)))
        self._weights = np.pad(self._weights, (0, missing_frames))
        fade = self._fade(segment.frame_count).astype(np.float32)
        self._sum[:, : segment.frame_count] += fade * block
        self._weights[: segment.frame_count] += fade
        return self._taken(segment.begin, segment.final_frames)

    def _taken(self, begin: int, frame_count: int) -> Block:
        """The mean of the next frames, but for those outside the track."""
        inside = slice(min(max(-begin, 0), frame_count), min(frame_count, self._track_frames - begin))
        mean: Block = self._sum[:, inside] / self._weights[inside]
        self._sum, self._weights = self._sum[:, frame_count:], self._weights[frame_count:]
        return mean
