"""Separators over gRPC: each call goes to the least-loaded separator that can take it.

What several jobs ask for at the same time is asked once, or of the same separator, which does it once.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial

import grpc
import structlog

from services.router.adapters.dispatch import Berth, Dispatch, Work
from services.router.adapters.separator_stubs import Separator, SeparatorDirectory, Separators
from services.router.adapters.shared_calls import SharedCalls
from services.router.core.ports import Cancellation, Ingested, SeparationTask
from stemhouse.audio import AudioRef, QualityReport, SourceRef, StemSet
from stemhouse.errors import Cancelled, InternalFault, Unavailable
from stemhouse.jobs import EngineGap, EngineOffer, EngineSurvey
from stemhouse.platform.status import rpc_errors
from stemhouse.tenants import HOUSE, Tenant
from stemhouse.v1 import separator_pb2 as pb
from stemhouse.wire.audio import (
    audio_ref_from_proto,
    audio_ref_to_proto,
    cloud_order_to_proto,
    engine_from_proto,
    engine_gap_from_proto,
    quality_from_proto,
    source_facts_from_proto,
    source_ref_to_proto,
    stem_set_from_proto,
    stem_set_to_proto,
)

log = structlog.get_logger(__name__)

_ASK_TIMEOUT_S = 2.0
_CALL_OFF_TIMEOUT_S = 120.0
"""It waits for a call that ends, and for a service that may be slow to answer."""
_WORK_TIMEOUT_S = 24 * 3600.0
"""Of calls that wait for their turn behind other tracks. A peer that is gone is told by the channel's keepalive."""


@dataclass(frozen=True)
class _State:
    """What one separator said about itself."""

    separator: Separator
    offers: tuple[EngineOffer, ...]
    gaps: tuple[EngineGap, ...]
    slot_count: int
    busy_count: int

    @property
    def load(self) -> float:
        return self.busy_count / self.slot_count

    @property
    def is_in_cloud(self) -> bool:
        return bool(self.offers) and all(offer.cloud for offer in self.offers)

    def has(self, engine_id: str) -> bool:
        return any(offer.engine_id == engine_id for offer in self.offers)


class SeparatorFleet:
    """See the Separators port."""

    def __init__(self, directory: SeparatorDirectory) -> None:
        """Keep who knows them."""
        self._directory = directory
        self._calls = SharedCalls()
        self._dispatch = Dispatch()
        self._tenant = HOUSE

    def of(self, tenant: Tenant) -> "SeparatorFleet":
        """The same fleet, at work for a tenant."""
        fleet = copy(self)
        fleet._tenant = tenant  # noqa: SLF001  it is of this class
        return fleet

    def survey(self) -> EngineSurvey:
        """See Separators.survey."""
        known = self._directory.separators()
        states = _states(known)
        offers = _in_order([state.offers for state in states])
        offered = {offer.name for offer in offers}
        gaps = dict.fromkeys(gap for state in states for gap in state.gaps if gap.engine not in offered)
        is_partial = len(states) < len(known.present) or bool(known.silent_names)
        return EngineSurvey(offers, tuple(gaps), is_partial)

    def slot_count(self) -> int:
        """How many tracks the devices of all separators do at once; those in a cloud are no devices of ours."""
        states = _states(self._directory.separators())
        return sum(state.slot_count for state in states if not state.is_in_cloud)

    def ingest(self, source: SourceRef) -> Ingested:
        """See Separators.ingest."""
        return self._calls.run(("ingest", self._tenant, source.sha256), partial(self._ingest, source))

    def _ingest(self, source: SourceRef) -> Ingested:
        request = pb.IngestTrackRequest(source=source_ref_to_proto(source), tenant=self._tenant.name)
        with rpc_errors():
            response = self._least_loaded().stub.IngestTrack(request, timeout=_WORK_TIMEOUT_S)
        return Ingested(audio_ref_from_proto(response.audio), source_facts_from_proto(response.facts))

    def separate(
        self, task: SeparationTask, on_progress: Callable[[float], None], cancellation: Cancellation
    ) -> StemSet:
        """See Separators.separate."""
        work = Work(self._tenant.key(f"{task.audio.pcm_sha256}/{task.engine_id}/{task.sum_to_mix}"), task.priority)
        with self._dispatch.place(work, partial(self._berths, task.engine_id), cancellation) as separator:
            address, duration_s = separator.address, task.audio.duration_s
            log.info("separating", separator=address, engine_id=task.engine_id, duration_s=duration_s)
            with rpc_errors():
                events = separator.stub.Separate(self._separate_request(task), timeout=_WORK_TIMEOUT_S)
                cancellation.on_request(events.cancel)
                return _stem_set_from_events(events, on_progress)

    def call_off(self, task: SeparationTask) -> float | None:
        """See Separators.call_off. Of several separators with one key nobody here knows which one is at it."""
        able = self._able(task.engine_id)
        if len(able) > 1:
            return None
        request = pb.CallOffOrderRequest(separation=self._separate_request(task))
        with rpc_errors():
            response = able[0].separator.stub.CallOffOrder(request, timeout=_CALL_OFF_TIMEOUT_S)
        return response.minutes if response.HasField("minutes") else None

    def assess(self, stem_set: StemSet, references: dict[str, AudioRef], verifier_engine_id: str = "") -> QualityReport:
        """See Separators.assess."""
        assess = partial(self._assess, stem_set, references, verifier_engine_id)
        stems = tuple(stem.object_key for stem in stem_set.stems)
        return assess() if references else self._calls.run(("assess", self._tenant, stems, verifier_engine_id), assess)

    def _assess(self, stem_set: StemSet, references: dict[str, AudioRef], verifier_engine_id: str) -> QualityReport:
        request = pb.AssessStemsRequest(
            stem_set=stem_set_to_proto(stem_set),
            references={stem: audio_ref_to_proto(audio) for stem, audio in references.items()},
            verifier_engine_id=verifier_engine_id,
            tenant=self._tenant.name,
        )
        with rpc_errors():
            response = self._least_loaded(verifier_engine_id or None).stub.AssessStems(request, timeout=_WORK_TIMEOUT_S)
        return quality_from_proto(response.quality)

    def probe_vocals(self, audio: AudioRef, engine_id: str, cancellation: Cancellation) -> float:
        """See Separators.probe_vocals."""
        request = pb.ProbeVocalsRequest(audio=audio_ref_to_proto(audio), engine_id=engine_id, tenant=self._tenant.name)
        with rpc_errors():
            call = self._least_loaded(engine_id).stub.ProbeVocals.future(request, timeout=_WORK_TIMEOUT_S)
            cancellation.on_request(call.cancel)
            try:
                return call.result().sung_share
            except grpc.FutureCancelledError as error:
                message = "the caller left"
                raise Cancelled(message) from error

    def _separate_request(self, task: SeparationTask) -> pb.SeparateRequest:
        return pb.SeparateRequest(
            audio=audio_ref_to_proto(task.audio),
            engine_id=task.engine_id,
            sum_to_mix=task.sum_to_mix,
            force=task.force,
            cloud=cloud_order_to_proto(task.order) if task.order else None,
            priority=task.priority,
            tenant=self._tenant.name,
        )

    def _berths(self, engine_id: str) -> list[Berth]:
        return [Berth(state.separator, state.slot_count, state.busy_count) for state in self._able(engine_id)]

    def _least_loaded(self, engine_id: str | None = None) -> Separator:
        return min(self._able(engine_id), key=lambda state: state.load).separator

    def _able(self, engine_id: str | None) -> list[_State]:
        """At least one; raises Unavailable."""
        states = _states(self._directory.separators())
        able = [state for state in states if engine_id is None or state.has(engine_id)]
        if not able:
            # It was offered when it was chosen: its separator is starting again, or will.
            message = f"no separator that answers offers {engine_id} just now"
            raise Unavailable(message, {"engine_id": engine_id or ""})
        return able


def _states(known: Separators) -> list[_State]:
    """The separators that answer, asked all at once; raises Unavailable if none does."""
    request = pb.ListLocalEnginesRequest()
    calls = [
        (separator, separator.stub.ListLocalEngines.future(request, timeout=_ASK_TIMEOUT_S))
        for separator in known.present
    ]
    states = [state for separator, call in calls if (state := _state_from_call(separator, call))]
    if not states:
        names = ", ".join((*(separator.address for separator in known.present), *known.silent_names))
        message = f"no separator answers at {names}"
        raise Unavailable(message)
    return states


def _in_order(lists: Iterable[Sequence[EngineOffer]]) -> tuple[EngineOffer, ...]:
    """Each engine id once; what one separator prefers to what others have, too, comes before that."""
    merged: list[EngineOffer] = []
    for listed in lists:
        ids = [offer.engine_id for offer in merged]
        place = len(merged)
        for offer in reversed(listed):
            if offer.engine_id in ids:
                place = ids.index(offer.engine_id)
            else:
                merged.insert(place, offer)
    return tuple(merged)


def _state_from_call(separator: Separator, call: "grpc.Future[pb.ListLocalEnginesResponse]") -> _State | None:
    try:
        response = call.result()
    except grpc.RpcError as error:
        log.warning("separator does not answer", separator=separator.address, error=str(error))
        return None
    offers = tuple(engine_from_proto(engine) for engine in response.engines)
    gaps = tuple(engine_gap_from_proto(gap) for gap in response.gaps)
    return _State(separator, offers, gaps, max(response.slot_count, 1), response.busy_count)


def _stem_set_from_events(events: Iterable[pb.SeparateResponse], on_progress: Callable[[float], None]) -> StemSet:
    for event in events:
        if event.HasField("stem_set"):
            return stem_set_from_proto(event.stem_set)
        on_progress(event.progress)
    message = "the separator ended its stream without a result"
    raise InternalFault(message)
