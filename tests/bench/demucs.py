"""A full-size HTDemucs of random weights: our engine against demucs' own, and against itself.

usage: python -m tests.bench.demucs [--seconds S]
Prints, for each stem, SDR in dB between our samples and those of demucs itself on the same weights and schedule,
between batches of 1, 2 and 4 segments, between one thread and two, and between both kinds of files; and the times.
Ends with exit code 1 if a target is missed, unless that is known: see docs/adr/0011-demucs-engine.md.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from demucs.htdemucs import HTDemucs

from services.separator.adapters.demucs.bags import load_bag
from services.separator.adapters.demucs.engine import DemucsEngine
from services.separator.core.demucs_options import DemucsOptions, ScheduleKind
from services.separator.core.gpu import CPU, DeviceLease
from services.separator.core.models import ModelEntry, demucs_spec
from services.separator.core.ports import Block
from tests.demucs_command import sdr_db, separate_by_demucs
from tests.fakes_separator import FakeMixture
from tests.signals import song
from tests.tiny_demucs import SOURCES, FileKind, install, seeded

SAMPLE_RATE_HZ = 44_100
PARITY_DB = 100.0
REPEATABLE_DB = 120.0
ROUNDING_DB = 110.0
"""What another order of sums leaves at least: less is more than the known distance of single precision."""

FULL_SIZE = {
    "sources": list(SOURCES),
    "bottom_channels": 512,
    "dconv_mode": 3,
    "t_layers": 5,
    "segment": Fraction(39, 5),
    "samplerate": SAMPLE_RATE_HZ,
}
"""What the published htdemucs is built with."""

BY_DEMUCS = DemucsOptions(ScheduleKind.DEMUCS)

Result = TypeVar("Result")
Stems = dict[str, Block]


def main() -> int:
    """Run the comparisons; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    signal = song(int(options.seconds * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    with tempfile.TemporaryDirectory() as folder:
        network = timed("made", lambda: seeded(HTDemucs, FULL_SIZE, seed=1))
        print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters")
        is_met = all(list(comparisons(Path(folder), network, signal)))
    return 0 if is_met else 1


def comparisons(folder: Path, network: Any, signal: Block) -> Iterator[bool]:
    """Print all comparisons; whether each is met, or missed as it is known to be."""
    ours, entry = by_engine(folder, network, signal, "th")
    theirs = timed("demucs itself", lambda: separate_by_demucs(folder / entry.name, entry, signal))
    yield report("demucs itself", theirs, ours, PARITY_DB)
    yield report("safetensors", ours, by_engine(folder, network, signal, "safetensors")[0], REPEATABLE_DB)
    for batch_segments in (2, 4):
        batched, _ = by_engine(folder, network, signal, "th", batch_segments)
        yield report(f"batches of {batch_segments}", ours, batched, REPEATABLE_DB, ROUNDING_DB)
    thread_count = torch.get_num_threads()
    torch.set_num_threads(1 if thread_count > 1 else 2)
    threaded, _ = by_engine(folder, network, signal, "th")
    what = f"{thread_count} threads against {torch.get_num_threads()}"
    yield report(what, ours, threaded, REPEATABLE_DB, ROUNDING_DB)
    torch.set_num_threads(thread_count)


def by_engine(
    folder: Path, network: Any, signal: Block, kind: FileKind, batch_segments: int = 1
) -> tuple[Stems, ModelEntry]:
    """Our stems, from a file."""
    name = f"full-{kind}-{batch_segments}-{torch.get_num_threads()}"
    entry = install(folder, [network], name=name, kind=kind)
    bag = timed(f"{name} loaded", lambda: load_bag(folder / name, entry))
    lease = DeviceLease(CPU, batch_segments)
    engine = DemucsEngine(bag, demucs_spec(entry, BY_DEMUCS), lease, BY_DEMUCS.schedule)
    blocks = [signal[:, start : start + SAMPLE_RATE_HZ] for start in range(0, signal.shape[1], SAMPLE_RATE_HZ)]
    given = timed(f"{name} separated", lambda: list(engine.separate(FakeMixture(blocks))))
    return {stem: np.concatenate([stems[stem] for stems in given], axis=1) for stem in entry.stems}, entry


def timed(what: str, compute: Callable[[], Result]) -> Result:
    """The result, with wall and CPU time printed."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    result = compute()
    print(f"  {what}: {time.monotonic() - began_s:.1f} s, CPU {time.process_time() - cpu_s:.1f} s", flush=True)
    return result


def report(what: str, expected: Stems, given: Stems, wanted_db: float, known_db: float | None = None) -> bool:
    """Print how close the stems are; whether that is near enough. A miss down to `known_db` is known."""
    depths_db = {stem: sdr_db(expected[stem], given[stem]) for stem in expected}
    told = ", ".join(f"{stem} {depth_db:.1f}" for stem, depth_db in depths_db.items())
    is_met = min(depths_db.values()) >= wanted_db
    is_known = known_db is not None and min(depths_db.values()) >= known_db
    verdict = "met" if is_met else "missed, known: ADR 0011" if is_known else "NOT MET"
    print(f"{what}: {told} dB; wanted {wanted_db:.0f}: {verdict}", flush=True)
    return is_met or is_known


if __name__ == "__main__":
    sys.exit(main())
