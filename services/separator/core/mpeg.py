"""What the first frame of an MP3 tells: whether its length is known, and how much a gapless decoder drops.

Coders put a Xing or Info header into an empty first frame: flags, the number of frames, and behind the coder's name
("LAME3.100", "Lavf", ...) the delay that they caused, 12 bits at offset 21. A gapless decoder drops that delay and
its own of 529 frames; libmpg123 (inside libsndfile) drops the 529 even where no coder is named. Without such a
header nothing is dropped. Layout: gabriel.mp3-tech.org/mp3infotag.html.
"""

from dataclasses import dataclass

_ID3_HEADER_BYTES = 10
_FRAME_HEADER_BYTES = 4
_SYNC = 0xFFE0
_MONO = 3
_SIDE_INFO_BYTES = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
"""By (is MPEG 1, is mono)."""
_VBRI_OFFSET_BYTES = 36
_DELAY_OFFSET_BYTES = 21
_DECODER_DELAY_FRAMES = 529

HEAD_BYTES = 512
"""How much of the first frame `lead_of_mp3` needs."""


@dataclass(frozen=True)
class Mp3Lead:
    """`hides_length`: a decoder that does not read on to the end must guess the number of frames."""

    hides_length: bool = False
    trimmed_frames: int = 0


def id3v2_bytes(head: bytes) -> int:
    """Size of the ID3v2 tag that `head` (>= 10 bytes) begins with; 0 if there is none."""
    if len(head) < _ID3_HEADER_BYTES or not head.startswith(b"ID3"):
        return 0
    has_footer = bool(head[5] & 0x10)
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return _ID3_HEADER_BYTES * (1 + has_footer) + size


def lead_of_mp3(frame: bytes) -> Mp3Lead:
    """From the start of the first MPEG frame, right behind an ID3v2 tag; nothing is claimed of anything else."""
    if len(frame) < _FRAME_HEADER_BYTES or int.from_bytes(frame[:2]) & _SYNC != _SYNC:
        return Mp3Lead()
    crc_bytes = 0 if frame[1] & 0x01 else 2
    side_info_bytes = _SIDE_INFO_BYTES[bool(frame[1] & 0x08), frame[3] >> 6 == _MONO]
    header = frame[_FRAME_HEADER_BYTES + crc_bytes + side_info_bytes :]
    flags = int.from_bytes(header[4:8])
    if header[:4] not in {b"Xing", b"Info"} or not flags & 1:
        return Mp3Lead(hides_length=frame[_VBRI_OFFSET_BYTES : _VBRI_OFFSET_BYTES + 4] != b"VBRI")
    # Behind the flags: frame count, byte count, seek table, quality, each only if its flag is set.
    coder = header[12 + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1) :]
    is_named = coder[:1] > b"\x00"
    delay_frames = int.from_bytes(coder[_DELAY_OFFSET_BYTES : _DELAY_OFFSET_BYTES + 2]) >> 4 if is_named else 0
    return Mp3Lead(trimmed_frames=delay_frames + _DECODER_DELAY_FRAMES)
