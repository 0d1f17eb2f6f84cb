"""Scratch files of samples where the disk fails."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from services.separator.adapters.pcm_files import NewFlac
from stemhouse.audio import AudioFormat
from stemhouse.errors import StorageUnavailable
from tests.fakes import MemoryObjectStore

resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")


@pytest.fixture
def _small_files() -> Iterator[None]:
    """No file can grow beyond 200 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_small_files")
def test_full_disk_is_not_the_tracks_fault(tmp_path: Path) -> None:
    """Another try is worth it, once there is room; nothing is stored."""
    store = MemoryObjectStore()
    noise = np.random.default_rng(0).integers(-(2**23), 2**23, (2, 2**17), dtype=np.int32)
    flac = NewFlac(tmp_path / "flac", AudioFormat(44_100, 2), store)
    with pytest.raises(StorageUnavailable, match="disk full"):
        flac.append(noise)
    flac.close()
    assert list(store.list_keys("")) == []
