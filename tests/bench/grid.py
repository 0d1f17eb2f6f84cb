"""How well beats and keys are found in tracks whose beats and keys are known, beside librosa's plain beat tracker.

    python -m tests.bench.grid [--seed SEED] [--data FOLDER]

The tracks are rendered from scores (tests/rendered_tracks.py); seven in ten come with their drums apart, as separated
tracks do, and all with their genre, as libraries know it. A phase error is the median distance between a beat found
and the score's beat, where the tempo found is half or double the tempo too. With --data, what is found in every audio
file of FOLDER, and in every sub-folder that holds a mix and drums, is printed below; nobody knows their truth.
Ends with 1 if a target is missed.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import librosa
import mir_eval
import numpy as np
import numpy.typing as npt
import soundfile

from services.exporter.core.analysis.signals import RATE_HZ, AnalysisAudio, Signal, heard
from services.exporter.core.analysis.tracks import TrackAnalyzer
from stemhouse.analysis import AnalysisHints, BeatGrid, TrackAnalysis
from tests.rendered_tracks import RenderedTrack, Score, bench_scores, render, step_scores

Floats = npt.NDArray[np.float64]

_SUFFIXES = (".flac", ".wav", ".aiff", ".aif", ".ogg", ".mp3")
_OCTAVES = (0.5, 1.0, 2.0)
_BPM_ERROR, _PHASE_ERROR_S = 0.0002, 0.005
_BEAT_ERROR = 0.03
_HIP_HOP_BPM = 110.0
"""Above it nothing is meant to be Hip-Hop, below it nothing House."""
_NEARLY_ALL, _BEAT_F, _KEY_SCORE = 0.9, 0.9, 0.8
_ROW = "{:<26}{:<6}{:>8} {:>9} {:>8} {:>6} {:>5} {:>4} {:>4} {:>4} {:>10} {:>5} |{:>7} {:>6} {:>5}"
_HEAD = "track|from|true|BPM|error %|ms|F|mark|oct|bar|key|MIREX|librosa|ms|F"


@dataclass(frozen=True)
class Beats:
    """How well beats were found: errors of tempo (a part, signed) and phase (seconds), F measure, octave."""

    bpm: float
    tempo_error: float
    phase_error_s: float
    f_measure: float
    is_octave: bool

    @property
    def is_beat(self) -> bool:
        """Whether the tempo is the true one, its half or its double, drift allowed for."""
        return abs(self.tempo_error) <= _BEAT_ERROR


@dataclass(frozen=True)
class Finding:
    """All of one track."""

    track: RenderedTrack
    analysis: TrackAnalysis
    beats: Beats
    plain: Beats
    is_octave_unaided: bool
    is_beat_misled: bool
    key_score: float
    cpu_s: float

    @property
    def is_drifting(self) -> bool:
        """Whether the score drifts."""
        return bool(self.track.score.drift)

    @property
    def is_bar(self) -> bool:
        """Whether beat 0 is the first downbeat of the score."""
        grid = self.analysis.grid
        return grid is not None and abs(grid.time_at(0.0) - float(self.track.downbeats_s[0])) < 0.05


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, the summary and what the folder holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.grid", description="Beats and keys of known tracks.")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="more audio: files, or folders of mix and drums")
    parser.add_argument("--seed", type=int, default=2, help="other patterns, timbres, keys, rooms and players")
    options = parser.parse_args(arguments)
    _print(_ROW.format(*_HEAD.split("|")))
    findings = list(_findings(bench_scores(options.seed)))
    steps = list(_findings(step_scores(options.seed)))
    is_met = _print_summary(findings)
    _print_steps(steps)
    if options.data:
        _print_folder(options.data)
    sys.exit(0 if is_met else 1)


def _findings(scores: Iterable[Score]) -> Iterator[Finding]:
    TrackAnalyzer().analyze(AnalysisAudio(RATE_HZ, np.zeros(RATE_HZ * 8, np.float32) + 0.1), AnalysisHints())
    for score in scores:
        finding = _found(render(score))
        _print(_row(finding))
        yield finding


def _found(track: RenderedTrack) -> Finding:
    audio = AnalysisAudio(track.score.sample_rate_hz, track.mix, track.drums if track.score.has_stems else None)
    began_s = process_time()
    analysis = TrackAnalyzer().analyze(audio, AnalysisHints(genre=track.score.genre))
    cpu_s = process_time() - began_s
    unaided = TrackAnalyzer().analyze(audio, AnalysisHints())
    misled = TrackAnalyzer().analyze(audio, AnalysisHints(genre=_genre_that_does_not_fit(track)))
    return Finding(
        track,
        analysis,
        beats=_ours(analysis, track),
        plain=_plain(audio, track),
        is_octave_unaided=unaided.grid is not None and _is_octave(unaided.grid.bpm, _true_bpm(track)),
        is_beat_misled=_ours(misled, track).is_beat,
        key_score=_key_score(analysis, track),
        cpu_s=cpu_s,
    )


def _genre_that_does_not_fit(track: RenderedTrack) -> str:
    return "Hip-Hop" if _true_bpm(track) > _HIP_HOP_BPM else "House"


def _ours(analysis: TrackAnalysis, track: RenderedTrack) -> Beats:
    if analysis.grid is None:
        return Beats(0.0, -1.0, 1.0, 0.0, is_octave=False)
    return _scored(analysis.grid.bpm, _beats_s(analysis.grid, track.score.duration_s), track)


def _plain(audio: AnalysisAudio, track: RenderedTrack) -> Beats:
    """As librosa finds them when simply asked, in the same signal."""
    signal = heard(audio.mix if audio.drums is None else audio.drums, audio.sample_rate_hz)
    tempo, beats_s = librosa.beat.beat_track(y=signal, sr=RATE_HZ, units="time")
    return _scored(float(np.atleast_1d(tempo)[0]), np.asarray(beats_s, np.float64), track)


def _scored(bpm: float, beats_s: Floats, track: RenderedTrack) -> Beats:
    true_bpm = _true_bpm(track)
    factor = min(_OCTAVES, key=lambda octave: abs(np.log2(bpm / true_bpm / octave)))
    is_slower = factor < 1
    errors_s = _gaps_s(beats_s, track.beats_s) if is_slower else _gaps_s(track.beats_s, beats_s)
    f_measure = float(mir_eval.beat.f_measure(track.beats_s, beats_s))
    error = bpm / factor / true_bpm - 1
    return Beats(bpm, error, float(np.median(errors_s)), f_measure, is_octave=_is_octave(bpm, true_bpm))


def _beats_s(grid: BeatGrid, duration_s: float) -> Floats:
    numbers = np.arange(np.ceil(grid.beat_at(0.0)), grid.beat_at(duration_s))
    return np.array([grid.time_at(float(number)) for number in numbers])


def _gaps_s(from_s: Floats, to_s: Floats) -> Floats:
    """The distance of each time to the nearest of the others."""
    gaps: Floats = np.abs(from_s[:, None] - to_s[None, :]).min(axis=1)
    return gaps


def _true_bpm(track: RenderedTrack) -> float:
    return 60.0 / float(np.median(np.diff(track.beats_s))) if track.score.drift else track.score.bpm


def _is_octave(bpm: float, true_bpm: float) -> bool:
    return abs(bpm / true_bpm - 1) < 0.04


def _key_score(analysis: TrackAnalysis, track: RenderedTrack) -> float:
    if analysis.key is None:
        return 0.0
    return float(mir_eval.key.weighted_score(_mirex(track.key_name), _mirex(analysis.key.name)))


def _mirex(name: str) -> str:
    return f"{name[:-1]} minor" if name.endswith("m") else f"{name} major"


def _row(finding: Finding) -> str:
    track, ours, plain = finding.track, finding.beats, finding.plain
    key = finding.analysis.key.name if finding.analysis.key else "-"
    return _ROW.format(
        track.score.name,
        "drums" if track.score.has_stems else "mix",
        f"{_true_bpm(track):.2f}",
        f"{ours.bpm:.4f}",
        f"{100 * ours.tempo_error:.4f}",
        f"{1000 * ours.phase_error_s:.1f}",
        f"{ours.f_measure:.2f}",
        len(finding.analysis.grid.markers) if finding.analysis.grid else 0,
        _sign(ours.is_octave),
        _sign(finding.is_bar),
        f"{key}/{track.key_name}",
        f"{finding.key_score:.1f}",
        f"{plain.bpm:.2f}",
        f"{1000 * plain.phase_error_s:.1f}",
        f"{plain.f_measure:.2f}",
    )


def _sign(is_right: bool) -> str:  # noqa: FBT001 - it is printed
    return "yes" if is_right else "NO"


def _print_summary(findings: list[Finding]) -> bool:
    """Each target with what was reached and what librosa reaches; whether all are met."""
    steady = [finding for finding in findings if not finding.is_drifting]
    drifting = [finding for finding in findings if finding.is_drifting]
    _print(f"\n{len(steady)} constant, {len(drifting)} drifting; librosa's plain beat tracker in brackets")
    met = [
        _target("tempo within 0.02 % and phase within 5 ms", _part(steady, _is_exact), _NEARLY_ALL, _plainly(steady)),
        _target("octave, with genre", _part(findings, lambda beats: beats.is_octave), _NEARLY_ALL, _octaves(findings)),
        _target("F of drifting beats, mean", _f(drifting), _BEAT_F, _plain_f(drifting)),
        _target("keys, MIREX", _mean(finding.key_score for finding in findings), _KEY_SCORE),
    ]
    _print(f"octave, without genre: {_mean(f.is_octave_unaided for f in findings):.3f}")
    misled = _mean(f.is_beat_misled for f in findings)
    _print(f"the beat, its half or its double, with a genre that does not fit: {misled:.3f}")
    _print(f"first downbeat: {_mean(f.is_bar for f in findings):.3f} (scores change harmony with bars: a light test)")
    seconds = sum(finding.track.score.duration_s for finding in findings)
    _print(f"CPU for five minutes of audio: {300 * sum(f.cpu_s for f in findings) / seconds:.1f} s")
    return all(met)


def _print_steps(findings: list[Finding]) -> None:
    grids = [finding.analysis.grid for finding in findings]
    called_constant = sum(grid is not None and grid.is_constant for grid in grids)
    counts = f"{called_constant} of {len(findings)} are called constant, {grids.count(None)} get no grid"
    _print(f"a tempo that steps by 8 % in the middle: {counts}, F of all {_f(findings):.3f} [{_plain_f(findings):.3f}]")


def _plain_f(findings: list[Finding]) -> float:
    return _mean(finding.plain.f_measure for finding in findings)


def _target(name: str, reached: float, wanted: float, plain: float | None = None) -> bool:
    is_met = reached >= wanted
    beside = "" if plain is None else f" [{plain:.3f}]"
    _print(f"{'met   ' if is_met else 'MISSED'} {name}: {reached:.3f}, wanted {wanted:g}{beside}")
    return is_met


def _is_exact(beats: Beats) -> bool:
    return abs(beats.tempo_error) <= _BPM_ERROR and beats.phase_error_s <= _PHASE_ERROR_S


def _part(findings: list[Finding], is_right: Callable[[Beats], bool]) -> float:
    return _mean(is_right(finding.beats) for finding in findings)


def _plainly(findings: list[Finding]) -> float:
    return _mean(_is_exact(finding.plain) for finding in findings)


def _octaves(findings: list[Finding]) -> float:
    return _mean(finding.plain.is_octave for finding in findings)


def _f(findings: list[Finding]) -> float:
    return _mean(finding.beats.f_measure for finding in findings)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _print_folder(folder: Path) -> None:
    _print(f"\n{folder}: what is found; the truth is not known")
    for name, audio in _audio_in(folder):
        for label, heard_audio in _views(audio):
            _print(f"{name:<26}{label:<6}{_told(TrackAnalyzer().analyze(heard_audio, AnalysisHints()))}")


def _audio_in(folder: Path) -> Iterator[tuple[str, AnalysisAudio]]:
    for place in sorted(folder.iterdir()):
        if place.suffix in _SUFFIXES:
            yield place.stem, AnalysisAudio(*_read(place))
        elif (place / "mix.flac").is_file() and (place / "drums.flac").is_file():
            rate_hz, mix = _read(place / "mix.flac")
            yield place.name, AnalysisAudio(rate_hz, mix, _read(place / "drums.flac")[1])


def _read(path: Path) -> tuple[int, Signal]:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return rate_hz, samples.mean(axis=1)


def _views(audio: AnalysisAudio) -> Iterator[tuple[str, AnalysisAudio]]:
    yield "mix", AnalysisAudio(audio.sample_rate_hz, audio.mix)
    if audio.drums is not None:
        yield "drums", audio


def _told(analysis: TrackAnalysis) -> str:
    grid, key = analysis.grid, analysis.key
    beats = f"{grid.bpm:9.4f} BPM, bar 1 at {grid.time_at(0.0):.3f} s, {len(grid.markers)} markers" if grid else "-"
    sections = " ".join(f"{section.label}{section.start_s:.1f}" for section in analysis.sections)
    return f"{beats}; {f'{key.name} {key.camelot} ({key.confidence:.2f})' if key else '-'}; {sections} {analysis.note}"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
