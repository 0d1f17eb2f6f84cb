"""How demucs cuts a track: overlapping segments, a network for each, and a cross-fade.

Offsets, context and weights are those of `demucs.apply` without random shifts, so that the same network gives the same
samples, at the end of a track only if the schedule is demucs', too; but here a track is a stream, and only what the
next segment needs is held. Arrays are float32, their last
axis is frames.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.separator.core.blocks import Intake, recut
from services.separator.core.demucs_options import ScheduleKind
from services.separator.core.ports import Block

_DEVIATION_FLOOR = 1e-8
_PIECE_FRAMES = 65_536


@dataclass(frozen=True)
class Level:
    """Of a whole track, as mono: mean, and standard deviation (of a sample) plus a floor, so that it is never zero."""

    frame_count: int
    mean: float
    deviation: float


def measure_level(blocks: Iterable[Block]) -> Level:
    """Read a stream to its end. The figures do not depend on how it is cut, and silence has a level, too."""
    frame_count, mean, squares = 0, 0.0, 0.0
    for piece in recut(blocks, _PIECE_FRAMES):
        mono = piece.mean(axis=0, dtype=np.float64)
        shift = float(mono.mean()) - mean
        share = len(mono) / (frame_count + len(mono))
        squares += float(np.square(mono - mono.mean()).sum()) + shift**2 * share * frame_count
        mean += shift * share
        frame_count += len(mono)
    return Level(frame_count, mean, float(np.sqrt(squares / max(frame_count - 1, 1))) + _DEVIATION_FLOOR)


@dataclass(frozen=True)
class Segment:
    """Frames [begin, begin + frame_count) of a track, and the frames around them that a network hears.

    `heard_begin` may be negative, and the end of what is heard behind the end of the track: there is silence. No later
    segment has any of its first `final_frames`.
    """

    begin: int
    frame_count: int
    heard_begin: int
    heard_frames: int
    final_frames: int

    @property
    def inside(self) -> slice:
        """Where the segment's own frames are in what is heard."""
        lead_frames = self.begin - self.heard_begin
        return slice(lead_frames, lead_frames + self.frame_count)


@dataclass(frozen=True)
class Schedule:
    """Segments of `segment_frames`, one at each multiple of `stride_frames`; the last ones may be shorter.

    `heard_frames` tells how many frames a network wants to hear for a segment of so many, `kind` which segment is the
    last one.
    """

    segment_frames: int
    stride_frames: int
    heard_frames: Callable[[int], int]
    kind: ScheduleKind = ScheduleKind.LEAN

    def segments(self, track_frames: int) -> Iterator[Segment]:
        """All segments of a track."""
        begins = self._begins(track_frames)
        for begin in begins:
            frame_count = min(self.segment_frames, track_frames - begin)
            heard_frames = self.heard_frames(frame_count)
            final_frames = frame_count if begin == begins[-1] else self.stride_frames
            yield Segment(begin, frame_count, begin - (heard_frames - frame_count) // 2, heard_frames, final_frames)

    def _begins(self, track_frames: int) -> range:
        end = track_frames
        if self.kind is ScheduleKind.LEAN:
            end = min(end, max(track_frames - self.segment_frames, 0) + self.stride_frames)
        return range(0, end, self.stride_frames)

    def batches(self, track_frames: int, most: int) -> Iterator[list[Segment]]:
        """The segments in groups of up to `most` neighbours that hear the same number of frames."""
        batch: list[Segment] = []
        for segment in self.segments(track_frames):
            if batch and (len(batch) == most or segment.heard_frames != batch[0].heard_frames):
                yield batch
                batch = []
            batch.append(segment)
        if batch:
            yield batch


def fade_weights(segment_frames: int) -> npt.NDArray[np.float32]:
    """A triangle that is 1 in the middle of a segment and nowhere 0."""
    rising = segment_frames // 2
    falling = segment_frames - rising
    ramps = np.concatenate([np.arange(1, rising + 1), np.arange(falling, 0, -1)]).astype(np.float32)
    weights: npt.NDArray[np.float32] = ramps / ramps.max()
    return weights


class Window:
    """Gives what one segment after the other hears, from a stream that is held only as far as the next one needs."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._intake = Intake(blocks)
        self._held: list[Block] = []
        self._held_begin = 0

    def hear(self, segment: Segment) -> Block:
        """What the segment hears, with silence outside the track. What lies before it is forgotten."""
        begin, end = max(segment.heard_begin, 0), segment.heard_begin + segment.heard_frames
        held_end = self._held_begin + sum(block.shape[1] for block in self._held)
        fresh = self._intake.take(end - held_end) if end > held_end else None
        joined = np.concatenate([*self._held, *([] if fresh is None else [fresh])], axis=1)
        heard = joined[:, begin - self._held_begin :]
        self._held, self._held_begin = [heard], begin
        lead_frames = begin - segment.heard_begin
        tail_frames = max(segment.heard_frames - lead_frames - heard.shape[1], 0)
        return np.pad(heard, ((0, 0), (lead_frames, tail_frames)))[:, : segment.heard_frames]


class Crossfade:
    """Adds the segments of one schedule up, each weighted by a triangle, and divides by the sum of the weights."""

    def __init__(self, schedule: Schedule, row_count: int) -> None:
        self._fade = fade_weights(schedule.segment_frames)
        self._sum = np.zeros((row_count, schedule.segment_frames), np.float32)
        self._weights = np.zeros(schedule.segment_frames, np.float32)

    def add(self, segment: Segment, block: Block) -> Block:
        """Take the next segment's frames: float32 (rows, its frames). Gives what no later one changes any more."""
        fade = self._fade[: segment.frame_count]
        self._sum[:, : segment.frame_count] += fade * block
        self._weights[: segment.frame_count] += fade
        final_frames = segment.final_frames
        done: Block = self._sum[:, :final_frames] / self._weights[:final_frames]
        self._sum, self._weights = _moved(self._sum, final_frames), _moved(self._weights, final_frames)
        return done


def _moved(held: npt.NDArray[np.float32], frame_count: int) -> npt.NDArray[np.float32]:
    """Drop the first frames and append as many zeros."""
    return np.concatenate([held[..., frame_count:], np.zeros_like(held[..., :frame_count])], axis=-1)
