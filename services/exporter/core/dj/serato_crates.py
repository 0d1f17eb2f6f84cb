"""Crates of Serato up to version 3, which Mixxx reads, too.

Records of four letters, a length and a payload. Layout: github.com/Holzhaus/triseratops and
github.com/mixxxdj/mixxx/wiki/Serato-Database-Format.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

_VERSION = "1.0/Serato ScratchLive Crate"
_COLUMNS = ("song", "artist", "bpm", "key", "album", "length", "comment")
_COLUMN_WIDTH = "250"
_NESTING = "%%"
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]|^%|%(?=%)|%$')
_DIGEST_CHARS = 7
_LONGEST_NAME = 120
"""In characters, of the whole file name: with the folders before it, Windows takes 260."""


def serato_crate(paths: Iterable[str]) -> bytes:
    """The file of a crate; paths are relative to the volume's root, with `/` and without one at the beginning."""
    columns = b"".join(_record("ovct", _text("tvcn", name) + _text("tvcw", _COLUMN_WIDTH)) for name in _COLUMNS)
    sorting = _record("osrt", _text("tvcn", "#") + _record("brev", b"\0"))
    tracks = b"".join(_record("otrk", _text("ptrk", path)) for path in paths)
    return _text("vrsn", _VERSION) + sorting + columns + tracks


def crate_file_name(path: Sequence[str]) -> str:
    """`House%%Deep.crate` is the crate Deep in the crate House; what Serato takes for a mark is replaced.

    So is a per cent sign beside such a mark, since nobody could tell where that begins.

    Names that are too long together are cut, each to its share, and told apart by a digest.
    """
    names = [_FORBIDDEN.sub("_", part).strip(". ") or "_" for part in path]
    if len(_NESTING.join(names)) > _LONGEST_NAME:
        share = max(_DIGEST_CHARS, _LONGEST_NAME // len(names) - len(_NESTING))
        names = [_cut(name, share) for name in names]
    return f"{_NESTING.join(names)}.crate"


def _cut(name: str, chars: int) -> str:
    if len(name) <= chars:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[: _DIGEST_CHARS - 1]
    return f"{name[: chars - _DIGEST_CHARS].rstrip('. ')}~{digest}"


def _record(tag: str, payload: bytes) -> bytes:
    return tag.encode() + len(payload).to_bytes(4) + payload


def _text(tag: str, text: str) -> bytes:
    return _record(tag, text.encode("utf-16-be"))
