"""Source files, decoded by libsndfile."""

import contextlib
import os
import shutil
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from services.separator.adapters.tags import read_name_tags
from services.separator.core.mpeg import HEAD_BYTES, Mp3Lead, id3v2_bytes, lead_of_mp3
from services.separator.core.pcm import block_frames
from services.separator.core.ports import SourceBlock
from stemhouse.audio import AudioFormat, SourceFacts
from stemhouse.errors import UnreadableAudio, UnsupportedAudio

DECODER = f"libsndfile {soundfile.__libsndfile_version__}"

_CONTAINERS = {
    "WAV": "wav",
    "WAVEX": "wav",
    "RF64": "wav",
    "FLAC": "flac",
    "MP3": "mp3",
    "AIFF": "aiff",
    "OGG": "ogg",
}
"""libsndfile knows more, but some of those it finds in arbitrary bytes."""

_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ULAW": 16, "ALAW": 16}
_FLOAT_BITS = {"FLOAT": 32, "DOUBLE": 64}
_UNKNOWN_RIFF_BYTES = 0x7FFF0000
"""Programs that write into a pipe, and do not know the size yet, write something from here up to 2**32 - 1."""
_ENDLESS_FRAMES = 2**63 - 1
"""What libsndfile says of a pipe."""


class SourceFile:
    """SourceAudio in a scratch file; `name` is the file name that people know."""

    def __init__(self, path: Path, name: str) -> None:
        """Read the head. Raises UnreadableAudio, and UnsupportedAudio for a container that is not taken."""
        self._path = path
        self._name = name
        self._damage = ""
        with self._open(path) as sound:
            self.format = AudioFormat(sound.samplerate, sound.channels)
            self._subtype: str = sound.subtype
            self._container = self._require_container(sound.format)
            self._own_tags: dict[str, str] = {"artist": sound.artist, "title": sound.title}
        self._mp3_lead = _read_mp3_lead(path) if self._container == "mp3" else Mp3Lead()

    @property
    def is_integer(self) -> bool:
        """See SourceAudio.is_integer."""
        return self._subtype in _INTEGER_BITS

    def blocks(self) -> Iterator[SourceBlock]:
        """See SourceAudio.blocks."""
        frame_count = 0
        with self._open(_piped(self._path) if self._mp3_lead.hides_length else self._path) as sound:
            while True:
                interleaved, error = _read_block(sound, block_frames(self.format))
                if not len(interleaved):
                    break
                frame_count += len(interleaved)
                yield interleaved.T
                if error:
                    break
            is_cut = self._container == "wav" and _is_cut(self._path)
            if error or is_cut or frame_count < sound.frames < _ENDLESS_FRAMES:
                self._damage = f"the file is damaged: it could be decoded for {frame_count} frames only"

    def facts(self) -> SourceFacts:
        """See SourceAudio.facts."""
        tags = read_name_tags(self._path, self._container)
        return SourceFacts(
            container=self._container,
            codec=self._subtype.lower(),
            bits_per_sample=_INTEGER_BITS.get(self._subtype) or _FLOAT_BITS.get(self._subtype, 0),
            decoder=DECODER,
            trimmed_lead_frames=self._mp3_lead.trimmed_frames,
            artist=tags.artist or self._own_tags["artist"],
            title=tags.title or self._own_tags["title"],
            damage=self._damage,
        )

    def _open(self, source: Path | int) -> "_ForwardFile":
        try:
            return _ForwardFile(source)
        except soundfile.LibsndfileError as error:
            message = f"{self._name} is not audio that can be read: {error.error_string}"
            raise UnreadableAudio(message, {"file": self._name}) from error

    def _require_container(self, libsndfile_format: str) -> str:
        if libsndfile_format not in _CONTAINERS:
            message = f"{self._name} is a {libsndfile_format} file: Stemhouse takes WAV, FLAC, MP3, AIFF and OGG"
            raise UnsupportedAudio(message, {"file": self._name})
        return _CONTAINERS[libsndfile_format]


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is untyped
    """A sound file that is only read on and on.

    soundfile seeks to where it is after each read of a file that can seek. An MP3 decoder loses its bit reservoir
    there: with blocks of a second, errors up to -61 dB of full scale were measured at each seam; of 4096 frames, -16.
    """

    def seekable(self) -> bool:
        """Never, whatever the file could do."""
        return False


def _piped(path: Path) -> int:
    """The reading end of a pipe, for an MP3 that hides its length.

    In a file libsndfile 1.2.2 guesses the length from the first frames and ends there: less than half of a track
    with a variable bit rate was seen. A pipe has no size to guess from, so it reads to the end.
    """
    read_end, write_end = os.pipe()
    threading.Thread(target=_feed, args=(path, write_end), daemon=True).start()
    return read_end


def _feed(path: Path, write_end: int) -> None:
    """All behind the ID3v2 tag."""
    with path.open("rb") as file, contextlib.suppress(BrokenPipeError), os.fdopen(write_end, "wb") as pipe:
        file.seek(id3v2_bytes(file.read(10)))
        shutil.copyfileobj(file, pipe)


def _is_cut(path: Path) -> bool:
    """Whether a WAV file is shorter than its RIFF header says; libsndfile is content with what there is."""
    with path.open("rb") as file:
        name, size_bytes = struct.unpack("<4sI", file.read(8))
    return bool(name == b"RIFF" and path.stat().st_size < size_bytes + 8 and size_bytes < _UNKNOWN_RIFF_BYTES)


def _read_mp3_lead(path: Path) -> Mp3Lead:
    with path.open("rb") as file:
        file.seek(id3v2_bytes(file.read(10)))
        return lead_of_mp3(file.read(HEAD_BYTES))


def _read_block(sound: Any, frame_count: int) -> tuple[SourceBlock, soundfile.LibsndfileError | None]:
    """The next frames, interleaved, and the error that ended them.

    libsndfile does not tell how many frames came before an error, so they are told from a filling of NaN; only
    compressed formats fail like this, and those decode to finite samples.
    """
    block: SourceBlock = np.full((frame_count, sound.channels), np.nan)
    try:
        return sound.read(out=block), None
    except soundfile.LibsndfileError as error:
        return block[: int(np.count_nonzero(~np.isnan(block[:, 0])))], error
