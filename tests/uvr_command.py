"""What audio-separator itself makes of a model, to hold our engine against."""

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import services.separator.adapters.uvr.package  # noqa: F401 - imports the package without what it wants and is not there
from services.separator.core.models import ModelEntry
from services.separator.core.ports import Block
from services.separator.core.uvr_parameters import MDX_HOP_FRAMES
from services.separator.core.uvr_stems import stem_name
from tests.tiny_uvr import CD_STEREO

_LISTS = ("demucs", "vr", "mdx", "mdx23c", "roformer")
_VIP_LISTS = ("mdx", "mdx23c")


def separate_by_audio_separator(folder: Path, entry: ModelEntry, signal: Block) -> dict[str, Block]:
    """The stems that its own program would write of a file, before it writes them. Needs `PYTEST_CURRENT_TEST`."""
    from audio_separator.separator import Separator  # noqa: PLC0415 - after the package

    weights, described = (folder / file.name for file in entry.files)
    parameters = json.loads(described.read_text(encoding="utf-8"))
    _list_models(folder, weights, described, parameters)
    soundfile.write(folder / "heard.wav", signal.T, CD_STEREO.sample_rate_hz, subtype="FLOAT")
    stems: dict[str, Block] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        separator = Separator(
            log_level=logging.CRITICAL,
            model_file_dir=str(folder),
            output_dir=str(folder),
            normalization_threshold=1.0,
            use_soundfile=True,
            mdx_params=_mdx_arguments(parameters),
        )
        separator.load_model(weights.name)
        separator.model_instance.final_process = lambda _path, source, name: stems.update({stem_name(name): source.T})
        separator.separate(str(folder / "heard.wav"))
    return {stem: np.asarray(given, np.float32) for stem, given in stems.items()}


def _mdx_arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """Its own but for the length of windows, which has to be that of the network."""
    segment_size = 2 ** parameters.get("mdx_dim_t_set", 8)
    own = {"hop_length": MDX_HOP_FRAMES, "overlap": 0.25, "batch_size": 1, "enable_denoise": False}
    return {**own, "segment_size": segment_size}


def _list_models(folder: Path, weights: Path, described: Path, parameters: dict[str, Any]) -> None:
    """The lists that it would download."""
    is_mdx = weights.suffix == ".onnx"
    names = [*(f"{name}_download_list" for name in _LISTS), *(f"{name}_download_vip_list" for name in _VIP_LISTS)]
    listed: dict[str, Any] = {name: {} for name in names}
    title = f"{'MDX-Net' if is_mdx else 'Roformer'} Model: tiny"
    listed["mdx_download_list" if is_mdx else "roformer_download_list"][title] = (
        weights.name if is_mdx else {weights.name: described.name}
    )
    digest = hashlib.md5(weights.read_bytes(), usedforsecurity=False).hexdigest()
    documents = {
        "download_checks": listed,
        "mdx_model_data": {digest: parameters} if is_mdx else {},
        "vr_model_data": {},
    }
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
