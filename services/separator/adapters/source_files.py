"""Source files, decoded by libsndfile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from services.separator.adapters.tags import read_name_tags
from services.separator.core.lame import HEAD_BYTES, id3v2_bytes, trimmed_lead_frames
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


class SourceFile:
    """SourceAudio in a scratch file; `name` is the file name that people know."""

    def __init__(self, path: Path, name: str) -> None:
        """Read the head. Raises UnreadableAudio, and UnsupportedAudio for a container that is not taken."""
        self._path = path
        self._name = name
        self._damage = ""
        with self._open() as sound:
            self.format = AudioFormat(sound.samplerate, sound.channels)
            self._subtype: str = sound.subtype
            self._container = self._require_container(sound.format)
            self._own_tags: dict[str, str] = {"artist": sound.artist, "title": sound.title}

    @property
    def is_integer(self) -> bool:
        """See SourceAudio.is_integer."""
        return self._subtype in _INTEGER_BITS

    def blocks(self) -> Iterator[SourceBlock]:
        """See SourceAudio.blocks."""
        frame_count = 0
        with self._open() as sound:
            while True:
                interleaved, error = _read_block(sound, block_frames(self.format))
                frame_count += len(interleaved)
                if len(interleaved):
                    yield interleaved.T
                if error or not len(interleaved):
                    break
            if error:
                self._damage = f", stopped by damage after {frame_count} frames ({error.error_string.strip('. ')})"

    def facts(self) -> SourceFacts:
        """See SourceAudio.facts."""
        tags = read_name_tags(self._path, self._container)
        return SourceFacts(
            container=self._container,
            codec=self._subtype.lower(),
            bits_per_sample=_INTEGER_BITS.get(self._subtype) or _FLOAT_BITS.get(self._subtype, 0),
            decoder=DECODER + self._damage,
            trimmed_lead_frames=_mp3_lead_frames(self._path) if self._container == "mp3" else 0,
            artist=tags.artist or self._own_tags["artist"],
            title=tags.title or self._own_tags["title"],
        )

    def _open(self) -> Any:
        try:
            return soundfile.SoundFile(self._path)
        except soundfile.LibsndfileError as error:
            message = f"{self._name} is not audio that can be read: {error.error_string}"
            raise UnreadableAudio(message, {"file": self._name}) from error

    def _require_container(self, libsndfile_format: str) -> str:
        if libsndfile_format not in _CONTAINERS:
            message = f"{self._name} is a {libsndfile_format} file: Stemhouse takes WAV, FLAC, MP3, AIFF and OGG"
            raise UnsupportedAudio(message, {"file": self._name})
        return _CONTAINERS[libsndfile_format]


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


def _mp3_lead_frames(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(id3v2_bytes(file.read(10)))
        return trimmed_lead_frames(file.read(HEAD_BYTES))
