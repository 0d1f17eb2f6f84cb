"""Backends give what demucs itself gives, keep what they have converted, and tell nobody."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed")

import torch

from services.separator.adapters.demucs import openvino_backend
from services.separator.adapters.demucs.bags import load_bag
from services.separator.adapters.demucs.hybrid import TORCH, Backend
from services.separator.adapters.demucs.networks import Network
from services.separator.adapters.demucs.openvino_backend import OpenVinoBackend
from stemhouse.errors import EngineUnavailable
from tests.demucs_command import sdr_db
from tests.signals import song
from tests.tiny_demucs import install, tiny_hdemucs, tiny_htdemucs

Samples = npt.NDArray[np.float32]
RATE_HZ = 44_100
TORCH_DB, OPENVINO_DB, LEVELLED_DB = 100.0, 80.0, 120.0


def heard(segment_count: int) -> Samples:
    """Segments of one second."""
    signal = song(segment_count * RATE_HZ, RATE_HZ).astype(np.float32)
    return np.stack(np.split(signal, segment_count, axis=1))


def network(models_dir: Path, backend: Backend, model: Any = None) -> Network:
    """The network of an installed model, run by a backend."""
    entry = install(models_dir, [model or tiny_htdemucs()])
    [found] = load_bag(models_dir / entry.name, entry, backend).networks
    assert isinstance(found, Network)
    return found


def depth_db(given: Samples, segments: Samples, model: Any = None) -> float:
    """How near it is to what demucs' own model gives, whole."""
    with torch.inference_mode():
        expected: Samples = (model or tiny_htdemucs())(torch.from_numpy(segments)).numpy()
    frame_count = segments.shape[-1]
    return sdr_db(expected.reshape(-1, frame_count), given.reshape(-1, frame_count))


def test_torch_core_gives_what_demucs_gives(tmp_path: Path) -> None:
    """Two segments at once."""
    segments = heard(2)
    assert depth_db(network(tmp_path / "models", TORCH).separate(segments), segments) >= TORCH_DB


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model, converted."""
    folder = tmp_path_factory.mktemp("converted")
    network(tmp_path_factory.mktemp("models"), OpenVinoBackend(folder, 2))
    return folder


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is converted in a test."""
    found: list[object] = []
    convert = openvino_backend.converted

    def counted(core: Any) -> Any:
        found.append(core)
        return convert(core)

    monkeypatch.setattr(openvino_backend, "converted", counted)
    return found


def test_openvino_gives_what_demucs_gives(tmp_path: Path, kept: Path, conversions: list[object]) -> None:
    """Two segments, one after the other, from what was converted before."""
    segments = heard(2)
    assert depth_db(network(tmp_path / "models", OpenVinoBackend(kept, 2)).separate(segments), segments) >= OPENVINO_DB
    assert conversions == []


def test_openvino_need_not_sum_up_long_segments(tmp_path: Path) -> None:
    """Of the published length: its own sums would leave 99 dB."""
    model = tiny_htdemucs(segment=Fraction(39, 5))
    segments = song(int(7.8 * RATE_HZ), RATE_HZ).astype(np.float32)[None]
    given = network(tmp_path / "models", OpenVinoBackend(tmp_path / "kept", 2), model).separate(segments)
    assert depth_db(given, segments, model) >= LEVELLED_DB


def test_damaged_model_is_converted_anew(tmp_path: Path, kept: Path, conversions: list[object]) -> None:
    """And gives the same, bit for bit."""
    segments, copied = heard(1), shutil.copytree(kept, tmp_path / "kept")
    expected = network(tmp_path / "a", OpenVinoBackend(kept, 1)).separate(segments)
    [weights] = copied.glob("*/core.bin")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    mended = network(tmp_path / "b", OpenVinoBackend(copied, 1)).separate(segments)
    assert (len(conversions), np.array_equal(expected, mended)) == (1, True)
    assert len(list(copied.iterdir())) == 1


def test_nothing_need_be_kept(tmp_path: Path, kept: Path) -> None:
    """Where a folder can not be made the model is converted each time, and gives the same."""
    (tmp_path / "file").write_bytes(b"")
    segments = heard(1)
    expected = network(tmp_path / "a", OpenVinoBackend(kept, 1)).separate(segments)
    given = network(tmp_path / "b", OpenVinoBackend(tmp_path / "file" / "kept", 1)).separate(segments)
    assert np.array_equal(expected, given)


def test_other_networks_stay_with_torch(tmp_path: Path) -> None:
    """HDemucs hears segments of any length."""
    given = network(tmp_path / "models", OpenVinoBackend(tmp_path / "kept", 1), tiny_hdemucs()).separate(heard(1))
    assert np.isfinite(given).all()
    assert not (tmp_path / "kept").exists()


def test_model_that_cannot_be_converted_names_the_way_out(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the model's, so nothing marks it as damaged. Other weights are another model."""

    def refuse(_core: Any) -> Any:
        raise RuntimeError("no such operation\nand more")

    monkeypatch.setattr(openvino_backend, "converted", refuse)
    with pytest.raises(EngineUnavailable, match=r"no such operation; STEMHOUSE_DEMUCS__BACKEND=torch"):
        network(tmp_path / "models", OpenVinoBackend(kept, 1), tiny_htdemucs(seed=2))


def test_openvino_tells_nobody_that_it_is_used() -> None:
    """Its package for telemetry is never loaded."""
    program = (
        "import sys, services.separator.adapters.demucs.openvino_backend; "
        "sys.exit(any(name.startswith('openvino_telemetry.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
