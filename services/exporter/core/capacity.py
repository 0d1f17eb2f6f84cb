"""What each file format can hold, told before anything is sent. No rate is converted on the way out."""

from collections.abc import Iterable

from services.exporter.core.ports import FileSpec
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest

_FEWEST_MP3_FRAMES = 47  # of fewer, LAME makes 47: the padding that it declares has a limit
_MOST_FLAC_HZ = 655_350
_LARGEST_AIFF_BYTES = 2**32 - 1
_AIFF_HEAD_BYTES = 4 + 8 + 18 + 8 + 8
"""The form's type, the chunk COMM, and the head of the chunk SSND."""


def require_room(file_format: FileFormat, spec: FileSpec) -> None:
    """Raises InvalidRequest that names the format, what it cannot hold, and the formats that can."""
    obstacle = _obstacle(file_format, spec)
    if obstacle:
        able = [other.value for other in _formats_for(spec) if not _obstacle(other, spec)]
        message = f"{file_format.value} cannot hold this track: {obstacle}; {', '.join(able)} can"
        raise InvalidRequest(message, {"file_format": message})


def _formats_for(spec: FileSpec) -> Iterable[FileFormat]:
    return (other for other in FileFormat if spec.sample_format in other.sample_formats)


def _obstacle(file_format: FileFormat, spec: FileSpec) -> str:
    """Why not, or nothing."""
    rate_hz = spec.sample_rate_hz
    rates_hz = file_format.sample_rates_hz
    if rates_hz and rate_hz not in rates_hz:
        return f"its rate is {rate_hz} Hz, not one of {', '.join(map(str, rates_hz))}"
    if file_format is FileFormat.MP3 and spec.frame_count < _FEWEST_MP3_FRAMES:
        return f"it has {spec.frame_count} frames, fewer than {_FEWEST_MP3_FRAMES}"
    if file_format is FileFormat.FLAC and rate_hz > _MOST_FLAC_HZ:
        return f"its rate is {rate_hz} Hz, above {_MOST_FLAC_HZ}"
    if file_format is FileFormat.AIFF and _aiff_bytes(spec) > _LARGEST_AIFF_BYTES:
        return "a file would be larger than 4 GiB"
    return ""


def _aiff_bytes(spec: FileSpec) -> int:
    """What the form's size would say."""
    sample_bytes = {SampleFormat.PCM16: 2, SampleFormat.PCM24: 3}[spec.sample_format]
    return _AIFF_HEAD_BYTES + spec.frame_count * spec.channel_count * sample_bytes + 1
