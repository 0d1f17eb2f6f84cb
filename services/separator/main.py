"""Composition root of the separator: settings, adapters, core, servicer. Decoders and engines live in `worker`."""

from functools import partial

from services.separator.adapters.runs import ThreadedRuns
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.station import Station
from services.separator.pull import open_model_store
from services.separator.servicer import SeparatorServicer, service
from services.separator.settings import SeparatorSettings
from services.separator.worker import open_device_workshop, open_files_workshop
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(SeparatorSettings)
    configure_logging("separator", settings.log_level)
    store = connect_object_store(settings.store)
    device = WorkerProcess("device", partial(open_device_workshop, settings))
    files = WorkerProcess("files", partial(open_files_workshop, settings))
    models = open_model_store(settings.models, lambda: store)
    station = Station(store, files, device, ThreadedRuns(), models)

    readiness = connect_object_store(settings.store, is_patient=False)

    def check_ready() -> None:
        station.check_ready()
        readiness.probe()

    serve(service(SeparatorServicer(station), check_ready), settings.listen, on_stop=[files.stop, device.stop])


if __name__ == "__main__":
    enter(main)
