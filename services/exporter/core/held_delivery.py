"""Deliveries during which nothing of their result is cleared away, however long they take."""

import contextlib
from collections.abc import Callable, Iterator

from services.exporter.core.delivery import Part, StemDelivery
from services.exporter.core.objects import require_own_objects
from stemhouse.cache import HOLD_S, Hold
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import Unavailable
from stemhouse.jobs import SeparationResult
from stemhouse.ports import ObjectStore


class HeldDelivery:
    """Delivers while a hold lies in the store, which the router respects: nobody here can call it."""

    def __init__(
        self, delivery: StemDelivery, store: ObjectStore, now_s: Callable[[], float], new_token: Callable[[], str]
    ) -> None:
        """Keep what it asks; `now_s` counts from 1970, `new_token` never repeats."""
        self._delivery = delivery
        self._store = store
        self._now_s = now_s
        self._new_token = new_token

    def deliver(
        self, result: SeparationResult, options: DeliveryOptions, is_wanted: Callable[[], bool]
    ) -> Iterator[Part]:
        """See StemDelivery.deliver."""
        require_own_objects(result.stem_set)
        hold = Hold(result.stem_set.audio.pcm_sha256, int(self._now_s()) + HOLD_S, self._new_token())
        self._store.put_if_absent(hold.key, b"held")
        try:
            yield from self._delivery.deliver(result, options, is_wanted)
        finally:
            with contextlib.suppress(Unavailable):  # it ends by itself
                self._store.delete(hold.key)
