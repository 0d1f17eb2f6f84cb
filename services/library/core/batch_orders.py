"""What people want of batches: to plan, start, look at, pause, resume, retry and cancel them."""

import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime

from services.library.core.batch_plan import BatchPlanner
from services.library.core.batch_ports import BatchPage, BatchRun, BatchStore, Drivers, ItemPage
from stemhouse.batches import Batch, BatchPlan, BatchSpec, BatchState, ItemState, command_to_go_on
from stemhouse.errors import InvalidRequest, RequestConflict

DEFAULT_PAGE_BATCHES = 50
LARGEST_PAGE_BATCHES = 500
DEFAULT_PAGE_ITEMS = 100
LARGEST_PAGE_ITEMS = 1000

_PLACE = re.compile(r"[0-9]{1,9}")


class BatchOrders:
    """Takes orders; what follows from them is done by others. Orders that are given twice are carried out once.

    Methods that name a batch raise NotFound if there is none.
    """

    def __init__(  # noqa: PLR0913  three partners, a clock, names and a lock
        self,
        store: BatchStore,
        planner: BatchPlanner,
        drivers: Drivers,
        *,
        now: Callable[[], datetime],
        new_batch_id: Callable[[], str],
        starting: AbstractContextManager[object],
    ) -> None:
        """`now` is in UTC, `new_batch_id` never repeats and has at most 40 of [A-Za-z0-9], `starting` is a lock."""
        self._store = store
        self._planner = planner
        self._drivers = drivers
        self._now = now
        self._new_batch_id = new_batch_id
        self._starting = starting

    def plan(self, spec: BatchSpec) -> BatchPlan:
        """See BatchPlanner.plan."""
        return self._planner.plan(spec)

    def start(self, request_id: str, spec: BatchSpec) -> Batch:
        """Begin a batch, or give the one that the request has made, or one of the same wish that is still at work.

        Raises RequestConflict if the request has made a batch of another wish.

        Raises what BatchPlanner.start does.
        """
        with self._starting:  # the same command in two terminals at once: the second finds the batch of the first
            found = self._store.find(request_id) or self._running(spec) or self._create(request_id, spec)
        if found.spec != spec:
            message = f"request {request_id} has started another batch; use a new request id"
            raise RequestConflict(message, {"request_id": request_id})
        self._drivers.wake(found.batch_id)
        return found

    def _running(self, spec: BatchSpec) -> Batch | None:
        """A second batch at the same tracks would do them twice."""
        batches = [self.batch(batch_id) for batch_id in self._store.unfinished()]
        return next((batch for batch in batches if batch.spec == spec and batch.state is BatchState.RUNNING), None)

    def _create(self, request_id: str, spec: BatchSpec) -> Batch:
        engine, items = self._planner.start(spec)
        batch = Batch(self._new_batch_id(), request_id, spec, BatchState.RUNNING, created_at=self._now())
        return self._store.create(BatchRun(batch, engine), items)

    def batch(self, batch_id: str) -> Batch:
        """A batch as it stands."""
        return self._store.run(batch_id).batch

    def batches(self, page_size: int, page_token: str) -> BatchPage:
        """A page of 1 to 500 batches (50 if `page_size` is 0), newest first."""
        size = _page_size(page_size, DEFAULT_PAGE_BATCHES, LARGEST_PAGE_BATCHES)
        return self._store.page(size, page_token)

    def items(self, batch_id: str, states: Collection[ItemState], page_size: int, page_token: str) -> ItemPage:
        """A page of 1 to 1000 items (100 if `page_size` is 0) in the states (none given: in any)."""
        size = _page_size(page_size, DEFAULT_PAGE_ITEMS, LARGEST_PAGE_ITEMS)
        if page_token and not _PLACE.fullmatch(page_token):
            message = f"page_token is not one that a listing gave: {page_token[:80]}"
            raise InvalidRequest(message, {"page_token": message})
        self._store.run(batch_id)
        found = self._store.items(batch_id, states, after_place=int(page_token or 0), limit=size + 1)
        items = tuple(found[:size])
        return ItemPage(items, str(items[-1].place) if len(found) > size else "")

    def pause(self, batch_id: str) -> Batch:
        """Begin nothing new; jobs that have begun are finished and delivered. Raises InvalidRequest if it is final."""
        is_changed = self._store.set_state(batch_id, BatchState.PAUSED, among={BatchState.RUNNING})
        return self._after(batch_id, BatchState.PAUSED, "paused", is_changed=is_changed)

    def resume(self, batch_id: str) -> Batch:
        """Go on. Raises InvalidRequest if it is final."""
        is_changed = self._store.set_state(batch_id, BatchState.RUNNING, among={BatchState.PAUSED})
        return self._after(batch_id, BatchState.RUNNING, "resumed", is_changed=is_changed)

    def cancel(self, batch_id: str) -> Batch:
        """Stop it and its jobs; files that are there stay. Raises InvalidRequest if it is done."""
        is_changed = self._store.cancel(batch_id, self._now())
        return self._after(batch_id, BatchState.CANCELLED, "cancelled", is_changed=is_changed)

    def retry(self, batch_id: str) -> Batch:
        """Try failed and cancelled items again, and go on; without any the batch stays as it is."""
        self._store.run(batch_id)
        self._store.retry(batch_id)
        self._drivers.wake(batch_id)
        return self.batch(batch_id)

    def _after(self, batch_id: str, wanted: BatchState, order: str, *, is_changed: bool) -> Batch:
        batch = self.batch(batch_id)
        if not is_changed and batch.state is not wanted:
            remedy = f"; `{command_to_go_on(batch)}` begins again with what is left" if batch.state.is_final else ""
            message = f"batch {batch_id} is {batch.state.value} and cannot be {order}{remedy}"
            raise InvalidRequest(message, {"batch_id": message, "state": batch.state.value})
        self._drivers.wake(batch_id)
        return batch


def _page_size(wanted: int, default: int, largest: int) -> int:
    if not 0 <= wanted <= largest:
        message = f"page_size must be from 0 to {largest}, not {wanted}"
        raise InvalidRequest(message, {"page_size": message})
    return wanted or default
