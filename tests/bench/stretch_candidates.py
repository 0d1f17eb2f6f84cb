"""Stretchers of others, in a process and an environment of their own.

    PYTHON stretch_candidates.py NAME FOLDER

Stretches each audio of FOLDER/jobs.json, `{name: [rate in Hz, ratio]}`, from `name.npy` to `name.out.npy`, shape
(frames, channels), and writes answers.json, `{name: CPU seconds}`, with null for what the candidate does not take.
Ends with 3 and a reason where the candidate is not installed. Nothing of the project is imported here: some candidates
are GPL, which the project is not.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NOT_INSTALLED = 3
_BLOCK_FRAMES = 65_536
Stretch = Callable[[Any, int, float], Any]


def main(name: str, folder: Path) -> None:
    """Stretch what is there."""
    try:
        stretch = CANDIDATES[name]()
    except ImportError as error:
        print(error)
        sys.exit(NOT_INSTALLED)
    stretch(np.zeros((22_050, 2), np.float32), 44_100, 1.25)  # what compiles itself does so here
    jobs = json.loads((folder / "jobs.json").read_text())
    answers = {name: _stretched(stretch, f"{folder}/{name}", *job) for name, job in jobs.items()}
    (folder / "answers.json").write_text(json.dumps(answers))


def _stretched(stretch: Stretch, path: str, rate_hz: int, ratio: float) -> float | None:
    samples = np.load(f"{path}.npy")
    begun = time.process_time()
    try:
        stretched = stretch(samples, rate_hz, ratio)
    except (RuntimeError, ValueError):  # too many channels, for most
        return None
    spent_s = time.process_time() - begun
    np.save(f"{path}.out.npy", np.asarray(stretched, np.float32))
    return spent_s


def _pedalboard() -> Stretch:
    module = importlib.import_module("pedalboard")
    return lambda samples, rate_hz, ratio: module.time_stretch(samples.T, rate_hz, stretch_factor=1 / ratio).T


def _rubber_band(*options: str) -> Callable[[], Stretch]:
    """Offline, with all channels in step, and in one thread: the faster engine's threads would still be at work."""

    def make() -> Stretch:
        module = importlib.import_module("pylibrb")
        chosen = module.Option.PROCESS_OFFLINE
        for option in ("CHANNELS_TOGETHER", "THREADING_NEVER", *options):
            chosen |= getattr(module.Option, option)

        def stretch(samples: Any, rate_hz: int, ratio: float) -> Any:
            stretcher = module.RubberBandStretcher(rate_hz, samples.shape[1], chosen, initial_time_ratio=ratio)
            starts = range(0, len(samples), _BLOCK_FRAMES)
            blocks = [np.ascontiguousarray(samples[start : start + _BLOCK_FRAMES].T) for start in starts]
            stretcher.set_max_process_size(_BLOCK_FRAMES)
            for block in blocks:
                stretcher.study(block, final=block is blocks[-1])
            parts = []
            for block in blocks:
                stretcher.process(block, final=block is blocks[-1])
                parts.append(stretcher.retrieve_available().T)
            return np.concatenate(parts)

        return stretch

    return make


def _librosa() -> Stretch:
    effects = importlib.import_module("librosa.effects")
    return lambda samples, _, ratio: effects.time_stretch(samples.T, rate=1 / ratio).T


def _wsola() -> Stretch:
    audiotsm = importlib.import_module("audiotsm")
    arrays = importlib.import_module("audiotsm.io.array")

    def stretch(samples: Any, _: int, ratio: float) -> Any:
        writer = arrays.ArrayWriter(samples.shape[1])
        audiotsm.wsola(samples.shape[1], speed=1 / ratio).run(arrays.ArrayReader(samples.T), writer)
        return writer.data.T

    return stretch


CANDIDATES: dict[str, Callable[[], Stretch]] = {
    "pedalboard": _pedalboard,
    "rubber-band-finer": _rubber_band("ENGINE_FINER"),
    "rubber-band-percussive": _rubber_band("PRESET_PERCUSSIVE"),
    "librosa": _librosa,
    "wsola": _wsola,
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
