"""Uploads of stems into the object store, by way of a scratch file: only audio that can be worked with gets there."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
import soundfile

from services.exporter.adapters.audio_objects import read_blocks, read_shape
from services.exporter.adapters.scratch import scratch_file, scratch_unavailable
from services.exporter.core.production.uploads import StemUploads
from stemhouse.errors import InputRejected, InvalidRequest, UnreadableAudio, UnsupportedAudio
from stemhouse.ports import ObjectStore
from stemhouse.production import StemFile

_MOST_CHANNELS = 2
_LOSSY = frozenset({"MP3", "OGG"})
"""libsndfile reads these, too, whatever the file's name says."""


class StemIntake:
    """Takes uploads, and removes those of the days before yesterday."""

    def __init__(self, store: ObjectStore, uploads: StemUploads, scratch_dir: Path, max_bytes: int) -> None:
        """Keep where uploads go, where to spool, and the largest file taken."""
        self._store = store
        self._uploads = uploads
        self._scratch_dir = scratch_dir
        self._max_bytes = max_bytes

    def receive(self, file: StemFile, chunks: Iterable[bytes]) -> None:
        """Store a file.

        Raises InputRejected if other bytes come than were announced, UnreadableAudio or UnsupportedAudio for what is no
        stem, InvalidRequest for a file that is too large; all name the file.
        """
        self._uploads.sweep()
        with scratch_file(self._scratch_dir) as spool:
            self._spool(file, chunks, spool)
            _require_audio(file.file_name, spool)
            spool.seek(0)
            self._store.put(self._uploads.new_key(file.sha256), cast("BinaryIO", spool))

    def _spool(self, file: StemFile, chunks: Iterable[bytes], spool: IO[bytes]) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > self._max_bytes:
                message = f"{file.file_name} is larger than {self._max_bytes} bytes"
                raise InvalidRequest(message, {"chunk": message})
            digest.update(chunk)
            try:
                spool.write(chunk)
            except OSError as error:
                raise scratch_unavailable(self._scratch_dir, error) from error
        if digest.hexdigest() != file.sha256:
            message = f"{file.file_name} changed while it was uploaded"
            raise InputRejected(message, {"file": file.file_name})


def _require_audio(name: str, spool: IO[bytes]) -> None:
    """Decode all of it once."""
    try:
        _require_shape(name, spool)
        is_finite = all(bool(np.isfinite(block).all()) for block in read_blocks(spool))
    except soundfile.LibsndfileError as error:
        message = f"{name} cannot be read as WAV, FLAC or AIFF: {error.error_string}"
        raise UnreadableAudio(message, {"file": name}) from error
    if not is_finite:
        message = f"{name} has samples that are not finite"
        raise UnreadableAudio(message, {"file": name})


def _require_shape(name: str, spool: IO[bytes]) -> None:
    spool.seek(0)
    with soundfile.SoundFile(spool) as audio:
        container = audio.format
    shape = read_shape(spool)
    if container in _LOSSY:
        message = f"{name} is lossy ({container}): stems must be WAV, FLAC or AIFF"
        raise UnsupportedAudio(message, {"file": name})
    if shape.channel_count > _MOST_CHANNELS:
        message = f"{name} has {shape.channel_count} channels; stems have 1 or 2"
        raise UnsupportedAudio(message, {"file": name})
    if not shape.frame_count:
        message = f"{name} has no samples"
        raise UnreadableAudio(message, {"file": name})
