"""How a separator runs models of demucs: what its settings choose and its engine ids tell."""

from dataclasses import dataclass
from enum import StrEnum


class ScheduleKind(StrEnum):
    """Which segments of a track a network goes through.

    `LEAN` ends with the first segment that reaches the end of the track. `DEMUCS` has another one wherever demucs'
    own command has: it repeats frames that the one before it has heard already.
    """

    LEAN = "lean"
    DEMUCS = "demucs"


class BackendKind(StrEnum):
    """What runs networks: PyTorch, or OpenVINO those parts of HTDemucs that lie between its spectrograms."""

    TORCH = "torch"
    OPENVINO = "openvino"


@dataclass(frozen=True)
class DemucsOptions:
    """All of it changes samples, so all of it is part of an engine's id."""

    schedule: ScheduleKind = ScheduleKind.LEAN
    backend: BackendKind = BackendKind.TORCH


DEFAULT_OPTIONS = DemucsOptions()
