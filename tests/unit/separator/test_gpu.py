"""GPUManager over devices that are only said to be there."""

import pytest

from services.separator.core.gpu import CPU, Device, DeviceLease, GPUManager, batch_for
from stemhouse.errors import Unavailable


@pytest.mark.parametrize(
    ("free_bytes", "batch_segments"),
    [
        (80_000_000_000, 4),
        (16_000_000_001, 4),
        (16_000_000_000, 2),
        (8_000_000_000, 2),
        (7_999_999_999, 1),
        (None, 1),
    ],
)
def test_batch_is_what_free_memory_holds(free_bytes: int | None, batch_segments: int) -> None:
    """Large, medium, small; on a processor one."""
    assert batch_for(Device("any", free_bytes)) == batch_segments


def test_device_has_one_lease_at_a_time() -> None:
    """The first free one is next; who comes when there is none is told."""
    manager = GPUManager([Device("cuda:0", 80 * 10**9, (9, 0)), Device("cuda:1", 12 * 10**9, (7, 5))])
    first, second = manager.lease(), manager.lease()
    assert [(lease.device.name, lease.batch_segments) for lease in (first, second)] == [("cuda:0", 4), ("cuda:1", 2)]
    with pytest.raises(Unavailable, match="all devices are at work"):
        manager.lease()
    manager.give_back(second)
    assert (manager.free_count, manager.lease().device.name) == (1, "cuda:1")


def test_batch_is_halved_until_it_is_one() -> None:
    """Then there is nothing left to do with less."""
    lease = DeviceLease(Device("cuda:0"), 4)
    lease.halve()
    lease.halve()
    assert lease.batch_segments == 1
    with pytest.raises(Unavailable, match="too little memory on cuda:0 for a single segment"):
        lease.halve()


@pytest.mark.parametrize(("capability", "allows"), [((7, 5), False), ((8, 0), True), ((9, 0), True), (None, False)])
def test_tf32_is_for_devices_that_have_it(capability: tuple[int, int] | None, *, allows: bool) -> None:
    """CUDA from Ampere on."""
    assert DeviceLease(Device("any", capability=capability), 1).allows_tf32 is allows
    assert not DeviceLease(CPU, 1).allows_tf32
