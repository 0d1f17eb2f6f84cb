"""How long a fast device waits while a batch goes through a running stack.

usage: python -m tests.bench.idle [--tracks N] [--seconds S] [--speed X]...
The engine is simulated: it takes as long as a device of so many times real time, and nothing of the processor; store,
services, decoding and encoding are real. Idle is what a device that computes without a pause would not have needed, of
the time from its first segment to its last one.
"""

import argparse
import os
import tempfile
import uuid
from pathlib import Path

import numpy as np
import soundfile

from stemhouse.audio import SourceRef
from stemhouse.batches import BATCH_PRIORITY
from stemhouse.client.sdk import Stemhouse
from stemhouse.jobs import SeparationRequest
from stemhouse.local.home import Home
from stemhouse.local.stack import stop_stack
from stemhouse.vocab import JobState
from tests.bench.figures import Figure, keep
from tests.bench.simulated_separator import LOG_VARIABLE, SIMULATED, SPEED_VARIABLE, Spell, spells
from tests.bench.simulated_stack import ensure_simulated_stack
from tests.bench.speed import separator_cpu_s
from tests.signals import song

SAMPLE_RATE_HZ = 44_100
MOST_IDLE_PERCENT = {20.0: 10.0}
"""By speed: the design's target; other speeds are only told."""


def main() -> None:
    """Run it once for each speed, on a stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0, help="length of a track")
    parser.add_argument("--speed", type=float, action="append", help="of the engine, times real time")
    options = parser.parse_args()
    for speed in options.speed or (20.0, 50.0):
        with tempfile.TemporaryDirectory() as folder:
            report(speed, *run(Path(folder), speed, options.tracks, options.seconds))


def run(folder: Path, speed: float, track_count: int, duration_s: float) -> tuple[list[Spell], float]:
    """What the device did, and the CPU seconds of the separator with all its workers."""
    home, log = Home(folder / "home"), folder / "spells"
    home.make_dirs()
    home.keep_file.touch()
    os.environ.update({SPEED_VARIABLE: f"{speed:g}", LOG_VARIABLE: str(log)})
    try:
        with Stemhouse(ensure_simulated_stack(home, print)) as client:
            sources = upload_songs(client, folder, track_count, duration_s)
            before_s = separator_cpu_s(home)
            separate(client, sources)
            return spells(log), separator_cpu_s(home) - before_s
    finally:
        stop_stack(home)


def upload_songs(client: Stemhouse, folder: Path, track_count: int, duration_s: float) -> list[SourceRef]:
    """Songs that differ, as the router knows them."""
    frame_count = int(duration_s * SAMPLE_RATE_HZ)
    samples = song(frame_count, SAMPLE_RATE_HZ)
    sources = []
    for number in range(track_count):
        path = folder / f"song {number}.wav"
        soundfile.write(path, np.roll(samples, number * 1000, axis=1).T, SAMPLE_RATE_HZ, subtype="PCM_16")
        sources.append(client.upload(path))
        path.unlink()
    return sources


def separate(client: Stemhouse, sources: list[SourceRef]) -> None:
    """All of them, as a batch asks for them."""
    requests = [SeparationRequest(source, engine=SIMULATED, priority=BATCH_PRIORITY) for source in sources]
    jobs = [client.submit(request, uuid.uuid4().hex) for request in requests]
    for job in jobs:
        *_, final = client.watch(job.job_id)
        if final.state is not JobState.DONE:
            raise SystemExit(f"the separation failed: {final.error}")


def report(speed: float, noted: list[Spell], cpu_s: float) -> None:
    """Print and keep the figure."""
    needed_s = sum(spell.needed_s for spell in noted)
    took_s = max(spell.end_s for spell in noted) - min(spell.begin_s for spell in noted)
    idle_percent = 100 * (1 - needed_s / took_s)
    target = MOST_IDLE_PERCENT.get(speed)
    print(
        f"engine at {speed:g} x real time: {needed_s:.1f} s of work in {took_s:.1f} s, idle {idle_percent:.1f} %"
        f"{f' (target {target:g} %)' if target else ''}; CPU of the separator {cpu_s:.1f} s"
    )
    keep(Figure(f"device idle in a batch, engine at {speed:g} x", idle_percent, "%", at_most=target))


if __name__ == "__main__":
    main()
