"""Cells by delivered format: a separation of 24-bit samples of one rate and channel count, as files of one format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import SeparationResult
from tests.fidelity.figures import bass_of, lag_frames, level_db
from tests.fidelity.readers import (
    TAG_FLOAT,
    TAG_PCM,
    Audio,
    by_ffmpeg,
    by_libsndfile,
    by_miniaudio,
    by_wave,
    wav_tag,
)
from tests.fidelity.sources import KINDS, RATES_HZ
from tests.fidelity.studio import DEMUCS_OF_SIX, ENGINES, Studio

_SOURCE = next(kind for kind in KINDS if kind.name == "WAV 24")
_HELD_HZ = {FileFormat.MP3: RATES_HZ[:7], FileFormat.M4A: RATES_HZ[:9]}

# Of full scale: 24 bits are exact, floats are as they are, and 16 bits may be rounded by half a step.
_LARGEST_ERRORS = {SampleFormat.PCM16: 2.0**-16, SampleFormat.PCM24: 0.0, SampleFormat.FLOAT32: 0.0}

# What lossy formats may do to the lowest quarter of the spectrum, in dB: to its level, and as a difference against it.
# The worst of all engines, rates and channel counts: MP3 -0.34 and -23.1 (8 kHz), M4A 0.46 (8 kHz) and -17.8 (96 kHz).
_LARGEST_LEVEL_CHANGES_DB = {FileFormat.MP3: 0.4, FileFormat.M4A: 0.5}
_LARGEST_BASS_DIFFERENCES_DB = {FileFormat.MP3: -22.0, FileFormat.M4A: -17.0}

Reader = Callable[[bytes], Audio]


@dataclass(frozen=True)
class OutputCell:
    """Where one row of figures is measured."""

    engine: str
    file_format: FileFormat
    sample_format: SampleFormat
    rate_hz: int
    channel_count: int

    @property
    def is_held(self) -> bool:
        """Whether the format has this rate."""
        return self.rate_hz in _HELD_HZ.get(self.file_format, RATES_HZ)

    @property
    def readers(self) -> tuple[Reader, ...]:
        """Those that can read it."""
        if self.file_format is FileFormat.MP3:
            return (by_ffmpeg, by_libsndfile, by_miniaudio)
        if self.file_format is FileFormat.WAV and self.sample_format is not SampleFormat.FLOAT32:
            return (by_wave, by_ffmpeg)
        return (by_ffmpeg,)

    def __str__(self) -> str:
        depth = "" if self.file_format.is_lossy else self.sample_format
        return f"{self.engine:<16}{self.file_format:<5}{depth:<4}{self.rate_hz:>7} Hz {self.channel_count} ch"


@dataclass(frozen=True)
class OutputFigures:
    """What was measured over all stems and readers, against the stems in 24 bits.

    The difference of lossy formats is mostly what they leave out at the top, so they are judged by the bass: by how far
    its level is off, and by how much it differs in all.
    """

    frame_count: int
    found_frame_counts: frozenset[int]
    lag_frames: int
    largest_error: float
    difference_db: float
    bass_level_db: float
    bass_difference_db: float
    wav_tags: frozenset[int]


@dataclass(frozen=True)
class OutputRow:
    """A cell and its figures; `refusal` is the message if there are none."""

    cell: OutputCell
    figures: OutputFigures | None
    refusal: str = ""

    def faults(self) -> list[str]:
        """What the contract does not allow."""
        cell, figures = self.cell, self.figures
        if figures is None or not cell.is_held:
            is_right = figures is None and not cell.is_held and f"{cell.rate_hz} Hz" in self.refusal
            return [] if is_right else ["refusal"]
        tag = TAG_FLOAT if cell.sample_format is SampleFormat.FLOAT32 else TAG_PCM
        is_exact = cell.file_format.is_lossy or figures.largest_error <= _LARGEST_ERRORS[cell.sample_format]
        is_level = not cell.file_format.is_lossy or (
            abs(figures.bass_level_db) <= _LARGEST_LEVEL_CHANGES_DB[cell.file_format]
            and figures.bass_difference_db <= _LARGEST_BASS_DIFFERENCES_DB[cell.file_format]
        )
        checks = {
            "level": is_level,
            "frames": figures.found_frame_counts == {figures.frame_count},
            "lag": figures.lag_frames == 0,
            "samples": is_exact,
            "tag": figures.wav_tags == ({tag} if cell.file_format is FileFormat.WAV else set()),
        }
        return [name for name, holds in checks.items() if not holds]

    def __str__(self) -> str:
        figures = self.figures
        if figures is None:
            return f"{self.cell}  refused, as it must be" if not self.faults() else f"{self.cell}  {self.refusal}"
        counts = ", ".join(map(str, sorted(figures.found_frame_counts)))
        tags = ", ".join(map(str, sorted(figures.wav_tags))) or "-"
        return (
            f"{self.cell}  {figures.frame_count:>7} in, {counts:>7} out  lag {figures.lag_frames}  "
            f"difference {figures.difference_db:7.1f} dB  level {figures.bass_level_db:5.2f} dB  "
            f"bass {figures.bass_difference_db:7.1f} dB  tag {tags}"
        )


class OutputBench:
    """Measures output cells."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def measure(self, cell: OutputCell) -> OutputRow:
        """Deliver as 24-bit WAV and in the cell's format, and compare."""
        samples = _SOURCE.samples(cell.rate_hz, cell.channel_count)
        result = self._studio.separate(cell.engine, _SOURCE.encode(samples, cell.rate_hz), "track.wav")
        options = DeliveryOptions(cell.file_format, cell.sample_format)
        try:
            figures = self._compared(cell, result, options)
        except InvalidRequest as error:
            return OutputRow(cell, None, error.message)
        return OutputRow(cell, figures)

    def _compared(self, cell: OutputCell, result: SeparationResult, options: DeliveryOptions) -> OutputFigures:
        exact = self._studio.deliver(result, DeliveryOptions())
        delivered = self._studio.deliver(result, options)
        pairs: list[tuple[Audio, Audio]] = []
        for name, data in delivered.files.items():
            wav = by_wave(exact.files[f"{name.rpartition('.')[0]}.wav"]) / exact.gain
            pairs.extend((wav, read(data) / delivered.gain) for read in cell.readers)
        cut = [(wav[:, : found.shape[1]], found[:, : wav.shape[1]]) for wav, found in pairs]
        basses = [(bass_of(wav), bass_of(found)) for wav, found in cut]
        is_wav = cell.file_format is FileFormat.WAV
        return OutputFigures(
            frame_count=result.stem_set.audio.frame_count,
            found_frame_counts=frozenset(found.shape[1] for _, found in pairs),
            lag_frames=max((lag_frames(found, wav) for wav, found in cut), key=abs),
            largest_error=max(float(np.max(np.abs(found - wav))) for wav, found in cut),
            difference_db=max(level_db(found - wav, wav) for wav, found in cut),
            bass_level_db=max((level_db(found, wav) for wav, found in basses), key=abs),
            bass_difference_db=max(level_db(found - wav, wav) for wav, found in basses),
            wav_tags=frozenset(map(wav_tag, delivered.files.values())) if is_wav else frozenset(),
        )


def _formats() -> Iterator[tuple[FileFormat, SampleFormat]]:
    for file_format in FileFormat:
        for sample_format in file_format.sample_formats:
            yield file_format, sample_format


def all_output_cells() -> Iterator[OutputCell]:
    """Every engine, format, rate and channel count."""
    for engine in ENGINES:
        for rate_hz in RATES_HZ:
            for channel_count in (1, 2):
                for formats in _formats():
                    yield OutputCell(engine, *formats, rate_hz, channel_count)


def chosen_output_cells() -> Iterator[OutputCell]:
    """Every format at a low rate, a usual one, and one that the lossy formats refuse, of six stems."""
    for rate_hz, channel_count in ((11_025, 1), (48_000, 2), (176_400, 1)):
        for formats in _formats():
            yield OutputCell(DEMUCS_OF_SIX, *formats, rate_hz, channel_count)
