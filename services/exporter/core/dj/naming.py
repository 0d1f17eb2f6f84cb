"""Names of the files that DJs get, by a template."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from services.exporter.core.names import UNTITLED, cut, safe, segment_name, unreserved
from stemhouse.errors import InvalidRequest
from stemhouse.production import name_key

LONGEST_NAME_BYTES, LONGEST_FOLDER_BYTES = 120, 80
"""Together they leave some forty of the 260 characters of a path on Windows to the folder above."""

STEM_FIELD = "stem"
_NUMBER_BYTES = len(" (99)")


@dataclass(frozen=True)
class NameFields:
    """What a name can be made of; empty texts and 0 stand for what nobody knows."""

    artist: str
    title: str
    bpm: float = 0.0
    camelot: str = ""
    engine: str = ""


_FIELDS: Mapping[str, Callable[[NameFields], str]] = {
    "artist": lambda song: song.artist or "Unknown Artist",
    "title": lambda song: song.title or UNTITLED,
    "bpm": lambda song: f"{song.bpm:.0f}" if song.bpm else "",
    "camelot": lambda song: song.camelot,
    "engine": lambda song: song.engine,
}
_LONG_FIELDS = ("artist", "title")
"""Those that are cut where a name is too long; the others are short."""


def stem_file_names(template: str, song: NameFields, stems: Sequence[str], ending: str) -> tuple[str, ...]:
    """A name for each stem, no two of which any file system takes for one: safe segments of at most 120 bytes.

    Raises InvalidRequest for a template that names no stem, or an unknown field.
    """
    _require_fields(template, {*_FIELDS, STEM_FIELD})
    if f"{{{STEM_FIELD}}}" not in template:
        raise _bad_template(template, f"must hold {{{STEM_FIELD}}}, or all stems would have one name")
    return _unique([_name(template, song, stem.capitalize(), ending) for stem in stems], ending)


def song_file_name(template: str, song: NameFields, ending: str) -> str:
    """The name of a file that holds all stems; raises InvalidRequest for an unknown field, `{stem}` among them."""
    _require_fields(template, {*_FIELDS})
    return _name(template, song, "", ending)


def folder_name(name: str) -> str:
    """One segment of at most 80 bytes."""
    return segment_name(name, "", LONGEST_FOLDER_BYTES)


def _require_fields(template: str, known: set[str]) -> None:
    try:
        parsed = [*Formatter().parse(template)]
    except ValueError as error:
        raise _bad_template(template, f"cannot be read: {error}") from error
    for _, field, spec, conversion in parsed:
        if field is not None and (field not in known or spec or conversion):
            listed = ", ".join(f"{{{name}}}" for name in sorted(known))
            raise _bad_template(template, f"can hold {listed}, and no other field")


def _bad_template(template: str, because: str) -> InvalidRequest:
    message = f"the name {template!r} {because}"
    return InvalidRequest(message, {"name_template": message})


def _name(template: str, song: NameFields, stem: str, ending: str) -> str:
    """Where the whole is too long, artist and title share what the rest leaves; then whatever is left is cut."""
    room_bytes = LONGEST_NAME_BYTES - len(ending.encode()) - _NUMBER_BYTES - 1  # 1: room for the mark of unreserved
    values = {name: safe(tell(song)) for name, tell in _FIELDS.items()} | {STEM_FIELD: stem}
    text = safe(template.format(**values))
    if len(text.encode()) > room_bytes:
        bare = safe(template.format(**values | dict.fromkeys(_LONG_FIELDS, "")))
        share_bytes = max(0, room_bytes - len(bare.encode())) // max(1, _long_field_count(template))
        shorter = {name: cut(values[name], share_bytes) for name in _LONG_FIELDS}
        text = safe(template.format(**values | shorter))
    return unreserved((cut(text, room_bytes).lstrip(". ") or UNTITLED) + ending)


def _long_field_count(template: str) -> int:
    return sum(field in _LONG_FIELDS for _, field, _, _ in Formatter().parse(template))


def _unique(names: Sequence[str], ending: str) -> tuple[str, ...]:
    """Of names that are alike all but the first get a number."""
    taken: dict[str, str] = {}
    for name in names:
        number, found = 1, name
        while name_key(found) in taken:
            number += 1
            found = f"{name.removesuffix(ending)} ({number}){ending}"
        taken[name_key(found)] = found
    return tuple(taken.values())
