"""Telling deliveries from the DJ's own files."""

import json

import pytest

from services.library.core.own_files import own_names

FILES = [{"name": "vocals.wav"}, {"name": "Bjo\u0308rk.wav"}]


def metadata(**changes: object) -> bytes:
    """As a delivery leaves it."""
    return json.dumps({"delivery": {"delivery_key": "abc"}, "files": FILES, **changes}).encode()


def test_delivered_files_are_known_by_name() -> None:
    """Those of earlier deliveries, too, and however a volume writes accents."""
    assert own_names(metadata(earlier_files=[{"name": "old.wav"}])) == {"vocals.wav", "Bj\u00f6rk.wav", "old.wav"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"no json",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"files": FILES}).encode(),
        metadata(delivery={"delivery_key": ""}),
        metadata(delivery="mine"),
        metadata(files=["vocals.wav"]),
        metadata(files=7),
    ],
)
def test_metadata_of_others_hides_nothing(data: bytes) -> None:
    """Damaged, of another program, or nearly ours."""
    assert own_names(data) == frozenset()
