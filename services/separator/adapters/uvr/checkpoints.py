"""The files of a UVR model, checked by their digests before anything is parsed, and its weights.

A .ckpt is a pickle of PyTorch: it goes through the restricted loader, and may name nothing but tensors.
"""

import hashlib
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from services.separator.adapters.demucs.pickles import require_names, require_stored
from services.separator.core.models import ModelFile
from stemhouse.errors import EngineUnavailable, ModelRejected

_WRAPPERS = ("state_dict", "model")
"""Under which of them a training keeps the weights, if it keeps more."""


def checked_content(path: Path, file: ModelFile) -> bytes:
    """The bytes of a file; raises EngineUnavailable if it cannot be read, ModelRejected if it is another one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror}"
        raise EngineUnavailable(message, {"file": str(path)}) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if (len(content), sha256) != (file.size_bytes, file.sha256):
        message = (
            f"{file.name} is not the file that was promised: {len(content)} bytes of SHA-256 {sha256}, "
            f"not {file.size_bytes} bytes of {file.sha256}"
        )
        raise ModelRejected(message, {"file": file.name, "found_sha256": sha256, "expected_sha256": file.sha256})
    return content


def read_weights(content: bytes) -> dict[str, Tensor]:
    """The tensors of a .ckpt by name; raises ValueError that says what is wrong with it."""
    state = _unpickled(content)
    for wrapper in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(one, Tensor) for one in state.values()):
        raise ValueError("it holds no weights by name")
    if sum(tensor.nbytes for tensor in state.values()) > len(content):
        raise ValueError("its weights are more than its bytes")
    for name, tensor in state.items():
        if not math.isfinite(float(tensor.sum())):
            raise ValueError(f"its weights {name} are not finite")
    return dict(state)


def _unpickled(content: bytes) -> Any:
    require_stored(content)
    require_names(content, ())
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
