"""Folders of stems: where the audio of each file is, and all of it opened together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from services.exporter.core.objects import require_own_objects
from services.exporter.core.production.ports import AudioObjects, AudioShape, FloatBlock, IsWanted, OpenAudio
from services.exporter.core.production.uploads import StemUploads
from stemhouse.errors import NotFound, UnsupportedAudio
from stemhouse.ports import ObjectStore
from stemhouse.production import StemFile, StemFolder
from stemhouse.vocab import ACAPELLA, DERIVED_STEMS, INSTRUMENTAL, VOCALS, in_listing_order


@dataclass(frozen=True)
class OpenFolder:
    """The stems of a folder, in the order in which they are listed; `mix` is the song as it was, if it is at hand."""

    shape: AudioShape
    stems: Mapping[str, OpenAudio]
    mix: OpenAudio | None = None

    def original(self) -> Iterator[FloatBlock]:
        """The song: as it was, or the sum of its stems."""
        return self.mix.read() if self.mix else total([self.stems[stem].read() for stem in sounding(self.stems)])


@dataclass(frozen=True)
class _Place:
    """An object of the store, and the gain with which its samples are stored."""

    object_key: str
    gain: float = 1.0


class StemFolders:
    """Finds and opens the audio of folders: stored stems where files are untouched, else what was uploaded."""

    def __init__(self, store: ObjectStore, uploads: StemUploads, audio: AudioObjects) -> None:
        """Keep the ports."""
        self._store = store
        self._uploads = uploads
        self._audio = audio

    def missing(self, folder: StemFolder) -> tuple[str, ...]:
        """The stems whose files must be uploaded. Raises InvalidRequest for object keys that no result can have."""
        return tuple(file.stem for file in folder.files if self._place(folder, file) is None)

    @contextmanager
    def open(self, folder: StemFolder, is_wanted: IsWanted) -> Iterator[OpenFolder]:
        """The folder's audio as long as the context lasts.

        Raises NotFound for a file that is not there, UnsupportedAudio that names the files if not all are of one shape,
        and what AudioObjects raises.
        """
        with ExitStack() as stack:
            stems = {
                stem: stack.enter_context(self._open(self._require_place(folder, stem), is_wanted))
                for stem in in_listing_order(file.stem for file in folder.files)
            }
            shape = _common_shape(folder, stems)
            mix = self._mix_place(folder)
            yield OpenFolder(shape, stems, stack.enter_context(self._open(mix, is_wanted)) if mix else None)

    @contextmanager
    def _open(self, place: _Place, is_wanted: IsWanted) -> Iterator[OpenAudio]:
        with self._audio.open(place.object_key, is_wanted) as audio:
            yield audio if place.gain == 1.0 else OpenAudio(audio.shape, _amplified(audio.read, 1 / place.gain))

    def _require_place(self, folder: StemFolder, stem: str) -> _Place:
        file = folder.file(stem)
        place = self._place(folder, file) if file else None
        if place is None:
            message = f"{file.file_name if file else stem} of {folder.name or folder.title} must be uploaded"
            raise NotFound(message, {"stem": stem})
        return place

    def _place(self, folder: StemFolder, file: StemFile) -> _Place | None:
        if folder.result:
            stem_set = folder.result.stem_set
            require_own_objects(stem_set)
            stored = stem_set.stem(file.stem)
            if stored and self._store.size_bytes(stored.object_key) is not None:
                return _Place(stored.object_key, stem_set.gain)
        key = self._uploads.find(file.sha256)
        return _Place(key) if key else None

    def _mix_place(self, folder: StemFolder) -> _Place | None:
        if not folder.result or not is_untouched(folder):
            return None
        audio = folder.result.stem_set.audio
        is_there = self._store.size_bytes(audio.object_key) is not None
        return _Place(audio.object_key, audio.gain) if is_there else None


def is_untouched(folder: StemFolder) -> bool:
    """Whether all that sounds of the folder is as it was delivered, at the source's level."""
    if not folder.result:
        return False
    stem_set = folder.result.stem_set
    return all(stem_set.stem(stem) for stem in sounding(file.stem for file in folder.files))


def sounding(stems: Iterable[str]) -> tuple[str, ...]:
    """The stems that make up the song, each sound once: no acapella beside vocals, no instrumental beside its parts."""
    given = tuple(stems)
    parts = {*given} - {VOCALS, *DERIVED_STEMS}
    doubles = {ACAPELLA: VOCALS in given, INSTRUMENTAL: bool(parts)}
    return tuple(stem for stem in given if not doubles.get(stem))


def total(streams: Sequence[Iterator[FloatBlock]]) -> Iterator[FloatBlock]:
    """The sum of equally long streams."""
    for blocks in zip(*streams, strict=True):
        # In float64: partial sums beyond full scale would lose their last bits in float32.
        yield np.asarray(np.sum(blocks, axis=0, dtype=np.float64), dtype=np.float32)


def _amplified(read: Callable[[], Iterator[FloatBlock]], gain: float) -> Callable[[], Iterator[FloatBlock]]:
    """The gain is a power of two, so this is exact."""
    return lambda: (block * np.float32(gain) for block in read())


def _common_shape(folder: StemFolder, stems: Mapping[str, OpenAudio]) -> AudioShape:
    shapes = {stem: audio.shape for stem, audio in stems.items()}
    first, *others = shapes.items()
    for stem, shape in others:
        if shape != first[1]:
            message = (
                f"the stems of {folder.name or folder.title} do not fit together: "
                f"{first[0]} has {_shape_text(first[1])}, {stem} has {_shape_text(shape)}"
            )
            raise UnsupportedAudio(message, {"stem": stem})
    return first[1]


def _shape_text(shape: AudioShape) -> str:
    return f"{shape.frame_count} frames at {shape.sample_rate_hz} Hz, {shape.channel_count} channels"
