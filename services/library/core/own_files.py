"""Telling what Stemhouse has delivered, or made of stems, from the DJ's own files."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

METADATA = "metadata.json"
"""What a delivery leaves beside its files."""
LARGEST_METADATA_BYTES = 1 << 20
LARGEST_RECORD_BYTES = 1 << 24
"""Of `stemhouse.json`, in which each file of a track may have its beat grid."""
DEEPEST_TREE = 4
"""How many folders a tree of ours has within each other, at most."""
_LISTS = ("files", "earlier_files")


def own_names(metadata: bytes) -> frozenset[str]:
    """The names of the files that a folder's metadata records as delivered; none if it is not of a delivery."""
    try:
        document = json.loads(metadata)
        if not document["delivery"]["delivery_key"]:
            return frozenset()
        return frozenset(map(comparable_name, _names(document)))
    except (ValueError, LookupError, TypeError, RecursionError):
        return frozenset()


def own_paths(record: bytes) -> frozenset[str]:
    """The paths that the record of a tree tells of its files, relative to its folder; none if it is not of a tree."""
    try:
        document = json.loads(record)
        if not document["delivery_key"]:
            return frozenset()
        return frozenset(comparable_name(str(file["path"])) for file in document["files"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return frozenset()


def comparable_name(name: str) -> str:
    """Some volumes write accents apart from their letters."""
    return unicodedata.normalize("NFC", name)


def _names(document: dict[str, Any]) -> Iterator[str]:
    for place in _LISTS:
        yield from (str(file["name"]) for file in document.get(place, ()))
