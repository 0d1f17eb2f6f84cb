"""UVR models of some thousand random weights, in the same files as the published ones.

Networks, files and records are audio-separator's and ours; only the sizes are small. Everything is the same each time.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.separator.adapters.installed_models import RECORD
from services.separator.core.models import UVR, ModelEntry, record_of
from stemhouse.audio import AudioFormat
from stemhouse.vocab import BASE_STEMS, OTHER, VOCALS
from tests.tiny_demucs import described

CD_STEREO = AudioFormat(44_100, 2)
MDX_PARAMETERS: dict[str, Any] = {
    "compensate": 1.03,
    "mdx_dim_f_set": 512,
    "mdx_dim_t_set": 5,
    "mdx_n_fft_scale_set": 2048,
    "primary_stem": "Vocals",
}
FOUR_INSTRUMENTS = ("drums", "bass", "other", "vocals")

_HOP_FRAMES = 512
_WINDOW_HOPS = 129
_BANDS = (*(2,) * 24, *(4,) * 12, *(12,) * 8, *(24,) * 8, *(48,) * 8, 128, 129)
"""Of 1025 lines of a spectrum, as published ones have it."""


def tiny_mdx(seed: int = 1, squeezing_from: float = 40.0) -> bytes:
    """ONNX of an MDX network: every line of the spectrum by a weight of its own, then squeezed, so it is not linear."""
    import onnx  # noqa: PLC0415 - tests that only need a file's name stay light
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - likewise

    lines, hops = MDX_PARAMETERS["mdx_dim_f_set"], 2 ** MDX_PARAMETERS["mdx_dim_t_set"]
    weights = np.random.default_rng(seed).uniform(0.1, 0.9, (1, 4, lines, 1)).astype(np.float32)
    shape = ["batch", 4, lines, hops]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["input", "weights"], ["weighed"]),
            helper.make_node("Div", ["weighed", "width"], ["narrow"]),
            helper.make_node("Tanh", ["narrow"], ["squeezed"]),
            helper.make_node("Mul", ["squeezed", "width"], ["output"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([squeezing_from], np.float32), "width"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def roformer_parameters(
    instruments: Sequence[str] = FOUR_INSTRUMENTS, target: str | None = None, *, is_mel: bool = False
) -> dict[str, Any]:
    """What the YAML file of a RoFormer holds."""
    bands = {"num_bands": 16} if is_mel else {"freqs_per_bands": list(_BANDS)}
    return {
        "audio": {"sample_rate": 44_100, "hop_length": _HOP_FRAMES, "num_channels": 2, "n_fft": 2048},
        "model": {
            **bands,
            "dim": 8,
            "depth": 1,
            "stereo": True,
            "num_stems": 1 if target else len(instruments),
            "time_transformer_depth": 1,
            "freq_transformer_depth": 1,
            "dim_head": 4,
            "heads": 2,
            "flash_attn": False,
            "stft_n_fft": 2048,
            "stft_hop_length": _HOP_FRAMES,
            "stft_win_length": 2048,
        },
        "training": {"instruments": list(instruments), "target_instrument": target},
        "inference": {"dim_t": _WINDOW_HOPS, "num_overlap": 2, "batch_size": 1},
    }


def mdx23c_parameters(instruments: Sequence[str] = ("Vocals", "Instrumental")) -> dict[str, Any]:
    """What the YAML file of an MDX23C network holds."""
    return {
        "audio": {
            "sample_rate": 44_100,
            "hop_length": _HOP_FRAMES,
            "num_channels": 2,
            "n_fft": 2048,
            "dim_f": 1024,
        },
        "model": {
            "act": "gelu",
            "norm": "InstanceNorm",
            "bottleneck_factor": 4,
            "growth": 4,
            "num_channels": 4,
            "num_blocks_per_scale": 1,
            "num_scales": 2,
            "num_subbands": 4,
            "scale": [2, 2],
        },
        "training": {"instruments": list(instruments), "target_instrument": None},
        "inference": {"dim_t": _WINDOW_HOPS - 1, "num_overlap": 4, "batch_size": 1},
    }


def save_ckpt(parameters: dict[str, Any], path: Path, seed: int = 1) -> None:
    """Random weights of the network that the parameters describe, as trainings save them."""
    import torch  # noqa: PLC0415 - likewise

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        torch.save(_network(parameters).state_dict(), path)


def install_tiny_mdx(
    models_dir: Path, name: str = "tinymdx", primary_stem: str = "Vocals", squeezing_from: float = 40.0
) -> ModelEntry:
    """Put a tiny MDX network, which gives one stem, into `models_dir`, and describe it."""
    folder = models_dir / name
    folder.mkdir(parents=True)
    (folder / "tiny.onnx").write_bytes(tiny_mdx(squeezing_from=squeezing_from))
    parameters = {**MDX_PARAMETERS, "primary_stem": primary_stem}
    return _recorded(folder, "tiny.onnx", parameters, (VOCALS, OTHER))


def install_tiny_ckpt(
    models_dir: Path, parameters: dict[str, Any], name: str = "tinyckpt", stems: Sequence[str] = BASE_STEMS
) -> ModelEntry:
    """Put a tiny RoFormer or MDX23C network into `models_dir`, and describe it."""
    folder = models_dir / name
    folder.mkdir(parents=True)
    save_ckpt(parameters, folder / "tiny.ckpt")
    return _recorded(folder, "tiny.ckpt", parameters, tuple(stems))


def _recorded(folder: Path, weights: str, parameters: dict[str, Any], stems: tuple[str, ...]) -> ModelEntry:
    (folder / "tiny.yaml").write_text(json.dumps(parameters), encoding="utf-8")
    files = tuple(described(folder / name) for name in (weights, "tiny.yaml"))
    note = "Random numbers, free for any use."
    entry = ModelEntry(folder.name, UVR, stems, CD_STEREO, files, note, "made on the spot")
    (folder / RECORD).write_bytes(record_of(entry))
    return entry


def _network(parameters: dict[str, Any]) -> Any:
    """By audio-separator's own classes, with its own reading of the parameters."""
    from audio_separator.separator.roformer.roformer_loader import RoformerLoader  # noqa: PLC0415 - likewise
    from audio_separator.separator.uvr_lib_v5.tfc_tdf_v3 import TFC_TDF_net  # noqa: PLC0415 - likewise
    from ml_collections import ConfigDict  # noqa: PLC0415 - likewise

    from services.separator.adapters.uvr.package import contained  # noqa: PLC0415 - first, or its noise would be heard

    with contained():
        if "num_subbands" in parameters["model"]:
            return TFC_TDF_net(ConfigDict(parameters), device="cpu")
        loader = RoformerLoader()
        if "num_bands" in parameters["model"]:
            return loader._create_mel_band_roformer(
                loader.config_normalizer.normalize_config(parameters, "mel_band_roformer")
            )
        return loader._create_bs_roformer(loader.config_normalizer.normalize_config(parameters, "bs_roformer"))
