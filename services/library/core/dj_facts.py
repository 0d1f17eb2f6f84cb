"""What several programs know of one track: brought together, and as a document without what nobody says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from stemhouse.tracks import BeatMarker, Cue, CueKind, DJFacts, Track

SHARED_FIELDS = ("artist", "title", "album", "genre", "key", "bpm", "duration_s")
"""What files and programs both tell."""


def facts_to_document(facts: DJFacts) -> dict[str, Any]:
    """For JSON, without what has its default value."""
    marks = {"grid": list(map(_told, facts.grid)), "cues": list(map(_told, facts.cues))}
    return {**_told(facts), **{name: documents for name, documents in marks.items() if documents}}


def facts_from_document(document: Mapping[str, Any]) -> DJFacts:
    """What `facts_to_document` made."""
    grid = tuple(BeatMarker(**marker) for marker in document.get("grid", ()))
    cues = tuple(Cue(**{**cue, "kind": CueKind(cue["kind"])}) for cue in document.get("cues", ()))
    return DJFacts(**{**document, "grid": grid, "cues": cues})


def merged_facts(known: Iterable[DJFacts]) -> tuple[DJFacts, ...]:
    """One value for each program, by its name; the first of a program counts, and others tell what it does not."""
    merged: dict[str, DJFacts] = {}
    for facts in known:
        first = merged.get(facts.program)
        merged[facts.program] = _filled(first, facts) if first else facts
    return tuple(merged[program] for program in sorted(merged))


def with_values_of(track: Track, known: Sequence[DJFacts]) -> Track:
    """The track, and what its file does not tell from the first program that does."""
    empty = [name for name in SHARED_FIELDS if known and not getattr(track, name)]
    values = {name: next(filter(None, (getattr(facts, name) for facts in known)), None) for name in empty}
    told = {name: value for name, value in values.items() if value is not None}
    return replace(track, **told) if told else track


def _filled(first: DJFacts, other: DJFacts) -> DJFacts:
    return replace(first, **{name: value for name, value in _values(other).items() if name not in _told(first)})


def _told(value: DJFacts | BeatMarker | Cue) -> dict[str, Any]:
    """The fields that do not have their default."""
    return {field.name: told for field in fields(value) if (told := getattr(value, field.name)) != field.default}


def _values(facts: DJFacts) -> dict[str, Any]:
    return {field.name: getattr(facts, field.name) for field in fields(facts)}
