"""Where the files of a DJ library may lie: paths in order, maps from other machines, and what is no path."""

import pytest

from services.library.core.locations import PathMap, candidate_paths, location_from_uri, path_key
from stemhouse.tracks import LibraryKind

COMPOSED, APART = "J\u00f3ga", "Jo\u0301ga"


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("file://localhost/Users/me/a%20b%23.mp3", "/Users/me/a b#.mp3"),
        ("file://localhost/Volumes/USB/%E6%97%A5.mp3", "/Volumes/USB/日.mp3"),
        ("file://localhost/C:/Music/a+b.mp3", "C:/Music/a+b.mp3"),
        ("file://localhostC:/Music/a.mp3", "C:/Music/a.mp3"),
        ("file://localhost//Users/me/a.mp3", "//Users/me/a.mp3"),
        ("file:///Users/me/a.mp3", "/Users/me/a.mp3"),
        ("file://server/share/a.mp3", "//server/share/a.mp3"),
        ("FILE://LOCALHOST/a.mp3", "/a.mp3"),
        ("C:\\Music\\a%20b.mp3", "C:/Music/a%20b.mp3"),
        ("/Users/me/a.mp3", "/Users/me/a.mp3"),
        ("file://localhosttidal:tracks:62303032", ""),
        ("file://localhost/soundcloud:tracks:1", ""),
        ("spotify:track:1", ""),
        ("https://example.com/a.mp3", ""),
        ("file://localhost/a%00.mp3", ""),
        ("file://localhost/C:/a%00.mp3", ""),
        ("file://localhost/", ""),
        ("", ""),
    ],
)
def test_location_of_uri(uri: str, location: str) -> None:
    """As rekordbox and others write it; streams are no files."""
    assert location_from_uri(uri) == location


def test_serato_is_tried_from_its_volume_outwards() -> None:
    """The volume with `_Serato_` first, the root last, for on an internal drive paths begin there."""
    location = "Users/me/Music/a.mp3"
    assert candidate_paths(location, LibraryKind.SERATO, "/Users/me/Music") == (
        "/Users/me/Music/Users/me/Music/a.mp3",
        "/Users/me/Users/me/Music/a.mp3",
        "/Users/Users/me/Music/a.mp3",
        "/Users/me/Music/a.mp3",
    )
    assert candidate_paths("Music/a.mp3", LibraryKind.SERATO, "/Volumes/USB")[0] == "/Volumes/USB/Music/a.mp3"
    assert candidate_paths("/Music/a.mp3", LibraryKind.SERATO, "/")[0] == "/Music/a.mp3"


def test_serato_of_windows_needs_a_map_elsewhere() -> None:
    """The map says which drive it was."""
    maps = (PathMap("C:\\Users\\me", "/mnt/me"), PathMap("c:/x", "/mnt/x"))
    found = candidate_paths("Users/me/a.mp3", LibraryKind.SERATO, "/mnt/crates", maps)
    assert found == ("/mnt/me/a.mp3", "/mnt/crates/Users/me/a.mp3", "/mnt/Users/me/a.mp3", "/Users/me/a.mp3")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("a.mp3", "/lists/house/a.mp3"),
        ("../a.mp3", "/lists/a.mp3"),
        ("./x/../a.mp3", "/lists/house/a.mp3"),
        ("../../../../a.mp3", "/a.mp3"),
        ("/Music//a.mp3", "/Music/a.mp3"),
        ("//server/a.mp3", "/server/a.mp3"),
    ],
)
def test_playlist_is_relative_to_its_folder(location: str, path: str) -> None:
    """With `..` taken out; the root has no outside."""
    assert candidate_paths(location, LibraryKind.M3U, "/lists/house") == (path,)


def test_traktor_is_tried_on_its_volume_and_on_the_boot_volume() -> None:
    """Only Traktor names the boot volume."""
    location = "/Volumes/Macintosh HD/Users/me/a.mp3"
    assert candidate_paths(location, LibraryKind.TRAKTOR, "") == (location, "/Users/me/a.mp3")
    assert candidate_paths(location, LibraryKind.REKORDBOX, "") == (location,)
    maps = (PathMap("/Users/me", "/home/me"),)
    assert candidate_paths(location, LibraryKind.TRAKTOR, "", maps) == ("/home/me/a.mp3", location, "/Users/me/a.mp3")


def test_drives_and_shares_are_tried_only_where_the_system_has_them() -> None:
    """Elsewhere a map has to say where they are."""
    for location in ("C:/Music/a.mp3", "c:/Music/../Music/a.mp3"):
        assert candidate_paths(location, LibraryKind.REKORDBOX, "") == ()
        maps = (PathMap("C:/Music", "/mnt/music"),)
        assert candidate_paths(location, LibraryKind.REKORDBOX, "", maps) == ("/mnt/music/a.mp3",)
    assert candidate_paths("C:/Music/../a.mp3", LibraryKind.REKORDBOX, "", has_drives=True) == ("C:/a.mp3",)
    maps = (PathMap("\\\\NAS\\Music", "/mnt/nas"),)
    assert candidate_paths("//nas/music/a.mp3", LibraryKind.M3U, "/l", maps)[0] == "/mnt/nas/a.mp3"


@pytest.mark.parametrize(
    ("from_prefix", "path", "target"),
    [
        ("C:/Music", "c:/MUSIC/Sub/A.mp3", "/mnt/Sub/A.mp3"),
        ("C:\\Music\\", "C:/Music/a.mp3", "/mnt/a.mp3"),
        ("C:/", "C:/a.mp3", "/mnt/a.mp3"),
        ("C:", "C:/a.mp3", "/mnt/a.mp3"),
        ("C:/Music", "C:/Music2/a.mp3", None),
        ("C:/Music", "D:/Music/a.mp3", None),
        ("C:/Music", "/Music/a.mp3", None),
        ("/Users/me", "/Users/me/a.mp3", "/mnt/a.mp3"),
        ("/Users/me", "/Users/ME/a.mp3", None),
        ("/Users/me", "/Users/men/a.mp3", None),
        (f"/{APART}", f"/{COMPOSED}/a.mp3", "/mnt/a.mp3"),
        ("/", "/a/b.mp3", "/mnt/a/b.mp3"),
        ("//nas/Music", "//NAS/music/a.mp3", "/mnt/a.mp3"),
    ],
)
def test_map_replaces_whole_folders(from_prefix: str, path: str, target: str | None) -> None:
    """Of Windows without regard to case; accents may be put together or not."""
    assert PathMap(from_prefix, "/mnt").apply(path) == target


def test_map_cannot_be_left_by_dots() -> None:
    """They are taken out before it is looked which map speaks of the path."""
    maps = (PathMap("C:/Music", "/mnt/music"),)
    assert candidate_paths("C:/Music/../secret.mp3", LibraryKind.REKORDBOX, "", maps) == ()


@pytest.mark.parametrize("location", ["", "/", "a\0b.mp3", "/a\0"])
def test_what_is_no_path_has_no_candidates(location: str) -> None:
    """Whoever names it."""
    for kind in (LibraryKind.SERATO, LibraryKind.M3U, LibraryKind.TRAKTOR, LibraryKind.REKORDBOX):
        assert candidate_paths(location, kind, "/music") == ()


def test_location_without_a_root_has_no_candidates_where_nothing_gives_it_one() -> None:
    """A damaged collection, for one."""
    assert candidate_paths("Music/a.mp3", LibraryKind.REKORDBOX, "", (PathMap("/", "/mnt"),)) == ()


def test_keys_of_paths() -> None:
    """Accents are put together everywhere, case counts where the volume says so."""
    assert path_key(APART, is_case_sensitive=True) == COMPOSED
    assert path_key(f"{APART}.MP3", is_case_sensitive=True) == f"{COMPOSED}.MP3"
    assert path_key(f"{APART}.MP3", is_case_sensitive=False) == "jóga.mp3"
    assert path_key("STRASSE", is_case_sensitive=False) == path_key("straße", is_case_sensitive=False)


def test_line_of_a_playlist_may_be_percent_encoded() -> None:
    """As it stands it comes first: `100%25.mp3` may be a name."""
    paths = candidate_paths("B%C3%A4r/100%25.mp3", LibraryKind.M3U, "/m")
    assert paths == ("/m/B%C3%A4r/100%25.mp3", "/m/Bär/100%.mp3")
    assert candidate_paths("a%00.mp3", LibraryKind.M3U, "/m") == ("/m/a%00.mp3",)
