"""Source files: what they are is told by their bytes, and decides who decodes them."""

from mmap import ACCESS_READ, mmap
from pathlib import Path

from services.separator.adapters.av_source import AvSource
from services.separator.adapters.sndfile_source import SndfileSource
from services.separator.core.containers import layout_of
from services.separator.core.layouts import Refusal, SourceLayout, Watch, unwatched
from stemhouse.errors import UnreadableAudio, UnsupportedAudio

SourceFile = SndfileSource | AvSource


def open_source_file(path: Path, name: str, watch: Watch = unwatched) -> SourceFile:
    """SourceAudio in a scratch file; `name` is the file name that people know.

    libsndfile decodes what it decodes exactly, FFmpeg the rest: `docs/formats.md`. Raises UnreadableAudio, and
    UnsupportedAudio for what is protected, and what `watch` raises.
    """
    layout = _layout(path, name, watch)
    return AvSource(path, name, layout) if layout.demuxer else SndfileSource(path, name, layout)


def _layout(path: Path, name: str, watch: Watch) -> SourceLayout:
    if not path.stat().st_size:
        message = f"{name} is empty"
        raise UnreadableAudio(message, {"file": name})
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        found = layout_of(data, watch)
    if isinstance(found, Refusal):
        error_type = UnsupportedAudio if found.is_unsupported else UnreadableAudio
        message = f"{name} {found.why}"
        raise error_type(message, {"file": name})
    return found
