"""The rack: engines that are always there, and one at a time from the installed models."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import MARKS, InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.core.models import (
    DEMUCS,
    FAILED_LOAD,
    LOADED_STAMP,
    InspectModelTask,
    ModelEntry,
    ModelShape,
    demucs_spec,
    demucs_specs,
)
from services.separator.core.ports import DeviceGreeting, Engine, EngineSpec, Mixture, StemBlocks
from services.separator.core.results import SeparateTask
from services.separator.worker import device_workshop
from stemhouse.errors import EngineUnavailable, ModelRejected, Unavailable
from stemhouse.vocab import BASE_STEMS
from tests.fakes_separator import UNWATCHED, FakeEngine, SeparatorHouse
from tests.signals import song
from tests.tiny_demucs import CD_STEREO, install_tiny, install_tiny_tuned


@dataclass(frozen=True)
class SilentEngine:
    """Engine of a model; nobody runs it."""

    spec: EngineSpec

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        return iter(())


@dataclass
class FakeLoader:
    """ModelLoader that notes what it loads, refuses models called bad, and has no room for those called huge."""

    loaded: list[str] = field(default_factory=list)

    def load(self, folder: Path, entry: ModelEntry, spec: EngineSpec) -> Engine:
        """See ModelLoader.load."""
        assert folder.name == entry.name
        self.loaded.append(entry.name)
        if entry.name == "bad":
            raise ModelRejected("a.th is not the file that was promised", {"file": "a.th"})
        if entry.name == "huge":
            raise MemoryError
        return SilentEngine(spec)

    def inspect(self, folder: Path, entry: ModelEntry) -> ModelShape:
        """See ModelLoader.inspect."""
        if entry.name == "huge":
            raise MemoryError
        return ModelShape((folder.name,), CD_STEREO)


@pytest.fixture
def loader() -> FakeLoader:
    """A loader."""
    return FakeLoader()


@pytest.fixture
def rack(tmp_path: Path, loader: FakeLoader) -> EngineRack:
    """A rack over what is installed in the test's folder."""
    return EngineRack([FakeEngine()], InstalledModels(tmp_path), {DEMUCS: loader})


def _engine_id(entry: ModelEntry) -> str:
    return demucs_spec(entry).engine_id


def test_greeting_tells_what_is_ready_and_what_could_be(rack: EngineRack) -> None:
    """Specs of the one, names of the other."""
    assert rack.greeting == DeviceGreeting((FakeEngine().spec,), (DEMUCS,))


def test_ready_engine_needs_no_model(rack: EngineRack, loader: FakeLoader) -> None:
    """It is there at once."""
    assert rack.engine("fake-shares-1").spec.name == "fake"
    assert loader.loaded == []


def test_model_is_loaded_once_and_goes_for_the_next(rack: EngineRack, loader: FakeLoader, tmp_path: Path) -> None:
    """Installed after the rack was made, and found all the same."""
    one, other = (_engine_id(install_tiny(tmp_path, name)) for name in ("one", "other"))
    given = [rack.engine(engine_id).spec.model for engine_id in (one, one, other, other, one)]
    assert given == ["one", "one", "other", "other", "one"]
    assert loader.loaded == ["one", "other", "one"]


def test_vocals_alone_are_an_engine_of_their_own(rack: EngineRack, loader: FakeLoader, tmp_path: Path) -> None:
    """Of the same model, loaded as its spec says."""
    specs = demucs_specs(install_tiny_tuned(tmp_path))
    assert [rack.engine(spec.engine_id).spec for spec in specs] == list(specs)
    assert loader.loaded == ["tinytuned", "tinytuned"]


def test_engine_that_nobody_has_is_named(rack: EngineRack, tmp_path: Path) -> None:
    """Also if a model of that name is installed, but with other weights."""
    install_tiny(tmp_path)
    with pytest.raises(EngineUnavailable, match="no engine demucs-tiny-00000000"):
        rack.engine("demucs-tiny-00000000-ov25-sh0-fp32")


def test_model_that_cannot_be_loaded_is_told_with_the_remedy(rack: EngineRack, tmp_path: Path) -> None:
    """The details tell the server to mark it; here nothing is written, since nobody has the lock of the folder."""
    entry = install_tiny(tmp_path, "bad")
    with pytest.raises(EngineUnavailable, match=r"model bad .* a\.th .*: stemhouse models pull bad") as caught:
        rack.engine(_engine_id(entry))
    told = {FAILED_LOAD: "a.th is not the file that was promised", "file": "a.th", "engine": DEMUCS, "model": "bad"}
    assert caught.value.details == {**told, LOADED_STAMP: InstalledModels(tmp_path).stamp("bad")}
    assert InstalledModels(tmp_path).problem(entry) == ""


def test_too_little_memory_is_not_the_models_fault(rack: EngineRack, tmp_path: Path) -> None:
    """Another try may get over it, so nothing tells the server to mark the model."""
    entry = install_tiny(tmp_path, "huge")
    with pytest.raises(Unavailable, match="too little memory to load the model huge") as loaded:
        rack.engine(_engine_id(entry))
    with pytest.raises(Unavailable, match="too little memory to load the model huge") as inspected:
        rack.inspect(InspectModelTask(str(tmp_path / "huge"), entry))
    for caught in (loaded.value, inspected.value):
        assert (caught.reason, FAILED_LOAD in caught.details) == (Unavailable.reason, False)


@pytest.mark.parametrize("mark", MARKS)
def test_marked_model_is_not_loaded(mark: str, rack: EngineRack, loader: FakeLoader, tmp_path: Path) -> None:
    """Whoever has found it out."""
    entry = install_tiny(tmp_path)
    (tmp_path / entry.name / mark).write_text("found before")
    with pytest.raises(EngineUnavailable, match="found before; install it again with: stemhouse models pull tiny"):
        rack.engine(_engine_id(entry))
    assert loader.loaded == []


def test_model_whose_file_is_gone_is_not_loaded(rack: EngineRack, loader: FakeLoader, tmp_path: Path) -> None:
    """What can be seen at a glance is told at once."""
    entry = install_tiny(tmp_path)
    (tmp_path / entry.name / entry.files[0].name).unlink()
    with pytest.raises(EngineUnavailable, match="stemhouse models pull tiny"):
        rack.engine(_engine_id(entry))
    assert loader.loaded == []


def test_without_loaders_no_model_can_be_used(tmp_path: Path) -> None:
    """A separator without demucs says so."""
    rack = EngineRack([FakeEngine()], InstalledModels(tmp_path))
    entry = install_tiny(tmp_path)
    assert rack.greeting.model_engines == ()
    with pytest.raises(EngineUnavailable, match="no engine demucs"):
        rack.engine(_engine_id(entry))
    with pytest.raises(EngineUnavailable, match="no engine demucs"):
        rack.inspect(InspectModelTask(str(tmp_path), entry))


def test_device_worker_separates_by_an_installed_model(tmp_path: Path) -> None:
    """From the record in the folder to stems in the store, in mono at 48 kHz, with the versions that made them."""
    from services.separator.adapters.demucs.engine import DemucsModels  # noqa: PLC0415 - the rest needs no torch

    house = SeparatorHouse(tmp_path / "house")
    entry = install_tiny(tmp_path / "models")
    rack = EngineRack([], InstalledModels(tmp_path / "models"), {DEMUCS: DemucsModels()})
    workshop = device_workshop(house.store, ScratchRoot(tmp_path / "scratch"), rack)
    audio = house.audio(song(20_000, 48_000, channel_count=1), 48_000)
    stem_set = workshop.perform(SeparateTask(audio, _engine_id(entry)), UNWATCHED)
    assert workshop.perform(InspectModelTask(str(tmp_path / "models" / "tiny"), entry), UNWATCHED) == ModelShape(
        BASE_STEMS, CD_STEREO
    )
    workshop.close()
    assert (stem_set.engine, stem_set.model, stem_set.engine_id) == (DEMUCS, "tiny", _engine_id(entry))
    assert {"demucs", "safetensors", "torch"} <= set(stem_set.versions)
    assert sum(block.sum() for block in house.stems(stem_set).values()) == house.integers(audio.object_key).sum()
