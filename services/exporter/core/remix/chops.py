"""Vocals cut into playable pieces."""

from dataclasses import dataclass

from services.exporter.core.remix.ports import FloatBlock
from stemhouse.analysis import BeatGrid
from stemhouse.production import ChopOptions


@dataclass(frozen=True)
class Pitch:
    """A note: its name (`A3`, `C#4`; C4 is middle C), MIDI number, and the frequency that was measured."""

    name: str
    midi_note: int
    frequency_hz: float


@dataclass(frozen=True)
class Chop:
    """A piece of a stem. `name` is a file's without its ending; beat and bar are None without a grid."""

    name: str
    samples: FloatBlock
    start_s: float
    end_s: float
    start_beat: float | None
    bar: int | None
    pitch: Pitch | None
    peak: float
    rms: float


def create_vocal_chops(
    samples: FloatBlock, sample_rate_hz: int, options: ChopOptions, grid: BeatGrid | None
) -> tuple[Chop, ...]:
    """The chops of a stem of shape (frames, channels), in order."""
    raise NotImplementedError
