"""How long a track may be that nobody has decoded yet, by the size of its file and the kind that its name tells.

Both figures are guesses; what costs money goes by the upper one.
"""

from stemhouse.audio import SourceRef

_PCM = (44_100 * 2 * 2, 8_000)
_FLAC = (44_100 * 2 * 2 * 0.7, 4_000)
_LOSSY = (256_000 / 8, 2_000)
_BYTES_PER_S = {
    "wav": _PCM,
    "wave": _PCM,
    "aif": _PCM,
    "aiff": _PCM,
    "aifc": _PCM,
    "flac": _FLAC,
    "mp3": (256_000 / 8, 4_000),
    "m4a": _LOSSY,
    "aac": _LOSSY,
    "ogg": _LOSSY,
    "opus": (128_000 / 8, 750),
}
"""What a second usually takes, and the least that it does: mono speech at the lowest rates that are in use. A FLAC of
silence takes less still, and nobody has vocals taken out of that."""


def usual_s(source: SourceRef) -> float:
    """How long such a file usually is."""
    return source.size_bytes / _rates(source)[0]


def longest_s(source: SourceRef) -> float:
    """The most that such a file can last, silence aside."""
    return source.size_bytes / _rates(source)[1]


def _rates(source: SourceRef) -> tuple[float, float]:
    return _BYTES_PER_S.get(source.file_name.lower().rpartition(".")[2], _LOSSY)
