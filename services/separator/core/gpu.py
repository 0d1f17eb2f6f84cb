"""GPUManager: who computes on which device, and how many segments at once.

Segments that go through a network together keep a GPU busier, and take memory for each. On processors they bring
nothing (measured with htdemucs: two at once took the time of two), so there it is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stemhouse.errors import Unavailable

_LARGE_BYTES, _SMALL_BYTES = 16 * 10**9, 8 * 10**9
_LARGE_BATCH, _MEDIUM_BATCH, _SMALL_BATCH = 4, 2, 1
_AMPERE = (8, 0)
"""The compute capability from which CUDA has TF32."""


@dataclass(frozen=True)
class Device:
    """What can compute: its name as PyTorch has it, and the memory of its own that is free; a processor has none.

    `capability` is that of CUDA; other devices have none.
    """

    name: str
    free_bytes: int | None = None
    capability: tuple[int, int] | None = None


CPU = Device("cpu")


class DeviceLease:
    """The right to compute on a device, with what fits there at present."""

    def __init__(self, device: Device, batch_segments: int) -> None:
        """`batch_segments` is 1 or more."""
        self.device = device
        self.batch_segments = batch_segments

    @property
    def allows_tf32(self) -> bool:
        """Whether products of matrices may be taken with 10 bits of mantissa: where the device has that."""
        return self.device.capability is not None and self.device.capability >= _AMPERE

    def halve(self) -> None:
        """There was too little memory for a batch, so from now on half of it; raises Unavailable if it was one."""
        if self.batch_segments == 1:
            message = f"there is too little memory on {self.device.name} for a single segment"
            raise Unavailable(message, {"device": self.device.name})
        self.batch_segments //= 2


class GPUManager:
    """Leases devices, each to one at a time."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """In the order in which they are to be used."""
        self._free = list(devices)

    @property
    def free_count(self) -> int:
        """Devices that nobody has."""
        return len(self._free)

    def lease(self) -> DeviceLease:
        """The first device that is free; raises Unavailable if none is."""
        if not self._free:
            message = "all devices are at work"
            raise Unavailable(message)
        device = self._free.pop(0)
        return DeviceLease(device, batch_for(device))

    def give_back(self, lease: DeviceLease) -> None:
        """Somebody else may have the device."""
        self._free.append(lease.device)


def batch_for(device: Device) -> int:
    """Segments at once: 4 with more than 16 GB free, 1 with less than 8, else 2; 1 on a processor."""
    if device.free_bytes is None or device.free_bytes < _SMALL_BYTES:
        return _SMALL_BATCH
    return _LARGE_BATCH if device.free_bytes > _LARGE_BYTES else _MEDIUM_BATCH
