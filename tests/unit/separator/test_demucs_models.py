"""Loading models of demucs: what was promised is loaded, anything else is refused with the reason, and nothing runs."""

import hashlib
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
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
    save_safetensors,
    tiny_hdemucs,
    tiny_htdemucs,
)
from tests.unit.separator.demucs_files import any_entry, load_content

_KINDS: list[FileKind] = ["safetensors", "th"]
_FILE_NAMES = {"safetensors": "a.safetensors", "th": "a.th"}


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
    entry = replace(any_entry(), files=(ModelFile("a.th", "0" * 64, 4),))
    with pytest.raises(ModelRejected, match="promised"):
        load_bag(tmp_path, entry)


def test_missing_file_is_told(tmp_path: Path) -> None:
    """By name; the files may come back, so this is no damage."""
    with pytest.raises(EngineUnavailable, match=r"a\.th cannot be read: No such file"):
        load_bag(tmp_path, replace(any_entry(), files=(ModelFile("a.th", "0" * 64, 4),)))


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


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"i am no model", b"PK\3\4junk", pickle.dumps({"klass": 1})], ids=repr
)
@pytest.mark.parametrize("name", _FILE_NAMES.values())
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever the loaders make of them; and that is told in words, not by the name of a Python exception."""
    with pytest.raises(ModelRejected, match="is not a checkpoint of demucs") as caught:
        load_content(tmp_path, name, content)
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
        load_content(tmp_path, "a.safetensors", content)


def test_safetensors_without_metadata_are_refused(tmp_path: Path) -> None:
    """Tensors alone are no network."""
    with pytest.raises(ModelRejected, match="its metadata has no args"):
        load_content(tmp_path, "a.safetensors", safetensors_bytes({"a": torch.zeros(1)}))


def test_unknown_arguments_of_older_versions_are_dropped(tmp_path: Path) -> None:
    """As demucs does, and without a warning."""
    model = tiny_htdemucs()
    arguments, keywords = model._init_args_kwargs
    model._init_args_kwargs = (arguments, {**keywords, "long_gone": 3})
    save_safetensors(model, tmp_path / "a.safetensors")
    load_bag(tmp_path, replace(any_entry(), files=(described(tmp_path / "a.safetensors"),)))


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
