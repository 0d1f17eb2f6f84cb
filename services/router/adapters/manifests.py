"""Manifests of results, as separators write them: a StemSet as JSON."""

from pydantic import TypeAdapter

from stemhouse.audio import StemSet

_STEM_SET = TypeAdapter(StemSet)


def parse_manifest(manifest: bytes) -> StemSet:
    """The result; raises ValueError for bytes that are no manifest."""
    return _STEM_SET.validate_json(manifest)
