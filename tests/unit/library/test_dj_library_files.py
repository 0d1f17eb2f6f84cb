"""What kind of library a path is, and libraries that are one file or a folder of playlists."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.library.adapters.dj_library_files import kind_of, read_library_file, read_playlists
from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import DJFacts, LibraryKind
from tests.unit.library.serato_files import crate, text

REKORDBOX = (
    b"<?xml version='1.0'?>\n<!-- x -->\n<DJ_PLAYLISTS><TRACK Location='file://localhost/a.mp3'/></DJ_PLAYLISTS>"
)
TRAKTOR = b"<NML><ENTRY><LOCATION VOLUME='C:' DIR='/:' FILE='a.mp3'/></ENTRY></NML>"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("any", REKORDBOX, LibraryKind.REKORDBOX),
        ("utf16.xml", REKORDBOX.decode().encode("utf-16"), LibraryKind.REKORDBOX),
        ("cut.xml", REKORDBOX[:60], LibraryKind.REKORDBOX),
        ("collection.nml", TRAKTOR, LibraryKind.TRAKTOR),
        ("named.m3u", TRAKTOR, LibraryKind.TRAKTOR),
        ("list.txt", b"\xef\xbb\xbf#EXTM3U\r\na.mp3", LibraryKind.M3U),
        ("plain.M3U8", b"a.mp3", LibraryKind.M3U),
        ("empty.m3u", b"", LibraryKind.M3U),
        ("House.crate", crate("a.mp3"), LibraryKind.SERATO),
        ("database V2", text(b"vrsn", "2.0/Serato Scratch LIVE Database"), LibraryKind.SERATO),
        ("library.xml", b"<plist><dict/></plist>", None),
        ("html.xml", b"<!DOCTYPE html><DJ_PLAYLISTS/>", None),
        ("audio.m3u", b"ID3\x04\0\0", None),
        ("a.mp3", b"ID3\x04\0\0", None),
        ("empty.xml", b"", None),
    ],
)
def test_kind_of_file_is_what_it_holds(tmp_path: Path, name: str, data: bytes, kind: LibraryKind | None) -> None:
    """Names count only for playlists without a header."""
    (tmp_path / name).write_bytes(data)
    assert kind_of(tmp_path / name) is kind


def test_database_is_one_of_serato_by_its_name(tmp_path: Path) -> None:
    """Other programs have SQLite files as well."""
    for name, kind in (("root.sqlite", LibraryKind.SERATO), ("Master.SQLite", LibraryKind.SERATO), ("m.db", None)):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.execute("CREATE TABLE asset (id INTEGER)")
        assert kind_of(tmp_path / name) is kind
    assert kind_of(tmp_path) is LibraryKind.SERATO


def test_kind_of_folder_is_what_lies_in_it(tmp_path: Path) -> None:
    """Serato's own folder, or one that holds it; any other is a folder of tracks."""
    serato = tmp_path / "Music" / "_Serato_"
    serato.mkdir(parents=True)
    assert kind_of(serato) is kind_of(serato.parent) is LibraryKind.SERATO
    assert kind_of(tmp_path) is LibraryKind.FOLDER
    assert kind_of(tmp_path / "no") is None
    os.mkfifo(tmp_path / "pipe")
    assert kind_of(tmp_path / "pipe") is None


def test_each_kind_of_file_is_read(tmp_path: Path) -> None:
    """And stays as it is."""
    files = {
        "a.xml": (REKORDBOX, DJLibrary((LibraryEntry("/a.mp3", DJFacts("rekordbox")),))),
        "a.nml": (TRAKTOR, DJLibrary((LibraryEntry("C:/a.mp3", DJFacts("traktor")),))),
        "a.m3u": (b"a.mp3", DJLibrary((LibraryEntry("a.mp3"),), (CrateListing(("a",), ("a.mp3",)),))),
    }
    for name, (data, library) in files.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o444)
        assert read_library_file(tmp_path / name) == library
        assert (tmp_path / name).read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_only_m3u8_promises_utf8(tmp_path: Path) -> None:
    """So only there other bytes are worth a word."""
    for name, count in (("a.m3u", 0), ("a.M3U8", 1)):
        (tmp_path / name).write_bytes("Jóga.mp3".encode("latin-1"))
        library = read_library_file(tmp_path / name)
        assert library.entries == (LibraryEntry("Jóga.mp3"),)
        assert len(library.warnings) == count


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.xml", b"<plist/>", "no XML of rekordbox, no NML of Traktor and no M3U playlist"),
        ("a.crate", crate("a.mp3"), "no XML of rekordbox"),
        ("none", None, "it is not there, or no file"),
    ],
)
def test_what_cannot_be_read_is_rejected(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    """By its name and the cause."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LibraryRejected, match=message) as rejection:
        read_library_file(tmp_path / name)
    assert rejection.value.message.startswith(f"{tmp_path / name}: ")


@pytest.mark.parametrize(("size_bytes", "name"), [((1 << 30) + 1, "a.xml"), ((1 << 25) + 1, "a.m3u")])
def test_absurd_sizes_are_rejected(tmp_path: Path, size_bytes: int, name: str) -> None:
    """Before anything is read."""
    (tmp_path / name).write_bytes(REKORDBOX if name == "a.xml" else b"#EXTM3U\n")
    with (tmp_path / name).open("r+b") as stream:
        stream.truncate(size_bytes)
    with pytest.raises(LibraryRejected, match=f"{size_bytes} bytes are too many"):
        read_library_file(tmp_path / name)


def test_playlists_of_a_folder_are_crates(tmp_path: Path) -> None:
    """Subfolders are outer crates, and their locations as seen from the folder; hidden files are passed over."""
    (tmp_path / "Sets" / "2026").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "b.m3u8").write_bytes(b"Music/b.mp3\n/a.mp3")
    (tmp_path / "Sets" / "2026" / "a.m3u").write_bytes(b"#PLAYLIST:May\n../b.mp3\n/a.mp3\nC:\\c.mp3")
    (tmp_path / "Sets" / "bad.m3u").write_bytes(b"ID3\0\0")
    (tmp_path / "Sets" / "old.m3u8").write_bytes("é.mp3".encode("latin-1"))
    for name in ("._b.m3u8", ".hidden/c.m3u8", "notes.txt"):
        (tmp_path / name).write_bytes(b"x.mp3")
    (tmp_path / "folder.m3u").mkdir()
    library = read_playlists(tmp_path)
    assert library.crates == (
        CrateListing(("b",), ("Music/b.mp3", "/a.mp3")),
        CrateListing(("Sets", "old"), ("Sets/é.mp3",)),
        CrateListing(("Sets", "2026", "May"), ("Sets/2026/../b.mp3", "/a.mp3", "C:/c.mp3")),
    )
    locations = ["Music/b.mp3", "/a.mp3", "Sets/é.mp3", "Sets/2026/../b.mp3", "C:/c.mp3"]
    assert library.entries == tuple(map(LibraryEntry, locations))
    assert library.warnings == (
        "Sets/bad.m3u: no playlist: it is no text",
        "Sets/old.m3u8: 1 lines are not UTF-8, and are read as Western European",
    )


def test_folder_that_is_not_there_has_no_playlists(tmp_path: Path) -> None:
    """It is said."""
    library = read_playlists(tmp_path / "no")
    assert (library.entries, library.crates) == ((), ())
    assert library.warnings == (f"{tmp_path / 'no'}: cannot be read: No such file or directory",)
