"""Lists in folders, as the trees that collections hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stemhouse.dj import Playlist


@dataclass
class PlaylistFolder:
    """A folder: what is in it in the order in which it was first named. A name may be a folder's and a list's, too."""

    name: str
    folders: dict[str, "PlaylistFolder"] = field(default_factory=dict)
    lists: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Of what lies in it directly."""
        return len(self.folders) + len(self.lists)


def folder_tree(playlists: Sequence[Playlist], root: str) -> PlaylistFolder:
    """The root with all lists in it."""
    top = PlaylistFolder(root)
    for playlist in playlists:
        folder = top
        for name in playlist.path[:-1]:
            folder = folder.folders.setdefault(name, PlaylistFolder(name))
        folder.lists.append((playlist.path[-1], playlist.files))
    return top
