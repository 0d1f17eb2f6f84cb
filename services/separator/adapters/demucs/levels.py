"""A core of HTDemucs that is given the levels of what it hears, for backends that cannot sum up exactly.

HTDemucs takes the mean from its inputs and divides them by their deviation, and turns that back at its end. OpenVINO's
own sums of millions of values are off by 3e-5 (measured, 2026.4), and so would be every sample: 82 to 86 dB from what
PyTorch gives instead of 114.
"""

from typing import Any, Self

import torch

from services.separator.adapters.demucs.hybrid import HTDemucsCore


class _Levelled(torch.Tensor):
    """A tensor of which mean and deviation are known when demucs asks for them."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001 - results are plain tensors

    known_mean: torch.Tensor
    known_deviation: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> Self:
        """The same values."""
        levelled = values.as_subclass(cls)
        levelled.known_mean, levelled.known_deviation = mean, deviation
        return levelled

    def mean(self, **_: Any) -> torch.Tensor:  # type: ignore[override]  # this and the next two are as demucs calls them
        return self.known_mean

    def std(self, **_: Any) -> torch.Tensor:  # type: ignore[override]
        return self.known_deviation

    def to(self, *_: Any) -> Self:  # type: ignore[override]
        return self


class LevelledCore(torch.nn.Module):
    """A core that takes means and deviations besides, as `with_levels` gives them."""

    def __init__(self, core: HTDemucsCore) -> None:
        super().__init__()
        self._core = core

    def forward(
        self, mix: torch.Tensor, spectrogram: torch.Tensor, *levels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See hybrid.Forward."""
        return self._core.forward(_Levelled.of(mix, *levels[:2]), _Levelled.of(spectrogram, *levels[2:]))


def with_levels(mix: torch.Tensor, spectrogram: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Both, as hybrid.Forward takes them but of one segment; then the mean and the deviation of each, by PyTorch."""
    return mix, spectrogram, *_levels(mix), *_levels(spectrogram)


def _levels(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    dimensions = tuple(range(1, values.ndim))
    return values.mean(dim=dimensions, keepdim=True), values.std(dim=dimensions, keepdim=True)
