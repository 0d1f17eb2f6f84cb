"""Uploads on the in-memory store."""

import hashlib
from pathlib import Path

import pytest

from services.router.adapters.uploads import MODELS_PREFIX, TRACKS_PREFIX, SpooledUploads
from services.separator.core.sources import model_upload_key, source_key
from stemhouse.audio import SourceRef
from stemhouse.errors import InvalidRequest
from tests.fakes import MemoryObjectStore

CHUNKS = (b"one ", b"two ", b"three")
CONTENT = b"".join(CHUNKS)


def test_bytes_are_stored_whole_under_their_sha256(tmp_path: Path) -> None:
    """And both digests and the size are told."""
    store = MemoryObjectStore()
    source = SpooledUploads(store, tmp_path, 1000, prefix=TRACKS_PREFIX).receive("x.wav", CHUNKS)
    sha256, md5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    assert source == SourceRef(sha256, md5, len(CONTENT), "x.wav")
    assert store.objects == {f"sources/{sha256}": CONTENT}


def test_too_large_upload_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """Neither in the store nor on the disk, and the error names the file."""
    store = MemoryObjectStore()
    with pytest.raises(InvalidRequest, match=r"x\.wav is larger than 12 bytes"):
        SpooledUploads(store, tmp_path, 12, prefix=TRACKS_PREFIX).receive("x.wav", CHUNKS)
    assert not store.objects
    assert not list(tmp_path.iterdir())


def test_held_until_discarded(tmp_path: Path) -> None:
    """A source of another size is not the one held."""
    uploads = SpooledUploads(MemoryObjectStore(), tmp_path, 1000, prefix=TRACKS_PREFIX)
    source = uploads.receive("x.wav", CHUNKS)
    assert uploads.holds(source)
    assert not uploads.holds(SourceRef(source.sha256, source.md5, 1, "x.wav"))
    uploads.discard(source)
    assert not uploads.holds(source)


def test_purposes_share_nothing(tmp_path: Path) -> None:
    """The same bytes as a track and as a model: dropping one keeps the other, and separators find both."""
    store = MemoryObjectStore()
    tracks = SpooledUploads(store, tmp_path, 1000, prefix=TRACKS_PREFIX)
    models = SpooledUploads(store, tmp_path, 1000, prefix=MODELS_PREFIX)
    source = tracks.receive("x.wav", CHUNKS)
    assert models.receive("x.wav", CHUNKS) == source
    assert set(store.objects) == {source_key(source.sha256), model_upload_key(source.sha256)}
    models.discard(source)
    assert tracks.holds(source)
    assert not models.holds(source)
