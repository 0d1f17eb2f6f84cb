"""The way of a track in one process: ingest, separation and delivery as the services' own main functions wire them."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from services.exporter.adapters.stored_audio import StoredFlac
from services.exporter.core.delivery import StemDelivery
from services.exporter.core.parts import FileStart
from services.exporter.main import file_encoders
from services.separator.adapters.demucs.engine import DemucsModels
from services.separator.adapters.demucs.hybrid import TORCH, Backend
from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.starter.engine import StarterEngine
from services.separator.adapters.uvr.engine import UvrModels
from services.separator.adapters.worker_child import Workshop
from services.separator.core.ingest import IngestTask
from services.separator.core.models import demucs_specs
from services.separator.core.ports import Engine, Task
from services.separator.core.results import SeparateTask
from services.separator.worker import device_workshop, files_workshop
from stemhouse.audio import AudioFormat, QualityReport, StemSet
from stemhouse.delivery import DeliveryOptions, DeliveryPlan
from stemhouse.jobs import Decision, SeparationResult
from tests.fakes_separator import UNWATCHED, FakeMixture, FolderObjectStore, stored_source
from tests.fidelity.readers import Audio
from tests.tiny_demucs import install_tiny, install_tiny_tuned
from tests.tiny_uvr import FOUR_INSTRUMENTS, install_tiny_ckpt, install_tiny_mdx, mdx23c_parameters

STARTER = "starter"
DEMUCS_OF_FOUR = "demucs, 4 stems"
DEMUCS_OF_SIX = "demucs, 6 stems"
_TAIL_S = 0.01
DEMUCS_VOCALS = "demucs, vocals"
UVR_OF_FOUR = "uvr, 4 stems"
UVR_MDX = "uvr, MDX"
ENGINES = (STARTER, DEMUCS_OF_FOUR, DEMUCS_OF_SIX, DEMUCS_VOCALS, UVR_OF_FOUR, UVR_MDX)


@dataclass(frozen=True)
class Delivered:
    """Files by name, without metadata.json, and their gain against the source."""

    files: Mapping[str, bytes]
    gain: float


class Studio:
    """A store and the parts of the services that work on it."""

    def __init__(self, folder: Path, engines: Mapping[str, Engine]) -> None:
        self._store = FolderObjectStore(folder / "store")
        self._engines = engines
        rack = EngineRack(list(engines.values()), InstalledModels(folder / "none"))
        self._files = files_workshop(self._store, ScratchRoot(folder / "files"))
        self._device = device_workshop(self._store, ScratchRoot(folder / "device"), rack)
        self._delivery = StemDelivery(StoredFlac(self._store, folder), file_encoders(folder), {})

    def close(self) -> None:
        """Remove the scratch folders."""
        self._files.close()
        self._device.close()

    def separate(self, engine: str, data: bytes, file_name: str) -> SeparationResult:
        """Ingest a file and separate it; the same samples are separated once."""
        source = stored_source(self._store, data, file_name)
        ingested = _perform(self._files, IngestTask(source))
        engine_id = self._engines[engine].spec.engine_id
        stem_set: StemSet = _perform(self._device, SeparateTask(ingested.audio, engine_id))
        decision = Decision(engine, engine_id, ())
        return SeparationResult(source, ingested.facts, stem_set, QualityReport("none"), decision)

    def deliver(self, result: SeparationResult, options: DeliveryOptions) -> Delivered:
        """The files, whole."""
        parts = self._delivery.deliver(result, options, lambda: True)
        plan = next(parts)
        assert isinstance(plan, DeliveryPlan)
        files: dict[str, list[bytes]] = {}
        for part in parts:
            if isinstance(part, FileStart):
                chunks = files.setdefault(part.name, [])
            elif isinstance(part, bytes):
                chunks.append(part)
        return Delivered({name: b"".join(files[name]) for name in plan.file_names}, plan.gain)

    def expected_stems(self, engine: str, mixture: Audio, sample_rate_hz: int) -> dict[str, Audio]:
        """What the engine makes of a mixture that is converted to its format and back in one piece, by no code of ours.

        The delivered stems are these, but for rounding, and for the rest of the mix in `other`.
        """
        native = self._engines[engine].spec.native_format
        if AudioFormat(sample_rate_hz, len(mixture)) != native:  # the engine is to hear the same silence at the end
            mixture = np.pad(mixture, ((0, 0), (0, math.ceil(_TAIL_S * sample_rate_hz))))
        heard = _converted(mixture, sample_rate_hz, native.sample_rate_hz)
        heard = np.repeat(heard, native.channel_count // len(heard), axis=0)
        blocks = list(self._engines[engine].separate(FakeMixture([heard.astype(np.float32)])))
        stems = {name: np.concatenate([block[name] for block in blocks], axis=1) for name in blocks[0]}
        if len(mixture) == 1:
            stems = {name: stem.mean(axis=0, keepdims=True) for name, stem in stems.items()}
        return {name: _converted(stem, native.sample_rate_hz, sample_rate_hz) for name, stem in stems.items()}


@contextmanager
def open_studio(folder: Path) -> Iterator[Studio]:
    """A studio with the starter, tiny Demucs of random weights, and tiny networks of UVR.

    Two Demucs give all their stems, one by PyTorch and one by OpenVINO if it is there; one gives vocals alone. Of UVR
    an MDX23C gives four stems, an MDX by ONNX Runtime vocals and the rest. A RoFormer is not among them: it brings
    every band to one level, and of random weights makes as much of the rounding of a silent band as of music.
    """
    models_dir = folder / "models"
    engines: dict[str, Engine] = {STARTER: StarterEngine.installed()}
    for name, backend, is_six in (
        (DEMUCS_OF_FOUR, TORCH, False),
        (DEMUCS_OF_SIX, _fast_backend(folder), True),
    ):
        entry = install_tiny(models_dir, name="tiny6" if is_six else "tiny4", six=is_six)
        engines[name] = DemucsModels(backend=backend).load(models_dir / entry.name, entry)
    tuned = install_tiny_tuned(models_dir)
    engines[DEMUCS_VOCALS] = DemucsModels().load(models_dir / tuned.name, tuned, demucs_specs(tuned)[-1])
    for name, entry in (
        (UVR_OF_FOUR, install_tiny_ckpt(models_dir, mdx23c_parameters(FOUR_INSTRUMENTS))),
        (UVR_MDX, install_tiny_mdx(models_dir)),
    ):
        engines[name] = UvrModels().load(models_dir / entry.name, entry)
    studio = Studio(folder, engines)
    try:
        yield studio
    finally:
        studio.close()


def _fast_backend(folder: Path) -> Backend:
    if not find_spec("openvino"):
        return TORCH
    from services.separator.adapters.demucs.openvino_backend import OpenVinoBackend  # noqa: PLC0415 - may be missing

    return OpenVinoBackend(folder / "converted", torch.get_num_threads())


def _perform(workshop: Workshop, task: Task[Any]) -> Any:
    return workshop.perform(task, UNWATCHED)


def _converted(samples: Audio, from_hz: int, to_hz: int) -> Audio:
    if from_hz == to_hz:
        return samples
    converted: Audio = soxr.resample(samples.T, from_hz, to_hz, "VHQ").T
    return converted
