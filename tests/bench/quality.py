"""How well the starter engine separates songs whose true stems are known.

    python -m tests.bench.quality [--data FOLDER]

The songs are the one inside the PyPI package stempeg and, with --data, every sub-folder of FOLDER that holds some of
vocals.flac, drums.flac, bass.flac and other.flac. The mixture is the sum of the true stems (a mastered mix differs
from it), and "other" is what the other stems leave of the mixture, as the product delivers it. SI-SDR and SDR in dB
over the whole song; "mix" is the SI-SDR of the mixture itself as the estimate, which any engine must beat.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import av
import numpy as np
import soundfile

from services.separator.adapters.adapting import separate_in_format
from services.separator.adapters.starter.engine import StarterEngine
from services.separator.core.ports import Block, Engine
from services.separator.core.quality import StemQualityAnalyzer
from stemhouse.audio import AudioFormat
from stemhouse.vocab import BASE_STEMS, BASS, DRUMS, OTHER, VOCALS
from tests.fakes_separator import FakeMixture

_STEMPEG_SONG = "stempeg/data/The Easton Ellises - Falcon 69.stem.mp4"
_STEMPEG_STREAMS = {DRUMS: 1, BASS: 2, OTHER: 3, VOCALS: 4}  # stream 0 is the mastered mix
_STEMPEG_FORMAT = AudioFormat(44_100, 2)
_ROW = "{:<16} {:<8} {:>8} {:>8} {:>8} {:>8}"


@dataclass(frozen=True)
class Song:
    """A song by its true stems: float32 (channels, frames), all of one shape."""

    name: str
    format: AudioFormat
    stems: dict[str, Block]

    @property
    def mixture(self) -> Block:
        """The sum of the stems."""
        total: Block = np.sum(list(self.stems.values()), axis=0)
        return total


@dataclass(frozen=True)
class Score:
    """What the engine reached on one stem of a song, and what the mixture would have."""

    song: str
    stem: str
    si_sdr_db: float
    mixture_si_sdr_db: float
    sdr_db: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Separate every song and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.quality", description="Quality of the starter engine.")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of songs: NAME/{vocals,...}.flac")
    folder = parser.parse_args(arguments).data
    engine = StarterEngine.installed()
    _print(f"{engine.spec.engine_id}, dB; gain = SI-SDR - mix\n")
    _print(_ROW.format("song", "stem", "SI-SDR", "mix", "gain", "SDR"))
    scores = [score for song in known_songs(folder) for score in _scored(engine, song)]
    for stem in BASE_STEMS:
        _print_mean(stem, [score for score in scores if score.stem == stem])


def known_songs(folder: Path | None) -> Iterator[Song]:
    """The song inside stempeg, and those of a folder."""
    yield _stempeg_song()
    for place in sorted(folder.iterdir()) if folder else []:
        if any((place / f"{stem}.flac").is_file() for stem in BASE_STEMS):
            yield _song_in(place)


def _stempeg_song() -> Song:
    path = str(metadata.distribution("stempeg").locate_file(_STEMPEG_SONG))
    return Song("Falcon 69", _STEMPEG_FORMAT, {stem: _decoded(path, at) for stem, at in _STEMPEG_STREAMS.items()})


def _decoded(path: str, stream_index: int) -> Block:
    with av.open(path) as container:
        frames = container.decode(container.streams.audio[stream_index])
        audio: Block = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    return audio


def _song_in(place: Path) -> Song:
    stems = {}
    for stem in BASE_STEMS:
        path = place / f"{stem}.flac"
        if path.is_file():
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            stems[stem] = np.ascontiguousarray(samples.T)
    channel_count = next(iter(stems.values())).shape[0]
    return Song(place.name, AudioFormat(rate_hz, channel_count), stems)


def _scored(engine: Engine, song: Song) -> Iterator[Score]:
    """Score each true stem of the song, printing as it goes."""
    mixture = song.mixture
    estimates = separated(engine, song)
    for stem in BASE_STEMS:
        if stem not in song.stems:
            _print(f"{song.name:<16} {stem:<8} skipped: the song has no such stem")
            continue
        si_sdr_db, sdr_db = _quality(stem, song.stems[stem], estimates[stem])
        score = Score(song.name, stem, si_sdr_db, _quality(stem, song.stems[stem], mixture)[0], sdr_db)
        _print(_row(score.song, stem, score.si_sdr_db, score.mixture_si_sdr_db, score.sdr_db))
        yield score


def separated(engine: Engine, song: Song) -> dict[str, Block]:
    """Stems as delivered: the residue of the mixture goes to "other"."""
    mixture = song.mixture
    given = list(separate_in_format(engine, FakeMixture([mixture]), song.format))
    stems = {stem: np.concatenate([blocks[stem] for blocks in given], axis=1) for stem in BASE_STEMS}
    return stems | {OTHER: mixture - stems[VOCALS] - stems[DRUMS] - stems[BASS]}


def _quality(stem: str, reference: Block, estimate: Block) -> tuple[float, float]:
    quality = StemQualityAnalyzer().assess(stem, [(reference, estimate)])
    if quality.si_sdr_db is None or quality.sdr_db is None:
        return float("nan"), float("nan")
    return quality.si_sdr_db, quality.sdr_db


def _print_mean(stem: str, scores: list[Score]) -> None:
    if scores:
        rows = [(score.si_sdr_db, score.mixture_si_sdr_db, score.sdr_db) for score in scores]
        _print(_row(f"mean of {len(scores)}", stem, *(float(value) for value in np.nanmean(rows, axis=0))))


def _row(song: str, stem: str, si_sdr_db: float, mixture_si_sdr_db: float, sdr_db: float) -> str:
    gain_db = si_sdr_db - mixture_si_sdr_db
    return _ROW.format(song, stem, *(f"{value:.2f}" for value in (si_sdr_db, mixture_si_sdr_db, gain_db, sdr_db)))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
