"""NI's stem files: an MP4 with five stereo streams, and a box that names the last four.

The first stream is the mixdown, the others follow in the order drums, bass, other, vocals. Facts: the real file inside
the PyPI package stempeg, NI's programmers' reference as others quote it, and the rules by which Mixxx takes files
(soundsourcestem.cpp, steminfoimporter.cpp): five stereo streams of one codec and rate, `moov/udta/stem` with JSON.
"""

import json
import struct
from collections.abc import Iterator, Sequence

from stemhouse.errors import InternalFault
from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS

STEM_ORDER = (DRUMS, BASS, OTHER, VOCALS)
_LOOKS = {
    DRUMS: ("Drums", "#009E73"),
    BASS: ("Bass", "#D55E00"),
    OTHER: ("Other", "#CC79A7"),
    VOCALS: ("Vocals", "#56B4E9"),
}
"""Colours that those who see colours differently can tell apart, as in NI's own example."""

_HEAD = struct.Struct(">I4s")
_ENABLED, _DISABLED = b"\0\0\1", b"\0\0\0"
_FLAGS_AT = 9
_ALTERNATE_GROUP_AT = {0: 42, 1: 54}
"""By the version of the track's head: that of the longer one has times of 64 bits."""


def stem_document() -> bytes:
    """The JSON of the box. Both effects of the mastering stage have to be there, and off: stems sum to the mix."""
    compressor = {
        "enabled": False,
        "ratio": 3,
        "output_gain": 0.5,
        "release": 0.3,
        "attack": 0.003,
        "input_gain": 0.5,
        "threshold": 0,
        "hp_cutoff": 300,
        "dry_wet": 50,
    }
    limiter = {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35}
    stems = [{"name": name, "color": color} for name, color in (_LOOKS[stem] for stem in STEM_ORDER)]
    document = {"mastering_dsp": {"compressor": compressor, "limiter": limiter}, "version": 1, "stems": stems}
    return json.dumps(document, separators=(",", ":")).encode()


def with_stems(moov: bytes, document: bytes) -> bytes:
    """The box `moov` of a file in which it comes last, as a stem file has it.

    Of the tracks only the first is enabled, so that other players play the mix and nothing else; no track is an
    alternative of another.
    """
    children, is_first, has_udta = [], True, False
    for kind, box in _boxes(moov[_HEAD.size :]):
        if kind == b"trak":
            children.append(_in_role(box, _ENABLED if is_first else _DISABLED))
            is_first = False
        elif kind == b"udta":
            children.append(_box(kind, box[_HEAD.size :] + _box(b"stem", document)))
            has_udta = True
        else:
            children.append(box)
    if not has_udta:
        children.append(_box(b"udta", _box(b"stem", document)))
    return _box(b"moov", b"".join(children))


def _in_role(track: bytes, flags: bytes) -> bytes:
    boxes = []
    for kind, box in _boxes(track[_HEAD.size :]):
        boxes.append(_with_flags(box, flags) if kind == b"tkhd" else box)
    return _box(b"trak", b"".join(boxes))


def _with_flags(head: bytes, flags: bytes) -> bytes:
    changed = bytearray(head)
    changed[_FLAGS_AT : _FLAGS_AT + len(flags)] = flags
    group = _ALTERNATE_GROUP_AT[head[_HEAD.size]]
    changed[group : group + 2] = bytes(2)
    return bytes(changed)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    while start < len(data):
        size, kind = _HEAD.unpack_from(data, start)
        if size < _HEAD.size or start + size > len(data):
            raise InternalFault(f"the box {kind!r} of {size} bytes does not fit into its place")
        yield kind, data[start : start + size]
        start += size


def _box(kind: bytes, payload: bytes) -> bytes:
    return _HEAD.pack(_HEAD.size + len(payload), kind) + payload


def last_box(kinds_and_sizes: Sequence[tuple[bytes, int]]) -> int:
    """Where `moov` begins, given all boxes of a file in order; raises InternalFault unless it is the last one."""
    if not kinds_and_sizes or kinds_and_sizes[-1][0] != b"moov":
        raise InternalFault("the box moov is not the last one of the file")
    return sum(size for _, size in kinds_and_sizes[:-1])
