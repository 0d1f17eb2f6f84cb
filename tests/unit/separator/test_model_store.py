"""The model store over real folders: what it installs, what it refuses, and how it tells damage."""

import dataclasses
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import pytest

from services.separator.adapters.model_origins import FolderOrigin
from services.separator.core.control import control_of
from services.separator.core.model_ports import Delivery
from services.separator.core.models import ModelFile
from stemhouse.errors import Cancelled, ModelRejected, NotFound, StorageUnavailable
from stemhouse.jobs import EngineGap
from stemhouse.models import ModelState, PullProgress
from tests.fakes_separator import UNWATCHED
from tests.model_house import SIZE_BYTES, ModelHouse, file_of, model_entry, noise, pulled, wanted

GOOD = noise(1)
CUT = GOOD[:60_000]
TAMPERED = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
OTHER = noise(2)


@pytest.fixture
def house(tmp_path: Path) -> ModelHouse:
    """A mirror that holds what the catalogue promises, and nothing installed."""
    house = ModelHouse(tmp_path)
    house.offer(GOOD)
    return house


class CountingOrigin(FolderOrigin):
    """Remembers what it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read_files: list[str] = []

    def read(self, model: str, file: ModelFile, offset_bytes: int) -> Delivery:
        """See ModelOrigin.read."""
        self.read_files.append(file.name)
        return super().read(model, file, offset_bytes)


def test_pull_installs_and_records(house: ModelHouse) -> None:
    """Progress first, then the model; nothing else is left."""
    events = pulled(house.store)
    assert events[-1] == model_entry().in_state(ModelState.INSTALLED)
    assert all(isinstance(event, PullProgress) and event.total_bytes == SIZE_BYTES for event in events[:-1])
    assert house.installed_files() == {"aa.safetensors", "model.json"}
    assert (house.root / "htdemucs" / "aa.safetensors").read_bytes() == GOOD
    record = json.loads((house.root / "htdemucs" / "model.json").read_bytes())
    assert (record["licence_note"], record["installed_at"]) == ("Noise is free.", "2026-05-04T03:02:01+00:00")


def test_installed_model_is_not_fetched_again(house: ModelHouse) -> None:
    """Not even asked for, and nothing is written."""
    house.pull()
    (house.mirror / "htdemucs" / "aa.safetensors").unlink()
    record = house.root / "htdemucs" / "model.json"
    before = record.stat()
    assert house.pull().state is ModelState.INSTALLED
    assert (record.stat().st_ino, record.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_unknown_model_is_not_found(house: ModelHouse) -> None:
    """The error tells what there is."""
    with pytest.raises(NotFound, match="no model htdemux in the catalogue, which has htdemucs"):
        house.pull("htdemux")


@pytest.mark.parametrize(
    ("content", "found"),
    [(CUT, "60000 bytes"), (TAMPERED, "100000 bytes of SHA-256"), (OTHER, file_of("", OTHER).sha256)],
    ids=["truncated", "tampered", "wrong digest"],
)
def test_pull_refuses_what_was_not_promised(content: bytes, found: str, house: ModelHouse) -> None:
    """Both sizes, both digests and the place are told; nothing is kept, so that the next pull starts afresh."""
    house.offer(content)
    with pytest.raises(ModelRejected, match=r"aa\.safetensors from .*mirror.* is not what was promised") as caught:
        house.pull()
    promised = model_entry().files[0]
    for part in (found, str(len(content)), f"not {SIZE_BYTES} bytes", promised.sha256, file_of("", content).sha256):
        assert part in caught.value.message
    assert not house.partial(promised).exists()
    assert house.store.models()[0].state is ModelState.AVAILABLE
    house.offer(GOOD)
    assert house.pull().state is ModelState.INSTALLED


def test_pull_refuses_more_than_was_promised(house: ModelHouse) -> None:
    """As soon as it comes."""
    house.offer(GOOD + b"x")
    with pytest.raises(ModelRejected, match="it has more than 100000 bytes"):
        house.pull()
    assert not house.partial(model_entry().files[0]).exists()


def test_partial_file_that_is_too_long_is_begun_again(house: ModelHouse) -> None:
    """Nothing good can come of it."""
    partial = house.partial(model_entry().files[0])
    partial.parent.mkdir(parents=True)
    partial.write_bytes(OTHER * 2)
    assert house.pull().state is ModelState.INSTALLED


@pytest.mark.parametrize("name", [f"{file_of('', GOOD).sha256}.partial", "aa.safetensors"])
def test_whole_file_of_a_killed_pull_needs_no_origin(name: str, house: ModelHouse) -> None:
    """Killed before it was checked, or before it was installed: it is checked and installed."""
    incoming = house.partial(model_entry().files[0]).parent
    incoming.mkdir(parents=True)
    (incoming / name).write_bytes(GOOD)
    (house.mirror / "htdemucs" / "aa.safetensors").unlink()
    assert house.pull().state is ModelState.INSTALLED


def test_pull_repairs_only_what_is_damaged(house: ModelHouse) -> None:
    """Of two files one is whole: it is read, and not fetched."""
    entry = model_entry(files=[file_of("aa.safetensors", GOOD), file_of("bb.safetensors", OTHER)])
    house.catalogue = [entry]
    house.install(entry, TAMPERED, OTHER)
    assert house.store.verify(["htdemucs"], wanted)[0].state is ModelState.DAMAGED
    assert pulled(house.store)[-1] == entry.in_state(ModelState.INSTALLED)
    assert house.installed_files() == {"aa.safetensors", "bb.safetensors", "model.json"}
    assert house.store.verify([], wanted) == (entry.in_state(ModelState.INSTALLED),)


def test_newer_files_of_the_catalogue_replace_older_ones(house: ModelHouse) -> None:
    """Until then the model counts as damaged, since its name means the catalogue's files."""
    old = model_entry(files=[file_of("old.safetensors", OTHER)])
    house.install(old, OTHER)
    listed = house.store.models()[0]
    assert (listed.state, listed.problem) == (
        ModelState.DAMAGED,
        "what is installed is not what the catalogue has by this name",
    )
    house.pull()
    assert house.installed_files() == {"aa.safetensors", "model.json"}


def test_failed_pull_leaves_an_installed_model_as_it_was(house: ModelHouse) -> None:
    """It is replaced only when all files of the new one are there."""
    old = model_entry(files=[file_of("old.safetensors", OTHER)])
    house.install(old, OTHER)
    house.offer(CUT)
    with pytest.raises(ModelRejected):
        house.pull()
    house.catalogue = [old]
    assert house.store.verify([], wanted) == (old.in_state(ModelState.INSTALLED),)


def test_two_pulls_at_once_fetch_once(house: ModelHouse) -> None:
    """Of two stores on one folder, as two processes have it: the other one waits, and finds it installed."""
    house.origin = origin = CountingOrigin(house.mirror)
    with ThreadPoolExecutor(2) as callers:
        with house.shelf.claim("htdemucs", UNWATCHED):
            pulls = [callers.submit(house.pull) for _ in range(2)]
            time.sleep(0.3)
            assert origin.read_files == []
        assert [pull.result().state for pull in pulls] == [ModelState.INSTALLED] * 2
    assert origin.read_files == ["aa.safetensors"]


def test_caller_who_leaves_stops_the_pull(house: ModelHouse) -> None:
    """Also while it waits for another one; what has come stays."""
    with house.shelf.claim("htdemucs", UNWATCHED), pytest.raises(Cancelled):
        list(house.store.pull("htdemucs", lambda: False))
    with (
        house.shelf.claim("htdemucs", UNWATCHED),
        pytest.raises(Cancelled),
        house.shelf.claim("htdemucs", control_of(lambda: False)),
    ):
        pytest.fail("two callers have one folder")


def test_disk_that_is_full_is_told_and_the_partial_file_is_kept(house: ModelHouse) -> None:
    """The device says so at the first byte."""
    partial = house.partial(model_entry().files[0])
    partial.parent.mkdir(parents=True)
    partial.symlink_to("/dev/full")
    with pytest.raises(StorageUnavailable, match=r"No space left on device.*make room and try again"):
        house.pull()
    assert partial.is_symlink()


def test_folder_that_is_none_is_told(house: ModelHouse) -> None:
    """For example a file of that name."""
    house.root.write_text("not a folder")
    with pytest.raises(StorageUnavailable, match="the folder of models cannot be used"):
        house.pull()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "aa.safetensors is missing"),
        (CUT, "aa.safetensors has 60000 bytes instead of 100000"),
        (TAMPERED, f"aa.safetensors has the SHA-256 {file_of('', TAMPERED).sha256} instead of"),
        (OTHER, f"aa.safetensors has the SHA-256 {file_of('', OTHER).sha256} instead of"),
    ],
    ids=["missing", "truncated", "tampered", "wrong digest"],
)
def test_verify_finds_and_marks_damage(content: bytes | None, problem: str, house: ModelHouse) -> None:
    """Until the file is whole again, nobody offers the model."""
    house.pull()
    path = house.root / "htdemucs" / "aa.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    (found,) = house.store.verify([], wanted)
    assert found.state is ModelState.DAMAGED
    assert found.problem.startswith(problem)
    assert house.store.models() == (found,)
    assert house.store.survey(["demucs"]).usable == ()
    path.write_bytes(GOOD)
    assert house.store.models()[0].state is ModelState.DAMAGED  # the mark, which only reading it all takes away
    assert house.store.verify(["htdemucs"], wanted)[0].state is ModelState.INSTALLED
    assert house.store.survey(["demucs"]).usable == (model_entry(),)


def test_verify_reads_what_a_pull_beside_it_has_installed(house: ModelHouse) -> None:
    """Not what was there when it began to wait: a good model would be marked."""
    house.install(model_entry(files=[file_of("aa.safetensors", OTHER)]), OTHER)
    with ThreadPoolExecutor(1) as callers:
        with house.shelf.claim("htdemucs", UNWATCHED):
            verified = callers.submit(house.store.verify, ["htdemucs"], wanted)
            time.sleep(0.3)
            house.install(model_entry(), GOOD)
        assert verified.result() == (model_entry().in_state(ModelState.INSTALLED),)
    assert house.store.models() == (model_entry().in_state(ModelState.INSTALLED),)


def test_model_that_is_gone_when_verify_has_its_turn_is_not_found(house: ModelHouse) -> None:
    """Somebody has removed its folder."""
    house.pull()
    with ThreadPoolExecutor(1) as callers:
        with house.shelf.claim("htdemucs", UNWATCHED):
            verified = callers.submit(house.store.verify, ["htdemucs"], wanted)
            time.sleep(0.3)
            (house.root / "htdemucs" / "model.json").unlink()
        with pytest.raises(NotFound, match="not installed: stemhouse models pull htdemucs"):
            verified.result()


def test_only_installed_models_can_be_verified(house: ModelHouse) -> None:
    """The error names the command that installs it."""
    with pytest.raises(NotFound, match="not installed: stemhouse models pull htdemucs"):
        house.store.verify(["htdemucs"], wanted)


def test_verify_stops_when_the_caller_leaves(house: ModelHouse) -> None:
    """Models are large."""
    house.pull()
    with pytest.raises(Cancelled):
        house.store.verify([], lambda: False)


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        (lambda path: path.write_bytes(b"{"), ModelState.DAMAGED),
        (lambda path: path.rename(path.parent / "x"), ModelState.AVAILABLE),
    ],
    ids=["broken", "missing"],
)
def test_model_without_a_sound_record_cannot_be_used(
    spoil: Callable[[Path], object], state: ModelState, house: ModelHouse
) -> None:
    """A pull makes it good without fetching anything."""
    house.pull()
    spoil(house.root / "htdemucs" / "model.json")
    assert house.store.models()[0].state is state
    assert house.store.survey(["demucs"]).usable == ()
    (house.mirror / "htdemucs" / "aa.safetensors").unlink()
    assert house.pull().state is ModelState.INSTALLED


@pytest.mark.parametrize("name", ["htdemucs", "mine"])
def test_broken_record_does_not_hide_the_model(name: str, house: ModelHouse) -> None:
    """It is listed with the reason, also by `verify` and as a gap; of one's own little more than the name is known."""
    house.install(dataclasses.replace(model_entry(), name=name), GOOD)
    (house.root / name / "model.json").write_bytes(b"[]")
    (model,) = house.store.verify([name], wanted)
    assert (model.name, model.engine, model.state) == (name, "demucs", ModelState.DAMAGED)
    assert model.problem.endswith("model.json is not a model's record: a model must be an object")
    assert model in house.store.models()
    remedy = "pull htdemucs" if name == "htdemucs" else "add FILE... --name mine"
    gap = EngineGap("demucs", f"{name}: {model.problem}", f"stemhouse models {remedy}")
    assert house.store.survey(["demucs"]).gaps == (gap,)


def test_record_in_a_folder_of_another_name_is_broken(house: ModelHouse) -> None:
    """A copied folder must not be offered twice, nor one model by the name of another; odd names are passed over."""
    house.pull()
    copytree(house.root / "htdemucs", house.root / "Old")
    (house.root / "htdemucs").rename(house.root / "mine")
    assert [(model.name, model.state) for model in house.store.models()] == [
        ("htdemucs", ModelState.AVAILABLE),
        ("mine", ModelState.DAMAGED),
    ]
    assert house.store.models()[1].problem.endswith("is the record of htdemucs, in another folder")
    assert house.store.survey(["demucs"]).usable == ()


def test_models_are_listed_in_the_order_of_the_catalogue(house: ModelHouse) -> None:
    """One's own come behind."""
    second = model_entry("htdemucs_ft", [file_of("bb.th", OTHER)])
    house.catalogue = [model_entry(), second]
    own = dataclasses.replace(model_entry("a-first", [file_of("cc.th", OTHER)]), origin="added by its user")
    house.install(own, OTHER)
    house.install(second, OTHER)
    assert [(model.name, model.state.value) for model in house.store.models()] == [
        ("htdemucs", "available"),
        ("htdemucs_ft", "installed"),
        ("a-first", "installed"),
    ]
    assert [entry.name for entry in house.store.survey(["demucs"]).usable] == ["htdemucs_ft", "a-first"]


def test_survey_names_what_is_missing_and_what_helps(house: ModelHouse) -> None:
    """No model at all; then a damaged one; engines that need none have no gap."""
    assert house.store.survey([]).gaps == ()
    missing = EngineGap("demucs", "no model is installed", "stemhouse models pull htdemucs")
    assert house.store.survey(["demucs"]).gaps == (missing,)
    house.install(model_entry(), CUT)
    cause = "htdemucs: aa.safetensors has 60000 bytes instead of 100000"
    assert house.store.survey(["demucs"]).gaps == (EngineGap("demucs", cause, "stemhouse models pull htdemucs"),)
    house.pull()
    assert house.store.survey(["demucs"]).gaps == ()
