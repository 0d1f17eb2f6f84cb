"""MPEG audio, layers I to III: where its frames are, and what a gapless player drops of them.

Coders put a Xing or Info header into an empty first frame: flags, the number of frames, and behind the coder's name
("LAME3.100", "Lavf", ...) the delay that they caused in front and the padding behind, 12 bits each at offset 21.
A gapless player drops that delay and the decoder's own 529 frames, and of the padding all but 529. Layout:
gabriel.mp3-tech.org/mp3infotag.html. Fraunhofer's coders write a VBRI header instead, 32 bytes behind the frame's
header, with nothing in it that players agree on.

The header's frame is never decoded here: what a decoder makes of it differs, as `docs/formats.md` shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from services.separator.core.frames import HEAD_BYTES, FrameHead, FrameWalk, walk_frames
from services.separator.core.id3 import end_of_tags
from services.separator.core.layouts import Bytes, SourceLayout, Watch, unwatched

_SYNC = 0xFFE0
_MPEG_1 = 3
_RESERVED = 1
_LAYER_1, _LAYER_2, _LAYER_3 = 3, 2, 1
_MONO = 3
_RATES_HZ = (44100, 48000, 32000)
_RATE_DIVISORS = {3: 1, 2: 2, 0: 4}
"""By version: MPEG 1, 2, 2.5."""

_BIT_RATES_KBPS = {
    (True, _LAYER_1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, _LAYER_2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, _LAYER_3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, _LAYER_1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, _LAYER_2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, _LAYER_3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By (is MPEG 1, layer), for the indices 1 to 14; index 0 is a free format, whose frames do not tell their size."""
_LAST_BIT_RATE = 14
_FRAME_COUNTS = {_LAYER_1: 384, _LAYER_2: 1152}

_SIDE_INFO_BYTES = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
"""By (is MPEG 1, is mono)."""
_FRAME_HEADER_BYTES = 4
_VBRI_OFFSET_BYTES = 36
_INFO_OFFSETS_BYTES = (36, 38, 21, 23, 13, 15)
"""Where a name can be in its frame."""
_PADDING_OFFSET_BYTES = 21
_DECODER_DELAY_FRAMES = 529
_INFO_BYTES = 256
"""More than any of these headers reaches into its frame."""
_INFO_NAMES = (b"Xing", b"Info", b"VBRI")
_MOST_CHANCES = 1000
"""How often such a name may stand in music by chance."""

NO_DELAY_NOTE = (
    "its Xing header does not tell the encoder's delay: players built on libmpg123 start 529 samples later than others"
)
VBRI_NOTE = "it has a VBRI header, which some players decode as music: they start one frame of the coder earlier"
JOINED_NOTE = (
    "it is several MP3s joined into one: at each seam stands what the coder put around its music, and players differ in"
    " how much of that they play, and whether they play more than the first one"
)
HIDDEN_NOTE = (
    "other bytes stand before the header that tells the encoder's delay: players that miss it start earlier by that"
    " delay, or by a frame of the coder more"
)


@dataclass(frozen=True)
class InfoHeader:
    """`frame_count` in frames of the coder (0: not told), and `delay` and `padding` if the coder named itself."""

    name: str
    frame_count: int = 0
    delay: int | None = None
    padding: int = 0


def mp3_layout(data: Bytes, watch: Watch = unwatched) -> SourceLayout | None:
    """Of a file that is MPEG audio, behind tags and a little junk at most; None if it is not."""
    found = _found_music(data, end_of_tags(data), watch)
    if found is None:
        return None
    walk, info, is_hidden = found
    begin, end = _music(walk, info)
    rate_hz = walk.first.kind[2]
    return SourceLayout(
        "mp3",
        walk.begin,
        walk.end,
        lead_s=Fraction(begin, rate_hz),
        end_s=Fraction(end, rate_hz),
        damage=_damage(walk, info),
        timing_note="; ".join(_timing_notes(info, is_hidden=is_hidden, is_joined=_is_joined(data, walk))),
        gaps=walk.gaps,
    )


def _found_music(data: Bytes, begin: int, watch: Watch) -> tuple[FrameWalk, InfoHeader | None, bool] | None:
    """The frames without the header's, what that says, and whether other bytes hide it."""
    # Right behind the tags one frame is enough to be sure: some files have junk behind the header's.
    info = info_header(data[begin : begin + _INFO_BYTES])
    head = parse_head(data[begin : begin + HEAD_BYTES])
    walk = walk_frames(data, begin + head.size_bytes if info and head else begin, parse_head, watch)
    if walk is None or info:
        return (walk, info, False) if walk else None
    info = info_header(data[walk.begin : walk.begin + _INFO_BYTES])
    if info is None:
        return walk, None, False
    walk = walk_frames(data, walk.begin + walk.first.size_bytes, parse_head, watch)
    return (walk, info, True) if walk else None


def parse_head(head: bytes) -> FrameHead | None:
    """The header of a frame of layer I, II or III; its kind is (version, layer, rate in Hz, is mono)."""
    if len(head) < _FRAME_HEADER_BYTES or int.from_bytes(head[:2]) & _SYNC != _SYNC:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version == _RESERVED or not layer or not 0 < bit_rate_index <= _LAST_BIT_RATE or rate_index == len(_RATES_HZ):
        return None
    is_mpeg_1 = version == _MPEG_1
    rate_hz = _RATES_HZ[rate_index] // _RATE_DIVISORS[version]
    frame_count = _FRAME_COUNTS.get(layer, 1152 if is_mpeg_1 else 576)
    bits_per_s = 1000 * _BIT_RATES_KBPS[is_mpeg_1, layer][bit_rate_index - 1]
    slot_bytes = 4 if layer == _LAYER_1 else 1
    slots = frame_count // 8 // slot_bytes * bits_per_s // rate_hz + (head[2] >> 1 & 1)
    kind = (version, layer, rate_hz, head[3] >> 6 == _MONO)
    return FrameHead(kind, slots * slot_bytes, frame_count)


def info_header(frame: bytes) -> InfoHeader | None:
    """What the first frame tells, if it is a header and no music."""
    head = parse_head(frame[:HEAD_BYTES])
    if head is None:
        return None
    if frame[_VBRI_OFFSET_BYTES : _VBRI_OFFSET_BYTES + 4] == b"VBRI":
        return InfoHeader("VBRI")
    crc_bytes = 0 if frame[1] & 1 else 2
    side_info_bytes = _SIDE_INFO_BYTES[head.kind[0] == _MPEG_1, bool(head.kind[3])]
    header = frame[_FRAME_HEADER_BYTES + side_info_bytes :]
    if header[:4] not in {b"Xing", b"Info"}:
        header = header[crc_bytes:]  # most coders put the header where it would be without a checksum
    if header[:4] not in {b"Xing", b"Info"}:
        return None
    flags = int.from_bytes(header[4:8])
    frame_count = int.from_bytes(header[8:12]) if flags & 1 else 0
    # Behind the flags: frame count, byte count, seek table, quality, each only if its flag is set.
    coder = header[8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1) :]
    if coder[:1] <= b"\x00":
        return InfoHeader(header[:4].decode(), frame_count)
    both = int.from_bytes(coder[_PADDING_OFFSET_BYTES : _PADDING_OFFSET_BYTES + 3])
    return InfoHeader(header[:4].decode(), frame_count, both >> 12, both & 0xFFF)


def _music(walk: FrameWalk, info: InfoHeader | None) -> tuple[int, int]:
    """Where the music begins and ends in the decoded frames; the end is missing if the header counts more of them."""
    decoded_frames = walk.count * walk.first.frame_count
    if info is None or info.delay is None:
        return 0, decoded_frames
    lead = min(info.delay + _DECODER_DELAY_FRAMES, decoded_frames)
    if info.frame_count < walk.count:
        return lead, decoded_frames
    # Some coders count the header.
    is_whole = info.frame_count - walk.count <= (0 if walk.skipped_bytes else 1)
    told_frames = decoded_frames if is_whole else info.frame_count * walk.first.frame_count
    end = told_frames - max(0, info.padding - _DECODER_DELAY_FRAMES)
    return lead, end if end > lead else decoded_frames


def _damage(walk: FrameWalk, info: InfoHeader | None) -> str:
    if walk.is_changed:
        return "the rate or the number of channels changes on the way: only what comes before was decoded"
    if walk.skipped_bytes:
        return f"the file is damaged: {walk.skipped_bytes} bytes on the way are no audio, and the rest comes too early"
    if walk.is_cut or (info and info.frame_count > walk.count + 1):
        return "the file is damaged: its end is missing"
    return ""


def _is_joined(data: Bytes, walk: FrameWalk) -> bool:
    """Whether tags or a further header are between the frames."""
    return walk.is_joined or any(_has_header(data, walk, name) for name in _INFO_NAMES)


def _has_header(data: Bytes, walk: FrameWalk, name: bytes) -> bool:
    """Whether a frame from the second on is a header of that name."""
    place = data.find(name, walk.begin + walk.first.size_bytes, walk.end)
    for _ in range(_MOST_CHANCES):
        if place < 0:
            return False
        begins = (place - offset for offset in _INFO_OFFSETS_BYTES)
        if any(_is_header(data[begin : begin + _INFO_BYTES], walk.first.kind) for begin in begins):
            return True
        place = data.find(name, place + 1, walk.end)
    return False


def _is_header(frame: bytes, kind: tuple[int, ...]) -> bool:
    head = parse_head(frame[:HEAD_BYTES])
    return head is not None and head.kind == kind and info_header(frame) is not None


def _timing_notes(info: InfoHeader | None, *, is_hidden: bool, is_joined: bool) -> Iterator[str]:
    if info and info.name == "VBRI":
        yield VBRI_NOTE
    elif info and info.delay is None:
        yield NO_DELAY_NOTE
    elif info and is_hidden:
        yield HIDDEN_NOTE
    if is_joined:
        yield JOINED_NOTE
