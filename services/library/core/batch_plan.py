"""What a batch would do: which files it takes, which are done already, how long it takes, whether it fits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from services.library.core.batch_engine import engine_asked_for, most_cloud_minutes, offer_for, require_stems
from services.library.core.batch_ports import Deliveries, Disks, ExportRecord, Separations
from services.library.core.disk_budget import (
    Measured,
    Places,
    Workload,
    needs_by_folder,
    shortage_of,
    volume_plans,
)
from services.library.core.exports import item_of, key_of_file, size_class_of
from services.library.core.ordering import OrderedFile, WorkOrder
from stemhouse.batches import BatchItem, BatchPlan, BatchSpec, ItemState, VolumePlan
from stemhouse.errors import BudgetExceeded, EngineUnavailable, InvalidRequest
from stemhouse.jobs import EngineOffer
from stemhouse.vocab import BASE_STEMS

_CHUNK_FILES = 500


@dataclass(frozen=True)
class PlanPorts:
    """What a plan asks."""

    order: WorkOrder
    exports: ExportRecord
    deliveries: Deliveries
    separations: Separations
    disks: Disks


class BatchPlanner:
    """Plans batches."""

    def __init__(self, ports: PlanPorts, places: Places) -> None:
        """Keep what it asks, and where on this machine work leaves traces."""
        self._ports = ports
        self._places = places

    def plan(self, spec: BatchSpec) -> BatchPlan:
        """What the batch would do; what keeps it from starting is among its obstacles.

        Raises NotFound for a location that was not scanned, or a crate that it does not have, InvalidRequest for an
        output folder that cannot be written to, an engine that nobody knows or stems that it does not give, and
        Unavailable while the router does not answer.
        """
        self._ports.disks.require_place(spec.output_dir)
        items = self.items(spec)
        survey = self._ports.separations.survey()
        try:
            offer = offer_for(spec, survey)
        except EngineUnavailable as error:
            return self._plan(spec, items, None, (error.message,))
        require_stems(spec, offer)
        plan = self._plan(spec, items, offer, ())
        try:
            return replace(plan, cloud_minutes=most_cloud_minutes(spec, _pending(items), offer, survey))
        except BudgetExceeded as error:
            return replace(plan, obstacles=(error.message, *plan.obstacles))

    def start(self, spec: BatchSpec) -> tuple[str, Sequence[BatchItem]]:
        """The engine that jobs ask for, and the items to begin with.

        Raises what `plan` does, EngineUnavailable where nobody has the engine, BudgetExceeded where it costs money and
        got no cap, and InvalidRequest with the numbers where there is no room.
        """
        self._ports.disks.require_place(spec.output_dir)
        survey = self._ports.separations.survey()
        offer = offer_for(spec, survey)
        require_stems(spec, offer)
        items = self.items(spec)
        most_cloud_minutes(spec, _pending(items), offer, survey)
        plan = self._plan(spec, items, offer, ())
        if plan.obstacles:
            message = "; ".join(plan.obstacles)
            raise InvalidRequest(message, {"spec.output_dir": message})
        self._ports.disks.make(spec.output_dir)
        return engine_asked_for(spec, offer), [_to_look_at(item) for item in items] if spec.targets else items

    def items(self, spec: BatchSpec) -> list[BatchItem]:
        """A spec's tracks in the order of work; those whose files are there are SKIPPED."""
        files = self._ports.order.files(spec.location, spec.crates, is_crates_only=spec.is_crates_only)
        remaining = iter(files)
        items: list[BatchItem] = []
        while chunk := tuple(islice(remaining, _CHUNK_FILES)):
            items += self._items_of(spec, chunk)
        return items

    def _items_of(self, spec: BatchSpec, files: Sequence[OrderedFile]) -> Iterator[BatchItem]:
        keys = [key_of_file(spec, file) for file in files]
        known = {} if spec.force else self._ports.exports.find(keys)
        for file, key in zip(files, keys, strict=True):
            export = known.get(key)
            is_there = export is not None and self._ports.deliveries.holds(export)
            yield item_of(file, export if is_there else None)

    def _plan(
        self, spec: BatchSpec, items: Sequence[BatchItem], offer: EngineOffer | None, obstacles: tuple[str, ...]
    ) -> BatchPlan:
        work = workload_of(_pending(items))
        measured = self._measured(spec, offer)
        is_paid_for = offer is not None and offer.cloud is not None
        kept = replace(spec, keeps_results=spec.keeps_results or is_paid_for)
        volumes = self._volumes(kept, work, len(offer.stems if offer else BASE_STEMS), measured)
        shortages = tuple(shortage_of(volume) for volume in volumes if not volume.fits)
        return BatchPlan(
            track_count=work.track_count,
            skipped_count=len(items) - work.track_count,
            audio_s=work.audio_s,
            work_s=work.audio_s / measured.speed if measured.speed else None,
            cloud_minutes=0.0,
            volumes=volumes,
            obstacles=obstacles + shortages,
        )

    def _measured(self, spec: BatchSpec, offer: EngineOffer | None) -> Measured:
        exports = self._ports.exports
        return Measured(
            output_bytes_per_s=exports.output_bytes_per_s(size_class_of(spec)),
            stored_bytes_per_s=exports.stored_bytes_per_s(offer.engine_id) if offer else None,
            speed=exports.audio_s_per_wall_s(offer.engine_id) if offer else None,
        )

    def _volumes(self, spec: BatchSpec, work: Workload, stem_count: int, measured: Measured) -> tuple[VolumePlan, ...]:
        needs = needs_by_folder(work, spec, self._places, stem_count, measured)
        return volume_plans([(self._ports.disks.volume(folder), need) for folder, need in needs])


def _pending(items: Sequence[BatchItem]) -> list[BatchItem]:
    return [item for item in items if item.state is ItemState.WAITING]


def _to_look_at(item: BatchItem) -> BatchItem:
    """One whose files are there, and what DJs get of them perhaps not."""
    return replace(item, state=ItemState.WAITING)


def workload_of(items: Sequence[BatchItem]) -> Workload:
    """All of the items together."""
    sizes_bytes = [item.size_bytes for item in items]
    return Workload(
        track_count=len(items),
        audio_s=sum(item.audio_s for item in items),
        longest_s=max((item.audio_s for item in items), default=0.0),
        source_bytes=sum(sizes_bytes),
        largest_source_bytes=max(sizes_bytes, default=0),
    )
