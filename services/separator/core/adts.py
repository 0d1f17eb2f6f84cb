"""AAC as a plain stream of ADTS frames. Layout: ISO/IEC 13818-7, 6.2."""

from services.separator.core.frames import FrameHead, walk_frames
from services.separator.core.id3 import end_of_tags
from services.separator.core.layouts import Bytes, SourceLayout, Watch, unwatched

_HEADER_BYTES = 7
_SYNC = 0xFFF0
_SYNC_AND_LAYER = 0xFFF6
_RATE_INDICES = 13
_BLOCK_FRAMES = 1024

NOTE = (
    "plain AAC streams do not tell the encoder's delay: players differ in what they cut off (0, 1024 or 2112 samples)"
)


def adts_layout(data: Bytes, watch: Watch = unwatched) -> SourceLayout | None:
    """Of a file that is an ADTS stream, behind tags and a little junk at most; None if it is not."""
    walk = walk_frames(data, end_of_tags(data), parse_head, watch)
    if walk is None:
        return None
    damage = ""
    if walk.is_changed:
        damage = "the rate or the number of channels changes on the way: only what comes before was decoded"
    elif walk.skipped_bytes:
        damage = f"the file is damaged: {walk.skipped_bytes} bytes on the way are no audio"
    elif walk.is_cut:
        damage = "the file is damaged: its end is missing"
    return SourceLayout("aac", walk.begin, walk.end, "aac", lead_s=None, damage=damage, timing_note=NOTE)


def parse_head(head: bytes) -> FrameHead | None:
    """The header of an ADTS frame; its kind is (profile, rate index, channel configuration)."""
    if len(head) < _HEADER_BYTES or int.from_bytes(head[:2]) & _SYNC_AND_LAYER != _SYNC:
        return None
    rate_index = head[2] >> 2 & 0xF
    size_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate_index >= _RATE_INDICES or size_bytes <= _HEADER_BYTES:
        return None
    channel_configuration = (head[2] & 1) << 2 | head[3] >> 6
    kind = (head[2] >> 6, rate_index, channel_configuration)
    return FrameHead(kind, size_bytes, _BLOCK_FRAMES * (1 + (head[6] & 3)))
