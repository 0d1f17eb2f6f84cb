"""A part of a file, for decoders that are to see nothing else: no tags and no junk around the audio."""

import io
from typing import Any, BinaryIO

from services.separator.core.layouts import SourceLayout

_FARTHEST = 1 << 42


class Region(io.RawIOBase):
    """The part of a file that a layout bounds, as a file of its own."""

    def __init__(self, file: BinaryIO, layout: SourceLayout) -> None:
        """Keep the open file, which is the caller's to close."""
        self._file = file
        self._begin = layout.begin
        self._size = layout.end - layout.begin
        file.seek(layout.begin)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Within the region."""
        return self._file.tell() - self._begin

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Within the region; -1, which FFmpeg understands, for a place that no file has: damaged ones ask for it."""
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        return self._file.seek(self._begin + place) - self._begin if 0 <= place < _FARTHEST else -1

    def read(self, size: int = -1) -> bytes:
        """Never beyond the end."""
        left = max(0, self._size - self.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def readinto(self, buffer: Any) -> int:
        """As `read`; libsndfile's way."""
        octets = self.read(len(buffer))
        buffer[: len(octets)] = octets
        return len(octets)
