"""Loading models of UVR: what was promised is loaded, anything else refused with file and cause, and nothing runs."""

import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from services.separator.adapters.uvr.engine import UvrModels
from services.separator.adapters.uvr.package import contained
from services.separator.core.model_additions import uvr_bag
from services.separator.core.model_specs import engine_specs
from services.separator.core.models import ModelEntry, ModelShape, entry_from_record, record_of
from services.separator.core.uvr_parameters import check_mdx, check_mdxc, read_parameters
from services.separator.core.uvr_stems import stem_names
from stemhouse.audio import SourceRef
from stemhouse.errors import EngineUnavailable, ModelRejected
from stemhouse.vocab import BASE_STEMS, OTHER, VOCALS
from tests.tiny_demucs import described
from tests.tiny_uvr import (
    CD_STEREO,
    MDX_PARAMETERS,
    install_tiny_ckpt,
    install_tiny_mdx,
    mdx23c_parameters,
    roformer_parameters,
)

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelEntry]:
    """A folder, and the RoFormer of four stems in it."""
    models_dir = tmp_path_factory.mktemp("models")
    entry = install_tiny_ckpt(models_dir, roformer_parameters())
    return models_dir / entry.name, entry


@pytest.fixture
def copied(good: tuple[Path, ModelEntry], tmp_path: Path) -> tuple[Path, ModelEntry]:
    """The same, to be damaged."""
    folder, entry = good
    for file in entry.files:
        (tmp_path / file.name).write_bytes((folder / file.name).read_bytes())
    return tmp_path, entry


def test_shape_is_told_before_stems_are_known(good: tuple[Path, ModelEntry], tmp_path: Path) -> None:
    """In the order of the listing; the rest of a mixture counts as a stem."""
    folder, entry = good
    assert UvrModels().inspect(folder, replace(entry, stems=())) == ModelShape(BASE_STEMS, CD_STEREO)
    mdx = install_tiny_mdx(tmp_path, primary_stem="Instrumental")
    assert UvrModels().inspect(tmp_path / mdx.name, mdx) == ModelShape((VOCALS, OTHER), CD_STEREO)


def test_a_record_gives_the_model_back(good: tuple[Path, ModelEntry]) -> None:
    """And its engine, whose id changes with either file."""
    _, entry = good
    assert entry_from_record(record_of(entry), "record") == entry
    other = replace(entry, files=(entry.files[0], replace(entry.files[1], sha256="0" * 64)))
    [spec], [of_other] = engine_specs(entry), engine_specs(other)
    assert spec.engine_id.startswith("uvr-tinyckpt-")
    assert spec.engine_id != of_other.engine_id


def test_another_file_than_was_promised_is_not_looked_into(copied: tuple[Path, ModelEntry]) -> None:
    """Nor one that is not there."""
    folder, entry = copied
    (folder / "tiny.ckpt").write_bytes(b"x" * entry.files[0].size_bytes)
    with pytest.raises(ModelRejected, match=r"tiny\.ckpt is not the file that was promised"):
        UvrModels().load(folder, entry)
    (folder / "tiny.ckpt").unlink()
    with pytest.raises(EngineUnavailable, match=r"tiny\.ckpt cannot be read"):
        UvrModels().load(folder, entry)


class _Hostile:
    """Makes a folder if it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._folder / "owned"),)


def _save(content: Any) -> Damage:
    return lambda path: torch.save(content, path)


def _hostile(path: Path) -> None:
    torch.save({"weights": _Hostile(path.parent)}, path)


def _plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Hostile(path.parent)))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _packed(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    torch.save({name: tensor[:0] for name, tensor in state.items()}, path)


def _infinite(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state[next(iter(state))].fill_(float("inf"))
    torch.save(state, path)


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (_hostile, "it names posix.mkdir|it names os.mkdir"),
        (_plain_pickle, "no file that PyTorch has saved"),
        (_cut, "it is cut, or no file that PyTorch has saved"),
        (_save([1, 2]), "it holds no weights by name"),
        (_save({}), "it holds no weights by name"),
        (_save({"other": torch.zeros(3)}), "Missing key|missing key|RuntimeError"),
        (_packed, "size mismatch|RuntimeError"),
        (_infinite, "are not finite"),
    ],
    ids=["hostile", "hostile, old", "cut", "list", "empty", "other keys", "other shapes", "infinite"],
)
def test_a_damaged_checkpoint_is_refused(damage: Damage, cause: str, copied: tuple[Path, ModelEntry]) -> None:
    """By file and cause; the process goes on, though audio-separator would end it; nothing in the file is run."""
    folder, entry = copied
    damage(folder / "tiny.ckpt")
    changed = replace(entry, files=(described(folder / "tiny.ckpt"), entry.files[1]))
    with pytest.raises(ModelRejected, match=rf"(?s)tiny\.ckpt cannot be loaded as a model of UVR: .*({cause})"):
        UvrModels().load(folder, changed)
    assert not (folder / "owned").exists()


def test_a_damaged_onnx_file_is_refused(tmp_path: Path) -> None:
    """Likewise."""
    entry = install_tiny_mdx(tmp_path)
    folder = tmp_path / entry.name
    (folder / "tiny.onnx").write_bytes(b"not ONNX")
    changed = replace(entry, files=(described(folder / "tiny.onnx"), entry.files[1]))
    with pytest.raises(ModelRejected, match=r"tiny\.onnx cannot be loaded as a model of UVR: "):
        UvrModels().load(folder, changed)


def test_parameters_that_do_not_fit_the_network_are_refused(tmp_path: Path) -> None:
    """When the model is loaded, not in the middle of a track."""
    entry = install_tiny_mdx(tmp_path)
    folder = tmp_path / entry.name
    (folder / "tiny.yaml").write_text(json.dumps({**MDX_PARAMETERS, "mdx_dim_f_set": 256}), encoding="utf-8")
    changed = replace(entry, files=(entry.files[0], described(folder / "tiny.yaml")))
    with pytest.raises(ModelRejected, match=r"tiny\.onnx cannot be loaded as a model of UVR: "):
        UvrModels().load(folder, changed)


def test_an_end_of_the_program_is_an_error() -> None:
    """audio-separator ends it where a checkpoint does not fit; its cause is kept."""

    def end() -> None:
        try:
            dict[str, int]()["a key"]
        except KeyError:
            sys.exit(1)

    with pytest.raises(RuntimeError, match="a key"), contained():
        end()


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({**MDX_PARAMETERS, "mdx_dim_t_set": 60}, "mdx_dim_t_set is 60"),
        ({**MDX_PARAMETERS, "mdx_n_fft_scale_set": "x"}, "mdx_n_fft_scale_set is 'x'"),
        ({**MDX_PARAMETERS, "mdx_dim_t_set": 1}, "hear 1024 frames at once, no more than its own margins"),
        ({**MDX_PARAMETERS, "compensate": 0}, "compensate is 0"),
        ({**MDX_PARAMETERS, "primary_stem": None}, "primary_stem is missing"),
        ({**MDX_PARAMETERS, "mdx_dim_f_set": 1026}, "mdx_dim_f_set is more than a spectrum over 2048 frames has"),
    ],
)
def test_wrong_parameters_of_mdx_are_refused(fields: dict[str, Any], cause: str) -> None:
    """Each by its name."""
    with pytest.raises(ValueError, match=cause):
        check_mdx(fields)


@pytest.mark.parametrize(
    ("section", "changes", "cause"),
    [
        ("training", {"instruments": []}, "instruments must be a list"),
        ("training", {"target_instrument": "piano"}, "target_instrument is 'piano'"),
        ("inference", {"dim_t": 0}, "inference.dim_t is 0"),
        ("audio", {"sample_rate": 48_000}, "its sample rate is"),
    ],
)
def test_wrong_parameters_of_mdxc_are_refused(section: str, changes: dict[str, Any], cause: str) -> None:
    """Likewise."""
    fields = mdx23c_parameters()
    with pytest.raises(ValueError, match=cause):
        check_mdxc({**fields, section: {**fields[section], **changes}})


def test_published_parameters_are_read() -> None:
    """They mark lists as Python's tuples, and nothing else of Python's own is taken."""
    assert read_parameters(b"model:\n  freqs_per_bands: !!python/tuple\n  - 2\n  - 4\n") == {
        "model": {"freqs_per_bands": (2, 4)}
    }
    with pytest.raises(ValueError, match="could not determine a constructor"):
        read_parameters(b"a: !!python/object/apply:os.system [ls]")


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (b"model: {dim: 10000000000}", "out of all limits"),
        (b"model: {depth: 100000}", "depth is 100000"),
        (b"a: .inf", "out of all limits"),
        (b"a: [" + b"1," * 5000 + b"1]", "too many values"),
        (b"[1]", "it holds no fields"),
        (b"a" * 70_000, "too many for parameters"),
    ],
)
def test_parameters_without_measure_are_refused(document: bytes, cause: str) -> None:
    """Before anything is built of them."""
    with pytest.raises(ValueError, match=cause):
        read_parameters(document)


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (("Vocals", "Instrumental"), (VOCALS, OTHER)),
        (("Instrumental", "Vocals"), (OTHER, VOCALS)),
        (("Drums", "No Drums"), ("drums", OTHER)),
        (("Lead Vocals", "Backing Vocals"), ("lead_vocals", "backing_vocals")),
    ],
)
def test_stems_have_the_shared_names(names: tuple[str, ...], stems: tuple[str, ...]) -> None:
    """What is not one stem is the rest of the mixture."""
    assert stem_names(names) == stems


@pytest.mark.parametrize("names", [("Vocals", "vocals"), ("!", "x"), ("Other", "Instrumental")])
def test_stems_that_cannot_be_told_apart_are_refused(names: tuple[str, ...]) -> None:
    """None of them would be the right one."""
    with pytest.raises(ValueError, match="cannot be told apart"):
        stem_names(names)


def _source(name: str) -> SourceRef:
    return SourceRef("a" * 64, "b" * 32, 100, name)


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (["a.pth"], "models of the kind VR"),
        (["a.onnx"], "with its parameters, not a.onnx"),
        (["a.ckpt", "b.ckpt", "c.yaml"], "not a.ckpt, b.ckpt, c.yaml"),
        (["a.ckpt", "b.th"], "not a.ckpt, b.th"),
    ],
)
def test_files_that_make_no_model_are_refused(names: list[str], cause: str) -> None:
    """One file of weights, one of parameters."""
    with pytest.raises(ModelRejected, match=cause):
        uvr_bag([_source(name) for name in names])


def test_files_of_other_engines_are_left_to_them() -> None:
    """A bag of demucs has a YAML file, too."""
    assert uvr_bag([_source("a.th"), _source("b.yaml")]) is None
    found = uvr_bag([_source("b.json"), _source("a.onnx")])
    assert found is not None
    assert ([file.name for file in found.files], found.engine) == (["a.onnx", "b.json"], "uvr")
