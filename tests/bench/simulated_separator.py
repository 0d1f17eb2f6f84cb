"""A separator whose engine only splits by arithmetic: for benches of all that is around engines.

usage: python -m tests.bench.simulated_separator, with the settings of services.separator.main
With STEMHOUSE_SIMULATED_SPEED the engine takes as long as a device of so many times real time, without any work for the
processor, and with STEMHOUSE_SIMULATED_LOG it notes there when it was at work.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.runs import ThreadedRuns
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.blocks import recut
from services.separator.core.ports import EngineSpec, Mixture, StemBlocks
from services.separator.core.station import Station
from services.separator.pull import open_model_store
from services.separator.servicer import SeparatorServicer, service
from services.separator.settings import SeparatorSettings
from services.separator.worker import DEVICE_TASKS, device_workshop, open_files_workshop
from stemhouse.audio import AudioFormat
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, OTHER, VOCALS

SIMULATED = "simulated"
_SHARES = {VOCALS: 0.4, DRUMS: 0.3, BASS: 0.2, OTHER: 0.1}


SPEED_VARIABLE = "STEMHOUSE_SIMULATED_SPEED"
LOG_VARIABLE = "STEMHOUSE_SIMULATED_LOG"
_SEGMENT_FRAMES = 257_985
"""Of htdemucs, from one segment to the next: 5.85 s."""


@dataclass(frozen=True)
class Spell:
    """A time that the device was at work, on the machine's clock, and how long it should have taken."""

    begin_s: float
    end_s: float
    needed_s: float


def spells(log: Path) -> list[Spell]:
    """What an engine has noted."""
    return [Spell(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]


class SimulatedEngine:
    """Engine (see `services.separator.core.ports`): every stem is a share of the mix."""

    spec = EngineSpec(SIMULATED, "shares", "simulated-shares-1", BASE_STEMS, AudioFormat(44_100, 2))

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate; with a first pass, as demucs has one."""
        frame_count = sum(block.shape[1] for block in mixture.blocks())
        return self._separated(mixture, frame_count)

    def _separated(self, mixture: Mixture, frame_count: int) -> Iterator[StemBlocks]:
        for block in recut(mixture.blocks(), min(_SEGMENT_FRAMES, frame_count)):
            _work(block.shape[1] / self.spec.native_format.sample_rate_hz)
            yield {stem: block * share for stem, share in _SHARES.items()}


def _work(duration_s: float) -> None:
    """As long as a device would."""
    if SPEED_VARIABLE not in os.environ:
        return
    needed_s, begin_s = duration_s / float(os.environ[SPEED_VARIABLE]), time.monotonic()
    time.sleep(needed_s)
    with Path(os.environ[LOG_VARIABLE]).open("a", encoding="utf-8") as log:
        log.write(json.dumps(asdict(Spell(begin_s, time.monotonic(), needed_s))) + "\n")


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
    device = WorkerProcess("device", partial(open_simulated_workshop, settings), slot_count=DEVICE_TASKS)
    files = WorkerProcess("files", partial(open_files_workshop, settings))
    station = Station(store, files, device, ThreadedRuns(), open_model_store(settings.models, lambda: store))
    serve(service(SeparatorServicer(station), station.check_ready), settings.listen, on_stop=[files.stop, device.stop])


if __name__ == "__main__":
    enter(main)
