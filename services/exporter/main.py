"""Composition root of the exporter: settings, adapters, core, servicer."""

from importlib.metadata import version

from services.exporter.adapters.flac_encoder import FlacEncoder
from services.exporter.adapters.stored_audio import StoredFlac
from services.exporter.core.delivery import StemDelivery
from services.exporter.core.wav import WavEncoder
from services.exporter.servicer import ExporterServicer, service
from services.exporter.settings import ExporterSettings
from stemhouse.delivery import FileFormat
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.telemetry import configure_logging

TOOLS = ("stemhouse", "numpy", "soundfile")
"""Distributions whose versions metadata.json tells."""


def main() -> None:
    """Serve until told to stop."""
    settings = ExporterSettings()
    configure_logging("exporter", settings.log_level)
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    store = connect_object_store(settings.store)
    delivery = StemDelivery(
        StoredFlac(store, settings.scratch_dir),
        {FileFormat.WAV: WavEncoder(), FileFormat.FLAC: FlacEncoder(settings.scratch_dir)},
        {tool: version(tool) for tool in TOOLS},
    )
    readiness = connect_object_store(settings.store, is_patient=False)
    serve(service(ExporterServicer(delivery), readiness.probe), settings.listen)


if __name__ == "__main__":
    main()
