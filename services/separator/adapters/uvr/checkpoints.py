"""The weights of a UVR model.

A .ckpt is a pickle of PyTorch: it goes through the restricted loader, and may name nothing but tensors.
"""

import io
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from services.separator.adapters.pickles import require_names, require_stored

_WRAPPERS = ("state_dict", "model")
"""Under which of them a training keeps the weights, if it keeps more."""


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
