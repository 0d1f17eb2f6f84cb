"""Telling what Stemhouse has delivered from the DJ's own files."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

METADATA = "metadata.json"
"""What a delivery leaves beside its files."""
LARGEST_METADATA_BYTES = 1 << 20
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


def comparable_name(name: str) -> str:
    """Some volumes write accents apart from their letters."""
    return unicodedata.normalize("NFC", name)


def _names(document: dict[str, Any]) -> Iterator[str]:
    for place in _LISTS:
        yield from (str(file["name"]) for file in document.get(place, ()))
