"""Holds: nothing of a result is cleared away while it is being delivered."""

from collections.abc import Iterator

import pytest

from services.exporter.core.delivery import Part, StemDelivery
from services.exporter.core.held_delivery import HeldDelivery
from services.exporter.core.wav import WavEncoder
from stemhouse.cache import HOLD_S, Hold, hold_of
from stemhouse.delivery import DeliveryOptions, FileFormat
from stemhouse.errors import InvalidRequest, StorageUnavailable
from tests.fakes import MemoryObjectStore
from tests.unit.exporter.results import separated
from tests.unit.exporter.test_delivery import MemoryStoredAudio

NOW_S = 1_800_000_000.5


def delivered(store: MemoryObjectStore, stems: tuple[str, ...] = ()) -> Iterator[Part]:
    """The delivery of a small track."""
    track = separated(100, 1)
    delivery = StemDelivery(MemoryStoredAudio(track.objects()), {FileFormat.WAV: WavEncoder()}, {})
    held = HeldDelivery(delivery, store, lambda: NOW_S, lambda: "token")
    return held.deliver(track.result(), DeliveryOptions(stems=stems) if stems else DeliveryOptions(), lambda: True)


def test_hold_lies_in_the_store_until_the_last_part() -> None:
    """Its key says whose audio it holds, and until when at most."""
    store = MemoryObjectStore()
    parts = delivered(store)
    next(parts)
    (key,) = store.objects
    pcm_sha256 = separated(100, 1).result().stem_set.audio.pcm_sha256
    assert hold_of(key) == Hold(pcm_sha256, int(NOW_S) + HOLD_S, "token")
    assert len(list(parts)) > 1
    assert store.objects == {}


def test_hold_ends_with_a_delivery_that_comes_to_no_end() -> None:
    """It is refused, or its client leaves."""
    store = MemoryObjectStore()
    with pytest.raises(InvalidRequest):
        list(delivered(store, ("kazoo",)))
    parts = delivered(store)
    next(parts)
    del parts
    assert store.objects == {}


def test_hold_that_cannot_be_removed_spoils_no_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by itself."""
    store = MemoryObjectStore()

    def fail(key: str) -> None:
        raise StorageUnavailable(key)

    monkeypatch.setattr(store, "delete", fail)
    assert list(delivered(store))
