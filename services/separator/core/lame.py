"""How many frames a gapless MP3 decoder drops from the start, read from the file's Xing/Info header.

Encoders write the delay they caused behind the header's encoder name ("LAME3.100", "Lavf", ...): 12 bits at offset
21. A decoder adds its own 529 frames, as libmpg123 (inside libsndfile) and FFmpeg do. Without such a header nothing
is dropped. Layout: gabriel.mp3-tech.org/mp3infotag.html.
"""

_ID3_HEADER_BYTES = 10
_DECODER_DELAY_FRAMES = 529
_FRAME_HEADER_BYTES = 4
_DELAY_OFFSET_BYTES = 21
_SYNC = 0xFFE0

HEAD_BYTES = 512
"""How much of the first MPEG frame `trimmed_lead_frames` needs."""


def id3v2_bytes(head: bytes) -> int:
    """Size of the ID3v2 tag that `head` (>= 10 bytes) begins with; 0 if there is none."""
    if len(head) < _ID3_HEADER_BYTES or not head.startswith(b"ID3"):
        return 0
    has_footer = bool(head[5] & 0x10)
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return _ID3_HEADER_BYTES * (1 + has_footer) + size


def trimmed_lead_frames(frame: bytes) -> int:
    """Frames that a gapless decoder drops, from the start of the first MPEG frame; 0 if it cannot know."""
    if len(frame) < _FRAME_HEADER_BYTES or int.from_bytes(frame[:2]) & _SYNC != _SYNC:
        return 0
    is_mpeg1 = bool(frame[1] & 0x08)
    crc_bytes = 0 if frame[1] & 0x01 else 2
    is_mono = frame[3] >> 6 == 3  # noqa: PLR2004 - the channel mode "single channel"
    side_info_bytes = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[is_mpeg1, is_mono]
    header = frame[_FRAME_HEADER_BYTES + crc_bytes + side_info_bytes :]
    if header[:4] not in {b"Xing", b"Info"}:
        return 0
    flags = int.from_bytes(header[4:8])
    # After the flags: frame count, byte count, seek table, quality, each only if its flag is set.
    lame = header[8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1) :]
    delay = lame[_DELAY_OFFSET_BYTES : _DELAY_OFFSET_BYTES + 2]
    has_delay = bool(flags & 1) and len(delay) == 2 and lame[0] != 0  # noqa: PLR2004 - two bytes
    return (int.from_bytes(delay) >> 4) + _DECODER_DELAY_FRAMES if has_delay else 0
