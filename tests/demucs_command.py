"""What demucs itself makes of a model, to hold our engine against."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from demucs.api import Separator

from services.separator.core.models import ModelEntry
from services.separator.core.ports import Block


def describe_bag(folder: Path, entry: ModelEntry) -> None:
    """Make the folder a repository of demucs, which finds files by their names, and bags in YAML: JSON is a part."""
    signatures = [file.name.partition("-")[0] for file in entry.files]
    bag = {"models": signatures, "weights": entry.weights, "segment": entry.segment_s}
    (folder / f"{entry.name}.yaml").write_text(json.dumps(bag), encoding="utf-8")


def separate_by_demucs(folder: Path, entry: ModelEntry, signal: Block) -> dict[str, Block]:
    """The stems that demucs' own interface gives, without random shifts; the model's files must be pickles."""
    describe_bag(folder, entry)
    separator = Separator(model=entry.name, repo=folder, device="cpu", shifts=0)
    _, stems = separator.separate_tensor(torch.from_numpy(signal))
    return {stem: given.numpy() for stem, given in stems.items()}


def sdr_db(reference: npt.NDArray[np.floating], estimate: npt.NDArray[np.floating]) -> float:
    """Signal-to-distortion ratio in dB, where another scale is distortion, too; 300 if nothing differs."""
    true, given = (signal.astype(np.float64) for signal in (reference, estimate))
    rest = np.sum(np.square(given - true)) / np.sum(np.square(true))
    return float(-10 * np.log10(max(rest, 1e-30)))
