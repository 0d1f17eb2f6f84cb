"""Checkpoints of demucs out of bytes, without running anything that the bytes ask for.

Two forms are published: safetensors with the network's class and arguments as JSON in the metadata, and pickles of a
dict. A class is only ever a name here; `networks` knows the three that may be built. Pickles go through PyTorch's
restricted loader, which is told what real ones hold besides tensors: fractions, the three names, and, in the record of
a training, numbers of NumPy, of which nothing is used.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from stemhouse.errors import ModelRejected

NETWORK_NAMES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")

_SAFETENSORS_SUFFIX = ".safetensors"
_HEADER_SIZE_BYTES = 8
_QUANTISED = "its weights are packed by diffq, which is not supported"
_NUMPY_NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


@dataclass(frozen=True)
class Checkpoint:
    """A network as it was saved: the name of its class, what it is built with, its tensors by name."""

    network: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    state: dict[str, Tensor]


def read_checkpoint(content: bytes, file_name: str) -> Checkpoint:
    """The checkpoint that the bytes of a file hold; raises ModelRejected that names the file and the cause."""
    try:
        if file_name.endswith(_SAFETENSORS_SUFFIX):
            return _from_safetensors(content)
        return _from_pickle(content)
    except (_Unsound, RecursionError) as error:
        raise ModelRejected(f"{file_name} is not a checkpoint of demucs: {error}", {"file": file_name}) from error


class _Unsound(Exception):
    """What is wrong with the bytes."""


def _from_safetensors(content: bytes) -> Checkpoint:
    try:
        state = load_safetensors(content)
        metadata = _safetensors_metadata(content)
        arguments, keywords = (_decoded(json.loads(metadata[name])) for name in ("args", "kwargs"))
    except (SafetensorError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise _Unsound(f"{type(error).__name__}: {error}") from error
    if "structure" in metadata:
        raise _Unsound(_QUANTISED)
    return _checkpoint(metadata.get("klass"), arguments, keywords, state)


def _safetensors_metadata(content: bytes) -> dict[str, str]:
    """What the head says besides the tensors. The format: length of the head, little-endian, and the head in JSON."""
    head_bytes = int.from_bytes(content[:_HEADER_SIZE_BYTES], "little")
    head = json.loads(content[_HEADER_SIZE_BYTES : _HEADER_SIZE_BYTES + head_bytes])
    metadata: dict[str, str] = head.get("__metadata__", {})
    return metadata


def _decoded(value: Any) -> Any:
    """JSON with fractions, as demucs writes arguments."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict) and value.get("_type") == "fraction":
        return Fraction(value["numerator"], value["denominator"])
    if isinstance(value, dict):
        return {name: _decoded(item) for name, item in value.items()}
    return value


@dataclass(frozen=True)
class _NetworkName:
    """Stands for a class in a pickle, which may name it, but not use it."""

    name: str

    def __call__(self, *_arguments: Any) -> None:
        """Refuse to build anything."""
        raise _Unsound(f"it builds a {self.name} while it is read")


class _Unused:
    """Stands for whatever a pickle makes of NumPy's names."""

    def __new__(cls, *_arguments: Any) -> Self:
        """Take any arguments, and keep none."""
        return super().__new__(cls)

    def __setstate__(self, _state: Any) -> None:
        """Likewise."""


def _from_pickle(content: bytes) -> Checkpoint:
    named = [(_NetworkName(name), name) for name in NETWORK_NAMES]
    unused = [(_Unused, name) for name in _NUMPY_NUMBERS]
    try:
        with torch.serialization.safe_globals([*named, *unused, Fraction]):
            package = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _Unsound:
        raise
    except Exception as error:  # a restricted loader fails in many ways on bytes that are not what it expects
        raise _Unsound(_told(error)) from error
    if not isinstance(package, dict) or not {"klass", "args", "kwargs", "state"} <= set(package):
        raise _Unsound("it holds no class, arguments and weights")
    network = package["klass"]
    if not isinstance(network, _NetworkName):
        raise _Unsound(f"its class is {network!r}")
    return _checkpoint(network.name, package["args"], package["kwargs"], package["state"])


def _checkpoint(network: Any, arguments: Any, keywords: Any, state: Any) -> Checkpoint:
    if network not in NETWORK_NAMES:
        raise _Unsound(f"its class is {network!r}, and only {', '.join(NETWORK_NAMES)} are taken")
    if (
        not isinstance(arguments, (list, tuple))
        or not isinstance(keywords, dict)
        or not _is_plain([arguments, keywords])
    ):
        raise _Unsound("its arguments are not plain values")
    if isinstance(state, Mapping) and "__quantized" in state:
        raise _Unsound(_QUANTISED)
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise _Unsound("its weights are not tensors by name")
    return Checkpoint(network, tuple(arguments), keywords, dict(state))


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(item) for name, item in value.items())
    return value is None or type(value) in {bool, int, float, str, Fraction}


def _told(error: BaseException) -> str:
    """The finding itself: PyTorch puts it behind much advice on how to load the file all the same."""
    finding = error.__context__ or error
    return f"{type(finding).__name__}: {finding}".partition("\n")[0].partition(". Please ")[0]
