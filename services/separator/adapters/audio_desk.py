"""The desk of one task: objects of the store and scratch files, in a folder that vanishes with the task."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from services.separator.adapters.pcm_files import NewFlac, RawSpool, StoredFlac
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.source_files import SourceFile, open_source_file
from services.separator.core.control import check_wanted, until_cancelled
from services.separator.core.ports import TaskControl
from services.separator.core.sources import source_key
from stemhouse.audio import AudioFormat, SourceRef
from stemhouse.errors import InternalFault
from stemhouse.ports import ObjectStore


class ScratchAudioDesk:
    """AudioDesk over a folder; `closing` ends what is still open."""

    def __init__(self, store: ObjectStore, folder: Path, control: TaskControl, closing: ExitStack) -> None:
        self.store = store
        self._folder = folder
        self._control = control
        self._closing = closing
        self._numbers = count()

    def open_source(self, source: SourceRef) -> SourceFile:
        """See AudioDesk.open_source."""
        key = source_key(source.sha256)
        path, sha256 = self._fetch(key)
        if sha256 != source.sha256:
            message = f"{key} holds other bytes than its name says"
            raise InternalFault(message, {"object_key": key})
        return open_source_file(path, source.file_name, partial(check_wanted, self._control))

    def open_pcm(self, object_key: str, audio_format: AudioFormat) -> StoredFlac:
        """See AudioDesk.open_pcm."""
        path, _ = self._fetch(object_key)
        return StoredFlac(path, object_key, audio_format)

    def create_flac(self, audio_format: AudioFormat) -> NewFlac:
        """See AudioDesk.create_flac."""
        flac = NewFlac(self._new_path(), audio_format, self.store)
        self._closing.callback(flac.close)
        return flac

    def create_spool(self, audio_format: AudioFormat) -> RawSpool:
        """See AudioDesk.create_spool."""
        spool = RawSpool(self._new_path(), audio_format)
        self._closing.callback(spool.close)
        return spool

    def _fetch(self, object_key: str) -> tuple[Path, str]:
        """The object as a file, and its SHA-256."""
        path, digest = self._new_path(), hashlib.sha256()
        with path.open("wb") as file:
            for chunk in until_cancelled(self.store.read(object_key), self._control):
                digest.update(chunk)
                file.write(chunk)
        return path, digest.hexdigest()

    def _new_path(self) -> Path:
        """Without an extension: libsndfile must judge by content."""
        return self._folder / str(next(self._numbers))


@contextmanager
def open_desk(store: ObjectStore, scratch: ScratchRoot, control: TaskControl) -> Iterator[ScratchAudioDesk]:
    """A desk for one task; all its files are gone afterwards, whatever happened."""
    with scratch.folder() as folder, ExitStack() as closing:
        yield ScratchAudioDesk(store, folder, control, closing)
