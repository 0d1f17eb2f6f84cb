"""The order of work over the catalogue."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from services.library.core.locations import path_key
from services.library.core.ordering import OrderedFile
from services.library.core.ports import Candidate, FolderReader, LibraryCatalogue, TrackCatalogue
from services.library.core.priority import crate_places, in_order
from stemhouse.errors import NotFound
from stemhouse.tracks import Crate

_LARGEST_HINT = 5


class CatalogueWorkOrder:
    """WorkOrder over what was scanned."""

    def __init__(self, tracks: TrackCatalogue, libraries: LibraryCatalogue, folders: FolderReader) -> None:
        """Keep the ports."""
        self._tracks = tracks
        self._libraries = libraries
        self._folders = folders

    def files(self, location: str, crates: Sequence[str], *, is_crates_only: bool) -> Sequence[OrderedFile]:
        """See WorkOrder.files. An empty location means all that was ever scanned."""
        prefix = self._scanned_prefix(location)
        known = self._libraries.crates(prefix)
        wished = [index for name in crates for index in self._indices(known, name, location)]
        names = [crate.name for crate in known]
        places = crate_places(names, self._libraries.crate_places(prefix), list(dict.fromkeys(wished)))
        candidates: Iterable[Candidate] = self._tracks.candidates(prefix)
        if is_crates_only:
            inside = places.wished or {}
            candidates = (candidate for candidate in candidates if candidate.path in inside)
        return in_order(candidates, places)

    def _scanned_prefix(self, location: str) -> str:
        prefix = self._folders.prefix(location) if location else ""
        is_known = not prefix or self._libraries.record(prefix) or self._tracks.count(prefix)
        if not is_known:
            message = f"{location} has not been scanned: stemhouse library scan {shlex.quote(location)}"
            raise NotFound(message, {"location": location})
        return prefix

    def _indices(self, crates: Sequence[Crate], name: str, location: str) -> list[int]:
        """Of all crates that a name means: two programs may have one each, with more inside."""
        indices = _indices(crates, name)
        if not indices:
            everywhere = self._libraries.crates("")
            others = sorted({everywhere[index].library for index in _indices(everywhere, name)})
            hint = f"; {', '.join(others)} has one: name that as the location" if others else _alike(crates, name)
            hint = _ambiguous(crates, name) or hint
            raise NotFound(f"no crate {name!r} in {location or 'the catalogue'}{hint}", {"crate": name})
        return indices


def _indices(crates: Sequence[Crate], name: str) -> list[int]:
    """The crates of that name, then those inside of them; the last part of a name will do where only one has it."""
    keys, wanted = [_key(crate.name) for crate in crates], _key(name.strip("/"))
    if wanted not in keys and not any(key.startswith(f"{wanted}/") for key in keys):
        leaves = set(_ending_in(crates, name))
        wanted = leaves.pop() if len(leaves) == 1 else wanted
    same = [index for index, key in enumerate(keys) if key == wanted]
    return same + [index for index, key in enumerate(keys) if key.startswith(f"{wanted}/")]


def _ending_in(crates: Sequence[Crate], name: str) -> Mapping[str, str]:
    """The whole names, by key, of which a name is the last part."""
    last = f"/{_key(name.strip('/'))}"
    return {key: crate.name for crate in crates if (key := _key(crate.name)).endswith(last)}


def _ambiguous(crates: Sequence[Crate], name: str) -> str:
    """Those that a last part may mean, if there are several."""
    names = list(_ending_in(crates, name).values())
    told = ", ".join(map(repr, names[:_LARGEST_HINT]))
    return f": more than one ends like that, {told}" if len(names) > 1 else ""


def _alike(crates: Sequence[Crate], name: str) -> str:
    """Crates that may be meant, by their whole names."""
    names = {_key(crate.name): crate.name for crate in crates}
    leaves = {key: key.rpartition("/")[2] for key in names}
    wanted = _key(name.strip("/"))
    near = set(get_close_matches(wanted, [*names, *leaves.values()], _LARGEST_HINT))
    told = [names[key] for key in names if key in near or leaves[key] in near][:_LARGEST_HINT]
    return f"; there is {', '.join(map(repr, told))}" if told else "; `stemhouse library crates` lists all"


def _key(name: str) -> str:
    """Serato writes a slash within a name as one that no file system minds; people type what their keyboard has."""
    return path_key(name.replace(" / ", " \N{DIVISION SLASH} "), is_case_sensitive=False)
