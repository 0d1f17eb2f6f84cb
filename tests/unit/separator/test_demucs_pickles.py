"""Pickles of demucs: those of trainings are read, all else is refused with the reason, and nothing runs or grows."""

import codecs
import io
import os
import zipfile
from collections.abc import Callable
from copy import copy
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from stemhouse.errors import ModelRejected
from tests.tiny_demucs import (
    save_pickle,
    tiny_htdemucs,
)
from tests.unit.separator.demucs_files import load_content


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a good pickle holds; the state is copied by whoever changes it."""
    path = save_pickle(tiny_htdemucs(), tmp_path_factory.mktemp("good"), "good")
    found: dict[str, Any] = torch.load(path, weights_only=False)
    return found


def _pickled(package: object) -> bytes:
    file = io.BytesIO()
    torch.save(package, file)
    return file.getvalue()


class Attack:
    """Runs a command when an ordinary loader reads it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave a file behind."""
        return (os.system, (f"touch {self._mark}",))


@pytest.mark.parametrize("place", ["alone", "kwargs", "training_args"])
def test_foreign_pickle_is_refused_and_runs_nothing(tmp_path: Path, place: str, package: dict[str, Any]) -> None:
    """Wherever it hides; an ordinary loader would have run it."""
    mark = tmp_path / "mark"
    content = _pickled(Attack(mark) if place == "alone" else {**package, place: {"x": Attack(mark)}})
    with pytest.raises(ModelRejected, match=r"a\.th is not a checkpoint of demucs.*(posix|nt)\.system"):
        load_content(tmp_path, "a.th", content)
    assert not mark.exists()


def test_pickle_must_not_build_networks(tmp_path: Path, package: dict[str, Any]) -> None:
    """The classes are names, and cannot be called."""

    class Built:
        def __reduce__(self) -> tuple[Any, ...]:
            return (HTDemucs, (["vocals"],))

    with pytest.raises(ModelRejected, match=r"builds a demucs\.htdemucs\.HTDemucs"):
        load_content(tmp_path, "a.th", _pickled({**package, "training_args": Built()}))


def test_pickle_of_a_real_training_is_read(tmp_path: Path, package: dict[str, Any]) -> None:
    """Fractions among the arguments, numbers of NumPy in the record of the training."""
    record = {"lr": np.float64(3e-4), "epochs": np.int64(360), "segment": Fraction(39, 5), "names": ["a", None, True]}
    content = _pickled({**package, "training_args": record})
    assert b"numpy._core.multiarray\nscalar" in content
    load_content(tmp_path, "a.th", content)


class Fractional:
    """Is a fraction of these terms to whoever reads it."""

    def __init__(self, *terms: Any) -> None:
        self._terms = terms

    def __reduce__(self) -> tuple[Any, ...]:
        """As fractions are pickled, today or by an older Python."""
        return (Fraction, self._terms)


@pytest.mark.parametrize("terms", [("1e12000000",), ("1e12000000", None), (10**9, 1), (1.5,), ("7" * 10,), ("1/0",)])
def test_numbers_that_take_for_ever_are_refused(
    tmp_path: Path, package: dict[str, Any], terms: tuple[Any, ...]
) -> None:
    """Ten bytes of a pickle may not keep the device busy for hours."""
    content = _pickled({**package, "kwargs": {**package["kwargs"], "segment": Fractional(*terms)}})
    with pytest.raises(ModelRejected, match=r"a\.th is not a checkpoint of demucs: "):
        load_content(tmp_path, "a.th", content)


def test_fractions_of_older_pickles_are_read(tmp_path: Path, package: dict[str, Any]) -> None:
    """Their only argument is a text."""
    keywords = package["kwargs"]
    for fraction in (Fractional("1/1"), Fractional("1"), Fractional(1, 1)):
        load_content(tmp_path, "a.th", _pickled({**package, "kwargs": {**keywords, "segment": fraction}}))


@pytest.mark.parametrize("leaf", ["a", []], ids=repr)
def test_values_that_hold_each_other_over_and_over_are_refused(
    tmp_path: Path, package: dict[str, Any], leaf: object
) -> None:
    """Sixty lists of two can be a million million million values."""
    value = leaf
    for _ in range(60):
        value = [value, value]
    with pytest.raises(ModelRejected, match="not plain values"):
        load_content(tmp_path, "a.th", _pickled({**package, "kwargs": {**package["kwargs"], "sources": value}}))
    with pytest.raises(ModelRejected, match="its class is"):
        load_content(tmp_path, "a.th", _pickled({**package, "klass": value}))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED], ids=["packed", "named twice"])
def test_file_that_would_grow_is_refused(tmp_path: Path, package: dict[str, Any], method: int) -> None:
    """Packed, or with one stretch of bytes behind many names."""
    grown = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_pickled(package))) as good, zipfile.ZipFile(grown, "w", method) as bad:
        for member in good.infolist():
            bad.writestr(member.filename, good.read(member))
        if method == zipfile.ZIP_STORED:
            largest = max(bad.infolist(), key=lambda member: member.file_size)
            bad.filelist.extend([copy(largest) for _ in range(9)])
    with pytest.raises(ModelRejected, match=r"a\.th is not a checkpoint of demucs: it is packed"):
        load_content(tmp_path, "a.th", grown.getvalue())


class Call:
    """Is the result of a call to whoever reads it."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        """As asked for."""
        return self._call


def _doubled(times: int) -> Any:
    value: Any = Call(codecs.encode, "a", "latin1")
    for _ in range(times):
        value = Call(codecs.encode, value, "HEX")
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Call(bytearray, 1_000), "bytearray, which no checkpoint needs"),
        (Call(complex, 1), "complex, which no checkpoint needs"),
        (_doubled(10), "more bytes than a checkpoint needs"),
        ([Call(codecs.encode, "a" * 100_000, "latin1") for _ in range(200)], "more bytes than a checkpoint needs"),
    ],
    ids=["bytearray", "complex", "doubled", "repeated"],
)
def test_pickle_that_makes_bytes_is_refused(tmp_path: Path, package: dict[str, Any], value: object, told: str) -> None:
    """PyTorch's own loader would make as many as the file says."""
    with pytest.raises(ModelRejected, match=rf"a\.th is not a checkpoint of demucs: it .*{told}"):
        load_content(tmp_path, "a.th", _pickled({**package, "training_args": value}))


def test_older_pickles_are_refused(tmp_path: Path, package: dict[str, Any]) -> None:
    """PyTorch saved without a zip file around it until 2020, and with the source of the class in it."""
    file = io.BytesIO()
    torch.save(package, file, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelRejected, match=r"a\.th is not a checkpoint of demucs: it is no zip file"):
        load_content(tmp_path, "a.th", file.getvalue())


def test_weights_that_repeat_one_number_are_refused(tmp_path: Path, package: dict[str, Any]) -> None:
    """A tensor of strides 0 is as large as its file says, and has one number in it."""
    state = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in package["state"].items()}
    with pytest.raises(ModelRejected, match="its weights are more than its bytes"):
        load_content(tmp_path, "a.th", _pickled({**package, "state": state}))


@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        (HTDemucs, {"channels": 3000}),
        (HDemucs, {"channels": 3000}),
        (Demucs, {"channels": 3000}),
        (HTDemucs, {"bottom_channels": 40_000}),
        (HTDemucs, {"t_layers": 10**9}),
        (HDemucs, {"depth": 10**9}),
        (Demucs, {"lstm_layers": 10**9}),
    ],
)
def test_network_that_is_larger_than_its_file_is_refused(
    tmp_path: Path, network: type, arguments: dict[str, Any]
) -> None:
    """Before it is built: one of these would take more memory than any machine has."""
    content = _pickled({"klass": network, "args": (["vocals"],), "kwargs": arguments, "state": {"a": torch.zeros(1)}})
    with pytest.raises(ModelRejected, match=r"a\.th cannot be .*(loading state_dict for|but there are 1 weights)"):
        load_content(tmp_path, "a.th", content)


def _bad_pickles(package: dict[str, Any]) -> dict[str, tuple[object, str]]:
    state = package["state"]
    first = next(iter(state))
    nan = {**state, first: torch.full_like(state[first], float("nan"))}
    missing = {name: tensor for name, tensor in state.items() if name != first}
    keywords = package["kwargs"]
    return {
        "no dict": ([1, 2], "holds no class"),
        "no state": ({"klass": HTDemucs, "args": (), "kwargs": {}}, "holds no class"),
        "class by name": ({**package, "klass": "os.system"}, "its class is 'os.system'"),
        "packed": ({**package, "state": {**state, "__quantized": True}}, "diffq"),
        "no tensors": ({**package, "state": {"a": 1}}, "not tensors by name"),
        "numpy argument": ({**package, "kwargs": {**keywords, "channels": np.int64(4)}}, "not plain values"),
        "tensor argument": ({**package, "kwargs": {**keywords, "channels": torch.ones(1)}}, "not plain values"),
        "other size": ({**package, "kwargs": {**keywords, "channels": 8}}, "RuntimeError"),
        "impossible": ({**package, "kwargs": {**keywords, "depth": "deep"}}, "TypeError"),
        "no sources": ({**package, "kwargs": {**keywords, "sources": []}}, "cannot be loaded"),
        "no segment": ({**package, "kwargs": {**keywords, "segment": 0}}, "0 frames at once"),
        "missing weights": ({**package, "state": missing}, f"RuntimeError.*|{first}"),
        "not a number": ({**package, "state": nan}, "are not finite"),
    }


_BAD_PICKLES = [
    "no dict",
    "no state",
    "class by name",
    "packed",
    "no tensors",
    "numpy argument",
    "tensor argument",
    "other size",
    "impossible",
    "no sources",
    "no segment",
    "missing weights",
    "not a number",
]


@pytest.mark.parametrize("case", _BAD_PICKLES)
def test_pickle_that_is_no_model_is_refused(tmp_path: Path, case: str, package: dict[str, Any]) -> None:
    """With the file and the cause."""
    content, told = _bad_pickles(package)[case]
    with pytest.raises(ModelRejected, match=rf"(?s)^a\.th .*{told}"):
        load_content(tmp_path, "a.th", _pickled(content))
