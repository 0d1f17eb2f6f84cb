"""The station: gives each call to the worker that can do it, and does nothing twice at the same time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from services.separator.core.assessment import AssessTask
from services.separator.core.control import control_of
from services.separator.core.ingest import IngestedTrack, IngestTask
from services.separator.core.model_additions import Addition
from services.separator.core.model_specs import engine_specs
from services.separator.core.model_store import ModelStore
from services.separator.core.models import FAILED_LOAD
from services.separator.core.ports import DeviceGreeting, EngineSpec, SharedRuns, TaskControl, Worker
from services.separator.core.results import CallOffTask, SeparateTask, find_result
from services.separator.core.vocal_probe import ProbeVocalsTask
from stemhouse.audio import QualityReport, StemSet
from stemhouse.errors import EngineUnavailable, UnreadableAudio, WorkerDied
from stemhouse.jobs import EngineGap, EngineOffer
from stemhouse.models import Model, PullProgress
from stemhouse.ports import ObjectStore
from stemhouse.tenancy import store_of


@dataclass(frozen=True)
class LocalEngines:
    """What is ready here and what is missing, the tracks that can be separated at once, and those that run or wait."""

    offers: tuple[EngineOffer, ...]
    gaps: tuple[EngineGap, ...]
    slot_count: int
    busy_count: int


class Station:
    """All that the separator does, over two workers: `files` decodes and measures, `device` runs the engines.

    Every method takes `is_wanted`, which tells whether the caller still waits for the answer.
    """

    def __init__(self, store: ObjectStore, files: Worker, device: Worker, runs: SharedRuns, models: ModelStore) -> None:
        self._store = store
        self._files = files
        self._device = device
        self._runs = runs
        self._models = models

    def ingest(self, task: IngestTask, is_wanted: Callable[[], bool]) -> IngestedTrack:
        """Decode a source; see `ingest_track`. A file on which two workers died is unreadable."""
        control = control_of(is_wanted)
        try:
            return self._files.run(task, control)
        except WorkerDied:
            return self._ingest_again(task, control)

    def _ingest_again(self, task: IngestTask, control: TaskControl) -> IngestedTrack:
        """Once more, since the first worker may have died of something else."""
        try:
            return self._files.run(task, control)
        except WorkerDied as death:
            message = f"the decoder crashed on {task.source.file_name}"
            raise UnreadableAudio(message, {"file": task.source.file_name}) from death

    def separate(self, task: SeparateTask, is_wanted: Callable[[], bool]) -> Iterator[float | StemSet]:
        """Progress from 0 to 1, then the result; see `separate_track`.

        A stored result comes at once. Calls for the same result share one computation. Raises EngineUnavailable
        for an engine that is not loaded here.
        """
        stored = None if task.force else find_result(store_of(self._store, task.tenant), task)
        if stored:
            yield stored
            return
        self._require_engine(task.engine_id)
        yield from self._runs.watch(task.tenant.key(task.folder), partial(self._separated, task), is_wanted)

    def _separated(self, task: SeparateTask, control: TaskControl) -> StemSet:
        """What the device worker finds out when it loads a model must not be found out again by the next track."""
        try:
            return self._device.run(task, control)
        except EngineUnavailable as error:
            if FAILED_LOAD in error.details:
                self._models.note_failed_load(task.engine_id, error.details, control)
            raise

    def call_off(self, task: CallOffTask, is_wanted: Callable[[], bool]) -> float | None:
        """See CallOffTask. Raises EngineUnavailable for an engine that is not here."""
        self._require_engine(task.separation.engine_id)
        return self._device.run(task, control_of(is_wanted))

    def assess(self, task: AssessTask, is_wanted: Callable[[], bool]) -> QualityReport:
        """Measure stems; see `assess_stems`. Raises EngineUnavailable for a verifier that is not here."""
        if not task.verifier_engine_id:
            return self._files.run(task, control_of(is_wanted))
        self._require_engine(task.verifier_engine_id)
        return self._device.run(task, control_of(is_wanted))

    def probe_vocals(self, task: ProbeVocalsTask, is_wanted: Callable[[], bool]) -> float:
        """How much of a track is sung; see `vocal_probe`. Raises EngineUnavailable for an engine that is not here."""
        self._require_engine(task.engine_id)
        return self._device.run(task, control_of(is_wanted))

    def local_engines(self) -> LocalEngines:
        """The engines that the device worker has loaded or can load, and the room for more work.

        Raises Unavailable while the worker is loading: to list none would say that there are none.
        """
        self._device.check_ready()
        specs, gaps = self._specs_and_gaps()
        return LocalEngines(tuple(_offer(spec) for spec in specs), gaps, self._greeting.slot_count, self._runs.count)

    def list_models(self) -> tuple[Model, ...]:
        """See ModelStore.models."""
        return self._models.models()

    def pull_model(self, name: str, is_wanted: Callable[[], bool]) -> Iterator[PullProgress | Model]:
        """See ModelStore.pull."""
        return self._models.pull(name, is_wanted)

    def verify_models(self, names: Sequence[str], is_wanted: Callable[[], bool]) -> tuple[Model, ...]:
        """See ModelStore.verify."""
        return self._models.verify(names, is_wanted)

    def add_model(self, addition: Addition, is_wanted: Callable[[], bool]) -> Model:
        """See ModelStore.add; the device worker looks into the files, when its current track is done."""
        control = control_of(is_wanted)
        return self._models.add(addition, lambda task: self._device.run(task, control), is_wanted)

    def check_ready(self) -> None:
        """Return if both workers are up and the engines loaded; raises Unavailable."""
        self._device.check_ready()
        self._files.check_ready()

    def _specs_and_gaps(self) -> tuple[tuple[EngineSpec, ...], tuple[EngineGap, ...]]:
        greeting = self._greeting
        survey = self._models.survey(greeting.model_engines)
        specs = (spec for entry in survey.usable for spec in engine_specs(entry, greeting.demucs))
        return (*greeting.specs, *specs), (*greeting.gaps, *survey.gaps)

    @property
    def _greeting(self) -> DeviceGreeting:
        return self._device.greeting or DeviceGreeting(())

    def _require_engine(self, engine_id: str) -> None:
        specs, gaps = self._specs_and_gaps()
        here = [spec.engine_id for spec in specs]
        if engine_id not in here:
            message = f"no engine {engine_id} here, only: {', '.join(here) or 'none yet'}"
            helps = (f"; {gap.engine}: {gap.cause}, which helps: {gap.remedy}" for gap in gaps)
            raise EngineUnavailable(message + "".join(helps), {"engine_id": engine_id})


def _offer(spec: EngineSpec) -> EngineOffer:
    return EngineOffer(spec.name, spec.model, spec.engine_id, spec.stems, spec.grade, spec.device, spec.cloud)
