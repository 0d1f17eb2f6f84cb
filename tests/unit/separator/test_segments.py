"""Cutting a track as demucs does, and putting it together again."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from demucs.apply import TensorChunk

from services.separator.core.demucs_options import ScheduleKind
from services.separator.core.ports import Block
from services.separator.core.segments import Crossfade, Schedule, Window, fade_weights, measure_level
from tests.signals import noise

_SCHEDULES = {
    "as long": Schedule(1000, 750, lambda frame_count: frame_count),
    "always a segment": Schedule(1000, 750, lambda _frame_count: 1000),
    "a little more": Schedule(1001, 750, lambda frame_count: frame_count + 77),
    "demucs": Schedule(1000, 750, lambda _frame_count: 1000, ScheduleKind.DEMUCS),
}
_LENGTHS = [1, 2, 749, 750, 751, 1000, 1001, 2250, 2251, 5003]


def _blocks(signal: Block, cut: int = 313) -> Iterator[Block]:
    return (signal[:, start : start + cut] for start in range(0, signal.shape[1], cut))


@pytest.mark.parametrize("track_frames", _LENGTHS)
@pytest.mark.parametrize("name", _SCHEDULES)
def test_segments_hear_what_demucs_would_give_them(name: str, track_frames: int) -> None:
    """The same frames of the track in the same place, from a stream of blocks."""
    schedule, signal = _SCHEDULES[name], noise(track_frames)
    window = Window(_blocks(signal))
    for segment in schedule.segments(track_frames):
        chunk = TensorChunk(torch.from_numpy(signal), segment.begin, schedule.segment_frames)
        heard = window.hear(segment)
        assert np.array_equal(heard, chunk.padded(schedule.heard_frames(chunk.length)).numpy())
        assert np.array_equal(heard[:, segment.inside], signal[:, segment.begin : segment.begin + segment.frame_count])


@pytest.mark.parametrize("track_frames", _LENGTHS)
@pytest.mark.parametrize("name", _SCHEDULES)
def test_segments_that_change_nothing_give_the_track(name: str, track_frames: int) -> None:
    """Cross-faded with themselves they are the track again, frame by frame, stride by stride."""
    schedule, signal = _SCHEDULES[name], noise(track_frames)
    crossfade = Crossfade(schedule, 2)
    given = [
        crossfade.add(segment, signal[:, segment.begin : segment.begin + segment.frame_count])
        for segment in schedule.segments(track_frames)
    ]
    assert all(block.shape[1] == schedule.stride_frames for block in given[:-1])
    assert given[-1].size
    assert np.allclose(np.concatenate(given, axis=1), signal, atol=1e-6)


@pytest.mark.parametrize(
    ("track_frames", "lean", "demucs"),
    [
        (1, 1, 1),
        (750, 1, 1),
        (751, 1, 2),
        (1000, 1, 2),
        (1001, 2, 2),
        (1500, 2, 2),
        (1501, 2, 3),
        (1750, 2, 3),
        (1751, 3, 3),
    ],
)
def test_lean_schedule_ends_with_the_first_segment_that_reaches_the_end(
    track_frames: int, lean: int, demucs: int
) -> None:
    """Demucs' own has the same segments, and one more that lies within the last of them where the rest is short."""
    lean_segments = list(_SCHEDULES["as long"].segments(track_frames))
    demucs_segments = list(_SCHEDULES["demucs"].segments(track_frames))
    assert (len(lean_segments), len(demucs_segments)) == (lean, demucs)
    assert [one.begin for one in lean_segments] == [one.begin for one in demucs_segments[:lean]]
    ends = [segment.begin + segment.frame_count for segment in lean_segments]
    assert ends[-1] == track_frames
    assert all(end < track_frames for end in ends[:-1])


def test_window_reads_no_further_than_a_segment() -> None:
    """And holds no more than one segment and a block."""
    pulled_frames = 0

    def blocks() -> Iterator[Block]:
        nonlocal pulled_frames
        while True:
            pulled_frames += 100
            yield noise(100)

    window = Window(blocks())
    for segment in _SCHEDULES["always a segment"].segments(100_000):
        window.hear(segment)
        assert pulled_frames < segment.heard_begin + segment.heard_frames + 100 + 1


def test_batches_are_neighbours_that_hear_alike() -> None:
    """In order, as many as allowed, and the short last segments on their own."""
    batches = list(_SCHEDULES["as long"].batches(4100, 3))
    assert [[segment.begin for segment in batch] for batch in batches] == [[0, 750, 1500], [2250, 3000], [3750]]
    assert all(one.heard_frames == other.heard_frames for batch in batches for one, other in pairwise(batch))


@pytest.mark.parametrize("segment_frames", [2, 7, 1000])
def test_weights_are_a_triangle(segment_frames: int) -> None:
    """Up to 1 in the middle, never 0."""
    weights = fade_weights(segment_frames)
    assert weights.dtype == np.float32
    assert (len(weights), float(weights.max())) == (segment_frames, 1.0)
    assert weights.min() > 0
    assert np.diff(np.sign(np.diff(weights))).sum() <= 0


def test_level_is_that_of_the_whole_track_as_mono() -> None:
    """Mean and deviation as PyTorch has them, however the stream is cut."""
    signal = noise(200_000) + np.float32(0.3)
    mono = torch.from_numpy(signal).double().mean(0)
    levels = {measure_level(_blocks(signal, cut)) for cut in (999, 70_000, 200_000)}
    level = levels.pop()
    assert not levels
    assert level.frame_count == 200_000
    assert level.mean == pytest.approx(float(mono.mean()), rel=1e-12)
    assert level.deviation == pytest.approx(float(mono.std()) + 1e-8, rel=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.3])
@pytest.mark.parametrize("frame_count", [0, 1, 100_000])
def test_silence_and_constants_have_a_level(constant: float, frame_count: int) -> None:
    """Nobody divides by it being zero, or not a number."""
    level = measure_level([np.full((2, frame_count), constant, np.float32)] if frame_count else [])
    assert level.mean == pytest.approx(constant if frame_count else 0.0)
    assert level.deviation == pytest.approx(1e-8)
