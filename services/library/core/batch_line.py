"""The tracks that a batch prepares ahead, and the limits of that."""

from collections.abc import Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from services.library.core.batch_ports import Export
from stemhouse.audio import SourceRef
from stemhouse.batches import BatchItem, ItemState


@dataclass(frozen=True)
class Limits:
    """How far a batch runs ahead of the router, how much it does at once, and how often it looks, in seconds."""

    ahead_bytes: int = 2 * 1024**3
    ahead_tracks: int = 64
    preparations: int = 2
    deliveries: int = 2
    poll_s: float = 1.0
    rescan_s: float = 30.0


@dataclass(frozen=True)
class Prepared:
    """A track that the router knows, or whose files are there; the item has the file's stamp as it is now."""

    item: BatchItem
    source: SourceRef | None = None
    export: Export | None = None


@dataclass(frozen=True)
class Place:
    """A track in the line, and its preparation."""

    item: BatchItem
    preparation: Future[Prepared]


class Line:
    """Tracks in preparation, or ready to be sent, by place."""

    def __init__(self, limits: Limits) -> None:
        """Begin with nobody."""
        self._limits = limits
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

    def ready_head(self) -> Place | None:
        """The first track, if its preparation has ended."""
        if not self._places:
            return None
        head = self._places[min(self._places)]
        return head if head.preparation.done() else None

    def is_full(self, active: Collection[BatchItem]) -> bool:
        """Whether nothing more may be prepared now, beside items that are with the router or wait for delivery."""
        preparing_count = sum(not place.preparation.done() for place in self._places.values())
        is_busy = preparing_count >= self._limits.preparations
        return is_busy or len(self._places) + len(active) >= self._limits.ahead_tracks

    def has_room(self, item: BatchItem, active: Iterable[BatchItem]) -> bool:
        """Whether a track's bytes may be added to those ahead; one larger than the limit goes when there are none."""
        sizes_bytes = [place.item.size_bytes for place in self._places.values()]
        sizes_bytes += [other.size_bytes for other in active if other.state is ItemState.SENT]
        return not sizes_bytes or sum(sizes_bytes) + item.size_bytes <= self._limits.ahead_bytes
