"""Descriptions of models: what a catalogue and a record may say, and what they make of it."""

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from services.separator.adapters.model_catalogue import read_catalogue
from services.separator.core.demucs_options import DemucsOptions, ScheduleKind
from services.separator.core.model_store import merged_catalogue, progress_at
from services.separator.core.models import (
    demucs_spec,
    demucs_specs,
    entries_from_catalogue,
    entry_from_record,
    record_of,
)
from stemhouse.errors import ModelRejected
from stemhouse.models import PullProgress
from stemhouse.vocab import BASE_STEMS
from stemhouse.wire.validation import ENGINE_ID
from tests.model_house import NOW, file_of, model_entry, noise

FIELDS: dict[str, Any] = {
    "name": "mine",
    "engine": "demucs",
    "stems": ["drums", "vocals", "bass", "other"],
    "sample_rate_hz": 44100,
    "channel_count": 2,
    "files": [{"name": "aa.th", "sha256": "a" * 64, "size_bytes": 5, "url": "https://example.org/aa.th"}],
    "weights": [[1, 0.5, 0, 0]],
    "segment_s": 7.8,
    "licence_note": "",
    "origin": "here",
}
FILE: dict[str, Any] = FIELDS["files"][0]


def catalogue_with(**changes: Any) -> bytes:
    """A catalogue of one model; None takes a field away."""
    fields = {**copy.deepcopy(FIELDS), **changes}
    return json.dumps([{name: value for name, value in fields.items() if value is not None}]).encode()


def test_built_in_catalogue_is_sound_and_pinned() -> None:
    """Its first model is the default; every file has a digest of its own and an address of fixed content."""
    entries = read_catalogue()
    assert [entry.name for entry in entries] == ["htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi"]
    files = [file for entry in entries for file in entry.files]
    assert len({file.sha256 for file in files}) == len(files)
    assert all(file.url.startswith("https://") and "/main/" not in file.url for file in files)
    assert all(entry.licence_note for entry in entries)


def test_description_is_read_whole() -> None:
    """Stems come in the order of the listing."""
    (entry,) = entries_from_catalogue(catalogue_with(), "mine.json")
    assert entry.stems == ("vocals", "drums", "bass", "other")
    assert list(entry.weights or ()) == [(1, 0.5, 0, 0)]
    assert (entry.segment_s, entry.size_bytes, entry.files[0].url) == (7.8, 5, "https://example.org/aa.th")
    assert entry_from_record(record_of(entry, NOW), "model.json") == entry


def test_record_tells_licence_and_time() -> None:
    """For whoever asks later under which terms the weights came here."""
    record = json.loads(record_of(model_entry(licence_note="Ask first."), NOW))
    assert record["licence_note"] == "Ask first."
    assert record["installed_at"] == "2026-05-04T03:02:01+00:00"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "../up"}, "name is '../up'"),
        ({"name": "Caps"}, "must match"),
        ({"name": None}, "'name' is missing"),
        ({"engine": "mine"}, "engine is 'mine'"),
        ({"engine": ["demucs"]}, "engine is"),
        ({"stems": []}, "stems must be a list"),
        ({"stems": "vocals"}, "stems must be a list"),
        ({"stems": ["vocals", "a/b"]}, "a stem is 'a/b'"),
        ({"stems": ["vocals", "vocals"]}, "named twice"),
        ({"sample_rate_hz": 0}, "sample_rate_hz is 0"),
        ({"sample_rate_hz": 44100.5}, "sample_rate_hz"),
        ({"channel_count": 3}, "channel_count is 3"),
        ({"channel_count": True}, "channel_count is True"),
        ({"files": []}, "files must be a list"),
        ({"files": ["aa.th"]}, "a file must be an object"),
        ({"files": [{**FILE, "name": "../aa.th"}]}, "not the plain name"),
        ({"files": [{**FILE, "name": "a/b.th"}]}, "not the plain name"),
        ({"files": [{**FILE, "name": "model.json"}]}, "not the plain name"),
        ({"files": [{**FILE, "sha256": "A" * 64}]}, "64 lower-case hexadecimal"),
        ({"files": [{**FILE, "sha256": "a" * 63}]}, "64 lower-case hexadecimal"),
        ({"files": [{**FILE, "size_bytes": 0}]}, "size_bytes of aa.th is 0"),
        ({"files": [{**FILE, "size_bytes": "5"}]}, "size_bytes of aa.th is '5'"),
        ({"files": [{**FILE, "url": "file:///etc/passwd"}]}, "must be an http"),
        ({"files": [FILE, {**FILE, "name": "AA.th"}], "weights": None}, "a file is named twice"),
        ({"weights": [[1, 1, 1]]}, "must have 4 numbers"),
        ({"weights": [[1] * 4, [1] * 4]}, "must have 1 rows"),
        ({"weights": [[1, 1, 1, float("nan")]]}, "finite numbers"),
        ({"weights": [[1, 1, 1, 10**400]]}, "finite numbers"),
        ({"segment_s": -1}, "the segment is -1"),
        ({"licence_note": 5}, "licence_note must be a text"),
        ({"licence_note": "x" * 2001}, "licence_note must be a text"),
        ({"origin": None}, "'origin' is missing"),
    ],
)
def test_bad_description_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    """It names the document, too."""
    with pytest.raises(ModelRejected, match=r"mine\.json is not a catalogue") as caught:
        entries_from_catalogue(catalogue_with(**changes), "mine.json")
    assert reason in caught.value.message


@pytest.mark.parametrize("document", [b"", b"{}", b"[1]", b"\xff\xfe", b"[" * 100_000, b'[{"name": "mine"}]'])
def test_document_of_another_form_is_refused(document: bytes) -> None:
    """Whatever it is, and as a record as well."""
    with pytest.raises(ModelRejected, match="is not a catalogue"):
        entries_from_catalogue(document, "mine.json")
    with pytest.raises(ModelRejected, match="is not a model's record"):
        entry_from_record(document, "model.json")


def test_catalogue_names_each_model_once() -> None:
    """Or it would depend on the order which one is meant."""
    twice = json.dumps([FIELDS, FIELDS]).encode()
    with pytest.raises(ModelRejected, match="a model is named twice"):
        entries_from_catalogue(twice, "mine.json")


def test_own_entry_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    """Others are behind the built-in ones."""
    own = tmp_path / "own.json"
    own.write_text(json.dumps([{**FIELDS, "name": "htdemucs_ft"}, FIELDS]))
    entries = read_catalogue(own)
    assert [entry.name for entry in entries] == ["htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi", "mine"]
    assert entries[1].origin == "here"
    assert merged_catalogue([], entries) == entries


def test_catalogue_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A setting that points nowhere is a mistake to be told."""
    with pytest.raises(ModelRejected, match=r"own\.json cannot be read: No such file"):
        read_catalogue(tmp_path / "own.json")


def test_engine_id_names_all_that_changes_samples() -> None:
    """Weights, how they are weighed and cut; not what they are called or where they came from."""
    entry = model_entry()
    engine_id = demucs_spec(entry).engine_id
    assert engine_id.startswith("demucs-htdemucs-")
    others = [
        dataclasses.replace(entry, files=(file_of("aa.safetensors", noise(2)),)),
        dataclasses.replace(entry, weights=((1, 2, 1, 1),)),
        dataclasses.replace(entry, segment_s=5),
    ]
    assert len({engine_id, *(demucs_spec(other).engine_id for other in others)}) == 4
    by_demucs = demucs_spec(entry, DemucsOptions(ScheduleKind.DEMUCS)).engine_id
    assert (by_demucs, engine_id) == (
        f"demucs-htdemucs-{by_demucs[16:24]}-ov25-sh0-fp32",
        by_demucs.replace("25", "25lean"),
    )
    same = dataclasses.replace(entry, origin="elsewhere", licence_note="", files=(file_of("bb.th", noise(1)),))
    assert demucs_spec(same).engine_id == engine_id


@pytest.mark.parametrize(
    ("weights", "stems", "is_offered"),
    [
        (((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)), BASE_STEMS, True),
        (((1, 0.5, 0, 0), (0, 0.5, 1, 1)), BASE_STEMS, False),
        (None, BASE_STEMS, False),
        (((1, 0), (0, 1)), ("vocals", "drums"), False),
    ],
)
def test_vocals_alone_are_offered_where_they_are_cheaper(
    weights: tuple[tuple[float, ...], ...] | None,
    stems: tuple[str, ...],
    is_offered: bool,  # noqa: FBT001  a case
) -> None:
    """Of bags in which each stem can do without some network, and which have a stem for the rest."""
    entry = dataclasses.replace(model_entry(), weights=weights, stems=stems)
    whole, *others = demucs_specs(entry)
    assert whole == demucs_spec(entry)
    wanted = dataclasses.replace(whole, engine_id=f"{whole.engine_id}-vocals", stems=("vocals", "other"))
    assert others == ([wanted] if is_offered else [])


def test_engine_id_of_the_longest_name_can_be_asked_for() -> None:
    """A model's name may have 64 characters, and the id has more."""
    entry = dataclasses.replace(model_entry(), name="a" * 64)
    assert entry_from_record(record_of(entry), "model.json") == entry
    entry = dataclasses.replace(entry, weights=((1, 0), (0, 1)))
    assert len(demucs_specs(entry)) == 2
    assert all(ENGINE_ID.fullmatch(spec.engine_id) for spec in demucs_specs(entry))


@pytest.mark.parametrize(
    ("share", "file_name", "done_bytes"),
    [(0.0, "aa.th", 0), (0.49, "aa.th", 49), (0.5, "bb.th", 50), (1.0, "bb.th", 100)],
)
def test_share_tells_the_file_on_its_way(share: float, file_name: str, done_bytes: int) -> None:
    """Files come one after the other."""
    entry = model_entry(files=[file_of("aa.th", noise(1, 50)), file_of("bb.th", noise(2, 50))])
    assert progress_at(entry, share) == PullProgress(file_name, done_bytes, 100)
