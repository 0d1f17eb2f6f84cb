"""Small audio files of many formats with tags and cover art, for whoever reads tags."""

import io
from collections.abc import Mapping
from pathlib import Path

import mutagen
import numpy as np
import soundfile
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, Frames
from mutagen.mp4 import MP4, MP4Cover

from tests.signals import noise
from tests.sources import by_ffmpeg, mp3_by_lameenc

TAGGED_FORMATS = ("mp3", "flac", "aiff", "wav", "m4a")
GENRES = ("House", "Deep House", "Techno", "Drum & Bass", "Disco", "Ambient")
TITLES = ("Night", "Night (Instrumental)", "Night feat. Someone", "Night (Vocal Mix)", "Night (Dub)", "Night")
KEYS = ("8A", "Fm", "Am", "4m")
_VORBIS_NAMES = {
    "TPE1": "artist",
    "TIT2": "title",
    "TALB": "album",
    "TCON": "genre",
    "TKEY": "initialkey",
    "TBPM": "bpm",
}
_MP4_NAMES = {"TPE1": "\xa9ART", "TIT2": "\xa9nam", "TALB": "\xa9alb", "TCON": "\xa9gen"}
_RATE_HZ = 44_100
_FRAMES = _RATE_HZ // 2


class TaggedFiles:
    """Writes half a second of noise, encoded once for each format, with tags that follow from a number."""

    def __init__(self) -> None:
        """Encode."""
        samples = noise(_FRAMES)
        self._audio = {extension: _encoded(extension) for extension in ("flac", "aiff", "wav")}
        self._audio["mp3"] = mp3_by_lameenc(samples)
        self._audio["m4a"] = by_ffmpeg(samples, "aac", "ipod", _RATE_HZ, options={"b": "192000"})
        self._art = np.random.default_rng(1).bytes(200_000)

    def audio(self, extension: str) -> bytes:
        """The file without tags."""
        return self._audio[extension]

    def write(self, path: Path, number: int, art_bytes: int) -> None:
        """One file; its format is that of its name."""
        path.write_bytes(self.audio(path.suffix[1:]))
        write_tags(path, tags_of(number), b"\xff\xd8\xff" + self._art[:art_bytes])


def tags_of(number: int) -> Mapping[str, str]:
    """By the names of ID3v2.4."""
    return {
        "TPE1": f"Artist {number // 48}",
        "TIT2": f"{TITLES[number % len(TITLES)]} {number}",
        "TALB": f"Album {number // 12}",
        "TCON": GENRES[number % len(GENRES)],
        "TKEY": KEYS[number % len(KEYS)],
        "TBPM": f"{100 + number % 60}",
    }


def write_tags(path: Path, tags: Mapping[str, str], art: bytes) -> None:
    """In the way of the file's format."""
    audio = mutagen.File(path)
    if isinstance(audio, FLAC):
        audio.update({_VORBIS_NAMES[name]: text for name, text in tags.items()})
        audio.add_picture(_picture(art))
    elif isinstance(audio, MP4):
        audio.update({_MP4_NAMES[name]: text for name, text in tags.items() if name in _MP4_NAMES})
        audio["tmpo"], audio["----:com.apple.iTunes:initialkey"] = [int(tags["TBPM"])], tags["TKEY"].encode()
        audio["covr"] = [MP4Cover(art)]
    else:
        assert audio is not None
        audio.add_tags()
        for name, text in tags.items():
            audio.tags.add(Frames[name](encoding=3, text=text))
        audio.tags.add(APIC(mime="image/jpeg", type=3, data=art))
    audio.save()


def _picture(art: bytes) -> Picture:
    picture = Picture()
    picture.type, picture.mime, picture.data = 3, "image/jpeg", art
    return picture


def _encoded(extension: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, noise(_FRAMES).T, _RATE_HZ, format=extension)
    return file.getvalue()
