"""Networks of UVR on the CPU: built and run by audio-separator's own code, window by window."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from services.separator.adapters.uvr.package import contained, load_mdx, load_mdxc
from services.separator.core.overlap_add import Fade, even_segments, mdx_segments, tail_aligned_segments
from services.separator.core.ports import Block
from services.separator.core.segments import Segment
from services.separator.core.uvr_parameters import MDX_HOP_FRAMES, Parameters, mdx_heard_frames

_CHANNEL_COUNT = 2


class UvrNetwork(Protocol):
    """One network; `given` are the stems that come out of it, by UVR's names.

    `rest` is the stem that is the mixture less the only given one, times `compensate`; None if the network gives all.
    """

    given: tuple[str, ...]
    rest: str | None
    compensate: float
    fade: Fade

    def segments(self, track_frames: int) -> Iterator[Segment]:
        """The windows that it hears of a track."""

    def separate(self, heard: Block) -> Block:
        """Of float32 (2, frames of a window): all given stems, below each other, as many frames."""


class MdxNetwork:
    """An MDX network in ONNX: one stem out of a spectrogram."""

    def __init__(self, separator: Any, parameters: Parameters) -> None:
        """Take audio-separator's own, loaded."""
        self._separator = separator
        self._heard_frames = mdx_heard_frames(parameters)
        self.fade: Fade = np.hanning
        self.given: tuple[str, ...] = (separator.primary_stem_name,)
        self.rest: str | None = separator.secondary_stem_name
        self.compensate = float(separator.compensate)

    def segments(self, track_frames: int) -> Iterator[Segment]:
        """See UvrNetwork.segments."""
        separator = self._separator
        return mdx_segments(track_frames, self._heard_frames, separator.trim, separator.overlap)

    def separate(self, heard: Block) -> Block:
        """See UvrNetwork.separate."""
        with contained(), torch.inference_mode():
            given: Block = self._separator.run_model(torch.from_numpy(heard)[None])[0]
        return given


class MdxcNetwork:
    """A RoFormer, or an MDX23C: waveforms in, waveforms out."""

    def __init__(self, separator: Any, parameters: Parameters) -> None:
        """Take audio-separator's own, loaded. Raises ValueError for windows that cannot be."""
        self._separator = separator
        self._is_roformer = bool(separator.is_roformer)
        self._heard_frames = _heard_frames(parameters, is_roformer=self._is_roformer)
        self._stride_frames = self._heard_frames // separator.overlap
        if self._stride_frames < 1:
            raise ValueError(f"{separator.overlap} windows of {self._heard_frames} frames cannot overlap")
        self.fade: Fade = np.hamming if self._is_roformer else np.ones
        has_target = separator.is_primary_stem_main_target
        instruments = tuple(parameters["training"]["instruments"])
        self.given: tuple[str, ...] = (separator.primary_stem_name,) if has_target else instruments
        self.rest: str | None = separator.secondary_stem_name if has_target else None
        self.compensate = 1.0

    def segments(self, track_frames: int) -> Iterator[Segment]:
        """See UvrNetwork.segments."""
        schedule = tail_aligned_segments if self._is_roformer else even_segments
        return schedule(track_frames, self._heard_frames, self._stride_frames)

    def separate(self, heard: Block) -> Block:
        """See UvrNetwork.separate."""
        with contained(), torch.inference_mode():
            given = self._separator.model_run(torch.from_numpy(heard)[None])[0]
        return np.asarray(given.numpy().reshape(-1, given.shape[-1]), np.float32)


def build_mdx(path: Path, parameters: Parameters) -> UvrNetwork:
    """The network of an ONNX file; raises whatever the file makes a stranger's code raise, and ValueError."""
    return _proved(MdxNetwork(load_mdx(path, parameters, MDX_HOP_FRAMES), parameters))


def build_mdxc(path: Path, parameters: Parameters, state: dict[str, torch.Tensor]) -> UvrNetwork:
    """The network of these weights; raises likewise."""
    return _proved(MdxcNetwork(load_mdxc(path, parameters, state), parameters))


def _heard_frames(parameters: Parameters, *, is_roformer: bool) -> int:
    hop_frames = parameters["model"].get("stft_hop_length") if is_roformer else None
    hop_frames = hop_frames or parameters["audio"]["hop_length"]
    return int(hop_frames) * (int(parameters["inference"]["dim_t"]) - 1)


def _proved(network: UvrNetwork) -> UvrNetwork:
    """Raises ValueError if a window of silence does not come out as it should: better now than in a track."""
    segment = next(network.segments(1))
    given = network.separate(np.zeros((_CHANNEL_COUNT, segment.heard_frames), np.float32))
    wanted = (len(network.given) * _CHANNEL_COUNT, segment.heard_frames)
    if given.shape != wanted:
        raise ValueError(f"it makes {given.shape} of a window, where {wanted} were meant")
    return network
