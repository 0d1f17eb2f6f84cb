"""Cores of HTDemucs by OpenVINO, in single precision on the CPU: less time than PyTorch takes (ADR 0023).

A core is traced and converted once, which takes some 20 s of one CPU core, and kept beside the models: loading what was
kept takes two. Where nothing can be written it is converted again each time.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import torch

from services.separator.adapters.demucs.hybrid import Forward, HTDemucsCore
from services.separator.adapters.demucs.levels import LevelledCore, with_levels
from stemhouse.errors import EngineUnavailable

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would tell its makers of every use
import openvino  # noqa: E402 - after that, its own stand-in is used

log = structlog.get_logger(__name__)

_MODEL, _WEIGHTS, _DIGEST = "core.xml", "core.bin", "sha256"
_MAKERS = ("openvino", "torch", "demucs")
"""Packages of which another version may make another model."""
_FORM = "levels are given"
"""What else makes another model of the same weights: what it is given."""
_DIGITS = 16


class OpenVinoBackend:
    """Backend (see `hybrid`) that keeps what it has converted in `folder`."""

    def __init__(self, folder: Path, thread_count: int) -> None:
        self._folder = folder
        self._runtime = openvino.Core()
        self._options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": thread_count,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # other containers may have the same idea
        }

    def forward_of(self, core: HTDemucsCore, identity: str) -> Forward:
        """See Backend.forward_of. The core itself has no weights afterwards."""
        kept = self._folder / f"{_short(identity)}-{_short(_FORM, *map(version, _MAKERS))}"
        try:
            model = self._kept_model(kept) or self._converted(core, kept)
            compiled = self._runtime.compile_model(model, "CPU", self._options)
        except RuntimeError as error:  # what OpenVINO and PyTorch's tracer raise
            cause = str(error).strip().partition("\n")[0]
            message = f"OpenVINO cannot run this model: {cause}; STEMHOUSE_DEMUCS__BACKEND=torch does without it"
            raise EngineUnavailable(message) from error
        core.to("meta")  # frees the weights, which are in memory twice by now
        return _Compiled(compiled)

    def _kept_model(self, kept: Path) -> Any:
        """None if there is none, or a damaged one."""
        try:
            is_whole = (kept / _DIGEST).read_text() == _digest(kept)
        except OSError:
            return None
        return self._runtime.read_model(kept / _MODEL) if is_whole else None

    def _converted(self, core: HTDemucsCore, kept: Path) -> Any:
        """Always read from a file: as it comes from the converter it rounds otherwise."""
        model = converted(core)
        try:
            _keep(model, kept)
            return self._runtime.read_model(kept / _MODEL)
        except OSError as error:
            log.warning("converted model is not kept", folder=str(self._folder), cause=str(error))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            openvino.save_model(model, Path(folder, _MODEL), compress_to_fp16=False)
            return self._runtime.read_model(Path(folder, _MODEL))


class _Compiled:
    """Forward of a compiled model, which takes one segment at a time."""

    def __init__(self, model: Any) -> None:
        self._request = model.create_infer_request()

    def __call__(self, mix: torch.Tensor, spectrogram: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See Forward."""
        given = [self._infer(*one) for one in zip(mix[:, None], spectrogram[:, None], strict=True)]
        found, waveforms = zip(*given, strict=True)
        return torch.cat(found), torch.cat(waveforms)

    def _infer(self, mix: torch.Tensor, spectrogram: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        given = self._request.infer([np.ascontiguousarray(one) for one in with_levels(mix, spectrogram)])
        return torch.from_numpy(given[0]), torch.from_numpy(given[1])


def converted(core: HTDemucsCore) -> Any:
    """The core as OpenVINO's model of one segment, by way of a trace; it is given what `with_levels` gives."""
    frame_count = int(core.segment * core.samplerate)
    mix = torch.zeros(1, core.audio_channels, frame_count)
    spectrogram = torch.zeros(1, 2 * core.audio_channels, core.nfft // 2, -(-frame_count // core.hop_length))
    examples = with_levels(mix, spectrogram)
    levelled = LevelledCore(core.requires_grad_(requires_grad=False))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is called old, and the shapes that demucs checks are called constant
        trace = torch.jit.trace(levelled, examples, check_trace=False)
    return openvino.convert_model(trace, example_input=examples, input=[tuple(one.shape) for one in examples])


def _keep(model: Any, kept: Path) -> None:
    """All at once, in the place of what is damaged and of what other versions have made."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=kept.parent, prefix=".unfinished-"))
    try:
        openvino.save_model(model, unfinished / _MODEL, compress_to_fp16=False)
        (unfinished / _DIGEST).write_text(_digest(unfinished))
        for old in kept.parent.glob(f"{kept.name.partition('-')[0]}-*"):
            shutil.rmtree(old, ignore_errors=True)
        os.rename(unfinished, kept)  # noqa: PTH104 - says that a folder which is there is an error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (_MODEL, _WEIGHTS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _short(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:_DIGITS]
