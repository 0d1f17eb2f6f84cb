"""Scanning real files of DJ programs and real audio into a real database; nothing of it is ever touched."""

import hashlib
import json
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import pytest

from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.adapters.dj_libraries import DJLibraries
from services.library.adapters.folders import DiskFolders
from services.library.adapters.library_catalogue import SqlLibraryCatalogue
from services.library.adapters.music_files import MusicFiles
from services.library.core.locations import PathMap
from services.library.core.scanner import DJLibraryScanner, ScannerParts
from services.library.core.work_order import CatalogueWorkOrder
from services.library.migrations import migrate
from stemhouse.errors import LibraryRejected, NotFound
from stemhouse.platform.databases import open_database
from stemhouse.tracks import LibraryKind, ScanProblem, ScanProgress
from tests.tagged_files import TAGGED_FORMATS, TaggedFiles
from tests.unit.library.serato_files import crate
from tests.unit.library.test_serato_library import ROOT

FILES = TaggedFiles()


class Library:
    """A scanner over real adapters."""

    def __init__(self, database_file: Path) -> None:
        self.database = open_database(f"sqlite:///{database_file}")
        migrate(self.database)
        self.tracks, self.libraries = SqlTrackCatalogue(self.database), SqlLibraryCatalogue(self.database)
        self.music_files = MusicFiles(DiskFolders())
        parts = ScannerParts(self.tracks, self.libraries, self.music_files, self.music_files, DJLibraries())
        self._scanner = DJLibraryScanner(parts)

    def scan(
        self, location: Path, kind: LibraryKind = LibraryKind.AUTO, *path_maps: PathMap
    ) -> tuple[ScanProgress, list[ScanProblem]]:
        """The outcome, and all problems."""
        reports = list(self._scanner.scan(str(location), kind, path_maps))
        return reports[-1], [problem for report in reports for problem in report.problems]

    def crates_of(self, path: Path) -> tuple[str, ...]:
        """The crates of one track."""
        return self.tracks.tracks([str(path)])[str(path)].crates

    def order(self, location: Path, *crates: str) -> list[str]:
        """Names of the files in the order of work."""
        files = CatalogueWorkOrder(self.tracks, self.libraries, self.music_files).files(
            str(location), crates, is_crates_only=False
        )
        return [Path(file.path).name for file in files]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty catalogue."""
    library = Library(tmp_path / "library.db")
    yield library
    library.database.dispose()


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with a track of each format and one with an accent that is written apart from its letter."""
    music = tmp_path / "Music"
    (music / "Bjo\u0308rk").mkdir(parents=True)
    for number, extension in enumerate(TAGGED_FORMATS):
        FILES.write(music / f"{number}.{extension}", number, art_bytes=1000)
    FILES.write(music / "Bjo\u0308rk/J\u00f3ga.mp3", 9, art_bytes=1000)
    return music


def snapshot(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Digest, time of change and size of every file, and the times of the folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        facts = path.stat()
        found[str(path)] = (digest, facts.st_mtime_ns, facts.st_size if digest else 0)
    return found


def put_serato(volume: Path, **crates: list[str]) -> None:
    """Crates of Serato 3 on a volume."""
    folder = volume / "_Serato_/Subcrates"
    folder.mkdir(parents=True, exist_ok=True)
    for name, paths in crates.items():
        (folder / f"{name.replace('__', '%%')}.crate").write_bytes(crate(*paths))


def rekordbox(file: Path, *paths: str) -> None:
    """A collection with one playlist."""
    tracks = "".join(
        f'<TRACK TrackID="{number}" Name="R{number}" Tonality="2A" AverageBpm="99.00"'
        f" Location={quoteattr('file://localhost/' + quote(path.lstrip('/')))}/>"
        for number, path in enumerate(paths, start=1)
    )
    keys = "".join(f'<TRACK Key="{number}"/>' for number in range(1, len(paths) + 1))
    file.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><DJ_PLAYLISTS Version="1.0.0"><COLLECTION>{tracks}</COLLECTION>'
        '<PLAYLISTS><NODE Type="0" Name="ROOT"><NODE Type="1" Name="Club" KeyType="0">'
        f"{keys}</NODE></NODE></PLAYLISTS></DJ_PLAYLISTS>"
    )


def test_folder_brings_its_tracks_crates_and_playlists(library: Library, music: Path) -> None:
    """Crates that spell names in the other way of Unicode mean the same files."""
    put_serato(music, House__Deep=["Bj\u00f6rk/J\u00f3ga.mp3", "1.flac", "gone.mp3"])
    (music / "Late.m3u8").write_text("#EXTM3U\n1.flac\n../Music/0.mp3\n")
    outcome, problems = library.scan(music)
    assert (outcome.found_count, outcome.added_count, outcome.crate_count, outcome.missing_count) == (6, 6, 2, 1)
    assert problems == [ScanProblem("gone.mp3", "crate House/Deep names it, and it is not there")]
    assert library.crates_of(music / "1.flac") == ("House/Deep", "Late")
    assert library.crates_of(music / "Bjo\u0308rk/J\u00f3ga.mp3") == ("House/Deep",)
    assert library.order(music, "late", "house/deep")[:3] == ["1.flac", "0.mp3", "J\u00f3ga.mp3"]


def test_one_file_of_all_programs_is_one_track(library: Library, music: Path, tmp_path: Path) -> None:
    """Its own tags count, and the programs fill what it does not tell."""
    (music / "untagged.wav").write_bytes(FILES.audio("wav"))
    rekordbox(tmp_path / "c.xml", f"{music}/untagged.wav", f"{music}/0.mp3", "/nowhere/x.mp3")
    put_serato(music, Friday=["untagged.wav"])
    library.scan(music)
    outcome, _ = library.scan(tmp_path / "c.xml")
    assert (outcome.added_count, outcome.unchanged_count, outcome.missing_count) == (0, 2, 1)
    track = library.tracks.tracks([f"{music}/untagged.wav"])[f"{music}/untagged.wav"]
    assert (track.title, track.key, track.bpm, track.crates) == ("R1", "2A", 99.0, ("Friday", "Club"))
    assert library.tracks.tracks([f"{music}/0.mp3"])[f"{music}/0.mp3"].bpm == 100.0


@pytest.mark.parametrize(
    ("place", "names"),
    [
        (".", ["1.flac", "3.wav"]),
        ("_Serato_", ["1.flac", "3.wav"]),
        ("_Serato_/Library", ["1.flac", "3.wav"]),
        ("_Serato_/Library/root.sqlite", ["3.wav"]),
    ],
)
def test_serato_is_read_wherever_one_points(library: Library, music: Path, place: str, names: list[str]) -> None:
    """The database of version 4 beside the crates of version 3; of crates with one name the database's counts."""
    put_serato(music, House=["0.mp3"], Old=["1.flac"])
    database = music / "_Serato_/Library/root.sqlite"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(ROOT.replace("Users/me/b.wav", "3.wav"))
    library.scan(music / place, LibraryKind.SERATO)
    assert [Path(track.path).name for track in library.tracks.page("", "", 9)] == names
    assert library.crates_of(music / "3.wav") == ("House",)


def test_library_of_another_machine_is_found_by_path_maps(library: Library, music: Path, tmp_path: Path) -> None:
    """Also by later scans that do not name them, as those of a watching batch."""
    rekordbox(tmp_path / "c.xml", "D:/Musik/0.mp3")
    assert library.scan(tmp_path / "c.xml")[0].missing_count == 1
    for maps in ([PathMap("D:/Musik", str(music))], []):
        outcome, _ = library.scan(tmp_path / "c.xml", LibraryKind.REKORDBOX, *maps)
        assert (outcome.found_count, outcome.missing_count) == (1, 0)


def test_changed_crates_are_read_again(library: Library, music: Path) -> None:
    """And those that went are gone."""
    put_serato(music, Friday=["0.mp3"], Late=["1.flac"])
    library.scan(music)
    put_serato(music, Friday=["3.wav"])
    library.scan(music)
    assert library.crates_of(music / "3.wav") == ("Friday",)
    put_serato(music, Friday=["1.flac", "0.mp3"])
    (music / "_Serato_/Subcrates/Late.crate").unlink()
    library.scan(music)
    assert library.crates_of(music / "1.flac") == ("Friday",)
    assert [crate.name for crate in library.libraries.crates("")] == ["Friday"]


def test_changes_in_the_log_of_a_database_are_read(library: Library, music: Path) -> None:
    """Serato may be running; its database is the same file until it is closed."""
    database = music / "_Serato_/Library/root.sqlite"
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL;" + ROOT + "PRAGMA wal_checkpoint(TRUNCATE);")
        library.scan(music)
        connection.execute("UPDATE container SET name = 'Renamed' WHERE id = 10")
        library.scan(music)
    assert "Renamed" in [crate.name for crate in library.libraries.crates("")]


def test_broken_database_leaves_crates_and_tracks_as_they_were(library: Library, music: Path) -> None:
    """Also tracks that only a crate leads to; once it is mended they are read again."""
    (music / ".vault").mkdir()
    FILES.write(music / ".vault/x.mp3", 1, art_bytes=10)
    put_serato(music, Friday=[".vault/x.mp3"])
    library.scan(music)
    database = music / "_Serato_/Library/root.sqlite"
    database.parent.mkdir()
    database.write_bytes(b"SQLite format 3\0 and then nothing")
    outcome, (problem,) = library.scan(music)
    assert outcome.removed_count == 0
    assert problem.reason.endswith("its crates stay as they were")
    assert library.crates_of(music / ".vault/x.mp3") == ("Friday",)
    database.unlink()
    assert library.scan(music)[0].unchanged_count == 7


def test_own_output_inside_the_library_is_never_taken_in(library: Library, music: Path) -> None:
    """Three scans after a delivery find nothing new; unfinished ones are hidden anyway."""
    library.scan(music)
    for folder in (music / "stems/Artist - Title_1234abcd", music / "stems/.stemhouse-1.part"):
        folder.mkdir(parents=True)
        names = ["vocals.wav", "drums.flac"]
        for name in names:
            (folder / name).write_bytes(FILES.audio(name.rpartition(".")[2]))
        document = {"delivery": {"delivery_key": "k"}, "files": [{"name": name} for name in names]}
        (folder / "metadata.json").write_text(json.dumps(document))
    for _ in range(3):
        outcome, problems = library.scan(music)
        assert (outcome.added_count, outcome.updated_count, outcome.own_count, problems) == (0, 0, 2, [])
    assert library.tracks.count("") == 6


def test_nothing_is_written_where_a_scan_reads(library: Library, music: Path) -> None:
    """Digests and times of all files and folders, a database with a log beside it among them."""
    put_serato(music, Friday=["0.mp3"])
    database = music / "_Serato_/Library/root.sqlite"
    database.parent.mkdir()
    connection = sqlite3.connect(database)
    connection.executescript("PRAGMA journal_mode = WAL;" + ROOT)
    (music / "Late.m3u8").write_text("0.mp3\n")
    rekordbox(music / "c.xml", f"{music}/1.flac")
    before = snapshot(music)
    for _ in range(2):
        library.scan(music)
        library.scan(music / "c.xml")
        library.scan(music, LibraryKind.SERATO)
    assert snapshot(music) == before
    connection.close()


def test_truncated_and_damaged_files_never_end_a_scan(library: Library, music: Path) -> None:
    """Each is a track, by its name only where it is a problem, too, and whole ones beside them are read."""
    chooser = random.Random(5)  # noqa: S311  # a test's
    wholes = sorted(path for path in music.iterdir() if path.is_file())
    for whole in wholes:
        data = whole.read_bytes()
        for number in range(12):
            cut = bytearray(data[: chooser.randrange(len(data))])
            for _ in range(number):
                if cut:
                    cut[chooser.randrange(min(len(cut), 4096))] = chooser.randrange(256)
            (music / f"cut {number} of {whole.name}").write_bytes(cut)
    outcome, problems = library.scan(music)
    assert outcome.is_complete
    assert outcome.found_count == 6 + 12 * len(wholes)
    assert outcome.added_count == outcome.found_count
    assert {problem.path for problem in problems} == set(library.tracks.unread())
    assert {str(whole) for whole in wholes} <= set(library.tracks.stamps(""))


def test_volume_that_is_away_keeps_its_tracks(library: Library, music: Path, tmp_path: Path) -> None:
    """Missing, or as the empty folder that it leaves; libraries that name its files keep them, too."""
    rekordbox(tmp_path / "c.xml", f"{music}/Bjo\u0308rk/J\u00f3ga.mp3")
    library.scan(music)
    library.scan(tmp_path / "c.xml")
    music.rename(tmp_path / "unplugged")
    with pytest.raises(NotFound, match="6 tracks that are known of it stay"):
        library.scan(music)
    music.mkdir()
    assert library.scan(music)[0].removed_count == 0
    outcome, problems = library.scan(tmp_path / "c.xml")
    assert (outcome.removed_count, outcome.missing_count, len(problems)) == (0, 0, 1)
    assert library.tracks.count("") == 6


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("nowhere", LibraryKind.AUTO, "is not there"),
        ("0.mp3", LibraryKind.AUTO, "no library of a known kind"),
        ("Late.m3u8", LibraryKind.REKORDBOX, "no library of kind rekordbox"),
        (".", LibraryKind.M3U, "no library of kind m3u"),
        (".", LibraryKind.SERATO, "no library of kind serato"),
        ("House.crate", LibraryKind.AUTO, "name the folder that holds _Serato_"),
    ],
)
def test_location_of_another_kind_is_refused(
    library: Library, music: Path, name: str, kind: LibraryKind, message: str
) -> None:
    """With its path and what it was taken for."""
    (music / "Late.m3u8").write_text("0.mp3\n")
    (music / "House.crate").write_bytes(crate("0.mp3"))
    with pytest.raises((LibraryRejected, NotFound), match=message):
        library.scan(music / name, kind)


def test_folder_behind_a_link_has_one_track_for_each_file(library: Library, music: Path, tmp_path: Path) -> None:
    """By the link's name, which is what was scanned; crates lead to the real files."""
    (tmp_path / "link").symlink_to(music)
    put_serato(music, Friday=["0.mp3"])
    for _ in range(2):
        outcome, _ = library.scan(tmp_path / "link")
        assert outcome.found_count == 6
    assert library.tracks.count("") == 6
    assert library.crates_of(tmp_path / "link/0.mp3") == ("Friday",)


def test_touched_file_is_read_again(library: Library, music: Path) -> None:
    """And a file that has not changed is not."""
    library.scan(music)
    FILES.write(music / "0.mp3", 5, art_bytes=1000)
    os.utime(music / "0.mp3", ns=(1, 1))
    outcome, _ = library.scan(music)
    assert (outcome.updated_count, outcome.unchanged_count) == (1, 5)
    assert library.tracks.tracks([f"{music}/0.mp3"])[f"{music}/0.mp3"].title == "Night 5"
