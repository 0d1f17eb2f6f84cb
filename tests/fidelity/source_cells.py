"""Cells by source: a file of one kind, rate and channel count, through one engine, delivered as 24-bit WAV."""

from collections.abc import Iterator
from dataclasses import dataclass

from stemhouse.delivery import DeliveryOptions
from stemhouse.jobs import SeparationResult
from stemhouse.vocab import OTHER
from tests.fidelity.figures import NULL_DB, lag_frames, level_db
from tests.fidelity.readers import TAG_PCM, Audio, by_wave, wav_tag
from tests.fidelity.sources import KINDS, Kind
from tests.fidelity.studio import ENGINES, STARTER, Studio


@dataclass(frozen=True)
class SourceCell:
    """Where one row of figures is measured."""

    engine: str
    kind: Kind
    rate_hz: int
    channel_count: int

    def __str__(self) -> str:
        return f"{self.engine:<16}{self.kind.name:<15}{self.rate_hz:>7} Hz {self.channel_count} ch"


@dataclass(frozen=True)
class SourceFigures:
    """What was measured; `linear_db` is how far twice the stems of half the level are off, against the mixture.

    `stem_lag_frames` and `stem_db` are the largest of all stems but `other`, which holds the rest of the mix, against
    what the engine makes of a mixture that was converted without our code; the latter in relation to the mixture.
    Figures that a cell does not ask for are None.
    """

    frame_count: int
    stem_frame_counts: frozenset[int]
    channel_counts: frozenset[int]
    wav_tags: frozenset[int]
    sum_lag_frames: int
    null_db: float
    recorded_null_db: float
    stem_lag_frames: int | None
    stem_db: float | None
    linear_db: float | None

    def faults(self, cell: SourceCell) -> list[str]:
        """What the contract does not allow."""
        checks = {
            "frames": self.stem_frame_counts == {self.frame_count},
            "channels": self.channel_counts == {cell.channel_count},
            "tag": self.wav_tags == {TAG_PCM},
            "lag": self.sum_lag_frames == 0 and not self.stem_lag_frames,
            "stems": self.stem_db is None or self.stem_db <= NULL_DB,
            "null": max(self.null_db, self.recorded_null_db) <= NULL_DB,
            "gain": self.linear_db is None or self.linear_db <= NULL_DB,
        }
        return [name for name, holds in checks.items() if not holds]

    def __str__(self) -> str:
        frames = f"{self.frame_count:>7} in, {', '.join(map(str, sorted(self.stem_frame_counts))):>7} out"
        lags = f"lag {self.sum_lag_frames}, {_figure(self.stem_lag_frames, 'd')}"
        levels = f"null {self.null_db:7.1f} dB  stems {_figure(self.stem_db, '7.1f')} dB"
        tags = ", ".join(map(str, sorted(self.wav_tags)))
        return f"{frames}  {lags}  {levels}  gain {_figure(self.linear_db, '7.1f')} dB  tag {tags}"


def _figure(value: float | None, layout: str) -> str:
    return "-" if value is None else format(value, layout)


@dataclass(frozen=True)
class _Take:
    """A separation and its delivered stems on the source's scale."""

    result: SeparationResult
    stems: dict[str, Audio]
    wav_tags: frozenset[int]


class SourceBench:
    """Measures source cells; what has the same samples is held against the engine once."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._stem_figures: dict[str, tuple[int, float]] = {}

    def measure(self, cell: SourceCell, *, is_thorough: bool = True) -> SourceFigures:
        """All figures; without `is_thorough` those that need further separations are left out."""
        samples = cell.kind.samples(cell.rate_hz, cell.channel_count)
        data = cell.kind.encode(samples, cell.rate_hz)
        source = cell.kind.decoded(data, samples)
        take = self._take(cell, data)
        shape = take.result.stem_set.audio
        total = _sum(take.stems)
        frame_count = samples.shape[1] if cell.kind.tells_delay else source.shape[1]
        compared = source[:, : total.shape[1]]
        stem_lag_frames, stem_db = self._stem_figure(cell, take, compared) if is_thorough else (None, None)
        return SourceFigures(
            frame_count=frame_count,
            stem_frame_counts=frozenset({shape.frame_count, *(stem.shape[1] for stem in take.stems.values())}),
            channel_counts=frozenset({shape.format.channel_count, *(len(stem) for stem in take.stems.values())}),
            wav_tags=take.wav_tags,
            sum_lag_frames=lag_frames(total, compared),
            null_db=level_db(total[:, : compared.shape[1]] - compared, compared),
            recorded_null_db=take.result.stem_set.null_depth_db,
            stem_lag_frames=stem_lag_frames,
            stem_db=stem_db,
            linear_db=self._linear_db(cell, take, samples) if is_thorough and not cell.kind.decode else None,
        )

    def _take(self, cell: SourceCell, data: bytes) -> _Take:
        result = self._studio.separate(cell.engine, data, f"track.{cell.kind.extension}")
        delivered = self._studio.deliver(result, DeliveryOptions())
        stems = {name.removesuffix(".wav"): by_wave(wav) / delivered.gain for name, wav in delivered.files.items()}
        return _Take(result, stems, frozenset(map(wav_tag, delivered.files.values())))

    def _stem_figure(self, cell: SourceCell, take: _Take, source: Audio) -> tuple[int, float]:
        """Lag in frames, and difference in dB, each of the worst stem."""
        key = take.result.stem_set.stems[0].object_key
        if key not in self._stem_figures:
            expected = self._studio.expected_stems(cell.engine, source, cell.rate_hz)
            pairs = [(take.stems[name], stem[:, : source.shape[1]]) for name, stem in expected.items() if name != OTHER]
            lag = max((lag_frames(stem, other) for stem, other in pairs), key=abs)
            self._stem_figures[key] = (lag, max(level_db(stem - other, source) for stem, other in pairs))
        return self._stem_figures[key]

    def _linear_db(self, cell: SourceCell, take: _Take, samples: Audio) -> float:
        """The worst stem."""
        half = self._take(cell, cell.kind.encode(samples / 2, cell.rate_hz))
        return max(level_db(2 * half.stems[name] - stem, samples) for name, stem in take.stems.items())


def _sum(stems: dict[str, Audio]) -> Audio:
    first, *others = stems.values()
    return sum(others, start=first)


def all_source_cells() -> Iterator[SourceCell]:
    """Every engine, kind, rate and channel count."""
    for engine in ENGINES:
        for kind in KINDS:
            for rate_hz in kind.rates_hz:
                for channel_count in (1, 2):
                    yield SourceCell(engine, kind, rate_hz, channel_count)


RATES_OF_KINDS_HZ = {
    "WAV 8": 11_025,
    "WAV 16": 22_050,
    "WAV 24": 88_200,
    "WAV 32": 192_000,
    "WAV float32": 96_000,
    "WAV float64": 96_000,
    "WAV EXTENSIBLE": 88_200,
    "WAV RF64": 22_050,
    "AIFF 16": 22_050,
    "AIFF 24": 88_200,
    "FLAC 16": 22_050,
    "FLAC 24": 88_200,
    "ALAC 16": 22_050,
    "ALAC 24": 88_200,
    "MP3 CBR": 32_000,
    "MP3 VBR": 16_000,
    "AAC": 44_100,
    "Ogg Vorbis": 176_400,
    "Opus": 48_000,
    "WMA": 8_000,
}
"""A rate for each kind, each rate at least once; kinds of the same samples share theirs, and so their separation."""


def chosen_source_cells() -> Iterator[tuple[SourceCell, bool]]:
    """For each engine every kind, every rate and both channel counts, and whether to be thorough.

    The starter takes half a second for the shortest track, so it is not.
    """
    for engine in ENGINES:
        for number, rate_hz in enumerate(sorted(set(RATES_OF_KINDS_HZ.values()))):
            for kind in KINDS:
                if RATES_OF_KINDS_HZ[kind.name] == rate_hz:
                    yield SourceCell(engine, kind, rate_hz, 1 + number % 2), engine != STARTER
