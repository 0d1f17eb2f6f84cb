"""ASF, the container of WMA: its header tells whether the file is whole, and who wrote it.

Windows' own coder puts two blocks in front of the music, and FFmpeg's decoder of WMA 1 and 2 drops two. FFmpeg's coder
puts one, and nothing in the file says so but the muxer's name. Layout: "Advanced Systems Format Specification", 3.2.
"""

from fractions import Fraction

from services.separator.core.layouts import PROTECTED, Bytes, Refusal, SourceLayout

_HEADER = bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C")
_FILE_PROPERTIES = bytes.fromhex("A1DCAB8C47A9CF118EE400C00C205365")
_STREAM_PROPERTIES = bytes.fromhex("9107DCB7B7A9CF118EE600C00C205365")
_AUDIO = bytes.fromhex("409E69F84D5BCF11A8FD00805F5C442B")
_TYPE_OFFSET_BYTES = 24
_ENCRYPTIONS = (
    bytes.fromhex("FBB3112223BDD211B4B700A0C955FC6E"),
    bytes.fromhex("14E68A292226174CB935DAE07EE9289C"),
)
_WMA_1, _WMA_2 = 0x160, 0x161
_CODEC_OFFSET_BYTES = 78
_SIZE_OFFSET_BYTES, _FLAGS_OFFSET_BYTES = 40, 88
_IS_BROADCAST = 1
_FFMPEG = "Lavf".encode("utf-16-le")

NOTE = "WMA files do not tell the encoder's delay: players may begin up to two blocks (4096 samples) apart"


def asf_layout(data: Bytes) -> SourceLayout | Refusal | None:
    """Of a file that is ASF; None if it is not, a Refusal if it is protected."""
    if data[: len(_HEADER)] != _HEADER:
        return None
    header_bytes = int.from_bytes(data[16:24], "little")
    if any(data.find(encryption, 0, header_bytes) >= 0 for encryption in _ENCRYPTIONS):
        return Refusal(PROTECTED, is_unsupported=True)
    is_ffmpeg = data.find(_FFMPEG, 0, header_bytes) >= 0
    return SourceLayout(
        "asf",
        0,
        len(data),
        "asf",
        lead_s=None,
        lead_share=Fraction(1, 2) if is_ffmpeg else Fraction(1),
        damage="the file is damaged: its end is missing" if _told_size(data, header_bytes) > len(data) else "",
        timing_note=NOTE if _codec(data, header_bytes) in {_WMA_1, _WMA_2} else "",
    )


def _codec(data: Bytes, header_bytes: int) -> int:
    """The number of the audio's codec; 0 if there is no audio."""
    position = data.find(_STREAM_PROPERTIES, 0, header_bytes)
    while position >= 0:
        kind = position + _TYPE_OFFSET_BYTES
        if data[kind : kind + len(_AUDIO)] == _AUDIO:
            codec = position + _CODEC_OFFSET_BYTES
            return int.from_bytes(data[codec : codec + 2], "little")
        position = data.find(_STREAM_PROPERTIES, position + 1, header_bytes)
    return 0


def _told_size(data: Bytes, header_bytes: int) -> int:
    """The size that the file should have; 0 if it does not say."""
    properties = data.find(_FILE_PROPERTIES, 0, header_bytes)
    size, flags = properties + _SIZE_OFFSET_BYTES, properties + _FLAGS_OFFSET_BYTES
    if properties < 0 or int.from_bytes(data[flags : flags + 1]) & _IS_BROADCAST:
        return 0
    return int.from_bytes(data[size : size + 8], "little")
