"""The whole fidelity matrix: every engine, kind of source, rate, channel count and delivered format, measured.

usage: python -m tests.bench.fidelity [--engine NAME]... [--rate HZ]...
Prints a line a cell and ends with 1 if one breaks the contract. Takes eleven minutes of CPU: six on two free cores.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch

from stemhouse.platform.telemetry import configure_logging
from tests.fidelity.output_cells import OutputBench, all_output_cells
from tests.fidelity.source_cells import SourceBench, all_source_cells
from tests.fidelity.sources import RATES_HZ
from tests.fidelity.studio import ENGINES, open_studio


@dataclass(frozen=True)
class Corner:
    """What one process measures at a time: cells that share separations."""

    engine: str
    rate_hz: int
    channel_count: int


Row = tuple[str, list[str]]
"""A cell's line, and what is wrong there."""


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=ENGINES, action="append", help="only this one; may be repeated")
    parser.add_argument("--rate", type=int, choices=RATES_HZ, action="append", help="likewise, in Hz")
    options = parser.parse_args()
    corners = [Corner(*one) for one in product(options.engine or ENGINES, options.rate or RATES_HZ, (1, 2))]
    started_s = time.monotonic()
    with ProcessPoolExecutor(
        os.cpu_count(), multiprocessing.get_context("spawn"), initializer=_set_up_process
    ) as processes:
        cell_count, broken = _printed(row for rows in processes.map(_measured, corners) for row in rows)
    print(f"\n{cell_count} cells in {time.monotonic() - started_s:.0f} s, {len(broken)} broken", *broken, sep="\n")
    sys.exit(1 if broken else 0)


def _printed(rows: Iterable[Row]) -> tuple[int, list[str]]:
    """How many there were, and those that break the contract."""
    cell_count, broken = 0, []
    for line, faults in rows:
        cell_count += 1
        text = f"{line}  BROKEN: {', '.join(faults)}" if faults else line
        broken += [text] if faults else []
        print(text, flush=True)
    return cell_count, broken


def _set_up_process() -> None:
    """One thread each: the tracks are too short for more."""
    configure_logging("fidelity", "WARNING")
    torch.set_num_threads(1)


def _measured(corner: Corner) -> list[Row]:
    """All cells of a corner, in a store of their own."""
    with tempfile.TemporaryDirectory() as folder, open_studio(Path(folder)) as studio:
        sources, outputs = SourceBench(studio), OutputBench(studio)
        rows = []
        for source in all_source_cells():
            if Corner(source.engine, source.rate_hz, source.channel_count) == corner:
                figures = sources.measure(source)
                rows.append((f"{source}  {figures}", figures.faults(source)))
        for output in all_output_cells():
            if Corner(output.engine, output.rate_hz, output.channel_count) == corner:
                row = outputs.measure(output)
                rows.append((str(row), row.faults()))
    return rows


if __name__ == "__main__":
    main()
