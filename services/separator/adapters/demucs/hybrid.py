"""HTDemucs in two: spectrograms here, and between them its core, which a backend may run in its own way.

    waveform -> spectrogram -> core (waveform, spectrogram) -> spectrogram -> waveform
                                                            -> waveform    ->     +

Both halves are demucs' own code (demucs.htdemucs.HTDemucs, 4.1); only the order in which it is called is ours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from demucs.htdemucs import HTDemucs

Forward = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Of waveforms (segments, channels, frames) and spectrograms (segments, 2 * channels, bins, windows), float32:
spectrograms (segments, sources, 2 * channels, bins, windows) and waveforms (segments, sources, channels, frames)."""


class HTDemucsCore(HTDemucs):
    """HTDemucs whose `forward` lacks the ways from waveforms to spectrograms and back: `separate` has them."""

    def separate(self, forward: Forward, mix: torch.Tensor) -> torch.Tensor:
        """Of float32 (segments, channels, frames) of valid length: float32 (segments, sources, channels, frames).

        `forward` is `self`, or what a backend has made of it.
        """
        spectrum = super()._spec(mix)
        found, waveforms = forward(mix, super()._magnitude(spectrum))
        from_spectra: torch.Tensor = super()._ispec(super()._mask(spectrum, found), mix.shape[-1])
        return from_spectra + waveforms

    @property
    def has_one_shape(self) -> bool:
        """Whether it hears segments of one length, and complex spectrograms: backends make models of one shape."""
        return bool(self.use_train_segment) and bool(self.cac)

    def forward(  # type: ignore[override]  # it is half of what it was
        self, mix: torch.Tensor, spectrogram: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See Forward."""
        self._given = spectrogram
        waveforms = super().forward(mix)
        return self._found, waveforms

    def _spec(self, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - this and the next three are called by `forward`
        return self._given

    def _magnitude(self, z: torch.Tensor) -> torch.Tensor:
        return z

    def _mask(self, z: torch.Tensor, m: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - see _spec
        self._found = m
        return m

    def _ispec(self, z: torch.Tensor, length: int | None = None, scale: int = 0) -> float:  # noqa: ARG002 - see _spec
        """Nothing: `separate` adds what becomes of the spectrograms."""
        return 0.0


class Backend(Protocol):
    """A way to run cores."""

    def forward_of(self, core: HTDemucsCore, identity: str) -> Forward:
        """The core in this way; `identity` is equal for equal weights.

        Raises EngineUnavailable if it cannot be run in this way, and MemoryError.
        """


class TorchBackend:
    """PyTorch itself, on the CPU; the reference."""

    def forward_of(self, core: HTDemucsCore, identity: str) -> Forward:  # noqa: ARG002 - nothing is kept
        """See Backend.forward_of."""

        def forward(mix: torch.Tensor, spectrogram: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            with _attention_in_one_pass():
                found: tuple[torch.Tensor, torch.Tensor] = core(mix, spectrogram)
            return found

        return forward


TORCH = TorchBackend()


@contextmanager
def _attention_in_one_pass() -> Iterator[None]:
    """PyTorch's fast path for attention writes down a matrix of all pairs, and takes 1.1 times as long."""
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)
