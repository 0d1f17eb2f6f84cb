"""What a client may ask of a delivery, and what it is told before the bytes come."""

from dataclasses import dataclass
from enum import StrEnum


class FileFormat(StrEnum):
    """Container of delivered files; the value is the file extension."""

    WAV = "wav"
    FLAC = "flac"


class SampleFormat(StrEnum):
    """Samples of delivered files: PCM of 16 or 24 bits, or 32-bit float (WAV only)."""

    PCM16 = "16"
    PCM24 = "24"
    FLOAT32 = "32f"


@dataclass(frozen=True)
class DeliveryOptions:
    """Format and choice of stems; no stems means all that are stored."""

    file_format: FileFormat = FileFormat.WAV
    sample_format: SampleFormat = SampleFormat.PCM24
    stems: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeliveryPlan:
    """The folder (one safe path segment), its files in order, a key (equal keys mean equal files), and a gain.

    `gain` is that of all files against the source: 1, or just low enough that no stem clips.
    """

    folder: str
    file_names: tuple[str, ...]
    delivery_key: str
    gain: float = 1.0
