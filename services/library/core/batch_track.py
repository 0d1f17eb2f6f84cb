"""What is done for one track apart from the others, by threads of a pool."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from services.library.core.batch_line import Prepared
from services.library.core.batch_ports import (
    BatchRun,
    Deliveries,
    DeliveryOrder,
    Export,
    ExportKey,
    ExportRecord,
    Separations,
    SourceFiles,
)
from services.library.core.exports import key_of_item
from services.library.core.hearing import VocalHearing
from services.library.core.ports import FileStamp, VocalShare
from stemhouse.batches import BATCH_PRIORITY, BatchItem, BatchLayout, BatchSpec
from stemhouse.errors import InternalFault, InvalidRequest, NotFound, ResultGone, StemhouseError, Unavailable
from stemhouse.jobs import CacheHit, Job, SeparationRequest, SeparationResult

T = TypeVar("T")

_MOST_ATTEMPTS = 3
"""At a track whose stems vanish again and again before they are delivered: then something else is wrong."""


@dataclass(frozen=True)
class DeliveredTrack:
    """A track's files, who made its stems, whether they were made for it, and the time that this took.

    `stored_bytes` is what mix and stems take in the store; 0 if unknown.
    """

    export: Export
    engine_id: str
    is_new_work: bool
    work_s: float
    stored_bytes: int = 0


class TrackWork:
    """Prepares, sends and delivers single tracks."""

    def __init__(  # noqa: PLR0913  five partners, a clock, and somebody to tell
        self,
        sources: SourceFiles,
        separations: Separations,
        deliveries: Deliveries,
        exports: ExportRecord,
        hearing: VocalHearing,
        *,
        now: Callable[[], datetime],
        on_defect: Callable[[Exception], object],
    ) -> None:
        """`now` is in UTC; `on_defect` is told of exceptions that are no StemhouseError, and end one track."""
        self._sources = sources
        self._separations = separations
        self._deliveries = deliveries
        self._exports = exports
        self._hearing = hearing
        self._now = now
        self._on_defect = on_defect

    def prepare(self, run: BatchRun, item: BatchItem) -> Prepared:
        """Look whether its files are there, else make the router know it. Raises StemhouseError alone."""
        return self._contained(lambda: self._prepare(run.batch.spec, item, _order(run, item)))

    def hear(self, prepared: Prepared) -> VocalShare | None:
        """How much of it is sung; None if nobody can tell now, for which no track fails."""
        item = prepared.item
        with contextlib.suppress(StemhouseError):
            return self._contained(lambda: self._hearing.share(item.path, _stamp(item), prepared.source))
        return None

    def send(self, run: BatchRun, prepared: Prepared) -> Job:
        """Queue it; however often that is repeated for an attempt, it is one job."""
        item, spec = prepared.item, run.batch.spec
        if prepared.source is None:
            raise InternalFault(f"{item.path} is to be sent, and was not uploaded")
        request = SeparationRequest(
            prepared.source,
            engine=run.engine,
            model=spec.model,
            priority=BATCH_PRIORITY,
            force=spec.force,
            sum_to_mix=spec.sum_to_mix,
            is_vocals_only=spec.delivery.is_vocals_only,
            cloud_minutes=spec.cloud_minutes,
        )
        batch_id = run.batch.batch_id
        return self._separations.submit(request, f"{batch_id}-{item.place}-{item.attempt}", batch_id)

    def deliver(self, run: BatchRun, item: BatchItem) -> DeliveredTrack | None:
        """Write its files; None if the router has forgotten the job, or the store no longer has its stems.

        Stems go when a copy of the track has been delivered, here or by another batch. What its vocals are like is
        known from then on. Raises StemhouseError alone.
        """
        return self._contained(lambda: self._deliver(run, item))

    def release(self, item: BatchItem) -> None:
        """Let the store drop the stems of a track whose files are there.

        What cannot be dropped now stays until the store's owner clears it: no batch waits for that.
        """
        with contextlib.suppress(Unavailable):
            self._contained(lambda: self._separations.release(item.job_id))

    def write_lists(self, run: BatchRun) -> bool:
        """Tell DJ programs of what was made for them: True once that is done. Raises StemhouseError alone."""
        self._contained(lambda: self._deliveries.write_lists(run.batch.spec))
        return True

    def discard_unfinished(self, run: BatchRun, item: BatchItem) -> None:
        """Remove what a killed delivery has left."""
        self._deliveries.discard_unfinished(_order(run, item))

    def _prepare(self, spec: BatchSpec, item: BatchItem, order: DeliveryOrder) -> Prepared:
        stamp = self._sources.stamp(item.path, spec.location)
        found = replace(item, size_bytes=stamp.size_bytes, modified_ns=stamp.modified_ns)
        if not spec.force:
            key = key_of_item(spec, found)
            export = self._exports.find([key]).get(key)
            export = export or self._export_of_equal_file(spec, key) or self._export_of_retagged_file(key)
            if export and self._deliveries.holds(export):
                self._deliveries.export_for_djs(export, order)
                return Prepared(found, export=export)
        try:
            return Prepared(found, self._separations.upload(item.path))
        except InvalidRequest:
            self._sources.stamp(item.path, spec.location)  # says so where it is the volume that has gone
            raise

    def _export_of_equal_file(self, spec: BatchSpec, key: ExportKey) -> Export | None:
        """Of a file that was touched, moved or renamed since; a mirrored layout has its own place for each path."""
        if spec.layout is BatchLayout.MIRROR:
            return None
        candidates = self._exports.of_files_of_size(key.wish, key.stamp.size_bytes)
        sha256 = self._separations.sha256(key.path) if candidates else ""
        return next((export for export in candidates if export.source_sha256 == sha256), None)

    def _export_of_retagged_file(self, key: ExportKey) -> Export | None:
        """DJ programs write into the tags of what they play: the music is the same."""
        export = self._exports.of_path(key.path, key.wish)
        is_same = export and export.audio_sha256 and export.audio_sha256 == self._sources.audio_sha256(key.path)
        return export if is_same else None

    def _deliver(self, run: BatchRun, item: BatchItem) -> DeliveredTrack | None:
        job = self._separations.jobs(run.batch.batch_id, [item.job_id]).get(item.job_id)
        if job is None or job.result is None:
            return None
        began_at = self._now()
        try:
            export = self._deliveries.deliver(job.result, _order(run, item))
        except NotFound as error:
            if item.attempt >= _MOST_ATTEMPTS:
                raise
            if isinstance(error, ResultGone):  # what is damaged would answer the next attempt, too
                self._separations.release(item.job_id)
            return None
        self._deliveries.export_for_djs(export, _order(run, item))
        delivery_s = max(0.0, (self._now() - began_at).total_seconds())
        self._note_vocals(item, job.result)
        return DeliveredTrack(
            export=replace(
                export,
                audio_s=_audio_s(job.result),
                source_sha256=job.result.source.sha256,
                damage=job.result.facts.damage,
                audio_sha256=self._audio_sha256(run, item),
            ),
            engine_id=job.result.stem_set.engine_id,
            is_new_work=job.result.cache_hit is CacheHit.NONE,
            work_s=_separation_s(job.result) + delivery_s,
            stored_bytes=_stored_bytes(job.result),
        )

    def _audio_sha256(self, run: BatchRun, item: BatchItem) -> str:
        """Of the file that the stems were made of; empty if it has changed meanwhile, or gone."""
        try:
            sha256 = self._sources.audio_sha256(item.path)
            is_same = self._sources.stamp(item.path, run.batch.spec.location) == _stamp(item)
        except StemhouseError:
            return ""
        return sha256 if is_same else ""

    def _note_vocals(self, item: BatchItem, result: SeparationResult) -> None:
        share = result.stem_set.vocal_share
        if share is not None:
            self._hearing.note_result(item.path, _stamp(item), share)

    def _contained(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except StemhouseError:
            raise
        except Exception as error:  # a defect that one track brings out must not stop the others
            self._on_defect(error)
            raise InternalFault(f"internal error: {error!r}") from error


def _stamp(item: BatchItem) -> FileStamp:
    return FileStamp(item.size_bytes, item.modified_ns)


def _audio_s(result: SeparationResult) -> float:
    return result.stem_set.audio.duration_s


def _separation_s(result: SeparationResult) -> float:
    """Of the engine, for this batch; how long the job has waited for its turn is no work."""
    return result.stem_set.processing_s if result.cache_hit is CacheHit.NONE else 0.0


def _stored_bytes(result: SeparationResult) -> int:
    """Of mix and stems; 0 for a result of which not every size was noted."""
    stem_set = result.stem_set
    sizes_bytes = [stem_set.audio.size_bytes, *(stem.size_bytes for stem in stem_set.stems)]
    return sum(sizes_bytes) if all(sizes_bytes) else 0


def _order(run: BatchRun, item: BatchItem) -> DeliveryOrder:
    return DeliveryOrder(run.batch.spec, item.path, f"{run.batch.batch_id}-{item.place}")
