"""audio-separator itself, with what it does to a process kept in bounds.

Its `Separator`, which downloads, writes files, silences all warnings and calls ffmpeg, is never made; nor is its
Demucs, which puts an old fork of demucs in the place of the real one. Its classes for MDX and MDXC networks are used
alone: they load one network from a path, and run it on arrays. A process that has imported this module must not be
one that needs demucs, and no other one may import it.
"""

import logging
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

_LOGGER = logging.getLogger("audio_separator")
_LOGGER.setLevel(logging.CRITICAL)  # what is wrong with a model is told in our own words, once

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pydub, which finds no ffmpeg, and of others' old spelling
    # Would import torchvision, to convert networks for a length of windows that is never asked for.
    sys.modules.setdefault("onnx2torch", types.ModuleType("onnx2torch"))
    from audio_separator.separator.architectures.mdx_separator import MDXSeparator
    from audio_separator.separator.architectures.mdxc_separator import MDXCSeparator

_MDX_OVERLAP = 0.25
"""What audio-separator's own command uses."""


def load_mdx(path: Path, parameters: dict[str, Any], hop_frames: int) -> Any:
    """An MDXSeparator with its network, an ONNX file, on the CPU; raises whatever the file makes its code raise."""
    arguments = {
        "segment_size": 2 ** parameters["mdx_dim_t_set"],
        "hop_length": hop_frames,
        "overlap": _MDX_OVERLAP,
        "batch_size": 1,
        "enable_denoise": False,
    }
    with contained():
        separator = MDXSeparator(_common(path, parameters), arguments)
        separator.initialize_model_settings()
        return separator


def load_mdxc(path: Path, parameters: dict[str, Any], state: dict[str, torch.Tensor]) -> Any:
    """An MDXCSeparator with its network, a RoFormer or an MDX23C, on the CPU; raises whatever its code raises.

    `state` are the weights. The file at `path` is not read: its code would unpickle it.
    """
    with contained(), _given_weights(state):
        return MDXCSeparator(_common(path, parameters), {"segment_size": parameters["inference"]["dim_t"]})


def _common(path: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "logger": _LOGGER,
        "log_level": logging.CRITICAL,
        "torch_device": torch.device("cpu"),
        "torch_device_cpu": torch.device("cpu"),
        "onnx_execution_provider": ["CPUExecutionProvider"],
        "model_name": path.stem,
        "model_path": str(path),
        "model_data": parameters,
        "normalization_threshold": 1.0,
        "amplification_threshold": 0.0,
        "sample_rate": 44_100,
    }


@contextmanager
def contained() -> Iterator[None]:
    """For whatever calls its code: which warns of its own style, and ends the process where a network does not fit.

    Raises RuntimeError for such an end.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SystemExit as end:
        raise RuntimeError(_cause_of(end)) from end


def _cause_of(end: SystemExit) -> str:
    cause = end.__context__
    return str(cause) if cause else "audio-separator ended the program"


@contextmanager
def _given_weights(state: dict[str, torch.Tensor]) -> Iterator[None]:
    """Let its code have these weights wherever it would read a file of PyTorch's."""
    load = torch.load
    torch.load = lambda *_arguments, **_options: state
    try:
        yield
    finally:
        torch.load = load
