"""The library of Serato from version 4 on, out of the rows of its tables.

`root.sqlite` (the computer's own drive) and `location.sqlite` (an external one) tie files to crates by
`container_asset.container_id` and `space_asset_id`, `master.sqlite` (all drives) by `location_container_id` and
`asset_id`; the tables are the same otherwise. Damaged rows may hold any type.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.serato_tags import PROGRAM
from services.library.core.serato_values import LONGEST_S, is_bpm
from services.library.core.tags import text_from_tag
from stemhouse.tracks import DJFacts

Value: TypeAlias = str | bytes | int | float | None
Row: TypeAlias = tuple[Value, ...]
Tables: TypeAlias = Mapping[str, Sequence[Row]]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "space": ("id", "name"),
    "container": ("id", "parent_id", "name", "type", "list_order", "space_id"),
    "location_container": ("id", "container_id"),
    "container_asset": ("container_id", "location_container_id", "asset_id", "space_asset_id", "list_order"),
    "space_asset": ("id", "asset_id"),
    "asset": (
        *("id", "portable_id", "location_id", "name", "artist", "album", "genre", "key"),
        *("bpm", "length_ms", "is_beatgrid_locked"),
    ),
}
"""What is read of each table; None stands for a column that a database does not have."""
REQUIRED_TABLES = ("asset", "container", "container_asset")

_OWN_SPACE = "serato library"
_ROOT, _CRATE = 0, 1
_DEEPEST_CRATE = 100


def library_from_tables(tables: Tables) -> DJLibrary:
    """Every file, and the crates in the order and nesting that Serato shows; other programs' spaces are left out.

    Locations are relative to the root of the file's volume.
    """
    assets = {row[0]: str(row[1]) for row in tables["asset"] if _is_location(row[1])}
    contents, lost_count = _contents(tables, assets)
    volume_count = len({row[2] for row in tables["asset"]} - {None})
    warnings = [f"{lost_count} places in crates name no file"] if lost_count else []
    if volume_count > 1:
        warnings.append(f"it mixes the files of {volume_count} drives, and does not say which drive a file is on")
    return DJLibrary(
        tuple(LibraryEntry(str(row[1]), _facts(row)) for row in tables["asset"] if _is_location(row[1])),
        tuple(CrateListing(path, tuple(contents.get(crate, {}).values())) for crate, path in _crates(tables)),
        tuple(warnings),
    )


def _contents(tables: Tables, assets: Mapping[Value, str]) -> tuple[Mapping[Value, Mapping[Value, str]], int]:
    """The locations of each container in order, by asset, so that none comes twice; and how many are lost."""
    containers = {row[0]: row[1] for row in tables["location_container"]}
    owners = {row[0]: row[1] for row in tables["space_asset"]}
    contents: dict[Value, dict[Value, str]] = {}
    lost_count = 0
    for own, location_container, direct_asset, space_asset, _ in sorted(
        tables["container_asset"], key=lambda row: _order(row[4])
    ):
        container = containers.get(location_container) if own is None else own
        asset = owners.get(space_asset) if direct_asset is None else direct_asset
        if asset in assets:
            contents.setdefault(container, {}).setdefault(asset, assets[asset])
        else:
            lost_count += 1
    return contents, lost_count


def _crates(tables: Tables) -> Iterator[tuple[Value, tuple[str, ...]]]:
    """Id and path of each crate, a crate before those inside of it."""
    foreign = {row[0] for row in tables["space"] if str(row[1]).casefold() != _OWN_SPACE}
    rows = {row[0]: row for row in tables["container"]}
    chains = [_chain(rows, row) for row in rows.values() if row[3] == _CRATE and row[5] not in foreign]
    for chain in sorted(chains, key=lambda chain: [(_order(row[4]), _name(row)) for row in chain]):
        yield chain[-1][0], tuple(_name(row) for row in chain)


def _chain(rows: Mapping[Value, Row], crate: Row) -> list[Row]:
    """The crate and those around it, outermost first; damaged ones may lie inside of themselves."""
    chain = [crate]
    while (parent := rows.get(chain[0][1])) and parent[3] != _ROOT and len(chain) < _DEEPEST_CRATE:
        if parent in chain:
            break
        chain.insert(0, parent)
    return chain


def _facts(row: Row) -> DJFacts | None:
    """What Serato knows of a file; None if nothing."""
    name, artist, album, genre, key = (text_from_tag(text) if isinstance(text, str) else "" for text in row[3:8])
    bpm, length_ms, is_locked = row[8:]
    facts = DJFacts(
        PROGRAM,
        artist=artist,
        title=name,
        album=album,
        genre=genre,
        key=key,
        bpm=float(bpm) if isinstance(bpm, int | float) and is_bpm(bpm) else 0.0,
        duration_s=length_ms / 1000.0 if isinstance(length_ms, int) and 0 < length_ms <= LONGEST_S * 1000.0 else 0.0,
        is_grid_locked=is_locked == 1,
    )
    return None if facts == DJFacts(PROGRAM) else facts


def _is_location(value: Value) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value and "\N{REPLACEMENT CHARACTER}" not in value


def _name(row: Row) -> str:
    return text_from_tag(str(row[2])) if row[2] is not None else ""


def _order(value: Value) -> float:
    return value if isinstance(value, int | float) else math.inf
