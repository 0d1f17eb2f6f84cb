"""Crates of Serato up to version 3, which Mixxx reads, too.

Records of four letters, a length and a payload. Layout: github.com/Holzhaus/triseratops and
github.com/mixxxdj/mixxx/wiki/Serato-Database-Format.
"""

import re
from collections.abc import Iterable, Sequence

from stemhouse.errors import InvalidRequest

_VERSION = "1.0/Serato ScratchLive Crate"
_COLUMNS = ("song", "artist", "bpm", "key", "album", "length", "comment")
_COLUMN_WIDTH = "250"
_NESTING = "%%"
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]|%(?=%)')
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

    Raises InvalidRequest for names that are too long together.
    """
    name = _NESTING.join(_FORBIDDEN.sub("_", part).strip(". ") or "_" for part in path)
    if len(name) > _LONGEST_NAME:
        message = f"the names of the crate {'/'.join(path)} have more than {_LONGEST_NAME} characters together"
        raise InvalidRequest(message, {"crate": message})
    return f"{name}.crate"


def crate_order(names: Iterable[str]) -> bytes:
    """`neworder.pref`: file names of crates without their ending, in the order in which Serato shows them."""
    lines = ["[begin record]", *(f"[crate]{name.removesuffix('.crate')}" for name in names), "[end record]"]
    return "".join(f"{line}\n" for line in lines).encode("utf-16-be")


def _record(tag: str, payload: bytes) -> bytes:
    return tag.encode() + len(payload).to_bytes(4) + payload


def _text(tag: str, text: str) -> bytes:
    return _record(tag, text.encode("utf-16-be"))
