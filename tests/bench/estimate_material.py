"""Chunks of ten seconds whose true vocals are known, and the signals that estimates have: to calibrate and to test.

Rendered songs are always there. Real ones (the song inside stempeg, and those of a folder) also come with their voice
raised by 6 and 12 dB, and over the instruments of real songs without vocals, so that good and bad results both occur.
All variants of one voice are one *song* when a song is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.separator.adapters.adapting import EngineInFormat
from services.separator.core.estimates import obstacle
from services.separator.core.listening import ambiguity_db
from services.separator.core.pcm import FULL_SCALE
from services.separator.core.ports import Block, Engine, PcmBlock, Span, StemBlocks
from services.separator.core.quality import StemQualityAnalyzer
from services.separator.core.remix import remix_signal
from services.separator.core.stem_reading import StemReader
from services.separator.core.survey import survey_stems
from stemhouse.audio import AudioFormat, AudioRef, StemRef, StemSet
from stemhouse.vocab import VOCALS
from tests.bench.quality import Song, known_songs, separated
from tests.fakes_separator import UNWATCHED
from tests.rendered_bands import Band
from tests.rendered_songs import SONGS, songs

RENDERED, REAL = "rendered", "real"

_CHUNK_S = 10.0
_GAIN = 0.25
"""Of the grid, so that everything fits."""
_RAISED_DB = (0.0, 6.0, 12.0)
_OVER_OTHERS_DB = (0.0, 8.0)
"""Of the voice against foreign instruments of the same RMS."""


@dataclass(frozen=True)
class Variant:
    """A song as it is separated; `voice` names what is left out together."""

    kind: str
    voice: str
    song: Song


@dataclass(frozen=True)
class Chunk:
    """What is known of ten seconds, in dB; `obstacle` says which gate is closed, and then there are no signals."""

    kind: str
    voice: str
    name: str
    si_sdr_db: float
    obstacle: str = ""
    amb_db: float = 0.0
    remix_db: float = 0.0


def chunks(band: Band, data: Path | None, engine: Engine) -> Iterator[Chunk]:
    """Of all material, separated and verified by the same engine."""
    for variant in (*_rendered(band), *_real(data)):
        yield from _chunks_of(variant, engine)


def _rendered(band: Band) -> Iterator[Variant]:
    for rendered in songs(SONGS, band):
        name = rendered.score.name
        yield Variant(RENDERED, name, Song(name, AudioFormat(44_100, 2), rendered.stems))


def _real(data: Path | None) -> Iterator[Variant]:
    known = list(known_songs(data))
    for song in known:
        if VOCALS in song.stems:
            yield from (_raised(song, db) for db in _RAISED_DB)
            others = (other for other in known if VOCALS not in other.stems and other.format == song.format)
            yield from (_over(song, other, db) for other in others for db in _OVER_OTHERS_DB)


def _raised(song: Song, db: float) -> Variant:
    stems = song.stems | {VOCALS: _gained(song.stems[VOCALS], db)}
    return Variant(REAL, song.name, replace(song, name=f"{song.name} {db:+g} dB", stems=stems))


def _over(song: Song, other: Song, db: float) -> Variant:
    frames = min(song.mixture.shape[1], other.mixture.shape[1])
    voice = song.stems[VOCALS][:, :frames]
    stems = {name: stem[:, :frames] for name, stem in other.stems.items()}
    level_db = 20 * float(np.log10(other.mixture[:, :frames].std() / voice.std()))
    name = f"{song.name} over {other.name} {db:+g} dB"
    return Variant(REAL, song.name, Song(name, song.format, stems | {VOCALS: _gained(voice, db + level_db)}))


def _gained(stem: Block, db: float) -> Block:
    gained: Block = stem * np.float32(10 ** (db / 20))
    return gained


def _chunks_of(variant: Variant, engine: Engine) -> Iterator[Chunk]:
    song = _fitting(variant.song)
    stems = separated(engine, song)
    length = round(_CHUNK_S * song.format.sample_rate_hz)
    for number, start in enumerate(range(0, song.mixture.shape[1], length)):
        true = song.stems[VOCALS][:, start : start + length]
        if np.any(true):
            given = {name: stem[:, start : start + length] for name, stem in stems.items()}
            name = f"{variant.song.name} #{number + 1}"
            yield _heard(Chunk(variant.kind, variant.voice, name, _si_sdr_db(true, given[VOCALS])), given, song, engine)


def _fitting(song: Song) -> Song:
    """Lowered where stems would not fit the grid."""
    peak = max(float(np.abs(stem).max()) for stem in (*song.stems.values(), song.mixture))
    scale = np.float32(min(1.0, 1.0 / peak))
    return replace(song, stems={name: stem * scale for name, stem in song.stems.items()})


def _si_sdr_db(true: Block, estimate: Block) -> float:
    score = StemQualityAnalyzer().assess(VOCALS, [(true, estimate)]).si_sdr_db
    return float("nan") if score is None else score


def _heard(chunk: Chunk, stems: StemBlocks, song: Song, engine: Engine) -> Chunk:
    """With the signals, by the product's own code."""
    reader = StemReader(_stem_set(stems, song, engine), HeldDesk(stems), UNWATCHED)  # type: ignore[arg-type] # reads only
    survey = survey_stems(reader)
    closed = obstacle(reader.stem_set, survey)
    if closed:
        return replace(chunk, obstacle=closed)
    remix = remix_signal(reader, survey, EngineInFormat(engine, song.format), UNWATCHED)
    return replace(chunk, amb_db=ambiguity_db(reader, survey), remix_db=remix.db)


def _stem_set(stems: StemBlocks, song: Song, engine: Engine) -> StemSet:
    frame_count = next(iter(stems.values())).shape[1]
    spec = engine.spec
    return StemSet(
        audio=AudioRef("", "", song.format, frame_count),
        engine=spec.name,
        model=spec.model,
        engine_id=spec.engine_id,
        stems=tuple(StemRef(name, name, float(np.abs(stem).max())) for name, stem in stems.items()),
        gain=_GAIN,
        null_depth_db=-200.0,
        instrumental_peak=0.0,
        sums_to_mix=True,
        processing_s=0.0,
        device=spec.device,
    )


@dataclass(frozen=True)
class HeldDesk:
    """The part of AudioDesk that a reader of stems needs, over stems in memory."""

    stems: StemBlocks

    def open_pcm(self, object_key: str, audio_format: AudioFormat) -> "_HeldPcm":
        """See AudioDesk.open_pcm."""
        return _HeldPcm(np.rint(self.stems[object_key] * (_GAIN * FULL_SCALE)).astype(np.int32))


@dataclass(frozen=True)
class _HeldPcm:
    """StoredPcm in memory."""

    samples: PcmBlock

    def blocks(self) -> Iterator[PcmBlock]:
        yield self.samples

    def excerpts(self, spans: list[Span]) -> Iterator[PcmBlock]:
        return (self.samples[:, first:end] for first, end in spans)
