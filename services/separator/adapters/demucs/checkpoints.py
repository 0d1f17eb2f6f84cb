"""Checkpoints of demucs out of bytes, without running anything that the bytes ask for.

Two forms are published: safetensors with the network's class and arguments as JSON in the metadata, and pickles of a
dict. A class is only ever a name here; `networks` knows the three that may be built. Pickles go through PyTorch's
restricted loader, which is told what real ones hold besides tensors: fractions, the three names, and, in the record of
a training, numbers of NumPy, of which nothing is used. What is small must stay small: no number of a million digits,
no file that grows when it is unpacked, no value that holds itself over and over.
"""

import io
import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pickle import UnpicklingError
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from services.separator.adapters.pickles import require_names, require_stored
from stemhouse.errors import ModelRejected

NETWORK_NAMES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")

_SAFETENSORS_SUFFIX = ".safetensors"
_HEADER_SIZE_BYTES = 8
_QUANTISED = "its weights are packed by diffq, which is not supported"
_ZIP_BEGINNING = b"PK\3\4"
_NO_ZIP_FILE = "it is no zip file, and since 2020 PyTorch saves nothing else"
_NO_FILE_OF_PYTORCH = "it is cut, or no file that PyTorch has saved"
_FRACTION_NAME = "fractions.Fraction"
_FRACTION = re.compile(r"[0-9]{1,9}(/[0-9]{1,9})?")
_LARGEST_TERM = 10**9
"""Of a fraction; real ones are segments in seconds."""
_MOST_VALUES = 10_000
"""Among the arguments; real ones are some fifty."""
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
        is_safetensors = file_name.endswith(_SAFETENSORS_SUFFIX)
        checkpoint = _from_safetensors(content) if is_safetensors else _from_pickle(content)
        _require_within(checkpoint, len(content))
    except (_Unsound, RecursionError) as error:
        raise ModelRejected(f"{file_name} is not a checkpoint of demucs: {error}", {"file": file_name}) from error
    return checkpoint


def _require_within(checkpoint: Checkpoint, file_bytes: int) -> None:
    """A tensor of a pickle may repeat one number, or reach beyond those that are there."""
    if sum(tensor.nbytes for tensor in checkpoint.state.values()) > file_bytes:
        raise _Unsound("its weights are more than its bytes")


def is_out_of_memory(error: Exception) -> bool:
    """Whether PyTorch found too little memory: it has a class for that on CUDA alone."""
    is_told = any(mark in str(error) for mark in ("DefaultCPUAllocator", "MPS backend out of memory"))
    return isinstance(error, torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and is_told)


class _Unsound(Exception):
    """What is wrong with the bytes."""


def _from_safetensors(content: bytes) -> Checkpoint:
    try:
        state = load_safetensors(content)
        metadata = _safetensors_metadata(content)
        arguments, keywords = (_decoded(json.loads(metadata[name])) for name in ("args", "kwargs"))
    except SafetensorError as error:
        raise _Unsound(f"it is cut, or no file of safetensors ({error})") from error
    except KeyError as error:
        raise _Unsound(f"its metadata has no {error.args[0]}") from error
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise _Unsound(f"its metadata cannot be read ({error})") from error
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
        return _fraction(value["numerator"], value["denominator"])
    if isinstance(value, dict):
        return {name: _decoded(item) for name, item in value.items()}
    return value


def _fraction(*terms: Any) -> Fraction:
    """Stands for the class, whose own parser would spend hours on a short text such as 1e12000000.

    Raises ValueError for anything but "78/10", "8", or terms of up to nine digits, and ZeroDivisionError.
    """
    if len(terms) == 1 and isinstance(terms[0], str) and _FRACTION.fullmatch(terms[0]):
        terms = tuple(map(int, terms[0].split("/")))
    if not all(type(term) is int and abs(term) < _LARGEST_TERM for term in terms):
        raise ValueError(f"{reprlib.repr(terms)} is no fraction")
    return Fraction(*terms)


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
    if not content.startswith(_ZIP_BEGINNING):
        raise _Unsound(_NO_ZIP_FILE)
    package = _unpickled(content)
    if not isinstance(package, dict) or not {"klass", "args", "kwargs", "state"} <= set(package):
        raise _Unsound("it holds no class, arguments and weights")
    network = package["klass"]
    if not isinstance(network, _NetworkName):
        raise _Unsound(f"its class is {reprlib.repr(network)}")
    return _checkpoint(network.name, package["args"], package["kwargs"], package["state"])


def _unpickled(content: bytes) -> Any:
    named = [(_NetworkName(name), name) for name in NETWORK_NAMES]
    unused = [(_Unused, name) for name in _NUMPY_NUMBERS]
    try:
        require_stored(content)
        require_names(content, [*NETWORK_NAMES, *_NUMPY_NUMBERS, _FRACTION_NAME])
        with torch.serialization.safe_globals([*named, *unused, (_fraction, _FRACTION_NAME)]):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (MemoryError, _Unsound):
        raise
    except Exception as error:  # a restricted loader fails in many ways on bytes that are not what it expects
        if is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise _Unsound(_told(error)) from error


def _checkpoint(network: Any, arguments: Any, keywords: Any, state: Any) -> Checkpoint:
    if network not in NETWORK_NAMES:
        raise _Unsound(f"its class is {reprlib.repr(network)}, and only {', '.join(NETWORK_NAMES)} are taken")
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
    """Whether all within are plain, and few: what is there many times over counts as often."""
    waiting, passed_count = [value], 0
    while waiting and passed_count + len(waiting) <= _MOST_VALUES:
        one = waiting.pop()
        passed_count += 1
        if isinstance(one, dict) and all(isinstance(name, str) for name in one):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
        elif one is not None and type(one) not in {bool, int, float, str, Fraction}:
            return False
    return not waiting


def _told(error: BaseException) -> str:
    """The finding itself: PyTorch puts it behind much advice on how to load the file all the same."""
    finding = error.__context__ or error
    if not isinstance(finding, (UnpicklingError, ValueError)):
        return _NO_FILE_OF_PYTORCH
    return str(finding).partition("\n")[0].partition(". Please ")[0]
