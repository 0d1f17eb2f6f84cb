"""Where files are for a DJ program: as here, or elsewhere if that runs on another machine."""

import os
from collections.abc import Mapping
from pathlib import Path

_MAC_VOLUMES, _SHARE = "/Volumes/", "//"


class ProgramLocations:
    """Paths as a program finds them: absolute, with `/`."""

    def __init__(self, path_maps: Mapping[str, str]) -> None:
        """By what is found there, where it is here: `/Volumes/USB` or `D:/`, and `/mnt/usb`. Others are as here."""
        self._there_by_here = {Path(here).resolve(): there.rstrip("/") for there, here in path_maps.items()}

    def of(self, path: Path) -> str:
        """A resolved path; the innermost folder that is mapped counts."""
        for folder in (path, *path.parents):
            if folder in self._there_by_here:
                return "/".join([self._there_by_here[folder], *path.relative_to(folder).parts]) or "/"
        return path.as_posix()

    def volume_root(self, folder: Path) -> str:
        """Of the volume that a folder is on: where one is mounted here, or what the path there tells of it."""
        there = self.of(folder)
        if there == folder.as_posix():
            return next(found for found in (folder, *folder.parents) if _is_root(found)).as_posix()
        if there.startswith(_MAC_VOLUMES):
            return _MAC_VOLUMES + there.removeprefix(_MAC_VOLUMES).partition("/")[0]
        if there.startswith(_SHARE):
            return _SHARE + "/".join(there.removeprefix(_SHARE).split("/")[:2])
        return "/" if there.startswith("/") else there.partition("/")[0]


def _is_root(folder: Path) -> bool:
    return os.path.ismount(folder) or folder == folder.parent
