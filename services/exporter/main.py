"""Composition root of the exporter: settings, adapters, core, servicer."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from services.exporter.adapters.ffmpeg_encoder import FfmpegEncoder
from services.exporter.adapters.libsndfile_encoder import LibsndfileEncoder
from services.exporter.adapters.stored_audio import StoredFlac
from services.exporter.core.delivery import StemDelivery
from services.exporter.core.ports import FileEncoder
from services.exporter.core.wav import WavEncoder
from services.exporter.servicer import ExporterServicer, service
from services.exporter.settings import ExporterSettings
from stemhouse.delivery import FileFormat
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging

TOOLS = ("av", "numpy", "soundfile", "stemhouse")
"""Distributions whose versions metadata.json tells."""


def file_encoders(scratch_dir: Path) -> Mapping[FileFormat, FileEncoder]:
    """An encoder for each format."""
    return {
        FileFormat.WAV: WavEncoder(),
        FileFormat.FLAC: LibsndfileEncoder(FileFormat.FLAC, scratch_dir),
        FileFormat.AIFF: LibsndfileEncoder(FileFormat.AIFF, scratch_dir),
        FileFormat.MP3: FfmpegEncoder(FileFormat.MP3, scratch_dir),
        FileFormat.M4A: FfmpegEncoder(FileFormat.M4A, scratch_dir),
    }


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(ExporterSettings)
    configure_logging("exporter", settings.log_level)
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    store = connect_object_store(settings.store)
    delivery = StemDelivery(
        StoredFlac(store, settings.scratch_dir),
        file_encoders(settings.scratch_dir),
        {tool: version(tool) for tool in TOOLS},
    )
    readiness = connect_object_store(settings.store, is_patient=False)
    serve(service(ExporterServicer(delivery), readiness.probe), settings.listen)


if __name__ == "__main__":
    enter(main)
