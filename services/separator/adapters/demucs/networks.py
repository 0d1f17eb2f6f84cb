"""Networks of demucs: built from checkpoints by demucs' own code, and run on arrays."""

import inspect
import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.states import load_model

from services.separator.adapters.demucs.checkpoints import NETWORK_NAMES, Checkpoint, is_out_of_memory
from services.separator.adapters.demucs.hybrid import TORCH, Backend, HTDemucsCore
from services.separator.core.models import OVERLAP, ModelFile
from services.separator.core.segments import Schedule
from stemhouse.audio import AudioFormat
from stemhouse.errors import ModelRejected

_CLASSES = dict(zip(NETWORK_NAMES, (HTDemucsCore, HDemucs, Demucs), strict=True))
_RANDOM_SHIFT = "t_sin_random_shift"
_COUNTS_OF_LAYERS = {"depth", "dconv_depth", "lstm_layers", "t_layers"}
_LEAST_FRAMES = 2  # one frame of mono has no standard deviation, and HDemucs divides by it


class Network:
    """One network on the CPU, in single precision, ready for use."""

    def __init__(self, model: Any, run: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Take one of demucs' models, with what demucs has as its attributes, and the way to run it.

        `run` is of float32 (segments, channels, frames), and gives float32 (segments, sources, channels, frames).
        """
        self._model = model
        self._run = run
        self.sources: tuple[str, ...] = tuple(model.sources)
        self.audio_format = AudioFormat(model.samplerate, model.audio_channels)
        segment_frames = int(model.samplerate * model.segment)
        self.schedule = Schedule(segment_frames, int((1 - OVERLAP) * segment_frames), self._heard_frames)

    def separate(self, heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Of float32 (segments, channels, frames): float32 (segments, sources, channels, frames)."""
        with torch.inference_mode():
            given: npt.NDArray[np.float32] = self._run(torch.from_numpy(heard)).numpy()
        return given

    def _heard_frames(self, frame_count: int) -> int:
        wanted_frames = max(frame_count, _LEAST_FRAMES)
        return int(self._model.valid_length(wanted_frames)) if hasattr(self._model, "valid_length") else wanted_frames


def build_network(
    checkpoint: Checkpoint, file: ModelFile, segment_s: float | None, backend: Backend = TORCH
) -> Network:
    """The network of a checkpoint; `segment_s` overrides its segment as a bag of demucs would.

    Raises ModelRejected that names the file and the cause, EngineUnavailable as Backend does, and MemoryError.
    """
    model = _sound_model(checkpoint, file.name, segment_s)
    if not isinstance(model, HTDemucsCore):
        return Network(model, model)
    fitting = backend if model.has_one_shape else TORCH
    forward = fitting.forward_of(model, f"{file.sha256} {model.segment}")
    return Network(model, partial(model.separate, forward))


def _sound_model(checkpoint: Checkpoint, file_name: str, segment_s: float | None) -> Any:
    """Raises ModelRejected and MemoryError."""
    try:
        model = _loaded(checkpoint)
        if segment_s is not None and (not isinstance(model, HTDemucsCore) or segment_s <= model.segment):
            model.segment = segment_s  # a transformer must not hear more than in training
        _require_sound(Network(model, model), model)
    except MemoryError:
        raise
    except Exception as error:  # the file gives a stranger's code its arguments: whatever fails is the file's fault
        if is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        cause = str(error).partition("\n")[0]
        message = f"{file_name} cannot be loaded as {checkpoint.network}: {type(error).__name__}: {cause}"
        raise ModelRejected(message, {"file": file_name}) from error
    return model


def _loaded(checkpoint: Checkpoint) -> Any:
    """Built twice: without memory at first, so that arguments cannot ask for more of it than there are weights."""
    keywords = dict(checkpoint.keywords)
    if _RANDOM_SHIFT in keywords:
        keywords[_RANDOM_SHIFT] = 0  # meant for training; demucs would draw one for each segment
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # arguments of older versions are dropped, and said so
        _require_few_layers(checkpoint)
        with torch.device("meta"):
            load_model(_package(checkpoint, keywords))
        return load_model(_package(checkpoint, keywords)).eval()


def _package(checkpoint: Checkpoint, keywords: dict[str, Any]) -> dict[str, Any]:
    """As load_model takes it, which changes the keywords."""
    network = _CLASSES[checkpoint.network]
    return {"klass": network, "args": checkpoint.arguments, "kwargs": dict(keywords), "state": checkpoint.state}


def _require_few_layers(checkpoint: Checkpoint) -> None:
    """Raises ValueError for more layers than weights: even without weights a million of them fill all memory."""
    signature = inspect.signature(_CLASSES[checkpoint.network])
    arguments = {**dict(zip(signature.parameters, checkpoint.arguments, strict=False)), **checkpoint.keywords}
    for name in _COUNTS_OF_LAYERS & set(arguments):
        if arguments[name] > len(checkpoint.state):
            raise ValueError(f"{name} is {arguments[name]}, but there are {len(checkpoint.state)} weights")


def _require_sound(network: Network, model: Any) -> None:
    """Raises ValueError for what would separate nothing."""
    audio_format, schedule = network.audio_format, network.schedule
    if not network.sources or len(set(network.sources)) < len(network.sources):
        raise ValueError(f"its sources are {model.sources}")
    if min(audio_format.sample_rate_hz, audio_format.channel_count, schedule.stride_frames) < 1:
        raise ValueError(f"it works on {audio_format}, {schedule.segment_frames} frames at once")
    for name, parameter in model.state_dict().items():
        if not math.isfinite(float(parameter.sum())):
            raise ValueError(f"its weights {name} are not finite")
