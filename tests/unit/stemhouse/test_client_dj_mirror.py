"""Folders for DJs' files as a library has its own."""

import tempfile
from pathlib import Path

from hypothesis import given, strategies as st

from stemhouse.client.dj_mirror import LONGEST_MIRROR_CHARS, mirrored_folder
from stemhouse.client.receiving import check_segment
from stemhouse.dj import FoundTrack, KnownTrack


def found(folder: str) -> FoundTrack:
    """A track in a folder of the library."""
    return FoundTrack("/x", KnownTrack(), folder=folder)


@given(st.lists(st.text(max_size=90) | st.sampled_from(["..", ".", "con", "a.", " b"]), max_size=12).map("/".join))
def test_no_library_leads_out_of_the_output(folder: str) -> None:
    """Whatever its folders are called, and however deep they are: safe segments, within what Windows takes."""
    place = Path("/nowhere")
    relative = mirrored_folder(place, found(folder)).relative_to(place)
    for segment in relative.parts:
        check_segment(segment)
        assert not segment.startswith(".")
        assert not segment.endswith((".", " "))
    assert len(str(relative).encode("utf-16-le")) // 2 <= LONGEST_MIRROR_CHARS


def test_folders_of_one_name_meet_and_long_ones_stay_apart() -> None:
    """As a drive sees names; a track's own folder takes nothing in."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "House").mkdir()
        (place / "Song").mkdir()
        (place / "Song" / "stemhouse.json").touch()
        assert mirrored_folder(place, found("HOUSE")) == place / "House"
        assert mirrored_folder(place, found("song")) == place / "song (2)"
        assert mirrored_folder(place, None) == place
        long = [mirrored_folder(place, found(f"{'x' * 200}{end}/Deep")) for end in "ab"]
        assert long[0] != long[1]
        assert {path.name for path in long} == {"Deep"}
