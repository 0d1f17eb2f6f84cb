"""DJLibraries: what lies at a location, and what may not be looked at."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.library.adapters.dj_libraries import DJLibraries, LiveSerato
from stemhouse.errors import InvalidRequest, LibraryRejected
from stemhouse.tracks import LibraryKind
from tests.unit.library.serato_files import crate
from tests.unit.library.test_serato_library import write_database


@contextmanager
def shut(folder: Path) -> Iterator[None]:
    """Nobody may look into the folder for the block, not even root, who is somebody else meanwhile."""
    user = os.geteuid()
    folder.chmod(0)
    try:
        if user == 0:
            os.seteuid(65_534)
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_what_may_not_be_looked_at_is_told(tmp_path: Path) -> None:
    """A location as a wrong request, what lies in one as a library that cannot be read."""
    crates = tmp_path / "music/_Serato_/Subcrates"
    crates.mkdir(parents=True)
    (crates / "House.crate").write_bytes(crate("a.mp3"))
    with shut(tmp_path):
        with pytest.raises(InvalidRequest, match="Permission denied"):
            DJLibraries().kind(f"{tmp_path}/music", LibraryKind.AUTO)
        for look in (DJLibraries().fingerprint, DJLibraries().read):
            with pytest.raises(LibraryRejected, match="Permission denied"):
                look(f"{tmp_path}/music", LibraryKind.FOLDER)


def test_live_library_of_serato_is_read_with_the_music_folder(tmp_path: Path) -> None:
    """It comes before the crates of an older version; other folders have no part in it."""
    crates = tmp_path / "Music/_Serato_/Subcrates"
    for folder in (crates, tmp_path / "Live", tmp_path / "Other"):
        folder.mkdir(parents=True)
    (crates / "Old.crate").write_bytes(crate("a.mp3"))
    write_database(tmp_path / "Live/root.sqlite")
    libraries = DJLibraries(LiveSerato(tmp_path / "Music", tmp_path / "Live"))
    for kind, location in ((LibraryKind.FOLDER, "Music"), (LibraryKind.SERATO, "Music/_Serato_")):
        live, old, *_ = libraries.read(f"{tmp_path}/{location}", kind)
        assert (live.folder, len(live.library.entries) > 1) == (f"{tmp_path}/Music", True)
        assert [entry.location for entry in old.library.entries] == ["a.mp3"]
    before = libraries.fingerprint(f"{tmp_path}/Music", LibraryKind.FOLDER)
    (tmp_path / "Live/root.sqlite-wal").touch()
    assert libraries.fingerprint(f"{tmp_path}/Music", LibraryKind.FOLDER) != before
    assert libraries.fingerprint(f"{tmp_path}/Other", LibraryKind.FOLDER) == ""
