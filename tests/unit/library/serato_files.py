"""Crates and tags of Serato, put together byte by byte after the public notes on its formats."""

import base64
import struct

BEAT_GRID, AUTOTAGS = "Serato BeatGrid", "Serato Autotags"
MARKERS, MARKERS2 = "Serato Markers_", "Serato Markers2"
EMPTY_ROW = bytes.fromhex("7f7f7f7f7f 7f7f7f7f7f 007f7f7f7f7f 00000000")
"""Of Markers_, without kind and lock."""


def record(tag: bytes, payload: bytes) -> bytes:
    """A record of a crate."""
    return tag + struct.pack(">I", len(payload)) + payload


def text(tag: bytes, words: str) -> bytes:
    """A record of UTF-16."""
    return record(tag, words.encode("utf-16-be"))


def track(path: str) -> bytes:
    """A track of a crate."""
    return record(b"otrk", text(b"ptrk", path))


def crate(*paths: str) -> bytes:
    """A crate as Serato 3 writes it."""
    head = text(b"vrsn", "1.0/Serato ScratchLive Crate")
    head += record(b"osrt", text(b"tvcn", "#") + record(b"brev", b"\0"))
    head += record(b"ovct", text(b"tvcn", "song") + text(b"tvcw", "450"))
    return head + b"".join(map(track, paths))


def entry(kind: bytes, body: bytes) -> bytes:
    """An entry of Markers2."""
    return kind + b"\0" + struct.pack(">I", len(body)) + body


def cue(slot: int, position_ms: int, rgb: str, name: str = "") -> bytes:
    """A cue of Markers2."""
    head = bytes([0, slot]) + struct.pack(">I", position_ms) + b"\0" + bytes.fromhex(rgb) + b"\0\0"
    return entry(b"CUE", head + name.encode() + b"\0")


def loop(slot: int, start_ms: int, end_ms: int, rgb: str, name: str = "", *, is_locked: bool = False) -> bytes:
    """A loop of Markers2."""
    head = bytes([0, slot]) + struct.pack(">II", start_ms, end_ms) + b"\xff\xff\xff\xff\0" + bytes.fromhex(rgb)
    return entry(b"LOOP", head + bytes([0, is_locked]) + name.encode() + b"\0")


def markers2(*entries: bytes) -> bytes:
    """The tag of these entries: base64 without padding in lines of 72, filled up to 470 bytes."""
    encoded = base64.b64encode(b"\x01\x01" + b"".join(entries) + b"\0").rstrip(b"=")
    lines = [encoded[begin : begin + 72] for begin in range(0, len(encoded), 72)]
    return (b"\x01\x01" + b"\n".join(lines)).ljust(470, b"\0")


def markers(rows: dict[int, bytes], footer: str = "077f7f7f") -> bytes:
    """The older tag: 5 cues and 9 loops, empty but for these rows of 22 bytes."""
    empty = [EMPTY_ROW + (b"\0\0" if index < 5 else b"\3\0") for index in range(14)]
    return b"\x02\x05\0\0\0\x0e" + b"".join(rows.get(i, row) for i, row in enumerate(empty)) + bytes.fromhex(footer)


def envelope(name: str, data: bytes) -> str:
    """A tag as FLAC and MP4 hold it."""
    encoded = base64.b64encode(b"application/octet-stream\0\0" + name.encode() + b"\0" + data).decode().rstrip("=")
    return "\n".join(encoded[begin : begin + 72] for begin in range(0, len(encoded), 72))
