"""What a client may ask of a delivery, and what it is told before the bytes come."""

from dataclasses import dataclass
from enum import StrEnum

from stemhouse.vocab import DERIVED_STEMS, VOCALS


class FileFormat(StrEnum):
    """Container of delivered files; the value is the file extension."""

    WAV = "wav"
    FLAC = "flac"
    AIFF = "aiff"
    MP3 = "mp3"
    M4A = "m4a"

    @property
    def is_lossy(self) -> bool:
        """Whether the samples that come back are not those that went in."""
        return self in {FileFormat.MP3, FileFormat.M4A}

    @property
    def sample_formats(self) -> "tuple[SampleFormat, ...]":
        """What its files may be asked to hold."""
        if self is FileFormat.WAV:
            return tuple(SampleFormat)
        return (SampleFormat.PCM24,) if self.is_lossy else (SampleFormat.PCM16, SampleFormat.PCM24)

    @property
    def sample_rates_hz(self) -> tuple[int, ...]:
        """The only rates that its files can have; empty where every usual rate will do."""
        return _LOSSY_RATES_HZ.get(self, ())


_LOSSY_RATES_HZ = {
    # ISO/IEC 11172-3 and 13818-3, and the widespread half rates of "MPEG 2.5".
    FileFormat.MP3: (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    # ISO/IEC 14496-3, table of sampling frequency indices.
    FileFormat.M4A: (
        *(7_350, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000),
        *(32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
    ),
}


class SampleFormat(StrEnum):
    """Samples of delivered files: PCM of 16 or 24 bits, or 32-bit float (WAV only).

    The lossy formats have none of their own: there it is what the encoder is given, always PCM24.
    """

    PCM16 = "16"
    PCM24 = "24"
    FLOAT32 = "32f"


@dataclass(frozen=True)
class DeliveryOptions:
    """Format and choice of stems; no stems means all that are stored."""

    file_format: FileFormat = FileFormat.WAV
    sample_format: SampleFormat = SampleFormat.PCM24
    stems: tuple[str, ...] = ()

    @property
    def is_vocals_only(self) -> bool:
        """Whether nothing is delivered but vocals and what is left without them."""
        return bool(self.stems) and {VOCALS, *DERIVED_STEMS}.issuperset(self.stems)


@dataclass(frozen=True)
class DeliveryPlan:
    """The folder (one safe path segment), its files in order, a key (equal keys mean equal files), and a gain.

    `gain` is that of all files against the source: 1, or just low enough that no stem clips.
    """

    folder: str
    file_names: tuple[str, ...]
    delivery_key: str
    gain: float = 1.0
