"""What makes files known to a DJ program: a collection, crates, playlists; a tree of documents."""

import hashlib
from collections.abc import Iterator, Sequence

from services.exporter.core.dj.m3u8 import m3u8
from services.exporter.core.dj.rekordbox_xml import rekordbox_xml
from services.exporter.core.dj.serato_crates import crate_file_name, serato_crate
from services.exporter.core.dj.traktor_nml import traktor_nml
from services.exporter.core.names import segment_name
from services.exporter.core.production.trees import TreePart, TreeSender, delivery_key
from stemhouse.dj import DJCollection, DJFile, DJTarget, Playlist, PlaylistOptions
from stemhouse.production import TreePlan, name_key

_CRATES = "_Serato_/Subcrates"

Documents = dict[str, bytes]


class PlaylistExport:
    """Writes documents for DJ programs; the databases that these keep are not touched."""

    def __init__(self, program_version: str) -> None:
        """Keep the version, which rekordbox is told."""
        self._program_version = program_version

    def export(self, collection: DJCollection, options: PlaylistOptions) -> Iterator[TreePart]:
        """The tree in parts; equal collections are equal bytes."""
        documents, warnings = self._documents(collection, options)
        digests = [(path, hashlib.sha256(data).hexdigest()) for path, data in documents.items()]
        plan = TreePlan(
            folder=options.target.value,
            file_paths=tuple(documents),
            empty_folders=(),
            delivery_key=delivery_key("lists", digests),
            warnings=warnings,
        )
        yield plan
        sender = TreeSender(plan)
        for path, data in documents.items():
            yield from sender.document(path, data)
        yield from sender.record({})

    def _documents(self, collection: DJCollection, options: PlaylistOptions) -> tuple[Documents, tuple[str, ...]]:
        lists = _m3u8_lists(collection, options.folder)
        match options.target:
            case DJTarget.REKORDBOX:
                return {"rekordbox.xml": rekordbox_xml(collection, self._program_version)}, ()
            case DJTarget.TRAKTOR:
                return {"playlist.nml": traktor_nml(collection), **lists}, ()
            case DJTarget.SERATO:
                crates = _crates(collection, options.volume_root)
                return {**crates, **lists}, _strays(collection.files, options.volume_root)
            case DJTarget.STEM_MP4:
                return lists, ()


def _m3u8_lists(collection: DJCollection, folder: str) -> Documents:
    lists: Documents = {}
    for playlist in collection.playlists:
        data = m3u8([collection.files[place] for place in playlist.files], folder)
        _add(lists, " - ".join(playlist.path), ".m3u8", data)
    return lists


def _add(documents: Documents, name: str, ending: str, data: bytes) -> None:
    """Names that are alike once they are safe get a number."""
    taken = {name_key(path) for path in documents}
    number, path = 1, segment_name(name, ending)
    while name_key(path) in taken:
        number += 1
        path = segment_name(name, f" ({number}){ending}")
    documents[path] = data


def _crates(collection: DJCollection, volume_root: str) -> Documents:
    """Lists as crates, and those that they lie in as crates of all that is below."""
    placed: dict[str, list[int]] = {}
    for playlist in collection.playlists:
        for crate in _outer_crates(playlist):
            places = placed.setdefault(f"{_CRATES}/{crate_file_name(crate)}", [])
            places += [place for place in playlist.files if place not in places]
    prefix = _prefix(volume_root)
    return {
        path: serato_crate(
            collection.files[place].location.removeprefix(prefix)
            for place in places
            if collection.files[place].location.startswith(prefix)
        )
        for path, places in placed.items()
    }


def _outer_crates(playlist: Playlist) -> Sequence[tuple[str, ...]]:
    return [playlist.path[: depth + 1] for depth in range(len(playlist.path))]


def _strays(files: Sequence[DJFile], volume_root: str) -> tuple[str, ...]:
    """A crate holds files of its own volume only."""
    prefix = _prefix(volume_root)
    outside = [file.location for file in files if not file.location.startswith(prefix)]
    if not outside:
        return ()
    return (f"{len(outside)} files are not in crates, since they are not below {volume_root}: {outside[0]}, ...",)


def _prefix(volume_root: str) -> str:
    return volume_root.rstrip("/") + "/"
