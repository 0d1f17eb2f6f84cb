"""A library's stems for rekordbox, while commands and the exporter are killed, and again with nothing new.

usage: python -m tests.bench.dj [--tracks N] [--kills K] [--seed S]
On a stack of its own, whose library has scanned the music: the tree mirrors its folders. An undisturbed export says
what the tree has to be; then it is made anew, while kill -9 hits the command and the exporter by turns, and a run that
is let live has to get through the death of its exporter by itself. Tags of a quarter of the acapellas are edited, and a
last run must write nothing. Prints what was found; exit code 1 if something does not hold.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import taglib

from services.exporter.core.files import StemFileManager
from services.exporter.core.metadata import metadata_json
from services.exporter.core.plan import plan_delivery
from stemhouse.audio import SourceRef
from stemhouse.client.delivery import METADATA
from stemhouse.client.dj_places import visible_folders
from stemhouse.delivery import DeliveryOptions
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack
from stemhouse.production import TREE_RECORD
from stemhouse.vocab import BASE_STEMS
from tests.unit.exporter.results import separated

SAMPLE_RATE_HZ = 44_100
TRACK_S = 2.0
EDITED_SHARE = 4
_LONGEST_S = 1800.0
_RESULT = separated(round(TRACK_S * SAMPLE_RATE_HZ)).result()


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
        self._output, self._log = folder / "dj", folder / "stderr.txt"
        music = folder / "music"
        self._stem_dirs = [_stems(music, folder / "stems" / f"{number:03}", number) for number in range(track_count)]
        self._total = track_count
        subprocess.run(self._command("library", "scan", music), env=self._environment, check=True)

    def run(self, kills: int, chance: random.Random) -> list[str]:
        """What does not hold."""
        whole, export_s = self._export(), self._last_s
        folders = len({Path(name).parent.parent for name in whole if name.endswith(".aiff")})
        print(
            f"{self._total} tracks in {folders} folders: {export_s:.1f} s undisturbed, {len(whole)} files", flush=True
        )
        self._output.rename(self._output.with_name("whole"))
        counts = [self._total * (number + 1) // (kills + 2) for number in range(kills + 1)]
        hits = [self._killed(count, chance, is_command=not number % 2) for number, count in enumerate(counts[:-1])]
        faults = [] if self._export(kills_exporter_at=counts[-1]) == whole else ["the tree is another one after kills"]
        print(f"{sum(hits)} of {kills} kills hit a run; one more hit the exporter of a run that went on", flush=True)
        edited = self._edit()
        before = self._stamps()
        self._export()
        faults += [] if self._stamps() == before else ["the last run has written"]
        print(f"run with nothing new: {self._last_s:.1f} s; {edited} files were edited", flush=True)
        return faults

    def _export(self, *, kills_exporter_at: int | None = None) -> dict[str, str]:
        """Run to the end; the tree with its digests."""
        began_s = time.monotonic()
        process = self._start()
        if kills_exporter_at is not None:
            self._await(kills_exporter_at, process)
            self._kill_exporter()
        if process.wait(timeout=_LONGEST_S):
            raise SystemExit(f"the export has failed: {self._log.read_text()[-2000:]}")
        self._last_s = time.monotonic() - began_s
        files = [path for path in sorted(self._output.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self._output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def _killed(self, count: int, chance: random.Random, *, is_command: bool) -> bool:
        """A run that is hit once so many tracks are there, at any point of the next one; whether it was hit at work."""
        process = self._start()
        self._await(count, process)
        time.sleep(chance.uniform(0.0, 0.5))
        is_hit = process.poll() is None
        if not is_command:
            self._kill_exporter()
            time.sleep(chance.uniform(0.0, 2.0))
        process.kill()
        process.wait()
        return is_hit

    def _await(self, count: int, process: "subprocess.Popen[bytes]") -> None:
        while self._count() < count and process.poll() is None:
            time.sleep(0.05)

    def _kill_exporter(self) -> None:
        record = read_record(self._home)
        assert record
        os.kill(record.children["exporter"].process.pid, 9)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, HOME_VARIABLE: str(self._home.root)}

    def _command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "stemhouse.cli.main", *map(str, arguments)]

    def _start(self) -> "subprocess.Popen[bytes]":
        options = ("--target", "rekordbox", "--layout", "mirror", "--output", self._output)
        command = self._command("export-dj", *self._stem_dirs, *options)
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL, stderr=log)

    def _count(self) -> int:
        return sum((folder / TREE_RECORD).exists() for folder in visible_folders(self._output))

    def _edit(self) -> int:
        files = sorted(self._output.rglob("*_Acapella.aiff"))[::EDITED_SHARE]
        for path in files:
            with taglib.File(str(path), save_on_exit=True) as file:
                file.tags["COMMENT"] = ["mine"]
        return len(files)

    def _stamps(self) -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in self._output.rglob("*")}


def _stems(music: Path, folder: Path, number: int) -> Path:
    """A track of the music, of which many are called the same, and its stems as they are delivered."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(number)
    frame_count = _RESULT.stem_set.audio.frame_count + number  # else all would be copies of one to the library
    stems = {stem: 0.1 * generator.standard_normal((frame_count, 2)) for stem in BASE_STEMS}
    for stem, samples in stems.items():
        soundfile.write(folder / f"{stem}.wav", samples, SAMPLE_RATE_HZ, "PCM_24")
    source = music / f"Künstler {number // 10} & Co" / f"Álbum #{number // 3}" / f"Intro{number % 3 or ''}.wav"
    source.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(source, sum(stems.values()), SAMPLE_RATE_HZ, "PCM_24")
    (folder / METADATA).write_bytes(_metadata(source, number))
    return folder


def _metadata(source: Path, number: int) -> bytes:
    """That of the exporter, of a result that the store does not hold any more."""
    content, audio = source.read_bytes(), _RESULT.stem_set.audio
    sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
    told = replace(
        _RESULT,
        source=SourceRef(sha256, md5, len(content), source.name),
        facts=replace(_RESULT.facts, artist=f"Künstler {number // 10}", title=source.stem),
        stem_set=replace(_RESULT.stem_set, audio=replace(audio, frame_count=audio.frame_count + number)),
    )
    return metadata_json(told, plan_delivery(told, DeliveryOptions(), StemFileManager()), {}, ())


if __name__ == "__main__":
    sys.exit(main())
