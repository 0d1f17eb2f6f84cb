"""The uvr engine: one network goes through the track in overlapping windows.

    mixture -> peak                                             (a first pass over the track)
    mixture over peak -> windows -> network -> weighted mean -> stems, times peak

A track's peak is brought to 1, and the stems back: so a gain before the engine is the same gain behind it, whatever
the network makes of level. The mixture is read window by window, so a mixture that raises stops the engine soon.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from services.separator.adapters.promised_files import read_promised
from services.separator.adapters.uvr.checkpoints import read_weights
from services.separator.adapters.uvr.networks import UvrNetwork, build_mdx, build_mdxc
from services.separator.core.blocks import Intake
from services.separator.core.models import ModelEntry, ModelFile, ModelShape, uvr_spec
from services.separator.core.overlap_add import OverlapAdd
from services.separator.core.peaks import Peak, measure_peak
from services.separator.core.ports import Block, EngineSpec, Mixture, StemBlocks
from services.separator.core.segments import Window
from services.separator.core.uvr_additions import ONNX_SUFFIX, weights_and_parameters
from services.separator.core.uvr_parameters import SAMPLE_RATE_HZ, check_mdx, check_mdxc, read_parameters
from services.separator.core.uvr_stems import stem_names
from stemhouse.audio import AudioFormat
from stemhouse.errors import InternalFault, ModelRejected
from stemhouse.vocab import in_listing_order

Found = TypeVar("Found")

_AUDIO_FORMAT = AudioFormat(SAMPLE_RATE_HZ, 2)


class UvrEngine:
    """Engine (see `core.ports`) on the CPU, with PyTorch's threads, or for MDX as many as ONNX Runtime takes itself."""

    def __init__(self, network: UvrNetwork, spec: EngineSpec) -> None:
        self._network = network
        self._stems = _stems(network)
        self.spec = spec

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate; holds one window of the track, and of each stem."""
        return self._separated(mixture, measure_peak(mixture.blocks()))

    def _separated(self, mixture: Mixture, track: Peak) -> Iterator[StemBlocks]:
        network = self._network
        if not track.frame_count:
            return
        scale = np.float32(track.scale)
        window = Window(block / scale for block in mixture.blocks())
        mean = OverlapAdd(len(network.given) * _AUDIO_FORMAT.channel_count, track.frame_count, network.fade)
        passed = Intake(mixture.blocks())
        for segment in network.segments(track.frame_count):
            rows = network.separate(window.hear(segment))[:, : segment.frame_count]
            done = mean.add(segment, rows) * scale
            if done.shape[1]:
                yield self._named(done, passed)

    def _named(self, rows: Block, passed: Intake[Block]) -> StemBlocks:
        if not np.isfinite(rows).all():
            message = f"{self.spec.engine_id} made samples that are no numbers"
            raise InternalFault(message, {"engine_id": self.spec.engine_id})
        given = np.split(rows, len(self._network.given))
        if self._network.rest is not None:
            mixture = passed.take(rows.shape[1])
            if mixture is None or mixture.shape != given[0].shape:
                raise InternalFault("the mixture is shorter when it is read again")
            given.append(mixture - np.float32(self._network.compensate) * given[0])
        by_stem = dict(zip(self._stems, given, strict=True))
        return {stem: by_stem[stem] for stem in self.spec.stems}


class UvrModels:
    """ModelLoader for models of UVR."""

    def load(self, folder: Path, entry: ModelEntry, spec: EngineSpec | None = None) -> UvrEngine:
        """See ModelLoader.load; without a `spec`, the one that a model makes."""
        network, spec = _load_network(folder, entry), spec or uvr_spec(entry)
        found = _shape(network)
        if found != ModelShape(spec.stems, spec.native_format):
            message = f"the files of {entry.name} give {found}, not {spec.stems} at {spec.native_format}"
            raise ModelRejected(message, {"model": entry.name})
        return UvrEngine(network, spec)

    def inspect(self, folder: Path, entry: ModelEntry) -> ModelShape:
        """See ModelLoader.inspect."""
        return _shape(_load_network(folder, entry))


def _shape(network: UvrNetwork) -> ModelShape:
    return ModelShape(in_listing_order(_stems(network)), _AUDIO_FORMAT)


def _stems(network: UvrNetwork) -> tuple[str, ...]:
    rest = () if network.rest is None else (network.rest,)
    return stem_names((*network.given, *rest))


def _load_network(folder: Path, entry: ModelEntry) -> UvrNetwork:
    """Raises ModelRejected that names the file and the cause, EngineUnavailable, and MemoryError."""
    weights, described = _files(entry)
    content, document = (read_promised(folder, file) for file in (weights, described))
    parameters = _sound(described, lambda: read_parameters(document))
    path = folder / weights.name
    if weights.name.endswith(ONNX_SUFFIX):
        _sound(described, lambda: check_mdx(parameters))
        network = _sound(weights, lambda: build_mdx(path, parameters))
    else:
        _sound(described, lambda: check_mdxc(parameters))
        state = _sound(weights, lambda: read_weights(content))
        network = _sound(weights, lambda: build_mdxc(path, parameters, state))
    _sound(described, lambda: _stems(network))
    return network


def _files(entry: ModelEntry) -> tuple[ModelFile, ModelFile]:
    try:
        return weights_and_parameters(entry.files)
    except ValueError as error:
        raise ModelRejected(f"{entry.name}: {error}", {"model": entry.name}) from error


def _sound(file: ModelFile, look: Callable[[], Found]) -> Found:
    """What `look` gives; a stranger's code is given a stranger's file: whatever fails is the file's fault."""
    try:
        return look()
    except MemoryError:
        raise
    except Exception as error:
        cause = " ".join(str(error).split())[:500]
        message = f"{file.name} cannot be loaded as a model of UVR: {type(error).__name__}: {cause}"
        raise ModelRejected(message, {"file": file.name}) from error
