"""Names of delivered folders and files: safe on Windows, macOS and Linux, and as near to the tags as that allows."""

import re

from services.exporter.core.names import LONGEST_SEGMENT_BYTES, UNTITLED, cut, safe, segment_name, unreserved
from stemhouse.audio import SourceFacts, SourceRef
from stemhouse.delivery import FileFormat
from stemhouse.errors import InvalidRequest

UNKNOWN_ARTIST = "Unknown Artist"

_HASH_DIGITS = 8
_STEM_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class StemFileManager:
    """Names what is delivered. The same source always gets the same folder, two sources never share one."""

    def folder_name(self, source: SourceRef, facts: SourceFacts) -> str:
        """`{Artist} - {Title}_{Hash}`: one path segment of at most 200 bytes; Hash = first 8 hex of the source's MD5.

        A missing tag is taken from a file name of the form `Artist - Title.ext`, else the artist is
        `Unknown Artist` and the title the file's name.
        """
        named_artist, named_title = _artist_and_title(source.file_name)
        artist = safe(facts.artist).lstrip(". ") or safe(named_artist).lstrip(". ") or UNKNOWN_ARTIST
        title = safe(facts.title) or safe(named_title) or UNTITLED
        suffix = f"_{source.md5[:_HASH_DIGITS]}"
        room_bytes = LONGEST_SEGMENT_BYTES - len(suffix)
        name = f"{artist} - {title}"
        if len(name.encode()) > room_bytes:
            name = f"{cut(artist, room_bytes // 2)} - {title}"
        return unreserved(cut(name, room_bytes - 1) + suffix)  # 1: room for the mark of unreserved

    def derived_folder_name(self, name: str, suffix: str) -> str:
        """`{name}{suffix}`: one path segment of at most 200 bytes, for what is made of a folder of that name."""
        return segment_name(name, suffix)

    def file_name(self, stem: str, file_format: FileFormat) -> str:
        """`{stem}.{extension}`; raises InvalidRequest for a stem that is no plain name."""
        if not _STEM_NAME.fullmatch(stem):
            message = f"stem {stem!r} must match {_STEM_NAME.pattern}"
            raise InvalidRequest(message, {"stem": message})
        return unreserved(f"{stem}.{file_format.value}")


def _artist_and_title(file_name: str) -> tuple[str, str]:
    """Artist (may be empty) and title, as the base name tells them."""
    base_name = re.split(r"[/\\]", file_name)[-1]
    stem = base_name.rpartition(".")[0] or base_name
    artist, dash, title = stem.partition(" - ")
    return (artist, title) if dash and artist.strip() and title.strip() else ("", stem)
