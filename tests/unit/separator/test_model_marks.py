"""Models that do not load: marked by whom, for how long, and never a healthy one."""

import os
from pathlib import Path

import pytest

from services.separator.adapters.installed_models import MARKS
from services.separator.core.models import FAILED_LOAD, FOUND_SHA256, LOADED_STAMP, demucs_spec
from stemhouse.jobs import EngineGap
from stemhouse.models import ModelState
from tests.fakes_separator import UNWATCHED
from tests.model_house import ModelHouse, model_entry, noise, pulled, wanted

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


def failed_load(house: ModelHouse, problem: str) -> tuple[str, dict[str, str]]:
    """The engine of the catalogue's model, and what its worker would tell."""
    details = {"model": "htdemucs", FAILED_LOAD: problem, LOADED_STAMP: house.shelf.stamp("htdemucs")}
    return demucs_spec(model_entry()).engine_id, details


def keep_marks_from(house: ModelHouse) -> None:
    """As a read-only volume would: folders lie where the marks should be written."""
    for mark in MARKS:
        (house.root / "htdemucs" / mark).mkdir()


@pytest.mark.parametrize("is_read_only", [False, True])
def test_damage_that_a_load_has_found_is_marked(is_read_only: bool, house: ModelHouse) -> None:  # noqa: FBT001 - a case
    """Also where no mark can be written; until the file is whole again, or the model is installed again."""
    house.pull()
    if is_read_only:
        keep_marks_from(house)
    store, path = house.store, house.root / "htdemucs" / "aa.safetensors"
    path.write_bytes(TAMPERED)
    store.note_failed_load(*failed_load(house, "not promised"), UNWATCHED)
    assert store.survey(["demucs"]).usable == ()
    (gap,) = store.survey(["demucs"]).gaps
    assert gap.cause.startswith("htdemucs: aa.safetensors has the SHA-256")
    path.write_bytes(GOOD)
    assert store.models()[0].state is ModelState.DAMAGED
    assert store.verify([], wanted) == (model_entry().in_state(ModelState.INSTALLED),)
    assert store.survey(["demucs"]).usable == (model_entry(),)


@pytest.mark.parametrize("is_read_only", [False, True])
def test_whole_model_that_does_not_load_stays_marked(is_read_only: bool, house: ModelHouse) -> None:  # noqa: FBT001 - a case
    """Reading its files tells nothing new; only to install it again is worth another attempt."""
    house.pull()
    if is_read_only:
        keep_marks_from(house)
    store = house.store
    store.note_failed_load(*failed_load(house, "aa.safetensors has no state"), UNWATCHED)
    damaged = model_entry().in_state(ModelState.DAMAGED, "aa.safetensors has no state")
    assert store.verify(["htdemucs"], wanted) == (damaged,)
    assert store.models() == (damaged,)
    cause = "htdemucs: aa.safetensors has no state"
    assert store.survey(["demucs"]).gaps == (EngineGap("demucs", cause, "stemhouse models pull htdemucs"),)
    for mark in MARKS if is_read_only else ():
        (house.root / "htdemucs" / mark).rmdir()
    assert pulled(store)[-1] == model_entry().in_state(ModelState.INSTALLED)
    assert store.verify([], wanted) == (model_entry().in_state(ModelState.INSTALLED),)


def test_failed_load_of_a_model_that_is_another_by_now_marks_nothing(house: ModelHouse) -> None:
    """A pull may have replaced it, or somebody removed it, while the engine tried."""
    house.pull()
    _, details = failed_load(house, "not promised")
    house.store.note_failed_load("demucs-htdemucs-00000000-ov25-sh0-fp32", details, UNWATCHED)
    house.store.note_failed_load("demucs-gone-00000000-ov25-sh0-fp32", {**details, "model": "gone"}, UNWATCHED)
    assert house.store.models() == (model_entry().in_state(ModelState.INSTALLED),)


def test_failed_load_of_files_that_were_mended_since_marks_nothing(house: ModelHouse) -> None:
    """They are of the same engine: only the record tells that they were installed again."""
    house.pull()
    engine_id, details = failed_load(house, "it is cut")
    house.store.note_failed_load(engine_id, {**details, LOADED_STAMP: "1"}, UNWATCHED)
    assert house.store.models() == (model_entry().in_state(ModelState.INSTALLED),)


def test_file_that_only_the_engine_found_changed_is_not_marked(house: ModelHouse) -> None:
    """Reading it again decides."""
    house.pull()
    engine_id, details = failed_load(house, "not promised")
    house.store.note_failed_load(engine_id, {**details, FOUND_SHA256: "0" * 64}, UNWATCHED)
    assert house.store.models() == (model_entry().in_state(ModelState.INSTALLED),)


def test_failed_load_does_not_wait_for_a_pull(house: ModelHouse) -> None:
    """It is remembered until the pull has put new files there; what a pull may mend is not even remembered."""
    house.pull()
    store = house.store
    engine_id, details = failed_load(house, "it is cut")
    with house.shelf.claim("htdemucs", UNWATCHED):
        store.note_failed_load(engine_id, {**details, FOUND_SHA256: "0" * 64}, UNWATCHED)
        assert store.models()[0].state is ModelState.INSTALLED
        store.note_failed_load(engine_id, details, UNWATCHED)
        assert store.models()[0].problem == "it is cut"
        os.utime(house.root / "htdemucs" / "model.json", ns=(1, 1))
    assert store.models()[0].state is ModelState.INSTALLED


def test_failed_load_is_remembered_where_the_folder_cannot_be_locked(house: ModelHouse) -> None:
    """Trouble with the lock must not hide why the engine failed."""
    house.pull()
    (house.root / ".htdemucs.lock").unlink(missing_ok=True)
    (house.root / ".htdemucs.lock").mkdir()
    store = house.store
    store.note_failed_load(*failed_load(house, "it is cut"), UNWATCHED)
    assert store.models()[0].problem == "it is cut"
