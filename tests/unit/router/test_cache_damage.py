"""Results and audio in the store that are not what they were: noticed, told, made anew."""

import io

import pytest

from services.router.core.cache_ports import entry_of_stems
from stemhouse.errors import NotFound, ResultGone
from stemhouse.jobs import CacheHit, SeparationRequest, SeparationResult
from stemhouse.vocab import Stage
from tests.fakes_router import STARTER, audio, source, stem_set
from tests.unit.router.test_pipeline import FLAC, FULL_WAY, House

REQUEST = SeparationRequest(source())
FOLDER = entry_of_stems(stem_set()).place


@pytest.fixture
def house() -> House:
    """A fresh one, with one result of which every size was noted."""
    house = House()
    house.separators.stored_bytes = len(FLAC)
    house.run(REQUEST)
    return house


def run_again(house: House) -> SeparationResult:
    """Another job; what the separator found in the store before it began is asserted to be no result."""
    house.separators.before_result = lambda: _no_result(house)
    return house.run(REQUEST)


def _no_result(house: House) -> None:
    assert f"{FOLDER}/manifest.json" not in house.store.objects


@pytest.mark.parametrize(
    ("name", "content", "damage"),
    [
        ("vocals.flac", None, "vocals.flac is missing"),
        ("drums.flac", b"fl", "drums.flac has 2 bytes instead of 4"),
    ],
)
def test_damaged_stem_is_noticed_and_the_result_made_anew(
    name: str, content: bytes | None, damage: str, house: House
) -> None:
    """The separator would answer with what its manifest says, so all of it goes first; the job tells why."""
    house.store.objects.pop(f"{FOLDER}/{name}")
    if content is not None:
        house.store.put(f"{FOLDER}/{name}", io.BytesIO(content))
    result = run_again(house)
    assert result.cache_hit is CacheHit.NONE
    assert any(f"is damaged ({damage})" in reason for reason in result.decision.reasons)
    assert house.run(REQUEST).cache_hit is CacheHit.FILE


def test_manifest_that_cannot_be_read_is_no_result(house: House) -> None:
    """Another wish that comes to the same engine would fail for ever."""
    house.store.put(f"{FOLDER}/manifest.json", io.BytesIO(b'{"audio": '))
    house.separators.before_result = lambda: _no_result(house)
    result = house.run(SeparationRequest(source(), engine=STARTER.name))
    assert any("manifest.json cannot be read" in reason for reason in result.decision.reasons)


def test_whole_result_is_left_alone(house: House) -> None:
    """A wish that nobody had before is answered by the stems that are there, without a word."""
    result = house.run(SeparationRequest(source(), engine=STARTER.name))
    assert not any("damaged" in reason for reason in result.decision.reasons)


def test_audio_of_another_size_is_ingested_anew(house: House) -> None:
    """Its bytes are asked for again; what was there goes before ingest could take it for its own."""
    house.store.put(audio().object_key, io.BytesIO(b"fl"))
    assert not house.pipeline.is_current(source())
    with pytest.raises(NotFound):
        house.run(REQUEST)
    house.uploads.held.add(source())
    house.separators.before_ingest = lambda: _no_audio(house)
    assert house.run(REQUEST).cache_hit is CacheHit.NONE
    assert house.stages == FULL_WAY


def _no_audio(house: House) -> None:
    assert audio().object_key not in house.store.objects
    assert not list(house.store.list_keys("results/"))


def test_entry_that_is_about_to_go_answers_nobody(house: House) -> None:
    """A sweep that was killed in the middle has left it, and nobody knows what is left of it."""
    house.entries.marked.add(FOLDER)
    result = house.run(REQUEST)
    assert result.cache_hit is CacheHit.NONE
    assert house.stages[:2] == [Stage.LOOKUP, Stage.CHOOSE]
    assert not house.entries.marked


@pytest.mark.parametrize(
    ("object_key", "left"),
    [(audio().object_key, ""), (f"{FOLDER}/vocals.flac", "audio"), ("sources/a", "audio results")],
)
def test_what_a_separator_finds_damaged_is_dropped(object_key: str, left: str, house: House) -> None:
    """Else the next job would find it again: audio with all that was made of it, or a result."""

    def find_damage() -> None:
        raise ResultGone("lost sync", {"object_key": object_key})

    house.separators.before_result = find_damage
    with pytest.raises(ResultGone):
        house.run(SeparationRequest(source(), force=True))
    assert " ".join(sorted({key.partition("/")[0] for key in house.store.objects})) == left
