"""Where DJ programs on other machines find files."""

from pathlib import Path

import pytest

from stemhouse.client.dj_locations import ProgramLocations

USB = Path("/mnt/usb")


@pytest.mark.parametrize(
    ("there", "location", "root"),
    [
        ("/Volumes/USB é", "/Volumes/USB é/dj/a.aiff", "/Volumes/USB é"),
        ("/Volumes/USB/Stems/", "/Volumes/USB/Stems/dj/a.aiff", "/Volumes/USB"),
        ("D:/", "D:/dj/a.aiff", "D:"),
        ("C:/Users/me", "C:/Users/me/dj/a.aiff", "C:"),
        ("//nas/music", "//nas/music/dj/a.aiff", "//nas/music"),
        ("/Users/me/Music", "/Users/me/Music/dj/a.aiff", "/"),
    ],
)
def test_mapped_folder_is_told_as_it_is_there(there: str, location: str, root: str) -> None:
    """With the root of its volume, of which crates tell paths."""
    locations = ProgramLocations({there: str(USB)})
    assert locations.of(USB / "dj" / "a.aiff") == location
    assert locations.volume_root(USB / "dj") == root


def test_innermost_map_counts_and_what_is_not_mapped_is_here() -> None:
    """In whatever order they were given."""
    locations = ProgramLocations({"D:/": "/mnt", "E:/": "/mnt/usb"})
    assert locations.of(USB / "a.aiff") == "E:/a.aiff"
    assert locations.of(Path("/mnt/b.aiff")) == "D:/b.aiff"
    assert locations.of(Path("/mntx/c.aiff")) == "/mntx/c.aiff"
    assert locations.volume_root(Path("/proc/c")) == "/proc"
