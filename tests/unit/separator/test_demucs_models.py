"""Loading models of demucs: what was promised is loaded, anything else is refused with the reason, and nothing runs."""

import codecs
import hashlib
import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from safetensors.torch import save as safetensors_bytes

from services.separator.adapters.demucs.bags import load_bag
from services.separator.adapters.demucs.checkpoints import Checkpoint
from services.separator.adapters.demucs.engine import DemucsModels
from services.separator.adapters.demucs.networks import build_network
from services.separator.core.models import FOUND_SHA256, ModelEntry, ModelFile, ModelShape, demucs_spec
from stemhouse.audio import AudioFormat
from stemhouse.errors import EngineUnavailable, ModelRejected
from stemhouse.vocab import BASE_STEMS, EXTRA_STEMS
from tests.tiny_demucs import (
    CD_STEREO,
    FileKind,
    described,
    install,
    install_tiny,
    install_tiny_bag,
    save_pickle,
    save_safetensors,
    tiny_hdemucs,
    tiny_htdemucs,
)

_KINDS: list[FileKind] = ["safetensors", "th"]
_FILE_NAMES = {"safetensors": "a.safetensors", "th": "a.th"}


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


def _promised(folder: Path, name: str, content: bytes, entry: ModelEntry) -> ModelEntry:
    """An entry for a file of that very content."""
    (folder / name).write_bytes(content)
    return replace(entry, files=(described(folder / name),))


def _any_entry() -> ModelEntry:
    return ModelEntry("mine", "demucs", BASE_STEMS, CD_STEREO, (), "", "")


def _load(folder: Path, name: str, content: bytes) -> None:
    load_bag(folder, _promised(folder, name, content, _any_entry()))


@pytest.mark.parametrize("kind", _KINDS)
def test_model_tells_its_shape(tmp_path: Path, kind: FileKind) -> None:
    """Stems in the order of the listing, whatever the entry says, and the audio that it works on."""
    entry = install_tiny(tmp_path, six=True, kind=kind)
    told = DemucsModels().inspect(tmp_path / entry.name, replace(entry, stems=(), audio_format=AudioFormat(1, 1)))
    assert told == ModelShape((*BASE_STEMS, *EXTRA_STEMS), CD_STEREO)


def test_engine_is_what_its_entry_says(tmp_path: Path) -> None:
    """So that the id under which a result is stored names the weights that were loaded."""
    entry = install_tiny_bag(tmp_path)
    engine = DemucsModels().load(tmp_path / entry.name, entry)
    assert engine.spec == demucs_spec(entry)
    assert engine.spec.engine_id.startswith("demucs-tinybag-")


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("damage", ["cut", "bit", "grown", "another", "empty"])
def test_file_that_was_not_promised_is_refused(tmp_path: Path, kind: FileKind, damage: str) -> None:
    """And both digests are told."""
    entry = install_tiny(tmp_path, kind=kind)
    path = tmp_path / entry.name / entry.files[0].name
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "grown": content + b"\0",
        "another": (tmp_path / install_tiny_bag(tmp_path).name / "00000001.safetensors").read_bytes(),
        "empty": b"",
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(ModelRejected, match="is not the file that was promised") as caught:
        load_bag(tmp_path / entry.name, entry)
    found_sha256 = hashlib.sha256(damaged).hexdigest()
    assert path.name in caught.value.message
    assert entry.files[0].sha256 in caught.value.message
    assert found_sha256 in caught.value.message
    assert caught.value.details[FOUND_SHA256] == found_sha256


def test_digest_is_checked_before_anything_is_parsed(tmp_path: Path) -> None:
    """A file that no parser would take is refused for its digest."""
    (tmp_path / "a.th").write_bytes(b"junk")
    entry = replace(_any_entry(), files=(ModelFile("a.th", "0" * 64, 4),))
    with pytest.raises(ModelRejected, match="promised"):
        load_bag(tmp_path, entry)


def test_missing_file_is_told(tmp_path: Path) -> None:
    """By name; the files may come back, so this is no damage."""
    with pytest.raises(EngineUnavailable, match=r"a\.th cannot be read: No such file"):
        load_bag(tmp_path, replace(_any_entry(), files=(ModelFile("a.th", "0" * 64, 4),)))


class Starved(dict[str, Any]):
    """Weights for which no machine has enough memory."""

    def get(self, *_arguments: Any) -> Any:
        """Ask for it."""
        return torch.empty(10**15, device="cpu")


def test_too_little_memory_is_not_the_files_fault() -> None:
    """PyTorch has no class of its own for it."""
    checkpoint = Checkpoint("demucs.htdemucs.HTDemucs", (), {"sources": ["vocals"]}, Starved())
    with pytest.raises(MemoryError, match="can't allocate memory"):
        build_network(checkpoint, ModelFile("a.th", "0" * 64, 4), None)


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
        _load(tmp_path, "a.th", content)
    assert not mark.exists()


def test_pickle_must_not_build_networks(tmp_path: Path, package: dict[str, Any]) -> None:
    """The classes are names, and cannot be called."""

    class Built:
        def __reduce__(self) -> tuple[Any, ...]:
            return (HTDemucs, (["vocals"],))

    with pytest.raises(ModelRejected, match=r"builds a demucs\.htdemucs\.HTDemucs"):
        _load(tmp_path, "a.th", _pickled({**package, "training_args": Built()}))


def test_pickle_of_a_real_training_is_read(tmp_path: Path, package: dict[str, Any]) -> None:
    """Fractions among the arguments, numbers of NumPy in the record of the training."""
    record = {"lr": np.float64(3e-4), "epochs": np.int64(360), "segment": Fraction(39, 5), "names": ["a", None, True]}
    content = _pickled({**package, "training_args": record})
    assert b"numpy._core.multiarray\nscalar" in content
    _load(tmp_path, "a.th", content)


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
        _load(tmp_path, "a.th", content)


def test_fractions_of_older_pickles_are_read(tmp_path: Path, package: dict[str, Any]) -> None:
    """Their only argument is a text."""
    keywords = package["kwargs"]
    for fraction in (Fractional("1/1"), Fractional("1"), Fractional(1, 1)):
        _load(tmp_path, "a.th", _pickled({**package, "kwargs": {**keywords, "segment": fraction}}))


@pytest.mark.parametrize("leaf", ["a", []], ids=repr)
def test_values_that_hold_each_other_over_and_over_are_refused(
    tmp_path: Path, package: dict[str, Any], leaf: object
) -> None:
    """Sixty lists of two can be a million million million values."""
    value = leaf
    for _ in range(60):
        value = [value, value]
    with pytest.raises(ModelRejected, match="not plain values"):
        _load(tmp_path, "a.th", _pickled({**package, "kwargs": {**package["kwargs"], "sources": value}}))
    with pytest.raises(ModelRejected, match="its class is"):
        _load(tmp_path, "a.th", _pickled({**package, "klass": value}))


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
        _load(tmp_path, "a.th", grown.getvalue())


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
        _load(tmp_path, "a.th", _pickled({**package, "training_args": value}))


def test_older_pickles_are_refused(tmp_path: Path, package: dict[str, Any]) -> None:
    """PyTorch saved without a zip file around it until 2020, and with the source of the class in it."""
    file = io.BytesIO()
    torch.save(package, file, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelRejected, match=r"a\.th is not a checkpoint of demucs: it is no zip file"):
        _load(tmp_path, "a.th", file.getvalue())


def test_weights_that_repeat_one_number_are_refused(tmp_path: Path, package: dict[str, Any]) -> None:
    """A tensor of strides 0 is as large as its file says, and has one number in it."""
    state = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in package["state"].items()}
    with pytest.raises(ModelRejected, match="its weights are more than its bytes"):
        _load(tmp_path, "a.th", _pickled({**package, "state": state}))


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
        _load(tmp_path, "a.th", content)


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
        _load(tmp_path, "a.th", _pickled(content))


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"i am no model", b"PK\3\4junk", pickle.dumps({"klass": 1})], ids=repr
)
@pytest.mark.parametrize("name", _FILE_NAMES.values())
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever the loaders make of them; and that is told in words, not by the name of a Python exception."""
    with pytest.raises(ModelRejected, match="is not a checkpoint of demucs") as caught:
        _load(tmp_path, name, content)
    assert not re.search("[a-z](Error|Exception)", caught.value.message)


def _with_fraction(numerator: Any, denominator: Any) -> dict[str, str]:
    fraction = {"_type": "fraction", "numerator": numerator, "denominator": denominator}
    return {"kwargs": json.dumps({"segment": fraction})}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"klass": "os.path.join"}, "its class is 'os.path.join'"),
        ({"klass": "demucs.apply.BagOfModels"}, "only demucs.htdemucs.HTDemucs, "),
        ({"kwargs": "{"}, "its metadata cannot be read"),
        ({"kwargs": "[]"}, "not plain values"),
        ({"structure": "{}"}, "diffq"),
        (_with_fraction(1, 0), "its metadata cannot be read"),
        (_with_fraction(10**9, 1), "is no fraction"),
        (_with_fraction("1e12000000", None), "is no fraction"),
    ],
)
def test_safetensors_that_are_no_model_are_refused(tmp_path: Path, change: dict[str, str], told: str) -> None:
    """The class is one of three, never what the file would like to have imported."""
    metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": "{}", **change}
    content = safetensors_bytes({"a": torch.zeros(1)}, metadata)
    with pytest.raises(ModelRejected, match=told):
        _load(tmp_path, "a.safetensors", content)


def test_safetensors_without_metadata_are_refused(tmp_path: Path) -> None:
    """Tensors alone are no network."""
    with pytest.raises(ModelRejected, match="its metadata has no args"):
        _load(tmp_path, "a.safetensors", safetensors_bytes({"a": torch.zeros(1)}))


def test_unknown_arguments_of_older_versions_are_dropped(tmp_path: Path) -> None:
    """As demucs does, and without a warning."""
    model = tiny_htdemucs()
    arguments, keywords = model._init_args_kwargs
    model._init_args_kwargs = (arguments, {**keywords, "long_gone": 3})
    save_safetensors(model, tmp_path / "a.safetensors")
    load_bag(tmp_path, replace(_any_entry(), files=(described(tmp_path / "a.safetensors"),)))


def _differing(folder: Path) -> ModelEntry:
    return install(folder, [tiny_htdemucs(), tiny_hdemucs(("vocals", "drums", "bass", "other"))])


def _weighted(rows: tuple[tuple[float, ...], ...]) -> Callable[[Path], ModelEntry]:
    return lambda folder: replace(install_tiny(folder), weights=rows)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_differing, "differ in sources"),
        (_weighted(((1, 1, 1),)), "but weights"),
        (_weighted(((1, 1, 1, 1), (1, 1, 1, 1))), "but weights"),
        (_weighted(((1, 0, 1, 1),)), "but weights"),
        (_weighted(((1, float("nan"), 1, 1),)), "but weights"),
        (lambda folder: replace(install_tiny(folder), files=()), "names no checkpoints"),
    ],
)
def test_bag_that_does_not_fit_together_is_refused(
    tmp_path: Path, make: Callable[[Path], ModelEntry], told: str
) -> None:
    """Other sources, too few or too many weights, a stem that no checkpoint gives."""
    entry = make(tmp_path)
    with pytest.raises(ModelRejected, match=told):
        load_bag(tmp_path / entry.name, entry)


@pytest.mark.parametrize("change", [{"stems": BASE_STEMS[:3]}, {"audio_format": AudioFormat(48_000, 2)}])
def test_entry_that_describes_another_model_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Nobody is offered stems that will not come."""
    entry = replace(install_tiny(tmp_path), **change)
    with pytest.raises(ModelRejected, match="the checkpoints of tiny give"):
        DemucsModels().load(tmp_path / entry.name, entry)
