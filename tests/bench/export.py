"""How long a Live project of a long track takes beyond the copying of its files.

usage: python -m tests.bench.export [--minutes M] [--repeats N]
The track is separated by the starter on a stack of its own, and analysed once; the first analysis after a start is
timed, too. Then the command is run as a user would, and the project that it has made is copied. Prints one line a run.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import soundfile

from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack
from tests.bench.figures import Figure, keep
from tests.signals import song

SAMPLE_RATE_HZ = 44_100
TARGET_S = 3.0


def main() -> None:
    """Export on a stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.make_dirs()
        home.keep_file.touch()
        try:
            ensure_stack(home, print)
            stems = separated(home, Path(folder), options.minutes)
            print(f"first analysis after a start: {seconds_of(lambda: stemhouse(home, 'analyze', stems)):.2f} s")
            places = [Path(folder) / f"projects {number}" for number in range(options.repeats)]
            beyond_s = statistics.median(report_export(home, stems, place) for place in places)
            what = f"Live project of {options.minutes:g} minutes, beyond copying"
            keep(Figure(what, beyond_s, "s", at_most=TARGET_S))
        finally:
            stop_stack(home)


def separated(home: Home, folder: Path, minutes: float) -> Path:
    """A folder with the four stems of a stereo song."""
    path = folder / "song.wav"
    samples = song(round(60 * minutes * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    soundfile.write(path, samples.T, SAMPLE_RATE_HZ, subtype="PCM_24")
    answer = stemhouse(home, "separate", path, "--engine", "starter", "--output", folder / "stems", "--json")
    return Path(json.loads(answer)["tracks"][0]["folder"])


def report_export(home: Home, stems: Path, output: Path) -> float:
    """One export, and one copy of what it has made; gives the seconds beyond that."""
    output.mkdir()
    cpu_before_s = exporter_cpu_s(home)
    export_s = seconds_of(lambda: stemhouse(home, "export-ableton", stems, "--output", output))
    cpu_s = exporter_cpu_s(home) - cpu_before_s
    copy_s = seconds_of(lambda: shutil.copytree(output, output.with_name(f"{output.name} copied")))
    size_bytes = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    print(
        f"export {export_s:.2f} s, copy of {size_bytes / 1e6:.0f} MB {copy_s:.2f} s: {export_s - copy_s:.2f} s beyond, "
        f"target {TARGET_S:g} s; exporter {cpu_s:.2f} CPU s; load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"
    )
    return export_s - copy_s


def seconds_of(run: Callable[[], object]) -> float:
    """How long it takes."""
    began_s = time.monotonic()
    run()
    return time.monotonic() - began_s


def stemhouse(home: Home, *arguments: object) -> str:
    """Run a command; what it prints. Raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "stemhouse.cli.main", *map(str, arguments)]
    environment = {**os.environ, HOME_VARIABLE: str(home.root)}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def exporter_cpu_s(home: Home) -> float:
    """User and system seconds of the exporter so far."""
    record = read_record(home)
    if record is None:
        raise SystemExit("the stack is gone")
    spent = psutil.Process(record.children["exporter"].process.pid).cpu_times()
    return spent.user + spent.system


if __name__ == "__main__":
    main()
