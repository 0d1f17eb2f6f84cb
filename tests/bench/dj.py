"""A library's stems for rekordbox, while commands and the exporter are killed, and again with nothing new.

usage: python -m tests.bench.dj [--tracks N] [--kills K] [--seed S]
On a stack of its own. An undisturbed export says what the tree has to be; then it is made anew, while kill -9 hits the
command and the exporter by turns. Tags of a quarter of the files are edited, and a last run must write nothing. Prints
what was found; exit code 1 if something does not hold.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import taglib

from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack

SAMPLE_RATE_HZ = 44_100
TRACK_S = 2.0
EDITED_SHARE = 4
_LONGEST_S = 600.0


def main() -> int:
    """Export on a stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=200)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.make_dirs()
        home.keep_file.touch()
        try:
            ensure_stack(home, print)
            bench = Bench(home, Path(folder), options.tracks)
            faults = bench.run(options.kills, random.Random(options.seed))  # noqa: S311  moments, no secrets
        finally:
            stop_stack(home)
    print("\n".join(faults) or "all holds")
    return 1 if faults else 0


class Bench:
    """Folders of stems, and where they are exported to."""

    def __init__(self, home: Home, folder: Path, track_count: int) -> None:
        """Make the stems."""
        self._home = home
        self._output = folder / "dj"
        self._stem_dirs = [_stems(folder / "stems" / f"{number:03}", number) for number in range(track_count)]

    def run(self, kills: int, chance: random.Random) -> list[str]:
        """What does not hold."""
        whole, export_s = self._export(), self._last_s
        self._output.rename(self._output.with_name("whole"))
        for number in range(kills):
            self._killed(chance.uniform(0.2, 0.8) * export_s / kills, is_command=number % 2 == 0)
        faults = [] if self._export() == whole else ["the tree is another one after kills"]
        print(f"{len(self._stem_dirs)} tracks: {export_s:.1f} s undisturbed, {kills} kills, {len(whole)} files")
        edited = self._edit()
        before = self._stamps()
        self._export()
        faults += [] if self._stamps() == before else ["the last run has written"]
        print(f"run with nothing new: {self._last_s:.1f} s; {edited} files were edited")
        return faults

    def _export(self) -> dict[str, str]:
        """Run to the end; the tree with its digests."""
        began_s = time.monotonic()
        if self._start().wait(timeout=_LONGEST_S):
            raise SystemExit("the export has failed")
        self._last_s = time.monotonic() - began_s
        files = [path for path in sorted(self._output.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self._output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def _killed(self, after_s: float, *, is_command: bool) -> None:
        """A run that is hit once it has begun to write."""
        process = self._start()
        count = self._count()
        while self._count() == count and process.poll() is None:
            time.sleep(0.01)
        time.sleep(after_s)
        record = read_record(self._home)
        if is_command or record is None:
            process.kill()
        else:
            os.kill(record.children["exporter"].process.pid, 9)
            time.sleep(after_s)
            process.kill()
        process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        arguments = ["export-dj", *map(str, self._stem_dirs), "--target", "rekordbox", "--output", str(self._output)]
        environment = {**os.environ, HOME_VARIABLE: str(self._home.root)}
        command = [sys.executable, "-m", "stemhouse.cli.main", *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def _count(self) -> int:
        return len([*self._output.glob("*/stemhouse.json")])

    def _edit(self) -> int:
        files = sorted(self._output.rglob("*_Acapella.aiff"))[::EDITED_SHARE]
        for path in files:
            with taglib.File(str(path), save_on_exit=True) as file:
                file.tags["COMMENT"] = ["mine"]
        return len(files)

    def _stamps(self) -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in self._output.rglob("*")}


def _stems(folder: Path, number: int) -> Path:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(number)
    for stem in ("vocals", "drums", "bass", "other"):
        samples = 0.1 * generator.standard_normal((round(TRACK_S * SAMPLE_RATE_HZ), 2))
        soundfile.write(folder / f"{stem}.wav", samples, SAMPLE_RATE_HZ, "PCM_24")
    return folder


if __name__ == "__main__":
    sys.exit(main())
