"""Playlists that every player reads: M3U in UTF-8, without a byte order mark."""

import re
from collections.abc import Sequence

from stemhouse.dj import DJFile

_LINE_ENDS = re.compile(r"[\r\n\x0b\x0c\x85\u2028\u2029]+")


def m3u8(files: Sequence[DJFile], folder: str = "") -> bytes:
    """The list; with `folder`, where it will lie, paths of files below that are relative, so that both can be moved."""
    lines = ["#EXTM3U"]
    for file in files:
        name = " - ".join(filter(None, (file.track.artist, file.track.title)))
        lines.append(f"#EXTINF:{round(file.duration_s)},{_LINE_ENDS.sub(' ', name)}")
        lines.append(_entry(file.location, folder))
    return ("\n".join(lines) + "\n").encode(errors="surrogateescape")


def _entry(location: str, folder: str) -> str:
    """A name that begins like a comment or a scheme is told by its folder."""
    prefix = folder.rstrip("/") + "/"
    if not folder or not location.startswith(prefix):
        return location
    relative = location.removeprefix(prefix)
    return f"./{relative}" if relative.startswith("#") or ":" in relative.partition("/")[0] else relative
