"""A long file through worker processes like the separator's own: length, memory, time, and how soon a cancel is obeyed.

usage: python -m tests.bench.long [--minutes M] [--folder DIR] [--threads N]
Three hours of stereo at 44.1 kHz need about 30 GB in DIR (by default the system's folder for temporary files): the
file twice, and while a track is separated 1.4 GB of 32-bit samples for each stem and hour, and the finished FLACs.
Ends with exit code 1 if a target is missed.
"""

import argparse
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from services.separator.adapters.engine_rack import EngineRack
from services.separator.adapters.installed_models import InstalledModels
from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.ingest import IngestedTrack, IngestTask
from services.separator.core.models import DEMUCS, demucs_spec
from services.separator.core.ports import Task, TaskControl
from services.separator.core.results import SeparateTask
from services.separator.worker import device_workshop, files_workshop
from stemhouse.audio import AudioRef, SourceRef, StemSet
from stemhouse.errors import Cancelled, Unavailable
from tests.fakes_separator import FolderObjectStore, source_of_file
from tests.signals import song
from tests.tiny_demucs import install_tiny

SAMPLE_RATE_HZ = 44_100
MEMORY_TARGET_BYTES = 2e9
CANCEL_TARGET_S = 5.0
CANCEL_AT = 0.05
"""Share of the progress behind which a run is cancelled."""
CANCEL_DELAY_S = 1.3
"""So that it does not come just when a block was given."""
MISSES: list[str] = []
"""Targets that this run has missed."""


@dataclass(frozen=True)
class Measured:
    """What a task gave, and what it took of its process: the largest resident size so far, and CPU seconds."""

    result: Any
    peak_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class MeasuredTask(Task[Measured]):
    """A task of the separator."""

    task: Task[Any]


def open_files(folder: Path) -> Workshop:
    """The files worker's, which measures itself."""
    return _measuring(files_workshop(FolderObjectStore(folder / "store"), ScratchRoot(folder / "scratch")))


def open_device(folder: Path, thread_count: int) -> Workshop:
    """The device worker's, with the starter and what is installed, as `open_device_workshop` has it."""
    import torch  # noqa: PLC0415 - the files worker imports this module, too, and its memory is measured

    from services.separator.adapters.demucs.engine import DemucsModels  # noqa: PLC0415 - likewise
    from services.separator.adapters.starter.engine import StarterEngine  # noqa: PLC0415 - likewise

    torch.set_num_threads(thread_count)
    models = InstalledModels(folder / "models")
    if not models.entries():
        install_tiny(folder / "models")  # here, since it takes torch
    rack = EngineRack([StarterEngine.installed()], models, {DEMUCS: DemucsModels()})
    return _measuring(device_workshop(FolderObjectStore(folder / "store"), ScratchRoot(folder / "scratch"), rack))


def _measuring(workshop: Workshop) -> Workshop:
    def perform(task: Task[Any], control: TaskControl) -> Measured:
        assert isinstance(task, MeasuredTask)
        began_s = time.process_time()
        result = workshop.perform(task.task, control)
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Measured(result, peak_bytes, time.process_time() - began_s)

    return Workshop(workshop.greeting, perform, workshop.close)


def main() -> int:
    """Run the benchmark; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=180)
    parser.add_argument("--folder", type=Path)
    parser.add_argument(
        "--threads", type=int, default=1, help="of the device worker; the tiny model is fastest with one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = written_track(folder, options.minutes)
        audio = ingest(folder, source, options.minutes * 60 * SAMPLE_RATE_HZ)
        for engine_id in engine_ids(folder, options.threads):
            separate(folder, SeparateTask(audio, engine_id), options.threads)
            cancel(folder, SeparateTask(audio, engine_id, force=True), options.threads)
    print(f"{len(MISSES)} targets missed{': ' if MISSES else ''}{', '.join(MISSES)}", flush=True)
    return 1 if MISSES else 0


def engine_ids(folder: Path, thread_count: int) -> list[str]:
    """Of the starter and of the tiny model, once a worker is loaded."""
    with worker("device", partial(open_device, folder, thread_count)) as device:
        while device.greeting is None:
            time.sleep(0.1)
            with contextlib.suppress(Unavailable):
                device.check_ready()
        specs = [*device.greeting.specs, *map(demucs_spec, InstalledModels(folder / "models").entries())]
    return [spec.engine_id for spec in specs]


def written_track(folder: Path, minutes: int) -> SourceRef:
    """A song of ten seconds, over and over, as if it had been uploaded."""
    path = folder / "long.wav"
    piece = np.ascontiguousarray(song(10 * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ).T)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 2, subtype="PCM_16", format="RF64") as file:
        for _ in range(6 * minutes):
            file.write(piece)
    source = source_of_file(FolderObjectStore(folder / "store"), path)
    path.unlink()
    return source


def ingest(folder: Path, source: SourceRef, frame_count: int) -> AudioRef:
    """Ingest the track and print what it took."""
    with worker("files", partial(open_files, folder)) as files:
        track: IngestedTrack = run(files, "ingest", IngestTask(source), folder).result
    report_length("ingest", frame_count, track.audio.frame_count)
    return track.audio


def separate(folder: Path, task: SeparateTask, thread_count: int) -> None:
    """Separate the track in a process of its own and print what it took."""
    with worker("device", partial(open_device, folder, thread_count)) as device:
        stem_set: StemSet = run(device, task.engine_id, task, folder).result
    store = FolderObjectStore(folder / "store")
    for stem in stem_set.stems:
        with soundfile.SoundFile(store._path(stem.object_key)) as sound:
            report_length(f"{task.engine_id} {stem.name}", task.audio.frame_count, sound.frames)
        store.delete(stem.object_key)
    print(f"{task.engine_id}: the stems sum to the mix to {stem_set.null_depth_db:.1f} dB", flush=True)


def cancel(folder: Path, task: SeparateTask, thread_count: int) -> None:
    """Begin once more, cancel while the engine computes, and print how long it takes to stop."""
    shares = [0.0]
    passed_s: list[float] = []

    def is_enough() -> bool:
        if shares[-1] > CANCEL_AT:
            passed_s.append(time.monotonic())
        return bool(passed_s) and passed_s[-1] - passed_s[0] > CANCEL_DELAY_S

    with worker("device", partial(open_device, folder, thread_count)) as device:
        watch = Watch(folder, is_enough)
        try:
            device.run(MeasuredTask(task), TaskControl(watch.is_cancelled, shares.append))
        except Cancelled:
            stopped_s = time.monotonic() - watch.over_since_s
            verdict = judged(f"cancel of {task.engine_id}", is_met=stopped_s < CANCEL_TARGET_S)
            print(f"{task.engine_id}: stopped {stopped_s:.2f} s after the cancel ({verdict})", flush=True)
        else:
            print(f"{task.engine_id}: was done before it could be cancelled", flush=True)


class Watch:
    """Looks at a task from outside: when it is over, and how much scratch room it has taken at most."""

    def __init__(self, folder: Path, is_over: Callable[[], bool] = lambda: False) -> None:
        self._scratch = folder / "scratch"
        self._is_over = is_over
        self._looked_s = 0.0
        self.scratch_bytes = 0
        self.over_since_s = 0.0

    def is_cancelled(self) -> bool:
        """See TaskControl; is asked every few hundredths of a second."""
        now_s = time.monotonic()
        if now_s - self._looked_s > 1:
            self._looked_s = now_s
            self.scratch_bytes = max(self.scratch_bytes, sum(map(_size_bytes, self._scratch.rglob("*"))))
        if not self.over_since_s and self._is_over():
            self.over_since_s = now_s
        return bool(self.over_since_s)


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def run(process: WorkerProcess, what: str, task: Task[Any], folder: Path) -> Measured:
    """Run the task to its end and print what it took."""
    watch, began_s = Watch(folder), time.monotonic()
    measured = process.run(MeasuredTask(task), TaskControl(watch.is_cancelled))
    verdict = judged(f"memory of {what}", is_met=measured.peak_bytes < MEMORY_TARGET_BYTES)
    print(
        f"{what}: {time.monotonic() - began_s:.1f} s, CPU {measured.cpu_s:.1f} s, peak memory "
        f"{measured.peak_bytes / 1e6:.0f} MB ({verdict}), scratch {watch.scratch_bytes / 1e9:.2f} GB",
        flush=True,
    )
    return measured


def report_length(what: str, expected_frames: int, found_frames: int) -> None:
    """Print both lengths, which have to be equal."""
    verdict = judged(f"length of {what}", is_met=expected_frames == found_frames)
    print(f"{what}: {expected_frames:,} frames in, {found_frames:,} out ({verdict})", flush=True)


def judged(what: str, *, is_met: bool) -> str:
    """The verdict in words; a miss is kept for the end."""
    if not is_met:
        MISSES.append(what)
    return "met" if is_met else "NOT MET"


@contextmanager
def worker(name: str, open_workshop: Callable[[], Workshop]) -> Iterator[WorkerProcess]:
    """A worker process of that name, and its end."""
    process = WorkerProcess(name, open_workshop)
    try:
        yield process
    finally:
        process.stop()


if __name__ == "__main__":
    sys.exit(main())
