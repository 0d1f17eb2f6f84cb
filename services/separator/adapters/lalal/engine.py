"""The engine of one track: an errand to the service, and the stems that it brings home."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.separator.adapters.lalal.downloads import TrackDownloads
from services.separator.adapters.lalal.tracks import ReturnedTracks, most_bytes, stem_paths
from services.separator.core.cloud.errand import Errand, Parcel
from services.separator.core.cloud.journal import TaskRecord
from services.separator.core.ports import AudioDesk, EngineSpec, Mixture, StemBlocks, TaskControl
from stemhouse.audio import AudioRef
from stemhouse.errors import NotFound

_SENDING_SHARE = 0.9
"""Of the progress until the stems are there."""


@dataclass(frozen=True)
class LalalEngine:
    """Engine for one track, at its own rate and channels. What it reads is the stored mix, and not the mixture."""

    offered: EngineSpec
    audio: AudioRef
    errand: Errand
    record: TaskRecord
    downloads: TrackDownloads
    desk: AudioDesk
    scratch_dir: Path
    control: TaskControl

    @property
    def spec(self) -> EngineSpec:
        """The constant description, in the track's own format."""
        return replace(self.offered, native_format=self.audio.format)

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate. Raises what Errand.run does."""
        del mixture  # the service gets the stored file
        with tempfile.TemporaryDirectory(dir=self.scratch_dir) as folder:
            tracks = self.errand.run(self.record, self._parcel(), self._taker(Path(folder)), self._sending())
            yield from tracks.blocks()

    def _parcel(self) -> Parcel:
        store, key = self.desk.store, self.audio.object_key
        size_bytes = store.size_bytes(key)
        if size_bytes is None:
            message = f"{key} is not in the store"
            raise NotFound(message, {"object_key": key})
        return Parcel(lambda: store.read(key), size_bytes, self.audio.duration_s)

    def _taker(self, folder: Path) -> "_Taker":
        return _Taker(self, folder)

    def _sending(self) -> TaskControl:
        return replace(self.control, report=lambda share: self.control.report(_SENDING_SHARE * share))


@dataclass(frozen=True)
class _Taker:
    """Downloads and checks."""

    engine: LalalEngine
    folder: Path

    def __call__(self, links: Mapping[str, str]) -> ReturnedTracks:
        engine, audio = self.engine, self.engine.audio
        paths = stem_paths(self.folder, engine.offered.stems)
        for stem, path in paths.items():
            engine.downloads.fetch(links[stem], path, most_bytes(audio), engine.control)
        return ReturnedTracks(paths, audio, engine.desk.open_pcm(audio.object_key, audio.format))
