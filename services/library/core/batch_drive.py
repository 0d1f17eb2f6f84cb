"""Driving one batch, turn by turn.

All that counts is in the store before it counts; what is in memory can be lost at any moment: the tracks that are
being prepared or delivered, the pauses, the pace. One thread drives a batch; its states may be changed beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from services.library.core.batch_line import Limits, Line, Place, Prepared
from services.library.core.batch_pace import Pace
from services.library.core.batch_ports import (
    BatchRun,
    BatchStore,
    Bell,
    ExportRecord,
    Outlook,
    Separations,
)
from services.library.core.batch_track import DeliveredTrack, TrackWork
from services.library.core.exports import item_of, key_of_item
from services.library.core.hindrances import Duty, Hindrances
from services.library.core.ordering import WorkOrder
from services.library.core.ports import VocalShare
from services.library.core.remedies import TRACK_FAULTS, job_error_of, remedy_for, stands_in_the_way_of_all
from stemhouse.batches import BatchItem, BatchSpec, BatchState, ItemState
from stemhouse.errors import EngineUnavailable, InternalFault, RequestConflict, StemhouseError
from stemhouse.jobs import Job, JobError
from stemhouse.vocab import JobState

_ACTIVE = (ItemState.SENT, ItemState.SEPARATED)


@dataclass(frozen=True)
class DrivePorts:
    """What driving a batch asks; `clock` is monotonic, in seconds, `now` in UTC.

    `rescan` brings the catalogue up to date with a batch's location.
    """

    store: BatchStore
    exports: ExportRecord
    separations: Separations
    tracks: TrackWork
    order: WorkOrder
    rescan: Callable[[BatchSpec], object]
    clock: Callable[[], float]
    now: Callable[[], datetime]


@dataclass(frozen=True)
class _Delivery:
    item: BatchItem
    outcome: Future[DeliveredTrack | None]


class Drive:
    """One batch at work."""

    def __init__(self, ports: DrivePorts, executor: Executor, limits: Limits, batch_id: str, bell: Bell) -> None:
        """Take up whatever the store says; `executor` has room for all preparations, probes and deliveries at once."""
        self._ports = ports
        self._store = ports.store
        self._executor = executor
        self._limits = limits
        self._batch_id = batch_id
        self._bell = bell
        run = self._store.run(batch_id)
        self._spec = run.batch.spec
        self._line = Line(limits, probes_vocals=self._spec.probes_vocals)
        self._begun: frozenset[int] = frozenset()
        self._deliveries: dict[int, _Delivery] = {}
        self._hindrances = Hindrances()
        self._now_s = ports.clock()
        self._pace = Pace(self._now_s)
        self._worked_s = 0.0
        self._was_running = False
        self._is_listed = False
        self._is_idle = False
        self._looked_at_s: float | None = None
        self._rescanned_at_s = self._now_s
        self._told: tuple[bool, str] | None = None
        self._told_at_s = self._now_s
        self._has_moved = False
        self._tidy(run)

    def _tidy(self, run: BatchRun) -> None:
        for item in self._active():
            if item.state is ItemState.SEPARATED:
                self._ports.tracks.discard_unfinished(run, item)

    def turn(self) -> bool:
        """Do what can be done now; whether there will be more."""
        run = self._store.run(self._batch_id)
        is_running = run.batch.state is BatchState.RUNNING
        self._keep_time(is_running=is_running)
        self._collect_deliveries(run)
        self._look_at_jobs(run)
        active = self._active()
        self._deliver(run, active)
        self._is_idle = False
        if is_running:
            self._is_idle = self._advance(run, active)
        else:
            self._line.clear()
        has_more = is_running or bool(active or self._deliveries or self._store.recalled(self._batch_id))
        if not is_running:
            self._forget_hindrances(has_more=has_more)
        self._tell(is_running=is_running)
        return self._round_off(run) if self._is_idle else has_more

    def _forget_hindrances(self, *, has_more: bool) -> None:
        """Of what a batch that does not run no longer tries: it waits for nothing but somebody's word."""
        ending = {Duty.QUEUE, Duty.DELIVER} if has_more else set()
        for duty in set(Duty) - ending:
            self._hindrances.clear(duty)

    def _active(self) -> list[BatchItem]:
        return list(self._store.items(self._batch_id, _ACTIVE, limit=10 * self._limits.ahead_tracks))

    def _keep_time(self, *, is_running: bool) -> None:
        self._now_s = self._ports.clock()
        if is_running and not self._was_running:
            self._pace = Pace(self._now_s)
        self._worked_s += self._pace.tick(
            self._now_s, is_working=is_running and not (self._hindrances or self._is_idle)
        )
        self._was_running = is_running

    @contextmanager
    def _duty(self, duty: Duty) -> Iterator[None]:
        """Note what stands in the way of every track."""
        try:
            yield
        except StemhouseError as error:
            self._hindrances.note(duty, error.message, self._now_s)
        else:
            self._hindrances.clear(duty)

    # Jobs that are with the router.

    def _look_at_jobs(self, run: BatchRun) -> None:
        """Once in a while, and not while the router is away."""
        is_due = self._looked_at_s is None or self._now_s >= self._looked_at_s + self._limits.poll_s
        if not (is_due and self._hindrances.may_try(Duty.QUEUE, self._now_s)):
            return
        self._looked_at_s = self._now_s
        sent = [item for item in self._active() if item.state is ItemState.SENT]
        recalled = self._store.recalled(self._batch_id)
        if not (sent or recalled):
            return
        with self._duty(Duty.QUEUE):
            jobs = self._ports.separations.jobs(self._batch_id, [item.job_id for item in (*sent, *recalled)])
            for item in recalled:
                self._withdraw(item, jobs.get(item.job_id))
            for item in sent:
                self._take_news(run, item, jobs.get(item.job_id))
            running = {job_id for job_id, job in jobs.items() if job.state is JobState.RUNNING}
            self._begun = frozenset(item.place for item in sent if item.job_id in running)

    def _withdraw(self, item: BatchItem, job: Job | None) -> None:
        """Stop a job that nobody wants any more; the item keeps its id until the job is seen to have ended.

        One that has begun meanwhile is let go on if its track is to be done in any case.
        """
        is_wanted = item.state is ItemState.WAITING
        state = job.state if job else JobState.CANCELLED
        if state is JobState.DONE and is_wanted:
            self._change(item, replace(item, state=ItemState.SENT))
        elif state.is_final:
            self._change(item, replace(item, job_id=""))
        elif state is JobState.QUEUED or not is_wanted:
            self._ports.separations.cancel(item.job_id)

    def _take_news(self, run: BatchRun, item: BatchItem, job: Job | None) -> None:
        if job is None:  # the router has lost its memory
            self._put_back(item, job_id="")
        elif job.state is JobState.DONE:
            self._hindrances.clear(Duty.SEPARATE)
            self._change(item, replace(item, state=ItemState.SEPARATED))
        elif job.state is JobState.CANCELLED:
            self._change(item, replace(item, state=ItemState.CANCELLED, job_id=""))
        elif job.state is JobState.FAILED:
            self._take_failure(item, job.error or JobError(InternalFault.reason, "the router does not say why"))
        elif job.state is JobState.QUEUED and run.batch.state is BatchState.PAUSED:
            self._put_back(item, job_id=item.job_id)

    def _take_failure(self, item: BatchItem, error: JobError) -> None:
        if stands_in_the_way_of_all(error):
            self._put_back(item, job_id="")
            self._hindrances.note(Duty.SEPARATE, error.message, self._now_s)
        else:
            self._fail(item, error)

    def _put_back(self, item: BatchItem, *, job_id: str) -> None:
        """Wait for the next attempt; a job id that is kept is that of a job to be withdrawn first."""
        self._change(item, replace(item, state=ItemState.WAITING, attempt=item.attempt + 1, job_id=job_id))

    def _change(self, before: BatchItem, after: BatchItem) -> bool:
        return self._store.change(self._batch_id, before, after)

    def _fail(self, item: BatchItem, error: JobError) -> None:
        if self._bell.is_stopping:  # connections are being closed: what fails now is not the track's fault
            return
        remedy = remedy_for(error, self._batch_id, self._spec)
        self._change(item, replace(item, state=ItemState.FAILED, error=error, remedy=remedy))

    # Deliveries.

    def _deliver(self, run: BatchRun, active: Sequence[BatchItem]) -> None:
        for item in active:
            is_full = len(self._deliveries) >= self._limits.deliveries
            if is_full or not self._hindrances.may_try(Duty.DELIVER, self._now_s):
                return
            if item.state is ItemState.SEPARATED and item.place not in self._deliveries:
                outcome = self._executor.submit(self._ports.tracks.deliver, run, item)
                self._deliveries[item.place] = _Delivery(item, outcome)
                outcome.add_done_callback(self._wake)

    def _wake(self, _future: Future[DeliveredTrack | None] | Future[Prepared] | Future[VocalShare | None]) -> None:
        self._bell.ring()

    def _collect_deliveries(self, run: BatchRun) -> None:
        for delivery in [found for found in self._deliveries.values() if found.outcome.done()]:
            del self._deliveries[delivery.item.place]
            with self._duty(Duty.DELIVER):
                try:
                    self._take_delivered(run, delivery.item, delivery.outcome.result())
                except TRACK_FAULTS as error:
                    self._fail(delivery.item, job_error_of(error))

    def _take_delivered(self, run: BatchRun, item: BatchItem, delivered: DeliveredTrack | None) -> None:
        if delivered is None:
            self._put_back(item, job_id="")
            return
        export = delivered.export
        done = replace(
            item,
            state=ItemState.DONE,
            engine_id=delivered.engine_id,
            folder=export.folder,
            file_sizes_bytes=export.file_sizes_bytes,
            audio_s=export.audio_s,
            work_s=delivered.work_s,
            damage=export.damage,
        )
        exported = key_of_item(run.batch.spec, item), export
        self._is_listed = False
        if self._store.change(self._batch_id, item, done, exported):
            self._pace.add_track(item.audio_s)
            self._has_moved = True
        if delivered.is_new_work:
            stored_bytes = delivered.stored_bytes
            self._ports.exports.record_work(delivered.engine_id, export.audio_s, self._worked_s, stored_bytes)
            self._worked_s = 0.0
            if not run.batch.spec.keeps_results:
                self._executor.submit(self._ports.tracks.release, item)

    # What comes next.

    def _advance(self, run: BatchRun, active: list[BatchItem]) -> bool:
        """Send what is prepared, in order, and prepare what follows; whether nothing is left to do."""
        while (head := self._line.ready_head(is_needed=self._is_needed(active))) and self._settle(run, head, active):
            pass
        self._listen()
        if self._line.is_full(active) or not self._hindrances.may_try(Duty.PREPARE, self._now_s):
            return False
        waiting = self._store.waiting(self._batch_id, limit=len(self._line) + self._limits.preparations)
        for item in waiting:
            if item.place in self._line:
                continue
            if self._line.is_full(active) or not self._line.has_room(item, active):
                break
            preparation = self._executor.submit(self._ports.tracks.prepare, run, item)
            self._line.add(item, preparation)
            preparation.add_done_callback(self._wake)
        return not (waiting or active or self._deliveries)

    def _is_needed(self, active: Sequence[BatchItem]) -> bool:
        """Whether the router should have another track, whoever sings."""
        waiting = sum(item.state is ItemState.SENT and item.place not in self._begun for item in active)
        return waiting < self._limits.backlog_tracks

    def _listen(self) -> None:
        for place in self._line.unheard():
            hearing = self._executor.submit(self._ports.tracks.hear, place.preparation.result())
            self._line.listen(place.item, hearing)
            hearing.add_done_callback(self._wake)

    def _settle(self, run: BatchRun, head: Place, active: list[BatchItem]) -> bool:
        """Do with a prepared track what is due; whether the line moves on."""
        moves_on = False
        with self._duty(Duty.PREPARE):
            try:
                moves_on = self._go_on_with(run, head, head.prepared(), active)
            except TRACK_FAULTS as error:
                self._fail(head.item, job_error_of(error))
                self._line.drop(head.item)
                moves_on = True
        if not moves_on and head.preparation.exception():
            self._line.drop_failed()  # those behind have met the same, and must not make the pause longer
        return moves_on

    def _go_on_with(self, run: BatchRun, head: Place, prepared: Prepared, active: list[BatchItem]) -> bool:
        if prepared.export is None:
            return self._send(run, head, prepared, active)
        skipped = replace(
            prepared.item,
            state=ItemState.SKIPPED,
            folder=prepared.export.folder,
            file_sizes_bytes=prepared.export.file_sizes_bytes,
            damage=prepared.export.damage,
        )
        self._is_listed = False
        exported = key_of_item(run.batch.spec, skipped), prepared.export
        self._store.change(self._batch_id, head.item, skipped, exported)
        self._line.drop(head.item)
        return True

    def _send(self, run: BatchRun, head: Place, prepared: Prepared, active: list[BatchItem]) -> bool:
        if not self._may_send(active):
            return False
        item = prepared.item
        is_sent = False
        with self._duty(Duty.QUEUE):
            try:
                job = self._ports.tracks.send(run, prepared)
            except RequestConflict:  # the file has changed since an earlier, interrupted submission
                self._change(head.item, replace(item, attempt=item.attempt + 1))
            except TRACK_FAULTS as error:
                self._fail(head.item, job_error_of(error))
            except EngineUnavailable as error:
                self._hindrances.note(Duty.SEPARATE, error.message, self._now_s)
                return False
            else:
                sent = replace(item, state=ItemState.SENT, job_id=job.job_id)
                active.append(sent)
                if not self._change(head.item, sent):  # the batch was cancelled just now
                    self._ports.separations.cancel(job.job_id)
            is_sent = True
        if is_sent:
            self._line.drop(head.item)
        return is_sent

    def _may_send(self, active: Sequence[BatchItem]) -> bool:
        """While the engine is missing, one job at a time finds out whether it is back."""
        if not all(self._hindrances.may_try(duty, self._now_s) for duty in (Duty.QUEUE, Duty.SEPARATE)):
            return False
        is_doubtful = self._hindrances.holds(Duty.SEPARATE)
        return not (is_doubtful and any(item.state is ItemState.SENT for item in active))

    # Its end, and what people see.

    def _tell(self, *, is_running: bool) -> None:
        seen = (is_running, self._hindrances.text)
        is_news = seen != self._told or (self._has_moved and self._now_s >= self._told_at_s + self._limits.poll_s)
        if is_news:
            self._told, self._told_at_s, self._has_moved = seen, self._now_s, False
            self._store.tell(self._batch_id, self._outlook(is_running=is_running))

    def _outlook(self, *, is_running: bool) -> Outlook:
        if not is_running:
            return Outlook(hindrance=self._hindrances.text)
        remaining_s = self._pace.remaining_s(self._store.remainder(self._batch_id))
        return Outlook(self._pace.tracks_per_hour, remaining_s, self._hindrances.text)

    def _round_off(self, run: BatchRun) -> bool:
        """End the batch, or look for new tracks; whether it goes on."""
        if not self._lists_are_written(run):
            return True
        if not run.batch.spec.is_watching:
            return not self._store.finish(self._batch_id, self._ports.now())
        is_due = self._now_s >= self._rescanned_at_s + self._limits.rescan_s
        if is_due and self._hindrances.may_try(Duty.RESCAN, self._now_s):
            self._rescanned_at_s = self._now_s
            self._rescan(run)
        return True

    def _lists_are_written(self, run: BatchRun) -> bool:
        """Whether all that was made for DJs is in lists; what hinders that is tried again after a while."""
        if self._is_listed or not run.batch.spec.targets:
            return True
        if self._hindrances.may_try(Duty.DELIVER, self._now_s):
            with self._duty(Duty.DELIVER):
                self._is_listed = self._ports.tracks.write_lists(run)
        return self._is_listed

    def _rescan(self, run: BatchRun) -> None:
        spec = run.batch.spec
        with self._duty(Duty.RESCAN):
            self._ports.rescan(spec)
            known = self._store.stamps(self._batch_id)
            files = self._ports.order.files(spec.location, spec.crates, is_crates_only=spec.is_crates_only)
            changed = [file for file in files if known.get(file.path) != file.stamp]
            news = [file for file in changed if file.has_settled(self._ports.now(), self._limits.settling_s)]
            self._store.append(self._batch_id, [item_of(file) for file in news])
