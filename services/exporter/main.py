"""Composition root of the exporter: settings, adapters, core, servicer."""

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import structlog

from services.exporter.adapters.audio_objects import StoredAudioObjects
from services.exporter.adapters.compiled_analysis import compile_beside
from services.exporter.adapters.dj_tags import DJTagger
from services.exporter.adapters.ffmpeg_encoder import FfmpegEncoder
from services.exporter.adapters.libsndfile_encoder import LibsndfileEncoder
from services.exporter.adapters.signalsmith import SignalsmithStretcher
from services.exporter.adapters.soxr_downmixer import SoxrDownmixer
from services.exporter.adapters.soxr_resampler import SoxrResampler
from services.exporter.adapters.spools import ScratchSpools
from services.exporter.adapters.stem_intake import StemIntake
from services.exporter.adapters.stem_mp4 import StemMp4Encoder
from services.exporter.adapters.stored_audio import StoredFlac
from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.analysis.tracks import TrackAnalyzer
from services.exporter.core.delivery import StemDelivery
from services.exporter.core.dj.lists import PlaylistExport
from services.exporter.core.dj.organizing import StemOrganizing
from services.exporter.core.dj.preparing import StreamPreparation
from services.exporter.core.dj.stem_files import StemFileExport
from services.exporter.core.held_delivery import HeldDelivery
from services.exporter.core.ports import FileEncoder
from services.exporter.core.production.analyses import Analyses, Analyzer
from services.exporter.core.production.chopping import StemChopping
from services.exporter.core.production.folders import StemFolders
from services.exporter.core.production.live_projects import LiveProjects, SetBuilder
from services.exporter.core.production.stretching import StemStretching
from services.exporter.core.production.uploads import StemUploads
from services.exporter.core.remix.ports import Stretcher
from services.exporter.core.remix.stretching import StemRemixer
from services.exporter.core.wav import WavEncoder
from services.exporter.servicer import ExporterParts, ExporterServicer, service
from services.exporter.settings import ExporterSettings
from stemhouse.delivery import FileFormat
from stemhouse.errors import Unavailable
from stemhouse.platform.callers import PerTenant
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging
from stemhouse.ports import ObjectStore
from stemhouse.tenancy import store_of
from stemhouse.tenants import HOUSE, Tenant

TOOLS = ("av", "numpy", "soundfile", "stemhouse")
"""Distributions whose versions metadata.json tells."""

log = structlog.get_logger(__name__)


def file_encoders(scratch_dir: Path) -> Mapping[FileFormat, FileEncoder]:
    """An encoder for each format."""
    return {
        FileFormat.WAV: WavEncoder(),
        FileFormat.FLAC: LibsndfileEncoder(FileFormat.FLAC, scratch_dir),
        FileFormat.AIFF: LibsndfileEncoder(FileFormat.AIFF, scratch_dir),
        FileFormat.MP3: FfmpegEncoder(FileFormat.MP3, scratch_dir),
        FileFormat.M4A: FfmpegEncoder(FileFormat.M4A, scratch_dir),
    }


def exporter_parts(  # noqa: PLR0913  what differs from test to test
    store: ObjectStore,
    uploads: StemUploads,
    scratch_dir: Path,
    max_upload_bytes: int,
    *,
    analyzer: Analyzer,
    set_builder: SetBuilder,
    stretcher: Stretcher,
) -> ExporterParts:
    """What the servicer calls."""
    encoders = file_encoders(scratch_dir)
    folders = StemFolders(store, uploads, StoredAudioObjects(store, scratch_dir))
    analyses = Analyses(store, folders, SoxrDownmixer(), analyzer)
    spools = ScratchSpools(scratch_dir)
    preparation, tagger = StreamPreparation(spools, SoxrResampler()), DJTagger(scratch_dir)
    delivery = StemDelivery(StoredFlac(store, scratch_dir), encoders, {tool: version(tool) for tool in TOOLS})
    return ExporterParts(
        delivery=HeldDelivery(delivery, store, now_s=time.time, new_token=lambda: uuid.uuid4().hex),
        folders=folders,
        intake=StemIntake(store, uploads, scratch_dir, max_upload_bytes),
        analyses=analyses,
        projects=LiveProjects(folders, analyses, set_builder),
        stretching=StemStretching(folders, analyses, StemRemixer(stretcher), spools, encoders),
        chopping=StemChopping(folders, analyses, encoders[FileFormat.WAV]),
        organizing=StemOrganizing(folders, analyses, preparation, encoders, tagger),
        stem_files=StemFileExport(folders, analyses, preparation, StemMp4Encoder(scratch_dir), tagger),
        playlists=PlaylistExport(version("stemhouse")),
    )


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(ExporterSettings)
    configure_logging("exporter", settings.log_level)
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    store = connect_object_store(settings.store)
    quotas = settings.quotas()
    tenants = (HOUSE, *(quota.tenant for quota in quotas()))
    # Beside the service: a store that is slow to come need not delay it.
    Thread(target=_sweep, args=([_uploads(store_of(store, tenant)) for tenant in tenants],), daemon=True).start()
    compile_beside()
    parts = PerTenant(partial(_parts, settings, store))
    readiness = connect_object_store(settings.store, is_patient=False)
    serve(service(ExporterServicer(parts.current), readiness.probe), settings.listen, entrance=settings.entrance())


def _parts(settings: ExporterSettings, store: ObjectStore, tenant: Tenant) -> ExporterParts:
    own = store_of(store, tenant)
    return exporter_parts(
        own,
        _uploads(own),
        settings.scratch_dir,
        settings.max_upload_bytes,
        analyzer=TrackAnalyzer(),
        set_builder=AbletonProjectExporter(),
        stretcher=SignalsmithStretcher(),
    )


def _uploads(store: ObjectStore) -> StemUploads:
    return StemUploads(store, today=lambda: datetime.now(UTC).date())


def _sweep(uploads: Sequence[StemUploads]) -> None:
    try:
        for each in uploads:
            each.sweep()
    except Unavailable as error:
        log.warning("old uploads stay until the next one comes", cause=error.message)


if __name__ == "__main__":
    enter(main)
