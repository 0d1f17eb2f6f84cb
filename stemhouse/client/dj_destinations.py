"""Where files for DJ programs go: a folder, or a prefix of an object store."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stemhouse.client.dj_places import own_place
from stemhouse.client.dj_room import free_bytes
from stemhouse.client.prefix_mirror import PrefixMirror
from stemhouse.client.receiving import require_place
from stemhouse.errors import InvalidRequest

PREFIX_SCHEME = "s3://"


class Destination(Protocol):
    """A place for files, as a folder to work in."""

    @property
    def folder(self) -> Path:
        """The folder, or what stands for the prefix."""

    @property
    def path_maps(self) -> Mapping[str, str]:
        """Where programs find the files: see ProgramLocations."""

    def told(self, path: Path) -> str:
        """A path in the folder, for people."""

    def free_bytes(self) -> int | None:
        """What there is room for; None if nobody knows."""

    def keep(self, files: Iterable[Path]) -> None:
        """What has been made is there for good; of files that were there already nothing becomes."""


@dataclass(frozen=True)
class FolderDestination:
    """A folder; nothing need be done to keep what is in it."""

    folder: Path
    path_maps: Mapping[str, str]

    def told(self, path: Path) -> str:
        """See Destination.told."""
        return str(path)

    def free_bytes(self) -> int | None:
        """See Destination.free_bytes."""
        return free_bytes(self.folder.resolve())

    def keep(self, files: Iterable[Path]) -> None:
        """See Destination.keep."""


@dataclass(frozen=True)
class PrefixDestination:
    """A prefix, by a mirror of it."""

    folder: Path
    path_maps: Mapping[str, str]
    url: str
    mirror: PrefixMirror

    def told(self, path: Path) -> str:
        """See Destination.told."""
        return "/".join([self.url, *path.relative_to(self.folder).parts])

    def free_bytes(self) -> int | None:
        """See Destination.free_bytes."""
        return None

    def keep(self, files: Iterable[Path]) -> None:
        """See Destination.keep."""
        self.mirror.push(files)


@contextmanager
def open_destination(place: str, path_maps: Mapping[str, str], *, tidies: bool) -> Iterator[Destination]:
    """A folder or an `s3://BUCKET/PREFIX` as long as the context lasts; no other run on this machine writes there.

    With `tidies` what a killed run has left unfinished is removed first. Raises InvalidRequest if nothing can be
    written there, or nothing tells where programs find what is below a prefix; Unavailable, NotFound.
    """
    if place.startswith(PREFIX_SCHEME):
        with _open_prefix(place, path_maps, tidies=tidies) as destination:
            yield destination
        return
    require_place(Path(place))
    with own_place(Path(place), tidies=tidies):
        yield FolderDestination(Path(place), path_maps)


@contextmanager
def _open_prefix(place: str, path_maps: Mapping[str, str], *, tidies: bool) -> Iterator[Destination]:
    # Imported here: it takes long, and folders do without it.
    from stemhouse.client.s3_prefix import open_prefix  # noqa: PLC0415

    prefix = open_prefix(place)
    there = _there(prefix.url, path_maps)
    digest = hashlib.sha256(prefix.url.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()).resolve() / f"stemhouse-prefix-{digest}"
    with own_place(folder, tidies=False):
        shutil.rmtree(folder, ignore_errors=True)  # of a killed run
        folder.mkdir(mode=0o700)
        try:
            mirror = PrefixMirror(prefix, folder)
            mirror.pull(tidies=tidies)
            yield PrefixDestination(folder, {there: str(folder)}, prefix.url, mirror)
        finally:
            shutil.rmtree(folder)


def _there(url: str, path_maps: Mapping[str, str]) -> str:
    """Where programs find what is below the URL; raises InvalidRequest if nothing tells."""
    for there, here in path_maps.items():
        if f"{url}/".startswith(f"{here.rstrip('/')}/"):
            return there.rstrip("/") + url[len(here.rstrip("/")) :]
    message = f"lists name files by where a DJ program finds them: --map /its/path={url} says where that is"
    raise InvalidRequest(message, {"location": url})
