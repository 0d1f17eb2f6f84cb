"""Speed of a full-size HTDemucs of random weights through the running stack, in pairs with the `demucs` command.

usage: python -m tests.bench.demucs_speed [--repeats N] [--seconds S] [--tracks N] [--track-seconds S] [--folder DIR]
For each schedule a stack is up and warm, and the only one: by turns, a song is separated by `demucs` and by `stemhouse
separate`; then several shorter songs, in one command each. CPU seconds are those of the command and of all processes of
the stack, what they spend on waiting included, and those of the separator alone; on a machine that does other things
besides, the ratio of the latter is the one to believe. Prints the SDR of our stems
against demucs' own, what the lean schedule changes at the end of the song, which share of the time the network's own
arithmetic would take at the speed of a plain matrix product, and what vocals alone of a bag of four cost.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import soundfile
import torch
from demucs.htdemucs import HTDemucs
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from services.separator.core.demucs_options import ScheduleKind
from services.separator.core.models import OVERLAP
from services.separator.core.ports import Block
from services.separator.core.segments import Schedule
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.layout import SEPARATOR
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack
from stemhouse.vocab import BASE_STEMS
from tests.bench.demucs import FULL_SIZE, SAMPLE_RATE_HZ
from tests.bench.demucs_vocals import vocals_gain
from tests.bench.figures import Figure, keep
from tests.demucs_command import describe_bag, sdr_db
from tests.signals import song
from tests.tiny_demucs import install, seeded

MODEL = "full-size"
PARITY_DB = 80.0
TARGETS = {ScheduleKind.DEMUCS: 1.3, ScheduleKind.LEAN: 1.5}
"""Times as fast as the `demucs` command, one song."""
TARGET_SEVERAL = 1.6
TARGET_VOCALS = 3.5

_SEGMENT_FRAMES = int(Fraction(39, 5) * SAMPLE_RATE_HZ)
_WARMING_S = 10.0
_PRODUCT_SIZE = 2048
_GAIN = 0.25  # demucs cuts stems off at full scale, and those of random weights are as loud as the mixture
_SCHEDULE_VARIABLE = "STEMHOUSE_DEMUCS__SCHEDULE"

Files = Sequence[Path]
Stems = dict[str, Block]


@dataclass(frozen=True)
class Spent:
    """Of one command: wall time, CPU time of it and of whatever works for it, and of what separates alone."""

    wall_s: float
    cpu_s: float
    separating_cpu_s: float


@dataclass(frozen=True)
class Runs:
    """Of one song: the medians, and the stems of the last pair."""

    by_demucs: Spent
    by_us: Spent
    their_stems: Stems
    our_stems: Stems


class Contender:
    """A way to separate files: the command, where its files go, its environment, and its stack (None: it has none)."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        output_dir: Path,
        environment: Mapping[str, str] = os.environ,
        home: Home | None = None,
    ) -> None:
        self.name = name
        self.output_dir = output_dir
        self._command = tuple(command)
        self._environment = environment
        self._home = home

    def separate(self, files: Files) -> Spent:
        """Run the command to its end."""
        began_s, cpu_before_s, separating_before_s = time.monotonic(), *self._cpu_s()
        command = (*self._command, *map(str, files))
        ended = subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True)
        if ended.returncode:
            raise SystemExit(f"{self.name} has failed: {ended.stderr[-2000:]}")
        cpu_s, separating_s = self._cpu_s()
        spent = Spent(time.monotonic() - began_s, cpu_s - cpu_before_s, separating_s - separating_before_s)
        told = f"{spent.wall_s:.1f} s, CPU {spent.cpu_s:.1f} s, of which separating {spent.separating_cpu_s:.1f} s"
        print(f"  {self.name}: {told}", flush=True)
        return spent

    def stems(self) -> Stems:
        """What it has written for the one song that it has separated."""
        found = {stem: next(self.output_dir.rglob(f"{stem}.wav")) for stem in BASE_STEMS}
        return {stem: soundfile.read(path, dtype="float32")[0].T for stem, path in found.items()}

    def _cpu_s(self) -> tuple[float, float]:
        """Of all commands that have ended and the processes of the stack; of the separator, or else the commands."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended_s = used.ru_utime + used.ru_stime
        record = read_record(self._home) if self._home else None
        if record is None:
            return ended_s, ended_s
        separator_id = record.children[SEPARATOR].process.pid
        return ended_s + _family_cpu_s(record.supervisor.pid), _family_cpu_s(separator_id)


def _family_cpu_s(process_id: int) -> float:
    process = psutil.Process(process_id)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(spent.user + spent.system for spent in times)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="pairs of the one song")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the one song")
    parser.add_argument("--tracks", type=int, default=10, help="number of shorter songs; 0: none")
    parser.add_argument("--track-seconds", type=float, default=30.0, help="length of the shorter songs")
    parser.add_argument("--folder", help="where to work: needs room for about 2 GB")
    options = parser.parse_args()
    network = seeded(HTDemucs, FULL_SIZE, seed=1)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        demucs = by_demucs(folder, network)
        song_file = written(folder / "one.wav", options.seconds)
        runs = {}
        for kind in ScheduleKind.DEMUCS, ScheduleKind.LEAN:
            with by_stack(folder, network, kind) as ours:
                runs[kind] = one_song(demucs, ours, song_file, options.repeats, TARGETS[kind])
                if options.tracks and kind is ScheduleKind.LEAN:
                    several_songs(demucs, ours, folder, options.tracks, options.track_seconds)
        report_parity(runs, round(options.seconds * SAMPLE_RATE_HZ))
        same = runs[ScheduleKind.DEMUCS]
        report_shares(network, {"demucs": same.by_demucs, "ours": same.by_us}, options.seconds)
        gain = vocals_gain(folder / "bag", network)
    tell("demucs: vocals alone of a bag of four, against all stems", gain, "x less CPU", TARGET_VOCALS)


def by_demucs(folder: Path, network: HTDemucs) -> Contender:
    """The `demucs` command."""
    entry = install(folder / "repo", [network], name=MODEL, kind="th")
    describe_bag(folder / "repo" / MODEL, entry)
    model = ("-n", MODEL, "--repo", str(folder / "repo" / MODEL), "-d", "cpu", "--shifts", "0")
    output_dir = folder / "by-demucs"
    files = ("--float32", "--clip-mode", "none", "-o", str(output_dir))
    return Contender("demucs", (sys.executable, "-m", "demucs", *model, *files), output_dir)


@contextmanager
def by_stack(folder: Path, network: HTDemucs, kind: ScheduleKind) -> Iterator[Contender]:
    """Ours by a schedule, on a stack that is warm; no other one is up, which would take time from both."""
    home = Home(folder / kind)
    home.make_dirs()
    home.keep_file.touch()
    install(home.root / "models", [network], name=MODEL, kind="th")
    os.environ[_SCHEDULE_VARIABLE] = kind
    ensure_stack(home, print)
    try:
        found = _ours(kind, folder / f"ours-{kind}", home)
        found.separate([written(folder / "warming.wav", _WARMING_S)])
        for path in found.output_dir.rglob("*.wav"):
            path.unlink()
        yield found
    finally:
        stop_stack(home)


def _ours(kind: ScheduleKind, output_dir: Path, home: Home) -> Contender:
    script = str(Path(sys.executable).with_name("stemhouse"))
    wish = ("--engine", "demucs", "--model", MODEL, "--force", "--no-sum-to-mix", "--bit-depth", "32f")
    command = (script, "separate", *wish, "--output", str(output_dir))
    environment = {**os.environ, HOME_VARIABLE: str(home.root), _SCHEDULE_VARIABLE: kind}
    return Contender(f"ours, {kind}", command, output_dir, environment, home)


def written(path: Path, duration_s: float, seed: int = 0) -> Path:
    """A stereo song of that length; another one for each seed."""
    samples = _GAIN * song(round(duration_s * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    soundfile.write(path, np.roll(samples, seed * 4410, axis=1).T, SAMPLE_RATE_HZ, subtype="PCM_16")
    return path


def one_song(demucs: Contender, ours: Contender, file: Path, repeats: int, target: float) -> Runs:
    """Pairs, by turns."""
    pairs = [(demucs.separate([file]), ours.separate([file])) for _ in range(repeats)]
    report_pairs(f"demucs, one song, {ours.name}", pairs, target)
    theirs, our = zip(*pairs, strict=True)
    return Runs(median_of(theirs), median_of(our), demucs.stems(), ours.stems())


def median_of(spent: Sequence[Spent]) -> Spent:
    """Of each time by itself."""
    return Spent(*(statistics.median(times) for times in zip(*map(astuple, spent), strict=True)))


def several_songs(demucs: Contender, ours: Contender, folder: Path, track_count: int, track_s: float) -> None:
    """One command each, once."""
    files = [written(folder / f"song{number}.wav", track_s, number) for number in range(1, track_count + 1)]
    pair = (demucs.separate(files), ours.separate(files))
    report_pairs(f"demucs, {track_count} songs of {track_s:.0f} s, {ours.name}", [pair], TARGET_SEVERAL)


def report_pairs(what: str, pairs: Sequence[tuple[Spent, Spent]], target: float) -> None:
    """How many times as fast, by wall and by CPU times."""
    tell(f"{what}: wall", statistics.median(theirs.wall_s / our.wall_s for theirs, our in pairs), "x", target)
    tell(f"{what}: CPU", statistics.median(theirs.cpu_s / our.cpu_s for theirs, our in pairs), "x")
    alone = statistics.median(theirs.separating_cpu_s / our.separating_cpu_s for theirs, our in pairs)
    tell(f"{what}: CPU of the separator alone", alone, "x")


def report_parity(runs: Mapping[ScheduleKind, Runs], track_frames: int) -> None:
    """The stems of the last pairs: by demucs' schedule against demucs, by the lean one against that, at its end."""
    theirs = runs[ScheduleKind.DEMUCS].their_stems
    same, lean = (runs[kind].our_stems for kind in (ScheduleKind.DEMUCS, ScheduleKind.LEAN))
    tell("demucs' schedule against demucs, SDR", least_db(theirs, same), "dB", PARITY_DB)
    changed = _first_changed_frame(track_frames)
    head, tail = slice(0, changed), slice(changed, track_frames)
    if changed < track_frames:
        tell(
            f"lean schedule, last {(track_frames - changed) / SAMPLE_RATE_HZ:.1f} s, SDR",
            least_db(same, lean, tail),
            "dB",
        )
    tell("lean schedule, all before, SDR", least_db(same, lean, head), "dB")


def least_db(reference: Stems, estimate: Stems, frames: slice = slice(None)) -> float:
    """Of all stems the least."""
    return min(sdr_db(reference[stem][:, frames], estimate[stem][:, frames]) for stem in reference)


def _schedule(kind: ScheduleKind) -> Schedule:
    return Schedule(_SEGMENT_FRAMES, int((1 - OVERLAP) * _SEGMENT_FRAMES), lambda _frame_count: _SEGMENT_FRAMES, kind)


def _first_changed_frame(track_frames: int) -> int:
    """Where the first segment begins that the lean schedule leaves out."""
    begins = [{one.begin for one in _schedule(kind).segments(track_frames)} for kind in ScheduleKind]
    return min(begins[0] ^ begins[1], default=track_frames)


def report_shares(network: HTDemucs, spent: dict[str, Spent], duration_s: float) -> None:
    """Of the CPU time, what the network's arithmetic takes at the speed of a plain product, by demucs' schedule."""
    segment_count = len(list(_schedule(ScheduleKind.DEMUCS).segments(round(duration_s * SAMPLE_RATE_HZ))))
    operations, speed = segment_count * segment_operations(network), product_speed()
    print(f"  {operations / 1e9:.0f} GFLOP in {segment_count} segments; products: {speed / 1e9:.0f} GFLOP a CPU second")
    for name, one in spent.items():
        tell(f"{name}: share of the speed of products", 100 * operations / speed / one.separating_cpu_s, "%")


def segment_operations(network: HTDemucs) -> int:
    """Floating-point operations of the network for one segment, attention written out so that it is counted."""
    heard = torch.zeros(1, 2, _SEGMENT_FRAMES)
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            network(heard)
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)
    return int(counter.get_total_flops())


def product_speed(repeats: int = 12) -> float:
    """Operations in a CPU second of single-precision matrix products: the best of several."""
    left, right = torch.rand(2, _PRODUCT_SIZE, _PRODUCT_SIZE)

    def taken_s(compute: Callable[[], object]) -> float:
        began_s = time.process_time()
        compute()
        return time.process_time() - began_s

    return 2 * _PRODUCT_SIZE**3 / min(taken_s(lambda: left @ right) for _ in range(repeats))


def tell(what: str, value: float, unit: str, at_least: float | None = None) -> None:
    """Print a figure, and keep it for the report."""
    figure = Figure(what, value, unit, at_least=at_least)
    verdict = {True: ": met", False: ": MISSED", None: ""}[figure.is_met]
    print(f"{what}: {value:.2f} {unit}{f' ({figure.target})' if figure.target else ''}{verdict}", flush=True)
    keep(figure)


if __name__ == "__main__":
    main()
