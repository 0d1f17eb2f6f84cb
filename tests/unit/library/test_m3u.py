"""Playlists of lines: encodings, line ends, paths and addresses as other programs write them."""

import random

import pytest

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.m3u import is_m3u, is_text, read_m3u
from stemhouse.errors import LibraryRejected

PLAYLIST = """#EXTM3U
#PLAYLIST: Deep  House
#EXTINF:305,Björk - Jóga
../Music/Björk/Jóga.mp3

#EXTINF:-1,B
/Users/me/b.wav
C:\\Music\\c.aiff
Sub\\d.flac
https://example.com/stream.mp3
file:///Users/me/e%20%C3%A9.mp3
file://localhost/D:/f.mp3
../Music/Björk/Jóga.mp3
"""
LOCATIONS = (
    "../Music/Björk/Jóga.mp3",
    "/Users/me/b.wav",
    "C:/Music/c.aiff",
    "Sub/d.flac",
    "/Users/me/e é.mp3",
    "D:/f.mp3",
    "../Music/Björk/Jóga.mp3",
)
LIBRARY = DJLibrary(
    tuple(map(LibraryEntry, LOCATIONS[:-1])),
    (CrateListing(("Deep House",), LOCATIONS),),
    ("1 lines are left out: they are addresses of a network, or no paths",),
)


def locations(data: bytes, *, is_utf8: bool = False) -> tuple[str, ...]:
    """Of a playlist."""
    return read_m3u(data, "p.m3u", is_utf8=is_utf8).crates[0].locations


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_playlist_is_read_whole(end: str, mark: str) -> None:
    """With each kind of line end, with a byte order mark and without; a file may stand twice in the crate."""
    data = (mark + PLAYLIST.replace("\n", end)).encode()
    assert read_m3u(data, "list.m3u8", is_utf8=True) == LIBRARY
    assert read_m3u(data, "list.m3u", is_utf8=False) == LIBRARY


@pytest.mark.parametrize(
    ("file_name", "name"), [("House.m3u8", "House"), ("A.b.M3U", "A.b"), ("x.m3u.m3u", "x.m3u"), ("plain", "plain")]
)
def test_playlist_without_a_name_has_that_of_its_file(file_name: str, name: str) -> None:
    """So has one whose own name is empty; without the header it is a playlist as well."""
    assert read_m3u(b"a.mp3", file_name, is_utf8=True).crates == (CrateListing((name,), ("a.mp3",)),)
    assert read_m3u(b"#PLAYLIST: \na.mp3", file_name, is_utf8=True).crates[0].path == (name,)


def test_lines_that_are_not_utf8_are_western_european() -> None:
    """Line by line; the apostrophe is one of Windows, and byte 0x81 only Latin-1 has. UTF-8 wins."""
    data = "Jóga.mp3\n".encode("latin-1") + "Don\u2019t.mp3\n".encode("cp1252") + b"\x81.mp3\n" + "Jóga.mp3".encode()
    assert locations(data) == ("Jóga.mp3", "Don\u2019t.mp3", "\x81.mp3", "Jóga.mp3")
    assert read_m3u(data, "p.m3u", is_utf8=False).warnings == ()
    assert read_m3u(data, "p.m3u8", is_utf8=True).warnings == (
        "3 lines are not UTF-8, and are read as Western European",
    )


@pytest.mark.parametrize(
    ("line", "location"),
    [
        ("  a b.mp3 ", "a b.mp3"),
        ("\\\\server\\share\\a.mp3", "//server/share/a.mp3"),
        ("C:\\Music/a.mp3", "C:/Music/a.mp3"),
        ("Music/AC\\DC.mp3", "Music/AC\\DC.mp3"),
        ("\\Music\\a.mp3", "/Music/a.mp3"),
        ("100%.mp3", "100%.mp3"),
        ("FILE:///a%20b.mp3", "/a b.mp3"),
        ("a:b.mp3", "a:b.mp3"),
    ],
)
def test_line_is_a_path(line: str, location: str) -> None:
    """Backslashes of Windows become slashes; those inside of a name of another system stay."""
    assert locations(line.encode()) == (location,)


@pytest.mark.parametrize("line", ["http://x/a.mp3", "mms://x/a", "file:///a%00b.mp3", "/", "#EXTM3U\na\0b.mp3"])
def test_line_without_a_path_is_left_out(line: str) -> None:
    """It is counted."""
    library = read_m3u(line.encode(), "p.m3u", is_utf8=True)
    assert library.entries == ()
    assert library.warnings == ("1 lines are left out: they are addresses of a network, or no paths",)


def test_empty_playlist_is_one() -> None:
    """As programs write a new one."""
    for data in (b"", b"#EXTM3U\n"):
        assert read_m3u(data, "p.m3u", is_utf8=True) == DJLibrary((), (CrateListing(("p",), ()),))


def test_what_is_no_text_is_rejected() -> None:
    """An audio file, for one."""
    with pytest.raises(LibraryRejected, match="no playlist: it is no text"):
        read_m3u(b"ID3\x04\0\0\0\0", "p.m3u", is_utf8=False)


def test_header_is_recognised() -> None:
    """With a byte order mark or blanks before it."""
    assert is_m3u(b"#EXTM3U\r\n")
    assert is_m3u(b"\xef\xbb\xbf\n #EXTM3U8")
    assert not is_m3u(b"a.mp3\n#EXTM3U")


def test_cut_and_damaged_playlists_give_what_is_left() -> None:
    """At every length the lines before the cut; changed bytes give some lines or a rejection."""
    data = PLAYLIST.encode()
    for length in range(len(data)):
        assert LOCATIONS[: max(0, len(locations(data[:length])) - 1)] == locations(data[:length])[:-1]
    random_ = random.Random(23)  # noqa: S311  # a seeded one, on purpose
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(random_.randint(1, 4)):
            damaged[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        try:
            found = locations(bytes(damaged))
        except LibraryRejected:
            continue
        assert len(found) <= 18
        assert all(location and "\0" not in location for location in found)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_text_that_says_so_is_read(encoding: str) -> None:
    """Notepad writes it; with a header or without."""
    for head in ("#EXTM3U\r\n", ""):
        data = f"\ufeff{head}Été/日本.mp3\r\n".encode(encoding)
        assert is_m3u(data) is bool(head)
        assert is_text(data)
        assert [entry.location for entry in read_m3u(data, "a.m3u", is_utf8=False).entries] == ["Été/日本.mp3"]
