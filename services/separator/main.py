"""Composition root of the separator: settings, adapters, core, servicer. Decoders and engines live in `worker`."""

from functools import partial

from services.separator.adapters.engine_workers import EngineWorkers
from services.separator.adapters.lalal.worker import LalalAccount, LalalWorker
from services.separator.adapters.runs import ThreadedRuns
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.models import UVR
from services.separator.core.station import Station
from services.separator.pull import open_model_store
from services.separator.servicer import SeparatorServicer, service
from services.separator.settings import Flavour, LalalSettings, SeparatorSettings
from services.separator.uvr_worker import open_uvr_workshop, uvr_gap
from services.separator.worker import DEVICE_TASKS, open_device_workshop, open_files_workshop
from stemhouse.errors import InvalidRequest
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging
from stemhouse.ports import ObjectStore


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(SeparatorSettings)
    configure_logging("separator", settings.log_level)
    store = connect_object_store(settings.store)
    device = _open_device(settings, store)
    files = WorkerProcess("files", partial(open_files_workshop, settings))
    models = open_model_store(settings.models, lambda: store)
    station = Station(store, files, device, ThreadedRuns(), models)

    readiness = connect_object_store(settings.store, is_patient=False)

    def check_ready() -> None:
        station.check_ready()
        readiness.probe()

    serve(
        service(SeparatorServicer(station), check_ready),
        settings.listen,
        entrance=settings.entrance(),
        on_stop=[files.stop, device.stop],
    )


def _open_device(settings: SeparatorSettings, store: ObjectStore) -> "EngineWorkers | LalalWorker":
    if settings.flavour is Flavour.CLOUD:
        return LalalWorker(_account(settings.lalal), store, ScratchRoot(settings.scratch_dir))
    device = WorkerProcess("device", partial(open_device_workshop, settings), slot_count=DEVICE_TASKS)
    gap = uvr_gap()
    if gap:
        return EngineWorkers(device, {}, [gap])
    uvr = partial(WorkerProcess, "uvr", partial(open_uvr_workshop, settings), slot_count=DEVICE_TASKS)
    return EngineWorkers(device, {UVR: uvr})


def _account(settings: LalalSettings) -> LalalAccount:
    key = settings.key.get_secret_value()
    if not key:
        message = "the cloud flavour needs the licence key of LALAL.AI: set STEMHOUSE_LALAL__KEY_FILE or _KEY"
        raise InvalidRequest(message)
    return LalalAccount(
        key=key,
        base_url=settings.base_url,
        download_hosts=settings.download_host_names,
        check_interval_s=settings.check_interval_s,
        slots=settings.slots,
        abandoned_after_s=settings.abandoned_after_s,
    )


if __name__ == "__main__":
    enter(main)
