"""Playlists in folders, as the start tags of an XML document tell of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.library.core.dj_library import CrateListing
from services.library.core.tags import text_from_tag


@dataclass(frozen=True)
class _Node:
    depth: int
    path: tuple[str, ...]
    is_list: bool
    keys: list[str] = field(default_factory=list)


class PlaylistTree:
    """Grows by nodes and tracks in the order of the document; the depths of their tags say what lies in what.

    The outermost folder is no part of any path if it has the name that the program gives it.
    """

    def __init__(self, root_name: str) -> None:
        """Begin with no playlist."""
        self._root_name = root_name
        self._nodes: list[_Node] = []
        self._open: list[_Node] = []

    def begin_node(self, depth: int, name: str, *, is_list: bool) -> None:
        """A folder, or a list of tracks."""
        self._close_down_to(depth)
        outer = self._open[-1].path if self._open else ()
        is_root = not self._nodes and name == self._root_name
        node = _Node(depth, outer if is_root else (*outer, text_from_tag(name)), is_list)
        self._nodes.append(node)
        self._open.append(node)

    def add_track(self, depth: int, key: str) -> None:
        """A track of the innermost node that is open there; nowhere if none is."""
        self._close_down_to(depth)
        if self._open:
            self._open[-1].keys.append(key)

    def crates(self, locations: Mapping[str, str]) -> tuple[CrateListing, ...]:
        """The lists, and the nodes that have tracks all the same; `locations` by key, without those of no file."""
        return tuple(
            CrateListing(node.path, tuple(locations[key] for key in node.keys if key in locations))
            for node in self._nodes
            if node.is_list or node.keys
        )

    def track_keys(self) -> list[str]:
        """Those of all tracks in all lists."""
        return [key for node in self._nodes for key in node.keys]

    def _close_down_to(self, depth: int) -> None:
        while self._open and self._open[-1].depth >= depth:
            self._open.pop()
