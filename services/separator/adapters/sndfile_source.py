"""Sources that libsndfile decodes: PCM in WAV and AIFF, FLAC, MP3 (by libmpg123), Vorbis and Opus."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from services.separator.adapters.region import Region
from services.separator.adapters.tags import plain_text, read_name_tags
from services.separator.core.layouts import SourceLayout
from services.separator.core.pcm import block_frames
from services.separator.core.ports import SourceBlock
from services.separator.core.trimming import Trimmer, damage_text, trimmer_for
from stemhouse.audio import AudioFormat, SourceFacts
from stemhouse.errors import UnreadableAudio

DECODER = f"libsndfile {soundfile.__libsndfile_version__}"

_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ULAW": 16, "ALAW": 16}
_FLOAT_BITS = {"FLOAT": 32, "DOUBLE": 64}
_STREAMS = frozenset({"mp3", "ogg"})
"""Nothing in these needs a seek."""
_ENDLESS_FRAMES = 2**63 - 1
"""What libsndfile says of a pipe."""
_CHUNK_BYTES = 1 << 16


class SndfileSource:
    """SourceAudio by libsndfile."""

    def __init__(self, path: Path, name: str, layout: SourceLayout) -> None:
        """Read the head. Raises UnreadableAudio."""
        self._path = path
        self._name = name
        self._layout = layout
        with self._open() as sound:
            self.format = AudioFormat(sound.samplerate, sound.channels)
            self._subtype: str = sound.subtype
            self._own_tags = {"artist": plain_text(sound.artist), "title": plain_text(sound.title)}
        self._trimmer = Trimmer()
        self._damage = ""

    @property
    def is_integer(self) -> bool:
        """See SourceAudio.is_integer."""
        return self._subtype in _INTEGER_BITS

    def blocks(self) -> Iterator[SourceBlock]:
        """See SourceAudio.blocks."""
        with self._open() as sound:
            trimmer = self._trimmer = self._new_trimmer(sound.frames)
            errors: list[soundfile.LibsndfileError] = []
            yield from trimmer.trimmed(_blocks(sound, block_frames(self.format), errors))
        # libsndfile reports junk behind FLAC as an error, too.
        is_damaged = trimmer.is_short or (errors and trimmer.end is None)
        self._damage = damage_text(self._layout, "the file is damaged" if is_damaged else "", trimmer)

    def facts(self) -> SourceFacts:
        """See SourceAudio.facts."""
        tags = read_name_tags(self._path, self._layout.container, self._subtype.lower())
        lead, tail = self._trimmed_frames()
        return SourceFacts(
            container=self._layout.container,
            codec=self._subtype.lower(),
            bits_per_sample=_INTEGER_BITS.get(self._subtype) or _FLOAT_BITS.get(self._subtype, 0),
            decoder=DECODER,
            trimmed_lead_frames=lead,
            artist=tags.artist or self._own_tags["artist"],
            title=tags.title or self._own_tags["title"],
            damage=self._damage,
            trimmed_tail_frames=tail,
            timing_note=self._layout.timing_note,
            bpm=tags.bpm,
            genre=tags.genre,
        )

    def _trimmed_frames(self) -> tuple[int, int]:
        """In front and behind."""
        if not self._layout.is_trimmed_by_decoder:
            return self._trimmer.lead_count, self._trimmer.tail_count
        rate_hz = self.format.sample_rate_hz
        return round((self._layout.lead_s or 0) * rate_hz), round(self._layout.tail_s * rate_hz)

    def _new_trimmer(self, told_frames: int) -> Trimmer:
        """`told_frames`: the length as libsndfile sees it."""
        trimmer = trimmer_for(self._layout, self.format.sample_rate_hz)
        if self._layout.is_trimmed_by_decoder:
            return Trimmer(0, None if trimmer.end is None else trimmer.end - trimmer.lead)
        if trimmer.end is None and told_frames < _ENDLESS_FRAMES:
            trimmer.end = told_frames
        return trimmer

    @contextmanager
    def _open(self) -> Iterator["_ForwardFile"]:
        with ExitStack() as closing:
            try:
                sound = closing.enter_context(_ForwardFile(self._input(closing)))
            except soundfile.LibsndfileError as error:
                message = f"{self._name} is not audio that can be read: {error.error_string}"
                raise UnreadableAudio(message, {"file": self._name}) from error
            yield sound

    def _input(self, closing: ExitStack) -> Path | Region | int:
        """What the decoder is to read: of WAV and AIFF all, since it finds the audio by itself."""
        layout = self._layout
        if layout.container in _STREAMS:
            return _piped(self._path, layout)
        if layout.container == "flac":
            return Region(closing.enter_context(self._path.open("rb")), layout)
        return self._path


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is untyped
    """A sound file that is only read on and on.

    soundfile seeks to where it is after each read of a file that can seek. An MP3 decoder loses its bit reservoir
    there: with blocks of a second, errors up to -61 dB of full scale were measured at each seam; of 4096 frames, -16.
    MP3 comes through a pipe, which cannot seek either; others are spared the seeks.
    """

    def seekable(self) -> bool:
        """Never, whatever the file could do."""
        return False


def _piped(path: Path, layout: SourceLayout) -> int:
    """The reading end of a pipe that gives the bytes of the audio.

    So tags and junk around and within it never reach the decoder: libmpg123 gives up after a kilobyte. In a file
    libsndfile 1.2.2 also guesses the length of an MP3 from its first frames and ends there: less than half of a track
    with a variable bit rate was seen. A pipe has no size to guess from, so it reads to the end.
    """
    read_end, write_end = os.pipe()
    threading.Thread(target=_feed, args=(path, write_end, layout), daemon=True).start()
    return read_end


def _feed(path: Path, write_end: int, layout: SourceLayout) -> None:
    with path.open("rb") as file, suppress(BrokenPipeError), os.fdopen(write_end, "wb") as pipe:
        for begin, end in layout.spans():
            file.seek(begin)
            while chunk := file.read(min(_CHUNK_BYTES, end - file.tell())):
                pipe.write(chunk)


def _blocks(sound: Any, frame_count: int, errors: list[soundfile.LibsndfileError]) -> Iterator[SourceBlock]:
    """All that can be decoded; the error that ended it goes into `errors`."""
    while not errors:
        interleaved = _read_block(sound, frame_count, errors)
        if not len(interleaved):
            return
        yield interleaved.T


def _read_block(sound: Any, frame_count: int, errors: list[soundfile.LibsndfileError]) -> SourceBlock:
    """The next frames, interleaved.

    libsndfile does not tell how many frames came before an error, so they are told from a filling of NaN; only
    compressed formats fail like this, and those decode to finite samples.
    """
    block: SourceBlock = np.full((frame_count, sound.channels), np.nan)
    try:
        read: SourceBlock = sound.read(out=block)
    except soundfile.LibsndfileError as error:
        errors.append(error)
        return block[: int(np.count_nonzero(~np.isnan(block[:, 0])))]
    return read
