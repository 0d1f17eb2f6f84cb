"""Speed of the starter through the running stack: from "source uploaded" to "result stored", warm.

usage: python -m tests.bench.speed [--repeats N] [--seconds S]
Prints one line a run and the median, as multiples of real time, with CPU seconds of the separator beside it.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil
import soundfile

from stemhouse.audio import SourceRef
from stemhouse.client.sdk import Stemhouse
from stemhouse.jobs import SeparationRequest
from stemhouse.local.home import Home
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack
from stemhouse.vocab import JobState
from tests.bench.figures import Figure, keep
from tests.signals import song

SAMPLE_RATE_HZ = 44_100
TARGET = 6.0
"""Times real time on two cores: design target for the starter."""


@dataclass(frozen=True)
class Run:
    """One separation: wall time, time inside the separator, CPU time of the separator and its workers."""

    wall_s: float
    separator_s: float
    cpu_s: float


def main() -> None:
    """Run the benchmark on a stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.make_dirs()
        home.keep_file.touch()
        try:
            with Stemhouse(ensure_stack(home, print)) as client:
                source = upload_song(client, Path(folder), options.seconds)
                separate(client, home, source)  # warms the network and fetches nothing into the measured runs
                report([separate(client, home, source) for _ in range(options.repeats)], options.seconds)
        finally:
            stop_stack(home)


def upload_song(client: Stemhouse, folder: Path, duration_s: float) -> SourceRef:
    """A stereo song of that length, as the router knows it."""
    path = folder / "song.wav"
    samples = song(int(duration_s * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    soundfile.write(path, samples.T, SAMPLE_RATE_HZ, subtype="PCM_16")
    return client.upload(path)


def separate(client: Stemhouse, home: Home, source: SourceRef) -> Run:
    """One forced separation."""
    cpu_before_s, began_s = separator_cpu_s(home), time.monotonic()
    job = client.submit(SeparationRequest(source, engine="starter", force=True), uuid.uuid4().hex)
    *_, final = client.watch(job.job_id)
    wall_s = time.monotonic() - began_s
    if final.state is not JobState.DONE or final.result is None:
        raise SystemExit(f"the separation failed: {final.error}")
    return Run(wall_s, final.result.stem_set.processing_s, separator_cpu_s(home) - cpu_before_s)


def separator_cpu_s(home: Home) -> float:
    """User and system seconds of the separator and its workers so far."""
    record = read_record(home)
    if record is None:
        raise SystemExit("the stack is gone")
    process = psutil.Process(record.children["separator"].process.pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(spent.user + spent.system for spent in times)


def report(runs: list[Run], duration_s: float) -> None:
    """Print the runs and the median."""
    for run in runs:
        print(
            f"{duration_s:.0f} s of audio in {run.wall_s:6.2f} s: {duration_s / run.wall_s:5.1f} x real time"
            f"   (separator {run.separator_s:.2f} s, CPU {run.cpu_s:.1f} s)"
        )
    median = statistics.median(duration_s / run.wall_s for run in runs)
    print(f"starter, source uploaded -> result stored, warm: {median:.1f} x real time (target {TARGET:.0f} x)")
    keep(Figure("starter, source uploaded to result stored", median, "x real time", at_least=TARGET))


if __name__ == "__main__":
    main()
