"""Results for the exporter's tests: stems of known integers, and the result that describes them."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from stemhouse.audio import (
    AudioFormat,
    AudioRef,
    QualityReport,
    SourceFacts,
    SourceRef,
    StemQuality,
    StemRef,
    StemSet,
)
from stemhouse.jobs import Attempt, CacheHit, Decision, SeparationResult
from stemhouse.vocab import BASE_STEMS, VOCALS
from tests.fakes import MemoryObjectStore

Units = npt.NDArray[np.int64]
"""Samples on the source's scale in steps of 2**-23, shape (frames, channels)."""

RATE_HZ = 44100
FULL_SCALE = 2**23
PCM_SHA256 = "c" * 64
_DOUBTFUL = QualityReport("mask-ambiguity", (StemQuality(VOCALS, "estimated", estimated_si_sdr_db=3.5),))
SOURCE = SourceRef("a" * 64, "0123456789abcdef" * 2, 5_000_000_000, "Somebody - Something.wav")
FACTS = SourceFacts("wav", "pcm_s16le", 16, "libsndfile 1.2.2", 0, "Björk", "Jóga", bpm=124.0, genre="Pop")


@dataclass(frozen=True)
class Separated:
    """What a track is made of, on the source's scale; `stem_gain` and `mix_gain` are those of the store."""

    stems: dict[str, Units]
    stem_gain: float = 1.0
    mix_gain: float = 1.0

    @property
    def mix(self) -> Units:
        """The sum of the stems."""
        return sum(self.stems.values(), start=np.zeros_like(self.stems[VOCALS]))

    def result(self, **changes: Any) -> SeparationResult:
        """The result that describes it; `changes` are fields of the stem set."""
        frame_count, channel_count = self.mix.shape
        engine_id = "starter-tiny-00000000"
        key = f"results/{PCM_SHA256}/{engine_id}"
        audio = AudioRef(
            f"audio/{PCM_SHA256}.flac",
            PCM_SHA256,
            AudioFormat(RATE_HZ, channel_count),
            frame_count,
            self.mix_gain,
            peak(self.mix),
        )
        fields: dict[str, Any] = {
            "audio": audio,
            "engine": "starter",
            "model": "tiny",
            "engine_id": engine_id,
            "stems": tuple(StemRef(name, f"{key}/{name}.flac", peak(units)) for name, units in self.stems.items()),
            "gain": self.stem_gain,
            "null_depth_db": -144.5,
            "instrumental_peak": peak(self.mix - self.stems[VOCALS]),
            "sums_to_mix": True,
            "processing_s": 1.25,
            "device": "cpu",
            "batch_segments": 2,
            "versions": {"torch": "2.13.0"},
        }
        return SeparationResult(
            SOURCE,
            FACTS,
            StemSet(**(fields | changes)),
            QualityReport("si_sdr", (StemQuality(VOCALS, "measured", 7.5, 8.0),)),
            Decision("starter", engine_id, ("no model is present", "so the starter it is"), ("demucs-1",)),
            CacheHit.PCM,
            (Attempt(Decision("demucs", "demucs-0", ()), _DOUBTFUL, is_accepted=False, note="It bled."),),
        )

    def objects(self) -> dict[str, Units]:
        """The stored integers by object key."""
        stem_set = self.result().stem_set
        stored = {stem.object_key: _on_grid(self.stems[stem.name], self.stem_gain) for stem in stem_set.stems}
        return stored | {stem_set.audio.object_key: _on_grid(self.mix, self.mix_gain)}

    def store(self) -> MemoryObjectStore:
        """An object store with the FLACs."""
        store = MemoryObjectStore()
        for key, units in self.objects().items():
            store.objects[key] = flac_bytes(units)
        return store


def separated(
    frame_count: int = 1000,
    channel_count: int = 2,
    *,
    largest: int = 2_000_000,
    grid: int = 1,
    stem_gain: float = 1.0,
    mix_gain: float = 1.0,
) -> Separated:
    """Four random stems within +-`largest`, multiples of `grid`."""
    generator = np.random.default_rng(5)
    stems = {
        name: generator.integers(-largest // grid, largest // grid, (frame_count, channel_count)) * grid
        for name in BASE_STEMS
    }
    return Separated(stems, stem_gain, mix_gain)


def peak(units: Units) -> float:
    """The largest magnitude, full scale 1.0."""
    return float(np.max(np.abs(units))) / FULL_SCALE


def flac_bytes(units: Units) -> bytes:
    """A FLAC of 24 bits."""
    buffer = BytesIO()
    soundfile.write(buffer, (units << 8).astype(np.int32), RATE_HZ, "PCM_24", format="FLAC")
    return buffer.getvalue()


def _on_grid(units: Units, gain: float) -> Units:
    stored: Units = np.rint(units * gain).astype(np.int64)
    assert np.max(np.abs(stored)) <= FULL_SCALE, "the gain is too high for these stems"
    return stored
