"""The model store: which models there are, how they come here, and whether they still are what they should be.

A name of the catalogue always means the catalogue's files. Whatever else is installed was added by its user.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import count

from services.separator.core.control import control_of
from services.separator.core.model_additions import (
    Addition,
    Bag,
    bag_from_yaml,
    entry_of_addition,
    sort_upload,
    uvr_bag,
)
from services.separator.core.model_ports import Clock, ModelBuild, ModelOrigins, ModelShelf
from services.separator.core.models import (
    DEMUCS,
    FAILED_LOAD,
    FOUND_SHA256,
    LOADED_STAMP,
    STARTER_MODEL,
    InspectModelTask,
    ModelEntry,
    ModelFile,
    ModelShape,
    checked,
    is_engine_of,
)
from services.separator.core.ports import SharedRuns, TaskControl
from stemhouse.errors import Cancelled, ModelRejected, NotFound, StemhouseError, StorageUnavailable
from stemhouse.jobs import EngineGap
from stemhouse.models import Model, ModelState, PullProgress

_STEREO = 2
"""An engine must be able to take every track; mono ones go to both channels."""
_NOTE_TRIES = 10
"""To have the claim for a note: a track waits that another engine could do, and a pull has the claim for minutes."""

Inspector = Callable[[InspectModelTask], ModelShape]


@dataclass(frozen=True)
class ModelSurvey:
    """Installed models that can be used, in the order of the catalogue, and what keeps engines from having more."""

    usable: tuple[ModelEntry, ...]
    gaps: tuple[EngineGap, ...]


class ModelStore:
    """All that is done with models. What takes long takes `is_wanted`, and raises Cancelled once that says no."""

    def __init__(
        self, catalogue: Sequence[ModelEntry], shelf: ModelShelf, origins: ModelOrigins, runs: SharedRuns, clock: Clock
    ) -> None:
        """`runs` are of this store alone: a pull is no track that keeps the device busy."""
        self._catalogue = {entry.name: entry for entry in catalogue}
        self._shelf = shelf
        self._origins = origins
        self._runs = runs
        self._clock = clock

    def models(self) -> tuple[Model, ...]:
        """The catalogue's models in its order, then others that are installed."""
        return self._listed(self._installed())

    def survey(self, engines: Sequence[str]) -> ModelSurvey:
        """What these engines have; quick, so that it can be asked for before each track."""
        installed = self._installed()
        models = [model for model in self._listed(installed) if model.engine in engines]
        there = [model for model in models if model.state is not ModelState.AVAILABLE]
        missing = [engine for engine in engines if engine not in {model.engine for model in there}]
        absences = (EngineGap(engine, "no model is installed", self._first_remedy(engine)) for engine in missing)
        damages = (
            EngineGap(model.engine, f"{model.name}: {model.problem}", self._remedy(model.name))
            for model in there
            if model.state is ModelState.DAMAGED
        )
        usable = (installed[model.name] for model in there if model.state is ModelState.INSTALLED)
        return ModelSurvey(tuple(usable), (*absences, *damages))

    def entry(self, name: str) -> ModelEntry:
        """What the catalogue says of a model; raises NotFound that tells what there is."""
        if name not in self._catalogue:
            message = f"no model {name} in the catalogue, which has {', '.join(self._catalogue)}"
            raise NotFound(message, {"model": name})
        return self._catalogue[name]

    def pull(self, name: str, is_wanted: Callable[[], bool]) -> Iterator[PullProgress | Model]:
        """Install a model of the catalogue unless it is; progress, at least every few seconds, then the model.

        Raises NotFound for a name that is not in the catalogue, ModelRejected if what comes is not what the catalogue
        promises, Unavailable if it cannot be fetched or stored: the next pull goes on where this one ended.
        """
        entry = self.entry(name)
        for event in self._runs.watch(name, partial(self._install, entry), is_wanted):
            yield progress_at(entry, event) if isinstance(event, float) else event

    def verify(self, names: Sequence[str], is_wanted: Callable[[], bool]) -> tuple[Model, ...]:
        """Read installed models (none named: all) from end to end; mark the damaged ones, unmark the others.

        A model whose files are whole, but could not be loaded, stays marked: reading them tells nothing new.
        Raises NotFound for a model that is not installed.
        """
        there = [model.name for model in self.models() if model.state is not ModelState.AVAILABLE]
        for name in names:
            if name not in there:
                raise self._not_installed(name)
        return tuple(self._verified(name, control_of(is_wanted)) for name in names or there)

    def add(self, addition: Addition, inspect: Inspector, is_wanted: Callable[[], bool]) -> Model:
        """Install a model of one's own; `inspect` loads it to learn its stems and audio.

        Raises ModelRejected, and leaves nothing behind, for files that are no model, and for a name that another model
        has: an engine's own, one of the catalogue, one that is installed.
        """
        if addition.name == STARTER_MODEL:
            message = f"{addition.name} is the model of the built-in engine: choose another name"
            raise ModelRejected(message, {"model": addition.name})
        bag = self._bag(addition)
        entry = self._catalogue.get(addition.name) or entry_of_addition(addition, bag)
        if _digests(entry.files) != _digests(bag.files):
            message = f"{entry.name} is a name of the catalogue, and these are not its files: choose another name"
            raise ModelRejected(message, {"model": entry.name})
        with self._shelf.claim(entry.name, control_of(is_wanted)) as build:
            try:
                self._require_own_name(entry)
                entry = checked(self._inspected(entry, build, inspect))
                build.publish(entry, self._clock())
            except StemhouseError:
                build.discard()
                raise
        return entry.in_state(ModelState.INSTALLED)

    def note_failed_load(self, engine_id: str, details: Mapping[str, str], control: TaskControl) -> None:
        """Mark the model that could not be loaded as an engine tells it, unless it was installed again since then.

        Raises nothing of its own: where the folder cannot be had soon, only this store remembers.
        """
        name, stamp = details["model"], details.get(LOADED_STAMP, "")
        try:
            with self._shelf.claim(name, _impatient(control)):
                entry = self._installed().get(name)
                is_same = entry is not None and stamp == self._shelf.stamp(name)
                if entry and is_same and is_engine_of(entry, engine_id):
                    self._note(entry, details, control)
        except (Cancelled, StorageUnavailable, OSError):
            if FOUND_SHA256 not in details:  # the engine has seen the promised files: they will not load next time
                self._shelf.remember_unloadable(name, details[FAILED_LOAD], stamp)

    def _note(self, entry: ModelEntry, details: Mapping[str, str], control: TaskControl) -> None:
        """Of a file that the engine found changed, reading it again decides: it may have been mended."""
        if not self._reread(entry, control) and FOUND_SHA256 not in details:
            self._shelf.mark_unloadable(entry.name, details[FAILED_LOAD])

    def _install(self, entry: ModelEntry, control: TaskControl) -> Model:
        with self._shelf.claim(entry.name, control) as build:
            if not self._is_installed(entry):
                self._fetch_all(entry, build, control)
                build.publish(entry, self._clock())
        return entry.in_state(ModelState.INSTALLED)

    def _is_installed(self, entry: ModelEntry) -> bool:
        found = self._installed().get(entry.name)
        return found is not None and not self._problem(found)

    def _fetch_all(self, entry: ModelEntry, build: ModelBuild, control: TaskControl) -> None:
        before_bytes = 0
        for file in entry.files:
            if not build.holds(file):
                build.fetch(file, self._origins.catalogue, _Arrivals(before_bytes, entry.size_bytes, control))
            before_bytes += file.size_bytes
            control.report(before_bytes / entry.size_bytes)

    def _bag(self, addition: Addition) -> Bag:
        found = uvr_bag(addition.files)
        if found:
            return found
        upload = sort_upload(addition.files)
        if not upload.bag:
            return Bag(upload.checkpoints)
        return bag_from_yaml(self._document(addition.name, upload.bag), upload.bag.name, upload.checkpoints)

    def _document(self, name: str, file: ModelFile) -> bytes:
        """A small file that was uploaded; no more of it is held than it says that it has."""
        document = b""
        with closing(self._origins.uploads.read(name, file, 0)) as delivery:
            for chunk in delivery.chunks:
                document += chunk
                if len(document) > file.size_bytes:
                    break
        if (len(document), sha256(document).hexdigest()) != (file.size_bytes, file.sha256):
            message = f"{file.name} is not the file that was uploaded: its size or its digest differs"
            raise ModelRejected(message, {"file": file.name})
        return document

    def _inspected(self, entry: ModelEntry, build: ModelBuild, inspect: Inspector) -> ModelEntry:
        for file in entry.files:
            build.fetch(file, self._origins.uploads, lambda _: None)
        shape = inspect(InspectModelTask(build.folder, entry))
        if shape.audio_format.channel_count != _STEREO:
            message = f"{entry.name} works on {shape.audio_format.channel_count} channels: only stereo models are taken"
            raise ModelRejected(message, {"model": entry.name})
        is_listed = entry.name in self._catalogue
        return entry if is_listed else replace(entry, stems=shape.stems, audio_format=shape.audio_format)

    def _require_own_name(self, entry: ModelEntry) -> None:
        installed = self._installed().get(entry.name)
        if installed and entry.name not in self._catalogue and _content(installed) != _content(entry):
            files = ", ".join(file.name for file in installed.files)
            message = f"{entry.name} is installed already, with other files ({files}): choose another name"
            raise ModelRejected(message, {"model": entry.name})

    def _verified(self, name: str, control: TaskControl) -> Model:
        with self._shelf.claim(name, control):  # a pull that puts other files there must not look like damage
            entry, broken = self._installed().get(name), self._shelf.broken().get(name)
            if entry is None and broken is None:
                raise self._not_installed(name)
            if entry:
                self._reread(entry, control)
            return self._model(name, entry, broken)

    def _reread(self, entry: ModelEntry, control: TaskControl) -> str:
        """What is wrong with the files of a model that is claimed; the mark says the same afterwards."""
        found = self._shelf.read_through(entry, control)
        if found:
            self._shelf.mark_damaged(entry.name, found)
        else:
            self._shelf.unmark_damaged(entry.name)
        return found

    def _listed(self, installed: Mapping[str, ModelEntry]) -> tuple[Model, ...]:
        broken = self._shelf.broken()
        others = sorted({*installed, *broken} - set(self._catalogue))
        return tuple(self._model(name, installed.get(name), broken.get(name)) for name in [*self._catalogue, *others])

    def _model(self, name: str, entry: ModelEntry | None, broken: str | None) -> Model:
        """By the record that is there, or by what is wrong with it; without either it is one of the catalogue."""
        if entry:
            return _in_its_state(entry, self._problem(entry))
        listed = self._catalogue.get(name)
        if broken is None and listed:
            return listed.in_state(ModelState.AVAILABLE)
        if listed:
            return listed.in_state(ModelState.DAMAGED, broken or "")
        return Model(name, DEMUCS, (), 0, "", "", ModelState.DAMAGED, broken or "")

    def _not_installed(self, name: str) -> NotFound:
        return NotFound(f"the model {name} is not installed: {self._remedy(name)}", {"model": name})

    def _installed(self) -> dict[str, ModelEntry]:
        """In the order of the catalogue, then by name."""
        found = {entry.name: entry for entry in self._shelf.entries()}
        return {name: found[name] for name in {**self._catalogue, **found} if name in found}

    def _problem(self, entry: ModelEntry) -> str:
        return self._strangeness(entry) or self._shelf.problem(entry)

    def _strangeness(self, entry: ModelEntry) -> str:
        listed = self._catalogue.get(entry.name)
        is_strange = listed is not None and _essence(listed) != _essence(entry)
        return "what is installed is not what the catalogue has by this name" if is_strange else ""

    def _remedy(self, name: str) -> str:
        return f"stemhouse models {f'pull {name}' if name in self._catalogue else f'add FILE... --name {name}'}"

    def _first_remedy(self, engine: str) -> str:
        return next(
            (self._remedy(entry.name) for entry in self._catalogue.values() if entry.engine == engine),
            "stemhouse models add FILE... --name NAME",
        )


def merged_catalogue(built_in: Sequence[ModelEntry], own: Sequence[ModelEntry]) -> tuple[ModelEntry, ...]:
    """Both, the built-in one first; where a name is in both, one's own entry takes its place."""
    return tuple({**{entry.name: entry for entry in built_in}, **{entry.name: entry for entry in own}}.values())


def progress_at(entry: ModelEntry, share: float) -> PullProgress:
    """What a share of all bytes means in a model whose files come one after the other."""
    done_bytes = round(share * entry.size_bytes)
    end_bytes = 0
    for file in entry.files:
        end_bytes += file.size_bytes
        if done_bytes < end_bytes:
            break
    return PullProgress(file.name, done_bytes, entry.size_bytes)


def _impatient(control: TaskControl) -> TaskControl:
    """Gives up by itself: a claim asks before each try, and each is short."""
    asked = count()
    return TaskControl(lambda: control.is_cancelled() or next(asked) >= _NOTE_TRIES)


@dataclass(frozen=True)
class _Arrivals:
    """Tells the share of a whole model when it hears of the bytes of one file."""

    before_bytes: int
    total_bytes: int
    control: TaskControl

    def __call__(self, arrived_bytes: int) -> None:
        self.control.report((self.before_bytes + arrived_bytes) / self.total_bytes)


def _in_its_state(entry: ModelEntry, problem: str) -> Model:
    return entry.in_state(ModelState.DAMAGED if problem else ModelState.INSTALLED, problem)


def _digests(files: Sequence[ModelFile]) -> list[str]:
    return sorted(file.sha256 for file in files)


def _content(entry: ModelEntry) -> tuple[object, ...]:
    """What was given to make it."""
    return [file.sha256 for file in entry.files], entry.weights, entry.segment_s


def _essence(entry: ModelEntry) -> tuple[object, ...]:
    """All that a model does depends on; not what its files are called."""
    digests = [file.sha256 for file in entry.files]
    return entry.engine, entry.stems, entry.audio_format, digests, entry.weights, entry.segment_s
