"""How well audio is stretched, by us and by others.

    make bench-stretch [DATA=folder of songs, as for bench-quality]

The others run in processes of their own, those that Stemhouse does not build on in an environment of their own. Signals
are made, so that what should come out is known: clicks, drum hits, a chord, noise from the left, hits and chord panned.
Excerpts of songs with known stems tell how far stems still sum to their mix. Columns, each the worst of all ratios:

    frames    off the exact length
    click     where clicks are, off `ratio * t`, in ms
    pre       energy more than 5 ms before a drum hit, of all of it, in dB; of what comes in it is -inf
    spread    time that holds 90 % of a drum hit's energy, in ms; of what comes in it is 12.8
    cents     off the pitch of a chord's highest tone
    purity    energy of a chord's three tones against everything else, in dB
    wide      correlation of left and right at their true delay of 0.3 ms, 1.0 if it is kept
    panned    error of the right channel where it should be a part of the left one, in dB
    apart     error of a song's stems stretched one by one, summed, against the stretched mix, in dB
    together  the same, of stems and mix stretched as channels of one piece of audio; nan where that is not possible
    CPU s     seconds of one core for a minute of stereo
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.exporter.adapters.signalsmith import SignalsmithStretcher
from services.exporter.core.remix.stretching import StemRemixer
from tests.bench import stretch_candidates
from tests.bench.stretch_figures import figures_of_signals, frames_off, sum_db
from tests.bench.stretch_signals import RATE_HZ, Audio, Excerpt, excerpts, signals

RATIOS = (0.5, 0.8, 1.25, 2.0)
COLUMNS = ("frames", "click", "pre", "spread", "cents", "purity", "wide", "panned", "apart", "together", "CPU s")
LEAST_IS_WORST = ("purity", "wide")
_ROW = "{:<32}" + " {:>8}" * len(COLUMNS)


class Skipped(Exception):
    """A candidate cannot run here; says why."""


@dataclass(frozen=True)
class Job:
    """What to stretch, and by how much."""

    samples: Audio
    sample_rate_hz: int
    ratio: float


@dataclass(frozen=True)
class Answer:
    """What came out, and what it took."""

    samples: Audio
    cpu_s: float


Answers = Mapping[str, Answer]
"""By the name of the job; what a candidate does not take is not in it."""
Run = Callable[[Mapping[str, Job]], Answers]


def main() -> None:
    """Measure every candidate that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of songs: NAME/{vocals,...}.flac")
    parser.add_argument("--others", type=Path, metavar="PYTHON", help="interpreter that has what we do not build on")
    options = parser.parse_args()
    songs = list(excerpts(options.data))
    jobs = dict(_jobs(songs))
    print(f"ratios {RATIOS}; made signals, and of {', '.join(song.name for song in songs)}\n")
    print(_ROW.format("", *COLUMNS))
    for name, run in _candidates(options.others):
        try:
            answers = run(jobs)
        except Skipped as reason:
            print(f"{name:<32} skipped: {reason}", flush=True)
        else:
            print(_ROW.format(name, *_formatted(_worst(answers, songs))), flush=True)


def _candidates(others: Path | None) -> Iterator[tuple[str, Run]]:
    yield "ours: Signalsmith (MIT)", _ours
    yield "pedalboard (GPL)", _foreign("pedalboard", others)
    yield "Rubber Band 3, finer (GPL)", _foreign("rubber-band-finer", others)
    yield "Rubber Band 2, percussive (GPL)", _foreign("rubber-band-percussive", others)
    yield "librosa phase vocoder (ISC)", _foreign("librosa", Path(sys.executable))
    yield "audiotsm WSOLA (MIT)", _foreign("wsola", others)


def _jobs(songs: Sequence[Excerpt]) -> Iterator[tuple[str, Job]]:
    made = signals()
    for ratio in RATIOS:
        for name, samples in made.items():
            yield f"{name}-{ratio:g}", Job(samples, RATE_HZ, ratio)
        for number, song in enumerate(songs):
            for name, samples in _song_audio(song).items():
                yield f"{number}-{name}-{ratio:g}", Job(samples, song.sample_rate_hz, ratio)


def _song_audio(song: Excerpt) -> dict[str, Audio]:
    """The mix, each stem, and all of them side by side."""
    alone = {str(number): stem for number, stem in enumerate(song.stems)}
    return {"mix": song.mix, **alone, "all": np.concatenate([*song.stems, song.mix], axis=1)}


def _ours(jobs: Mapping[str, Job]) -> Answers:
    """By the whole path of the exporter, pieces and seams among it."""
    remixer = StemRemixer(SignalsmithStretcher())
    answers = {}
    for name, job in jobs.items():
        begun = time.process_time()
        stretched = remixer.time_stretch_stem(job.samples, job.sample_rate_hz, job.ratio)
        answers[name] = Answer(stretched, time.process_time() - begun)
    return answers


def _foreign(candidate: str, python: Path | None) -> Run:
    def run(jobs: Mapping[str, Job]) -> Answers:
        if python is None or not python.exists():
            raise Skipped(f"there is no {python or 'environment for it'}")
        with tempfile.TemporaryDirectory(prefix="stretch-") as folder:
            return _answers(candidate, python, jobs, Path(folder))

    return run


def _answers(candidate: str, python: Path, jobs: Mapping[str, Job], folder: Path) -> Answers:
    for name, job in jobs.items():
        np.save(folder / f"{name}.npy", job.samples)
    (folder / "jobs.json").write_text(json.dumps({name: [job.sample_rate_hz, job.ratio] for name, job in jobs.items()}))
    command = [str(python), stretch_candidates.__file__, candidate, str(folder)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode == stretch_candidates.NOT_INSTALLED:
        raise Skipped(ended.stdout.strip())
    ended.check_returncode()
    taken = {
        name: cpu_s for name, cpu_s in json.loads((folder / "answers.json").read_text()).items() if cpu_s is not None
    }
    for name in jobs:
        if name not in taken and "-all-" not in name:
            raise Skipped(f"it does not take {name}")
    return {name: Answer(np.load(folder / f"{name}.out.npy"), cpu_s) for name, cpu_s in taken.items()}


def _worst(answers: Answers, songs: Sequence[Excerpt]) -> dict[str, float]:
    found: list[dict[str, float]] = []
    for ratio in RATIOS:
        found.append(figures_of_signals({name: answers[f"{name}-{ratio:g}"].samples for name in signals()}, ratio))
        found += [_song_figures(answers, number, song, ratio) for number, song in enumerate(songs)]
    return {
        column: (np.min if column in LEAST_IS_WORST else np.max)([each[column] for each in found if column in each])
        for column in COLUMNS
    }


def _song_figures(answers: Answers, number: int, song: Excerpt, ratio: float) -> dict[str, float]:
    mix = answers[f"{number}-mix-{ratio:g}"]
    stems = [answers[f"{number}-{stem}-{ratio:g}"].samples for stem in range(len(song.stems))]
    return {
        "frames": frames_off(len(song.mix), mix.samples, ratio),
        "apart": sum_db(stems, mix.samples),
        "together": _together_db(answers.get(f"{number}-all-{ratio:g}"), song.mix.shape[1]),
        "CPU s": mix.cpu_s * 60 * song.sample_rate_hz / len(song.mix),
    }


def _together_db(answer: Answer | None, channel_count: int) -> float:
    if answer is None:
        return float("nan")
    *stems, mix = np.split(answer.samples, answer.samples.shape[1] // channel_count, axis=1)
    return sum_db(stems, mix)


def _formatted(found: Mapping[str, float]) -> Iterator[str]:
    digits = {"frames": 0, "wide": 3}
    return (f"{value:.{digits.get(column, 1)}f}" for column, value in found.items())


if __name__ == "__main__":
    main()
