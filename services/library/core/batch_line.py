"""The tracks that a batch prepares ahead, which of them goes next, and the limits of that."""

from collections.abc import Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from services.library.core.batch_ports import Export
from services.library.core.ports import VocalShare
from services.library.core.priority import Vocals, heard_vocals
from stemhouse.audio import SourceRef
from stemhouse.batches import BatchItem, ItemState


@dataclass(frozen=True)
class Limits:
    """How far a batch runs ahead of the router, how much it does at once, and how often it looks, in seconds.

    Where vocals are probed, up to `rivals` tracks are ready at a time, of which the first that is sung goes next; the
    others go when fewer than `backlog_tracks` wait at the router, so that no device waits for a probe. Files that turn
    up while a batch watches are left alone until nobody has written to them for `settling_s`.
    """

    ahead_bytes: int = 2 * 1024**3
    ahead_tracks: int = 64
    preparations: int = 2
    deliveries: int = 2
    probes: int = 2
    rivals: int = 8
    backlog_tracks: int = 4
    poll_s: float = 1.0
    rescan_s: float = 30.0
    settling_s: float = 15.0


@dataclass(frozen=True)
class Prepared:
    """A track that the router knows, or whose files are there; the item has the file's stamp as it is now."""

    item: BatchItem
    source: SourceRef | None = None
    export: Export | None = None


@dataclass(frozen=True)
class Place:
    """A track in the line, its preparation, and what is heard of it, if somebody listens."""

    item: BatchItem
    preparation: Future[Prepared]
    hearing: Future[VocalShare | None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the router knows it."""
        is_prepared = self.preparation.done() and not self.preparation.exception()
        return is_prepared and self.preparation.result().source is not None

    @property
    def is_listening(self) -> bool:
        """Whether somebody has not heard enough yet."""
        return self.hearing is not None and not self.hearing.done()

    @property
    def vocals(self) -> Vocals:
        """What is known of them by now."""
        return self._heard()[0]

    def prepared(self) -> Prepared:
        """What has become of it, with what was heard among its reasons; raises what its preparation did."""
        prepared, reason = self.preparation.result(), self._heard()[1]
        reasons = (*prepared.item.reasons, reason) if reason else prepared.item.reasons
        return replace(prepared, item=replace(prepared.item, reasons=reasons))

    def _heard(self) -> tuple[Vocals, str]:
        heard = self.hearing.result() if self.hearing and self.hearing.done() else None
        return heard_vocals(heard) if heard else (Vocals.UNKNOWN, "")


class Line:
    """Tracks in preparation, or ready to be sent, by place."""

    def __init__(self, limits: Limits, *, probes_vocals: bool) -> None:
        """Begin with nobody."""
        self._limits = limits
        self._probes_vocals = probes_vocals
        self._places: dict[int, Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, place: int) -> bool:
        return place in self._places

    def add(self, item: BatchItem, preparation: Future[Prepared]) -> None:
        """A track is being prepared."""
        self._places[item.place] = Place(item, preparation)

    def drop(self, item: BatchItem) -> None:
        """A track needs no place any more."""
        self._places.pop(item.place, None)

    def drop_failed(self) -> None:
        """Whatever has failed is to be prepared again."""
        for place in list(self._places.values()):
            if place.preparation.done() and place.preparation.exception():
                self.drop(place.item)

    def clear(self) -> None:
        """Nobody is to be sent; what is being prepared is prepared for nothing."""
        self._places.clear()

    def ready_head(self, *, is_needed: bool) -> Place | None:
        """The track that goes next, if there is one yet: the first, when its preparation has ended.

        Where that depends on vocals, the first that is sung goes before it; if none is known to be, nobody goes
        before one `is_needed`.
        """
        head = self._places[min(self._places)] if self._places else None
        if head is None or not head.preparation.done():
            return None
        if not (self._is_open(head) and head.is_ready):
            return head
        rivals = [place for place in self._rivals(head.item) if place.is_ready]
        best = min(rivals, key=lambda place: (place.vocals, place.item.place))
        return best if is_needed or best.vocals is Vocals.YES else None

    def unheard(self) -> list[Place]:
        """Tracks that are to be listened to now: those that are ready and have rivals, as many as may be at once."""
        free_count = self._limits.probes - sum(place.is_listening for place in self._places.values())
        found = [
            place
            for _, place in sorted(self._places.items())
            if self._is_open(place) and place.is_ready and not place.hearing and len(self._rivals(place.item)) > 1
        ]
        return found[: max(free_count, 0)]

    def listen(self, item: BatchItem, hearing: Future[VocalShare | None]) -> None:
        """Somebody listens to a track in the line."""
        self._places[item.place] = replace(self._places[item.place], hearing=hearing)

    def _is_open(self, place: Place) -> bool:
        return self._probes_vocals and place.item.tier > 0

    def _rivals(self, item: BatchItem) -> list[Place]:
        return [place for place in self._places.values() if place.item.tier == item.tier]

    def is_full(self, active: Collection[BatchItem]) -> bool:
        """Whether nothing more may be prepared now, beside items that are with the router or wait for delivery."""
        preparing_count = sum(not place.preparation.done() for place in self._places.values())
        is_busy = preparing_count >= self._limits.preparations
        return is_busy or len(self._places) + len(active) >= self._limits.ahead_tracks

    def has_room(self, item: BatchItem, active: Iterable[BatchItem]) -> bool:
        """Whether a track's bytes may be added to those ahead; one larger than the limit goes when there are none.

        Of tracks whose order depends on vocals there are no more than the limit of rivals.
        """
        if self._probes_vocals and item.tier and len(self._rivals(item)) >= self._limits.rivals:
            return False
        sizes_bytes = [place.item.size_bytes for place in self._places.values()]
        sizes_bytes += [other.size_bytes for other in active if other.state is ItemState.SENT]
        return not sizes_bytes or sum(sizes_bytes) + item.size_bytes <= self._limits.ahead_bytes
