"""Playlists of files for DJs, in the making: one of each stem, and one in each crate."""

from collections import defaultdict
from itertools import zip_longest

from stemhouse.dj import FoundTrack, Playlist

_OWN_FOLDER = "Stemhouse"
"""In which the playlists lie: they stay apart from a DJ's own."""


class StemLists:
    """Takes files one after the other, by their places among all files."""

    def __init__(self) -> None:
        """Nothing is listed yet."""
        self._of_stems: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._of_crates: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)

    def add(self, file: int, stem: str, found: FoundTrack | None) -> None:
        """A file of a stem, and the track that it was made of, if the library knows it."""
        name = stem.capitalize()
        self._of_stems[_OWN_FOLDER, name].append(file)
        if found:
            for crate, place in zip_longest(found.crates, found.crate_places, fillvalue=0):
                self._of_crates[_OWN_FOLDER, *str(crate).split("/"), name].append((int(place), file))

    def playlists(self) -> tuple[Playlist, ...]:
        """Those of stems first, then those of crates by their names; files in a crate are in its own order."""
        of_stems = [Playlist(path, tuple(files)) for path, files in self._of_stems.items()]
        crated = sorted(self._of_crates.items())
        return (*of_stems, *(Playlist(path, tuple(file for _, file in sorted(placed))) for path, placed in crated))
