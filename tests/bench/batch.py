"""A whole library while processes are killed: every track once, in order, nothing repeated that was not interrupted.

usage: python -m tests.bench.batch [--tracks N] [--kills K] [--seed S] [--seconds S]
A stack of its own works through short songs with an engine that only splits by arithmetic; at seeded moments kill -9
hits one of all its processes, the supervisor and the workers among them. A small batch goes before, so that the plan
knows speed and sizes. Prints what was found and what was promised; exit code 1 if they differ.
"""

import argparse
import hashlib
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import soundfile

from stemhouse.batches import Batch, BatchItem, BatchPlan, BatchSpec, ItemState
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import StemhouseError
from stemhouse.local.home import Home
from stemhouse.local.processes import ProcessId
from stemhouse.local.record import read_record
from stemhouse.local.stack import stop_stack
from tests.bench.simulated_separator import SIMULATED
from tests.bench.simulated_stack import ensure_simulated_stack
from tests.signals import song

SAMPLE_RATE_HZ = 44_100
CRATE_EVERY = 10
"""Of so many tracks one is in the playlist that comes first."""
TOLERATED_DISK_SHARE = 0.10
EARLIER_TRACKS = 40
"""Of the batch before: enough for a steady pace."""
_SAMPLE_EVERY_S = 0.25
_SETTLED_S = 75.0
"""By then the store has cleared up, twice."""
_LONGEST_QUIET_S = 8.0
"""Between two kills, at most: long enough for the stack to work again."""


@dataclass
class Disk:
    """The most that each folder ever held beyond what it held at first, in bytes on the disk."""

    folders: dict[str, Path]
    peak_bytes: dict[str, int] = field(default_factory=dict)
    first_bytes: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Take a sample."""
        for use, folder in self.folders.items():
            used_bytes = sum(_allocated_bytes(Path(at, name)) for at, _, names in os.walk(folder) for name in names)
            more_bytes = used_bytes - self.first_bytes.setdefault(use, used_bytes)
            self.peak_bytes[use] = max(more_bytes, self.peak_bytes.get(use, 0))


def _allocated_bytes(path: Path) -> int:
    try:
        facts = path.lstat()
    except OSError:
        return 0
    return min(facts.st_size, facts.st_blocks * 512)


@dataclass
class Findings:
    """What does not hold; `figures` are for people."""

    faults: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    def expect(self, what: str, *, holds: bool) -> None:
        """Note a promise."""
        self.figures.append(f"{'ok    ' if holds else 'BROKEN'} {what}")
        if not holds:
            self.faults.append(what)


def main() -> None:
    """Run it in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=300)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a song")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        home = Home(root / "home")
        home.make_dirs()
        home.keep_file.touch()
        try:
            findings = run(root, home, options)
        finally:
            stop_stack(home)
    print("\n".join(findings.figures))
    sys.exit(1 if findings.faults else 0)


def run(root: Path, home: Home, options: argparse.Namespace) -> Findings:
    """Make a library, work through it while processes die, and hold the end against what is promised."""
    music, chance = root / "music", random.Random(options.seed)  # noqa: S311  no secret
    make_library(music, range(options.tracks), options.seconds)
    before = digests(music)
    spec = BatchSpec(str(music), str(root / "stems"), crates=("first",), engine=SIMULATED)
    with Stemhouse(ensure_simulated_stack(home, print)) as client:
        first_plan = scan_and_plan(client, spec)
    work_before(root, home, options)
    with Stemhouse(ensure_simulated_stack(home, print)) as client:
        plan = scan_and_plan(client, spec)
        batch_id = client.library.start_batch(spec, uuid.uuid4().hex).batch_id
    disk = Disk({"output": root / "stems", "store": home.store_dir, "scratch": home.scratch_dir})
    began_s, killed = time.monotonic(), work_through(home, batch_id, chance, options.kills, disk)
    wall_s = time.monotonic() - began_s
    with Stemhouse(ensure_simulated_stack(home, print)) as client:
        batch, items = client.library.batch(batch_id), list(client.library.batch_items(batch_id))
    findings = Findings()
    findings.figures.append(
        f"       {options.tracks} tracks in {wall_s:.0f} s, killed: {', '.join(killed) or 'nobody'}"
    )
    check_report(findings, batch, items, options)
    check_ledger(findings, home, items, len(killed))
    check_disk(findings, plan, disk)
    first_bytes = sum(volume.peak_bytes for volume in first_plan.volumes)
    findings.figures.append(f"       planned before anything was measured: {first_bytes / 1e6:.1f} MB")
    findings.expect("the library is as it was, to the digest", holds=digests(music) == before)
    return findings


def work_before(root: Path, home: Home, options: argparse.Namespace) -> None:
    """A small batch of other songs, in peace, and the time in which the store gives its room back."""
    music = root / "earlier music"
    make_library(music, range(options.tracks, options.tracks + EARLIER_TRACKS), options.seconds)
    with Stemhouse(ensure_simulated_stack(home, print)) as client:
        spec = BatchSpec(str(music), str(root / "earlier stems"), engine=SIMULATED)
        scan_and_plan(client, spec)
        batch_id = client.library.start_batch(spec, uuid.uuid4().hex).batch_id
        while not client.library.batch(batch_id).state.is_final:
            time.sleep(_SAMPLE_EVERY_S)
    time.sleep(_SETTLED_S)


def scan_and_plan(client: Stemhouse, spec: BatchSpec) -> BatchPlan:
    """What a batch would take."""
    for _ in client.library.scan(spec.location):
        pass
    return client.library.plan_batch(spec)


def make_library(music: Path, numbers: range, duration_s: float) -> None:
    """Songs that all differ, in ten folders, and a playlist."""
    paths = [music / f"folder {number % 10}" / f"song {number:04}.wav" for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = song(int(duration_s * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, seed=number)
        soundfile.write(path, samples.T, SAMPLE_RATE_HZ, subtype="PCM_16")
    chosen = paths[CRATE_EVERY - 1 :: CRATE_EVERY]
    names = (str(path.relative_to(music)) for path in reversed(chosen))
    (music / "first.m3u8").write_text("#EXTM3U\n" + "\n".join(names) + "\n", encoding="utf-8")


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    """Digest and time of change of every file."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def work_through(home: Home, batch_id: str, chance: random.Random, kill_count: int, disk: Disk) -> list[str]:
    """Wait for the end of the batch, and kill somebody from time to time; gives the names of the victims."""
    killed: list[str] = []
    next_kill_s = time.monotonic() + chance.uniform(0.0, _LONGEST_QUIET_S)
    while not is_over(home, batch_id):
        disk.look()
        if len(killed) < kill_count and time.monotonic() >= next_kill_s:
            killed.append(kill_one(home, chance))
            next_kill_s = time.monotonic() + chance.uniform(1.0, _LONGEST_QUIET_S)
        time.sleep(_SAMPLE_EVERY_S)
    disk.look()
    return killed


def is_over(home: Home, batch_id: str) -> bool:
    """Whether the batch is final; a stack that lies down is set up again, as the next command of a user would."""
    try:
        with Stemhouse(ensure_simulated_stack(home, lambda _: None)) as client:
            return client.library.batch(batch_id).state.is_final
    except StemhouseError as error:
        print(f"       not now: {error.message.splitlines()[0]}", flush=True)
        return False


def kill_one(home: Home, chance: random.Random) -> str:
    """Send SIGKILL to one of all processes of the stack."""
    names = sorted(victims(home))
    name = chance.choice(names)
    process = victims(home)[name].find()
    if process:
        process.kill()
    return name


def victims(home: Home) -> dict[str, ProcessId]:
    """The supervisor, its children, and the separator's workers."""
    record = read_record(home)
    if record is None:
        return {}
    found = {"supervisor": record.supervisor, **{name: child.process for name, child in record.children.items()}}
    separator = record.children["separator"].process.find()
    workers = separator.children(recursive=True) if separator else []
    spawned = [worker for worker in workers if "spawn_main" in " ".join(_command_of(worker))]
    return {**found, **{f"worker {number}": ProcessId.of(worker.pid) for number, worker in enumerate(spawned)}}


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def check_report(findings: Findings, batch: Batch, items: list[BatchItem], options: argparse.Namespace) -> None:
    """Every track is done, and its files are whole."""
    counts = batch.counts
    findings.expect(f"the batch is {batch.state.value}: {counts}", holds=counts.done == options.tracks)
    frame_count = int(options.seconds * SAMPLE_RATE_HZ)
    torn = [str(path) for item in items for path in torn_files(item, frame_count)]
    findings.expect(f"{4 * counts.done} files of {frame_count} frames, {len(torn)} torn", holds=not torn)
    leftovers = [path for item in items[:1] for path in Path(item.folder).parent.glob(".stemhouse-*")]
    findings.expect(f"{len(leftovers)} unfinished folders are left", holds=not leftovers)


def torn_files(item: BatchItem, frame_count: int) -> Iterator[Path]:
    """Files of a done item that are not there, of another size than reported, or of another length."""
    for name, size_bytes in item.file_sizes_bytes.items():
        path = Path(item.folder) / name
        if not path.is_file() or path.stat().st_size != size_bytes or soundfile.info(path).frames != frame_count:
            yield path


def check_ledger(findings: Findings, home: Home, items: list[BatchItem], kill_count: int) -> None:
    """Each track is in the ledger once, jobs were made in the order of work, and only interrupted work was repeated."""
    with closing(sqlite3.connect(f"file:{home.root}/router/ledger.db?mode=ro", uri=True)) as ledger:
        jobs = ledger.execute("SELECT job_id, state FROM ledger_job ORDER BY rowid").fetchall()
        result_count = ledger.execute("SELECT count(*) FROM ledger_result").fetchone()[0]
    track_count = len(items) + EARLIER_TRACKS
    findings.expect(f"{result_count} results in the ledger for {track_count} tracks", holds=result_count == track_count)
    done = [job_id for job_id, state in jobs if state == "done"]
    places = {item.job_id: item.place for item in items if item.state is ItemState.DONE}
    order = [places[job_id] for job_id in done if job_id in places]
    is_complete = sorted(order) == [item.place for item in items] and len(done) == track_count
    findings.expect(f"{len(done)} jobs done, one for each track", holds=is_complete)
    findings.expect("jobs were made in the order of work", holds=order == sorted(order))
    begun = Counter(_separations(home))
    repeated = sum(begun.values()) - len(begun)
    text = f"{sum(begun.values())} separations begun, {repeated} of them again after {kill_count} kills"
    findings.expect(text, holds=repeated <= kill_count * 2)


def _separations(home: Home) -> Iterator[str]:
    """The job of each separation that the router's logs tell of."""
    for log_file in home.log_file("router").parent.glob("router*"):
        for line in log_file.read_text(encoding="utf-8", errors="replace").splitlines():
            if " separating " in line and "job_id=" in line:
                yield line.split("job_id=")[1].split()[0]
            elif '"separating"' in line:
                yield json.loads(line)["job_id"]


def check_disk(findings: Findings, plan: BatchPlan, disk: Disk) -> None:
    """The plan's peak against the highest that was seen, use by use and in all."""
    needs = Counter[str]()
    for volume in plan.volumes:
        for need in volume.needs:
            needs["store" if need.use in {"store", "source copies"} else need.use] += need.peak_bytes
    for use, need_bytes in needs.items():
        seen_bytes = disk.peak_bytes.get("scratch" if use == "temporary" else use, 0)
        findings.figures.append(f"       {use}: planned {need_bytes / 1e6:.1f} MB, seen {seen_bytes / 1e6:.1f} MB")
    planned_bytes, seen_bytes = needs.total(), sum(disk.peak_bytes.values())
    share = planned_bytes / seen_bytes - 1.0
    figures = f"planned {planned_bytes / 1e6:.1f} MB, seen {seen_bytes / 1e6:.1f} MB ({share:+.1%})"
    text = f"peak disk, {EARLIER_TRACKS} tracks having been measured before: {figures}"
    findings.expect(text, holds=abs(share) <= TOLERATED_DISK_SHARE)


if __name__ == "__main__":
    main()
