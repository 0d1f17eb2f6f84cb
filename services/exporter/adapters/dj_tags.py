"""Tags and cover art of audio files, with what Serato keeps there, by mutagen."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mutagen.aiff import AIFF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, GEOB, TALB, TBPM, TCON, TIT2, TKEY, TPE1, TXXX
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, MP4Cover
from mutagen.wave import WAVE

from services.exporter.adapters.scratch import encoded_file, scratch_file, scratch_unavailable
from services.exporter.core.dj.riff_info import info_chunk
from services.exporter.core.dj.serato_tags import AUTOTAGS, BEAT_GRID, MARKERS, MARKERS2, envelope, serato_tags
from services.exporter.core.ports import EncodedFile
from stemhouse.delivery import FileFormat
from stemhouse.dj import DJTrack

_FRONT_COVER = 3
_UTF_8 = 3
_LATIN_1 = 0
_JPEG = b"\xff\xd8"
_OCTETS = "application/octet-stream"
_FLAC_NAMES = {AUTOTAGS: "SERATO_AUTOGAIN", BEAT_GRID: "SERATO_BEATGRID", MARKERS2: "SERATO_MARKERS_V2"}
_MP4_NAMES = {AUTOTAGS: "autgain", BEAT_GRID: "beatgrid", MARKERS2: "markersv2", MARKERS: "markers"}
_SERATO_ATOM, _ITUNES_ATOM = "----:com.serato.dj:", "----:com.apple.iTunes:"
_RIFF_HEAD_BYTES = 8


class DJTagger:
    """Puts tags into files that have none."""

    def __init__(self, scratch_dir: Path) -> None:
        """Keep the folder of the spool."""
        self._scratch_dir = scratch_dir

    @contextmanager
    def tagged(
        self, file: EncodedFile, file_format: FileFormat, track: DJTrack, art: bytes = b""
    ) -> Iterator[EncodedFile]:
        """The file with its tags, as long as the context lasts; `art` is a JPEG or PNG.

        Raises Unavailable if the spool cannot be written.
        """
        with scratch_file(self._scratch_dir) as spool:
            try:
                for chunk in file.chunks:
                    spool.write(chunk)
                spool.seek(0)
                _WRITERS[file_format](spool, track, art)
                result = encoded_file(spool)
            except OSError as error:
                raise scratch_unavailable(self._scratch_dir, error) from error
            yield result


def _write_wav(spool: IO[bytes], track: DJTrack, art: bytes) -> None:
    """Both kinds of tags: each is passed over by some who read the other."""
    end = spool.seek(0, 2)
    chunk = info_chunk(track)
    spool.write(chunk)
    spool.seek(4)
    spool.write((end + len(chunk) - _RIFF_HEAD_BYTES).to_bytes(4, "little"))
    spool.seek(0)
    _write_id3(WAVE(spool), spool, track, art)


def _write_aiff(spool: IO[bytes], track: DJTrack, art: bytes) -> None:
    _write_id3(AIFF(spool), spool, track, art)


def _write_mp3(spool: IO[bytes], track: DJTrack, art: bytes) -> None:
    _write_id3(MP3(spool), spool, track, art)


def _write_id3(audio: Any, spool: IO[bytes], track: DJTrack, art: bytes) -> None:
    audio.add_tags()
    for frame, text in _id3_texts(track):
        audio.tags.add(frame(encoding=_UTF_8, text=text))
    if track.comment:
        audio.tags.add(COMM(encoding=_UTF_8, lang="eng", desc="", text=track.comment))
    if track.gain_db is not None:
        audio.tags.add(TXXX(encoding=_UTF_8, desc="REPLAYGAIN_TRACK_GAIN", text=_gain(track.gain_db)))
    for name, data in serato_tags(track).items():
        audio.tags.add(GEOB(encoding=_LATIN_1, mime=_OCTETS, filename="", desc=name, data=data))
    if art:
        audio.tags.add(APIC(encoding=_UTF_8, mime=_mime(art), type=_FRONT_COVER, desc="", data=art))
    spool.seek(0)
    audio.save(spool)


def _id3_texts(track: DJTrack) -> Iterator[tuple[type, str]]:
    told = ((TIT2, track.title), (TPE1, track.artist), (TALB, track.album), (TCON, track.genre), (TKEY, track.key))
    yield from ((frame, text) for frame, text in (*told, (TBPM, _bpm(track))) if text)


def _write_flac(spool: IO[bytes], track: DJTrack, art: bytes) -> None:
    audio = FLAC(spool)
    if audio.tags is None:
        audio.add_tags()
    told = {"title": track.title, "artist": track.artist, "album": track.album, "genre": track.genre}
    told |= {"comment": track.comment, "bpm": _bpm(track), "initialkey": track.key}
    told |= {"replaygain_track_gain": _gain(track.gain_db)} if track.gain_db is not None else {}
    told |= {_FLAC_NAMES[name]: envelope(name, data) for name, data in serato_tags(track).items()}
    audio.update({name: text for name, text in told.items() if text})
    if art:
        picture = Picture()
        picture.type, picture.mime, picture.data = _FRONT_COVER, _mime(art), art
        audio.add_picture(picture)
    spool.seek(0)
    audio.save(spool)


def _write_mp4(spool: IO[bytes], track: DJTrack, art: bytes) -> None:
    """The atom of the tempo holds whole numbers alone."""
    audio = MP4(spool)
    if audio.tags is None:
        audio.add_tags()
    told: dict[str, Any] = {"\xa9nam": track.title, "\xa9ART": track.artist, "\xa9alb": track.album}
    told |= {"\xa9gen": track.genre, "\xa9cmt": track.comment, "tmpo": [round(track.bpm)] if track.bpm else None}
    told |= {_ITUNES_ATOM + name: text.encode() for name, text in _mp4_texts(track).items() if text}
    told |= _mp4_serato(track)
    if art:
        told["covr"] = [MP4Cover(art, MP4Cover.FORMAT_JPEG if art.startswith(_JPEG) else MP4Cover.FORMAT_PNG)]
    audio.update({name: value for name, value in told.items() if value})
    spool.seek(0)
    audio.save(spool)


def _mp4_texts(track: DJTrack) -> Mapping[str, str]:
    gain = _gain(track.gain_db) if track.gain_db is not None else ""
    return {"BPM": _bpm(track), "initialkey": track.key, "replaygain_track_gain": gain}


def _mp4_serato(track: DJTrack) -> Mapping[str, bytes]:
    tags = serato_tags(track, is_mp4=True)
    return {_SERATO_ATOM + _MP4_NAMES[name]: envelope(name, data).encode() for name, data in tags.items()}


def _bpm(track: DJTrack) -> str:
    """With decimals, though some say that a tempo is a whole number: DJ programs write and read them."""
    return f"{track.bpm:.2f}".rstrip("0").rstrip(".") if track.bpm else ""


def _gain(gain_db: float) -> str:
    return f"{gain_db:+.2f} dB"


def _mime(art: bytes) -> str:
    return "image/jpeg" if art.startswith(_JPEG) else "image/png"


_WRITERS: Mapping[FileFormat, Callable[[IO[bytes], DJTrack, bytes], None]] = {
    FileFormat.WAV: _write_wav,
    FileFormat.AIFF: _write_aiff,
    FileFormat.FLAC: _write_flac,
    FileFormat.MP3: _write_mp3,
    FileFormat.M4A: _write_mp4,
}
