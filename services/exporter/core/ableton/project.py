"""The folder of a Live project: names of its sets, and where its samples are."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.exporter.core.ableton.clips import SAMPLE_FOLDERS
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from services.exporter.core.names import segment_name

PROJECT_MARK = "Ableton Project Info"
"""An empty folder by which Live knows a project, and finds samples by paths that begin there."""

LONGEST_NAME_BYTES = 80
"""Of a song: it is there twice in a set's path, and Windows likes 260 characters in all."""

_SET_SUFFIXES = {LIVE_11: ".als", LIVE_10: " (Live 10).als"}
"""The one for newer versions is the one that people look for."""


@dataclass(frozen=True)
class LiveProject:
    """A folder, its sets, and what is empty in it; all names are safe on Windows, macOS and Linux."""

    folder: str
    set_names: Mapping[LiveProfile, str]
    empty_folders: tuple[str, ...] = (PROJECT_MARK,)


def plan_project(song: str, more: str = "") -> LiveProject:
    """`{song}{more} Project`; what is cut of a long name is cut of the song."""
    name = segment_name(song, more, LONGEST_NAME_BYTES)
    set_names = {profile: f"{name}{suffix}" for profile, suffix in _SET_SUFFIXES.items()}
    return LiveProject(f"{name} Project", set_names)


def sample_path(file_name: str) -> str:
    """Of a sample, from the project's folder on."""
    return "/".join((*SAMPLE_FOLDERS, file_name))
