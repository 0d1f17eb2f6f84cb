"""How far SI-SDR estimates without references can be trusted, for the starter's vocals.

    python -m tests.bench.estimates [--data FOLDER] [--instruments FOLDER] [--output FOLDER]

Chunks of ten seconds (see `estimate_material`) are separated, listened to, and estimated by fits that have not seen
their song. Rows: rendered songs, real ones, all; and the real ones by fits of all others. Columns: by the ambiguity of
the mask, by the remix, by both. The scatter plot is an SVG in `--output`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from services.separator.adapters.starter.engine import StarterEngine
from tests.bench.estimate_costs import print_costs
from tests.bench.estimate_fits import SIGNALS, Findings, findings, good_share, left_out
from tests.bench.estimate_material import REAL, RENDERED, Chunk, chunks
from tests.bench.scatter import scatter_plot
from tests.rendered_bands import band_in

_ROW = "{:<36} {:>8} {:>8} {:>8} {:>8}"
_TABLE = "{:<22} {:<11} {:>4} {:>7} {:>9} {:>7} {:>9}"
_LEAST_CHUNKS = 8
_TARGETS = "targets: Spearman >= 0.85, error <= 3 dB, accuracy >= 0.8, both classes >= 30 %"
_BLIND = """What it cannot see:
- errors that the engine is sure of. A synthesizer taken for a voice, or a voice that was not found at all, leaves clean
  masks: those chunks have closed gates or estimates that are too good.
- damage done to stems afterwards (bleed mixed in, holes, clipping): the signals tell how sure an engine was of what it
  did, and know nothing of what came later. It is no measure to compare engines or delivered files by.
- anything but vocals."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Separate all chunks and print what the estimates are worth."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.estimates", description="Estimates of SI-SDR.")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of songs: NAME/{vocals,...}.flac")
    parser.add_argument("--instruments", type=Path, default=Path("build/instruments"), metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=Path("build"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    started_s = time.monotonic()
    band, reason = band_in(options.instruments)
    engine = StarterEngine.installed()
    _print(f"{engine.spec.engine_id} on {torch.get_num_threads()} threads; {reason}\n")
    heard = list(chunks(band, options.data, engine))
    open_chunks = [chunk for chunk in heard if not chunk.obstacle]
    both = left_out(open_chunks, SIGNALS[-1])
    _print_chunks(heard, both)
    _print_findings(open_chunks, both)
    options.output.mkdir(parents=True, exist_ok=True)
    plot = options.output / "quality-estimates.svg"
    points = [
        (chunk.si_sdr_db, float(at), chunk.kind) for chunk, at in zip(open_chunks, both.estimates_db, strict=True)
    ]
    plot.write_text(scatter_plot(points), encoding="utf-8")
    _print(f"\nscatter plot: {plot}\n\n{_BLIND}\n")
    print_costs(engine)
    _print(f"\n{time.monotonic() - started_s:.0f} s in all")


def _print_chunks(heard: list[Chunk], both: Findings) -> None:
    """Every chunk; the estimate is that of both signals."""
    _print(_ROW.format("chunk, dB", "SI-SDR", "amb", "remix", "estimate"))
    estimates_db = iter(both.estimates_db)
    for chunk in heard:
        if chunk.obstacle:
            _print(f"{chunk.name:<36} {chunk.si_sdr_db:>8.1f}   not judged: {chunk.obstacle}")
            continue
        figures = (chunk.si_sdr_db, chunk.amb_db, chunk.remix_db, next(estimates_db))
        _print(_ROW.format(chunk.name[:36], *(f"{figure:.1f}" for figure in figures)))


def _print_findings(heard: list[Chunk], both: Findings) -> None:
    _print("\n" + _TABLE.format("material", "signals", "n", "good", "Spearman", "error", "accuracy"))
    for label, kinds in (("rendered", {RENDERED}), ("real", {REAL}), ("all", {RENDERED, REAL})):
        some = [chunk for chunk in heard if chunk.kind in kinds]
        if len(some) < _LEAST_CHUNKS or len({chunk.voice for chunk in some}) < 2:
            _print(f"{label:<22} too few: {len(some)} chunks")
            continue
        for signals in SIGNALS:
            _print_row(label, "+".join(signals), some, left_out(some, signals))
    is_real = np.array([chunk.kind == REAL for chunk in heard])
    if is_real.sum() >= _LEAST_CHUNKS:
        real = [chunk for chunk in heard if chunk.kind == REAL]
        _print_row("real, by fits of all", "+".join(SIGNALS[-1]), real, findings(real, both.estimates_db[is_real]))
    _print(_TARGETS)


def _print_row(label: str, signals: str, some: list[Chunk], found: Findings) -> None:
    figures = (f"{found.spearman:.2f}", f"{found.mean_abs_error_db:.2f}", f"{found.balanced_accuracy:.2f}")
    _print(_TABLE.format(label, signals, len(some), f"{good_share(some):.0%}", *figures))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
