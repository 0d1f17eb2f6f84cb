"""What Mixxx 2.6 asks of a stem file before it plays it as one.

The rules of its soundsourcestem.cpp and steminfoimporter.cpp, in our own words.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import av

_CONTAINERS = (b"M4A ", b"mp42", b"isom", b"M4V ")


def complaints(path: Path) -> list[str]:
    """Why Mixxx would refuse the file; empty if it takes it."""
    return [*_of_the_name(path), *_of_the_streams(path), *_of_the_box(path)]


def _of_the_name(path: Path) -> Iterator[str]:
    brand = path.read_bytes()[8:12]
    is_named = path.name.lower().endswith((".stem.mp4", ".stem.m4a"))
    if brand not in _CONTAINERS and not is_named:
        yield f"neither its brand {brand!r} nor its name says audio in MP4"


def _of_the_streams(path: Path) -> Iterator[str]:
    with av.open(str(path)) as container:
        streams = container.streams.audio
        if len(streams) != 5:
            yield f"{len(streams)} audio streams, not 5"
        if any(stream.codec_context.layout.nb_channels != 2 for stream in streams):
            yield "a stream is not stereo"
        for what in ("codec", "rate"):
            if len({_fact(stream, what) for stream in streams}) != 1:
                yield f"streams differ in {what}"


def _fact(stream: av.AudioStream, what: str) -> object:
    return stream.codec_context.name if what == "codec" else stream.codec_context.sample_rate


def _of_the_box(path: Path) -> Iterator[str]:
    payload = box(path.read_bytes(), b"moov", b"udta", b"stem")
    if payload is None:
        yield "no box moov/udta/stem"
        return
    document = json.loads(payload.rstrip(b"\0"))
    if not isinstance(document, dict) or int(document.get("version", 0)) < 1:
        yield "the box has no version"
    elif len(document.get("stems", ())) != 4:
        yield "the box does not name 4 stems"


def box(data: bytes, *kinds: bytes) -> bytes | None:
    """The payload of the first box along a path."""
    for kind in kinds:
        found = next((payload for name, payload in boxes(data) if name == kind), None)
        if found is None:
            return None
        data = found
    return data


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of each box; sizes may have 64 bits, and 0 means to the end."""
    start = 0
    while start + 8 <= len(data):
        size, kind, head = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16]), 16
        end = start + size if size else len(data)
        yield kind, data[start + head : end]
        start = end
