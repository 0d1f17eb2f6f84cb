"""Streams of spectra: reconstruction, the global grid, context, and level."""

import numpy as np
import pytest

from services.separator.core.ports import Block
from services.separator.core.spectrogram import (
    BIN_COUNT,
    OVERLAP_FRAMES,
    OverlapAdd,
    Spectrum,
    mean_square,
    spectra,
    with_context,
)
from tests.signals import noise, sine


def _rebuilt(groups: list[Spectrum]) -> Block:
    adder = OverlapAdd()
    return np.concatenate([adder.push(group) for group in groups], axis=1)[:, OVERLAP_FRAMES:]


@pytest.mark.parametrize("frame_count", [1, 1023, 1024, 20_000])
def test_overlap_add_gives_the_stream_back(frame_count: int) -> None:
    """Analysis and synthesis are the identity to float precision, from the first frame to the last."""
    signal = noise(frame_count)
    rebuilt = _rebuilt(list(spectra([signal], 5)))
    assert rebuilt.shape[1] >= frame_count
    assert np.max(np.abs(rebuilt[:, :frame_count] - signal)) < 1e-6


def test_columns_do_not_depend_on_how_the_stream_is_cut() -> None:
    """One grid for the whole stream: small blocks give the very same columns."""
    signal = noise(30_000)
    whole = list(spectra([signal], 6))
    cut = list(spectra(np.split(signal, range(441, 30_000, 441), axis=1), 6))
    assert all(np.array_equal(one, other) for one, other in zip(whole, cut, strict=True))


def test_every_group_is_full() -> None:
    """The last group is filled with silent columns, so that networks always see one size."""
    groups = list(spectra([noise(9000)], 8))
    assert [group.shape for group in groups] == [(2, 8, BIN_COUNT)] * 2
    assert not groups[-1][:, -4:].any()


def test_empty_stream_has_no_columns() -> None:
    """No frames, no spectra."""
    assert list(spectra([], 8)) == []


def test_context_surrounds_each_group() -> None:
    """Without its contexts, the widened stream is the stream of columns, later; silence lies around it."""
    groups = list(spectra([noise(40_000)], 10))
    columns = np.concatenate(groups, axis=1)
    wide = list(with_context(groups, 3))
    inner = np.concatenate([group[:, 3:-3] for group in wide], axis=1)
    assert not inner[:, :3].any()
    assert np.array_equal(inner[:, 3:], columns)
    assert np.array_equal(wide[1][:, :6], columns[:, 4:10])
    assert not wide[-1][:, -3:].any()


def test_mean_square_is_that_of_the_audio() -> None:
    """A sine of peak 0.5 has a mean square of 1/8, whatever the window."""
    tone = sine(1000.0, 44_100, 44_100)
    inner = mean_square(next(iter(spectra([tone], 40))))[4:-4]
    assert inner == pytest.approx(np.full(inner.shape, 0.125), rel=1e-3)
