"""Composition root of the library: settings, adapters, core, servicer."""

import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import structlog
from platformdirs import user_data_path, user_music_path
from sqlalchemy import Engine

from services.library.adapters.batch_runner import BatchRunner
from services.library.adapters.batch_store import SqlBatchStore
from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.adapters.deliveries import ExporterDeliveries
from services.library.adapters.disks import MachineDisks
from services.library.adapters.dj_exports import DJExports
from services.library.adapters.dj_libraries import DJLibraries, LiveSerato
from services.library.adapters.export_record import SqlExportRecord
from services.library.adapters.folders import DiskFolders
from services.library.adapters.library_catalogue import SqlLibraryCatalogue
from services.library.adapters.music_files import MusicFiles
from services.library.adapters.s3_folders import S3Folders
from services.library.adapters.separations import RouterSeparations
from services.library.adapters.source_files import StoredSourceFiles
from services.library.core.batch import DJBatchProcessor
from services.library.core.batch_drive import DrivePorts
from services.library.core.batch_line import Limits
from services.library.core.batch_orders import BatchOrders
from services.library.core.batch_plan import BatchPlanner, PlanPorts
from services.library.core.batch_track import TrackWork
from services.library.core.disk_budget import Places
from services.library.core.hearing import VocalHearing
from services.library.core.listing import TrackListing
from services.library.core.ordering import WorkOrder
from services.library.core.scanner import DJLibraryScanner, ScannerParts
from services.library.core.track_probes import TrackProbes
from services.library.core.track_search import SearchPorts, TrackSearch
from services.library.core.work_order import CatalogueWorkOrder
from services.library.migrations import migrate
from services.library.servicer import LibraryParts, LibraryServicer, service
from services.library.settings import LibrarySettings
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.platform.databases import open_database
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import s3_client
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Music:
    """The music and what is known of it."""

    tracks: SqlTrackCatalogue
    files: MusicFiles
    scanner: DJLibraryScanner
    order: WorkOrder
    listing: TrackListing


@dataclass(frozen=True)
class _Partners:
    """The other services, and what is heard by way of one."""

    separations: RouterSeparations
    deliveries: ExporterDeliveries
    hearing: VocalHearing


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(LibrarySettings)
    configure_logging("library", settings.log_level)
    database = open_database(settings.database_url)
    migrate(database)
    music = _open_music(settings, database)
    endpoints = Endpoints(settings.router, settings.listen, settings.exporter)
    with Stemhouse(endpoints, credentials=settings.channel_credentials()) as client:
        separations = RouterSeparations(client, music.files.at_hand)
        hearing = VocalHearing(music.tracks, separations)
        known = SearchPorts(music.tracks, SqlLibraryCatalogue(database), SqlExportRecord(database), music.files)
        search = TrackSearch(known)
        deliveries = ExporterDeliveries(client, DJExports(client, search))
        batches, runner = _batches(settings, database, music, _Partners(separations, deliveries, hearing))
        probes = TrackProbes(music.order, hearing)
        servicer = LibraryServicer(LibraryParts(music.scanner, music.listing, probes, search, batches))
        serve(
            service(servicer, music.tracks.probe),
            settings.listen,
            entrance=settings.entrance(),
            on_stop=[runner.stop, database.dispose],
        )


def _open_music(settings: LibrarySettings, database: Engine) -> _Music:
    store = S3Folders(s3_client(settings.music_store)) if settings.music_store else None
    files = MusicFiles(DiskFolders(), store)
    tracks, libraries = SqlTrackCatalogue(database), SqlLibraryCatalogue(database)
    live = LiveSerato(user_music_path(), user_data_path("Serato", appauthor=False) / "Library")
    scanner = DJLibraryScanner(ScannerParts(tracks, libraries, files, files, DJLibraries(live)))
    order = CatalogueWorkOrder(tracks, libraries, files)
    return _Music(tracks, files, scanner, order, TrackListing(tracks, libraries, files, order))


def _batches(
    settings: LibrarySettings, database: Engine, music: _Music, partners: _Partners
) -> tuple[BatchOrders, BatchRunner]:
    """Who takes orders about batches, and who drives them; what an earlier life has left is taken up."""
    store, exports = SqlBatchStore(database), SqlExportRecord(database)
    separations, deliveries, hearing = partners.separations, partners.deliveries, partners.hearing
    sources = StoredSourceFiles(music.files.look, DiskFolders().is_away)
    limits = Limits(rescan_s=settings.rescan_s)
    ports = DrivePorts(
        store=store,
        exports=exports,
        separations=separations,
        tracks=TrackWork(sources, separations, deliveries, exports, hearing, now=_now, on_defect=_log_defect),
        order=music.order,
        rescan=lambda spec: deque(music.scanner.scan(spec.location, spec.library), maxlen=0),
        clock=time.monotonic,
        now=_now,
    )
    at_once = limits.preparations + limits.probes + limits.deliveries
    executor = ThreadPoolExecutor(at_once, thread_name_prefix="batch")
    runner = BatchRunner(DJBatchProcessor(ports, executor, limits))
    places = Places(_text(settings.store_dir), _text(settings.scratch_dir))
    planner = BatchPlanner(PlanPorts(music.order, exports, deliveries, separations, MachineDisks()), places)
    runner.resume_processing(store.unfinished)
    orders = BatchOrders(store, planner, runner, now=_now, new_batch_id=_new_batch_id, starting=Lock())
    return orders, runner


def _new_batch_id() -> str:
    return uuid.uuid4().hex[:12]


def _now() -> datetime:
    return datetime.now(UTC)


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def _log_defect(error: Exception) -> None:
    log.error("a track of a batch failed unexpectedly", exc_info=error)


if __name__ == "__main__":
    enter(main)
