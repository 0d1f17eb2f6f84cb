"""Speed of a scan over a generated library: first, unchanged, the order of work, and plans; and how the memory grows.

usage: python -m tests.bench.library [--tracks N] [--folder DIR]
The files are MP3, FLAC, AIFF, WAV and M4A of half a second with tags and 50-200 kB of cover art. They are written once
if the folder is named, and read from the cache of the operating system.
"""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
from sqlalchemy import Engine
from sqlmodel import Session

from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.adapters.deliveries import ExporterDeliveries
from services.library.adapters.disks import MachineDisks
from services.library.adapters.dj_libraries import DJLibraries
from services.library.adapters.export_record import SqlExportRecord, remember_export
from services.library.adapters.folders import DiskFolders
from services.library.adapters.library_catalogue import SqlLibraryCatalogue
from services.library.adapters.music_files import MusicFiles
from services.library.core.batch_plan import BatchPlanner, PlanPorts
from services.library.core.batch_ports import Export
from services.library.core.disk_budget import Places
from services.library.core.exports import key_of_item
from services.library.core.scanner import DJLibraryScanner, ScannerParts
from services.library.core.work_order import CatalogueWorkOrder
from services.library.migrations import migrate
from stemhouse.batches import BatchSpec
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.platform.databases import open_database
from stemhouse.tracks import ScanProgress
from stemhouse.vocab import BASE_STEMS
from tests.bench.figures import Figure, keep
from tests.tagged_files import TAGGED_FORMATS, TaggedFiles
from tests.unit.library.fake_separations import FakeSeparations

Result = TypeVar("Result")
FILES_A_FOLDER = 12
PLAYLIST_TRACKS = 40
TARGETS = (
    "targets for 10,000: first scan >= 300 files/s, unchanged <= 5 s, plan <= 30 s, memory < 1 MB per 1,000 tracks"
)
NOBODY = "127.0.0.1:1"


def main() -> None:
    """Generate the library, scan it twice, ask for the order of work, and plan a batch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        music = options.folder or Path(scratch, "music")
        if not music.exists():
            _, seconds = timed(lambda: write_library(music, options.tracks))
            print(f"wrote {options.tracks} files in {seconds:.0f} s")
        measure(music, Path(scratch, "library.db"))


def write_library(music: Path, count: int) -> None:
    """Folders of an album each, and playlists over all of them."""
    music.mkdir(parents=True)
    files, chooser, paths = TaggedFiles(), random.Random(1), []  # noqa: S311  # a library, not a secret
    for number in range(count):
        folder = music / f"Artist {number // (4 * FILES_A_FOLDER)}" / f"Album {number // FILES_A_FOLDER}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:05}.{TAGGED_FORMATS[number % len(TAGGED_FORMATS)]}"
        files.write(path, number, art_bytes=chooser.randrange(50_000, 200_000))
        paths.append(path.relative_to(music))
    for number in range(count // 500):
        names = map(str, chooser.sample(paths, min(PLAYLIST_TRACKS, count)))
        (music / f"Set {number}.m3u8").write_text("\n".join(["#EXTM3U", *names, ""]))


def measure(music: Path, database_file: Path) -> None:
    """Print the figures."""
    database = open_database(f"sqlite:///{database_file}")
    migrate(database)
    tracks, libraries = SqlTrackCatalogue(database), SqlLibraryCatalogue(database)
    files = MusicFiles(DiskFolders())
    scanner = DJLibraryScanner(ScannerParts(tracks, libraries, files, files, DJLibraries()))
    memory: list[tuple[int, int]] = []
    outcome, first_s = timed(lambda: drain(scanner.scan(str(music)), memory))
    print(f"first scan: {outcome.found_count} files in {first_s:.1f} s, {outcome.found_count / first_s:.0f} files/s")
    keep(Figure("first scan", outcome.found_count / first_s, "files/s", at_least=300.0))
    slope_mb = slope_bytes(memory) * 1000 / 1e6
    print(f"memory: {slope_mb:.2f} MB per 1,000 tracks, {memory[-1][1] / 1e6:.0f} MB at the end")
    keep(Figure("memory of a scan", slope_mb, "MB/1000", at_most=1.0))
    outcome, again_s = timed(lambda: drain(scanner.scan(str(music)), []))
    print(f"unchanged: {outcome.unchanged_count} of {outcome.found_count} files in {again_s:.1f} s")
    keep(Figure(f"unchanged {outcome.found_count} files", again_s, "s", at_most=5.0))
    order = CatalogueWorkOrder(tracks, libraries, files)
    ordered, order_s = timed(lambda: order.files(str(music), ["Set 1"], is_crates_only=False))
    print(f"work order: {len(ordered)} tracks in {order_s:.2f} s")
    with Stemhouse(Endpoints(NOBODY, NOBODY, NOBODY)) as client:
        exports, deliveries = SqlExportRecord(database), ExporterDeliveries(client)
        ports = PlanPorts(order, exports, deliveries, FakeSeparations(), MachineDisks())
        home = str(database_file.parent)
        measure_plans(BatchPlanner(ports, Places(home, home)), database, BatchSpec(str(music), f"{home}/stems"))
    print(TARGETS)
    database.dispose()


def measure_plans(planner: BatchPlanner, database: Engine, spec: BatchSpec) -> None:
    """Print how long it takes to plan a batch of everything, before and after all of it was delivered."""
    plan, seconds = timed(lambda: planner.plan(spec))
    print(f"plan: {plan.track_count} tracks to do in {seconds:.2f} s")
    keep(Figure(f"plan of {plan.track_count} tracks", seconds, "s", at_most=30.0))
    deliver_all(planner, database, spec)
    plan, seconds = timed(lambda: planner.plan(spec))
    print(f"plan: {plan.skipped_count} tracks that are done, each of their files looked at, in {seconds:.2f} s")


def deliver_all(planner: BatchPlanner, database: Engine, spec: BatchSpec) -> None:
    """Four files for each track, and what the library remembers of them."""
    with Session(database) as session, session.begin():
        for item in planner.items(spec):
            folder = Path(spec.output_dir, str(item.place))
            folder.mkdir(parents=True)
            for stem in BASE_STEMS:
                (folder / f"{stem}.wav").write_bytes(b"stem")
            sizes_bytes = dict.fromkeys((f"{stem}.wav" for stem in BASE_STEMS), len(b"stem"))
            remember_export(session, key_of_item(spec, item), Export(str(folder), sizes_bytes, item.audio_s))


def drain(reports: Iterator[ScanProgress], memory: list[tuple[int, int]]) -> ScanProgress:
    """The last report; notes files and resident bytes beside each."""
    process, last = psutil.Process(), ScanProgress()
    for last in reports:
        memory.append((last.found_count, process.memory_info().rss))
    return last


def slope_bytes(memory: list[tuple[int, int]]) -> float:
    """Resident bytes for each track, after the first fifth of the scan, which fills caches."""
    counts, sizes = np.array(memory[len(memory) // 5 :]).T
    return float(np.polyfit(counts, sizes, 1)[0])


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What the work gives, and its seconds."""
    gc.collect()
    start_s = time.perf_counter()
    return work(), time.perf_counter() - start_s


if __name__ == "__main__":
    main()
