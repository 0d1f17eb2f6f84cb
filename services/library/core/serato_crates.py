"""Crates of Serato up to version 3: one file each, records of four letters, a length and a payload.

A crate is not refused for damage: the tracks that can be found are given, and what is lost is said. Records that are
not understood are kept as they are, so that an unchanged crate gives its own bytes again.
Layout: github.com/Holzhaus/triseratops, github.com/mixxxdj/mixxx/wiki/Serato-Database-Format.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stemhouse.errors import LibraryRejected

_HEADER_BYTES = 8
_VERSION, _TRACK, _PATH = b"vrsn", b"otrk", b"ptrk"
_DAMAGED = b""
_BEGIN_OF_TRACK = re.compile(rb"otrk\0[\0-\x0f]..ptrk", re.DOTALL)
"""Names are UTF-16, so these bytes in a row are a track that begins, and no part of another record."""
_SUFFIX = ".crate"
_NESTING = "%%"
_ORDERED = "[crate]"


@dataclass(frozen=True, slots=True)
class CrateRecord:
    """A tag of four bytes and its payload; an empty tag stands for bytes that are no record."""

    tag: bytes
    payload: "bytes | tuple[CrateRecord, ...]"

    def to_bytes(self) -> bytes:
        """The record as it lies in the file."""
        payload = self.payload if isinstance(self.payload, bytes) else records_to_bytes(self.payload)
        return self.tag + len(payload).to_bytes(4) + payload if self.tag else payload


def parse_crate(data: bytes) -> tuple[CrateRecord, ...]:
    """The records of a crate in their order, with nothing left out.

    Raises LibraryRejected if it is no crate: no version that says so, and no track.
    """
    records = tuple(_records(data))
    if not (_says_crate(records) or any(_location(record) for record in records)):
        raise LibraryRejected("no Serato crate: it neither begins like one nor names a track")
    return records


def records_to_bytes(records: Sequence[CrateRecord]) -> bytes:
    """The file that the records came from."""
    return b"".join(record.to_bytes() for record in records)


def crate_locations(records: Sequence[CrateRecord]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths of the tracks in order, relative to the volume's root, and what is lost, one sentence each."""
    found = [(_location(record), record.tag) for record in records]
    locations = tuple(location for location, _ in found if location)
    damaged_count = sum(tag == _DAMAGED or (tag == _TRACK and not location) for location, tag in found)
    warnings = [] if _says_crate(records) else ["its beginning is damaged"]
    if damaged_count:
        warnings.append(f"it is damaged or cut in {damaged_count} places, where tracks may be lost")
    return locations, tuple(warnings)


def crate_path_from_file_name(name: str) -> tuple[str, ...]:
    """`House%%Deep.crate` is the crate Deep in the crate House."""
    stem = name[: -len(_SUFFIX)] if name.lower().endswith(_SUFFIX) else name
    return tuple(part for part in stem.split(_NESTING) if part) or (stem,)


def crate_order(data: bytes) -> tuple[tuple[str, ...], ...]:
    """The paths of the crates in the order that `neworder.pref` gives, as far as it can be read."""
    encoding = "utf-16" if data.startswith((b"\xfe\xff", b"\xff\xfe")) else "utf-16-be"
    lines = data.decode(encoding, errors="replace").splitlines()
    return tuple(crate_path_from_file_name(line[len(_ORDERED) :]) for line in lines if line.startswith(_ORDERED))


def _records(data: bytes) -> Iterator[CrateRecord]:
    tracks = [match.start() for match in _BEGIN_OF_TRACK.finditer(data)]
    position = 0
    while position < len(data):
        following = bisect_right(tracks, position)
        next_track = tracks[following] if following < len(tracks) else len(data)
        end = _end_of_record(data, position, next_track)
        yield _record(data[position:end]) if end else CrateRecord(_DAMAGED, data[position:next_track])
        position = end or next_track


def _end_of_record(data: bytes, position: int, limit: int) -> int:
    """Where a record ends; 0 if none begins there, or if its length cannot be true."""
    head = data[position : position + _HEADER_BYTES]
    end = position + _HEADER_BYTES + int.from_bytes(head[4:])
    return end if len(head) == _HEADER_BYTES and head[:4].isalnum() and end <= limit else 0


def _record(whole: bytes) -> CrateRecord:
    payload = whole[_HEADER_BYTES:]
    return CrateRecord(whole[:4], _children(payload) or payload)


def _children(payload: bytes) -> tuple[CrateRecord, ...]:
    """The records that a payload consists of; none if it does not. Nothing nests deeper."""
    children = []
    position = 0
    while position < len(payload):
        end = _end_of_record(payload, position, len(payload))
        if not end:
            return ()
        children.append(CrateRecord(payload[position : position + 4], payload[position + _HEADER_BYTES : end]))
        position = end
    return tuple(children)


def _location(record: CrateRecord) -> str:
    """The path that a track names; an empty text if there is none, or none that can be read."""
    children = record.payload
    if isinstance(children, bytes):
        children = () if record.tag else _path_of_damaged(children)
    paths = [child.payload for child in children if child.tag == _PATH and isinstance(child.payload, bytes)]
    return _text(paths[0]) if paths else ""


def _path_of_damaged(raw: bytes) -> tuple[CrateRecord, ...]:
    """The path inside of a track whose own tag or length is damaged."""
    end = _end_of_record(raw, _HEADER_BYTES, len(raw))
    return _children(raw[_HEADER_BYTES:end])


def _text(payload: bytes) -> str:
    """UTF-16 without a mark; an empty text if it holds what no name can."""
    try:
        text = payload.decode("utf-16-be")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text


def _says_crate(records: Sequence[CrateRecord]) -> bool:
    """Whether the records begin with the version of a crate, as `1.0/Serato ScratchLive Crate`."""
    first = records[0] if records else CrateRecord(_DAMAGED, b"")
    return first.tag == _VERSION and isinstance(first.payload, bytes) and _text(first.payload).endswith("Crate")
