"""A separator whose engine only splits by arithmetic: for benches of all that is around engines.

usage: python -m tests.bench.simulated_separator, with the settings of services.separator.main
"""

from collections.abc import Iterator
from functools import partial

from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.runs import ThreadedRuns
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.ports import EngineSpec, Mixture, StemBlocks
from services.separator.core.station import Station
from services.separator.pull import open_model_store
from services.separator.servicer import SeparatorServicer, service
from services.separator.settings import SeparatorSettings
from services.separator.worker import device_workshop, open_files_workshop
from stemhouse.audio import AudioFormat
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, OTHER, VOCALS

SIMULATED = "simulated"
_SHARES = {VOCALS: 0.4, DRUMS: 0.3, BASS: 0.2, OTHER: 0.1}


class SimulatedEngine:
    """Engine (see `services.separator.core.ports`): every stem is a share of the mix."""

    spec = EngineSpec(SIMULATED, "shares", "simulated-shares-1", BASE_STEMS, AudioFormat(44_100, 2))

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        for block in mixture.blocks():
            yield {stem: block * share for stem, share in _SHARES.items()}


def open_simulated_workshop(settings: SeparatorSettings) -> Workshop:
    """For separating."""
    configure_logging("separator-device", settings.log_level)
    rack = EngineRack([SimulatedEngine()], InstalledModels(settings.models.dir))
    return device_workshop(connect_object_store(settings.store), ScratchRoot(settings.scratch_dir), rack)


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(SeparatorSettings)
    configure_logging("separator", settings.log_level)
    store = connect_object_store(settings.store)
    device = WorkerProcess("device", partial(open_simulated_workshop, settings))
    files = WorkerProcess("files", partial(open_files_workshop, settings))
    station = Station(store, files, device, ThreadedRuns(), open_model_store(settings.models, lambda: store))
    serve(service(SeparatorServicer(station), station.check_ready), settings.listen, on_stop=[files.stop, device.stop])


if __name__ == "__main__":
    enter(main)
