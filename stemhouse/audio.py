"""Audio by reference: what services tell each other about PCM that lies in the object store.

Conventions
-----------
A *frame* is one sample per channel. Full scale is 1.0. The canonical grid is 24 bits: every stored value is an
integer multiple of 2**-23. A stored object may be attenuated to fit: `gain` is the power of two (<= 1) that was
applied, so `stored = gain * source` is exact up to the grid, and peaks are always given on the source's scale.
"""

from dataclasses import dataclass, field

INGEST_VERSION = 3
"""Grows when ingest takes files that it rejected before, or gives other samples.

Rejections by earlier versions no longer count. The router's cache knows since when the samples of a codec are as they
are now.
"""


@dataclass(frozen=True)
class AudioFormat:
    """Rate in Hz (> 0) and number of channels (1 or 2 inside Stemhouse)."""

    sample_rate_hz: int
    channel_count: int


@dataclass(frozen=True)
class AudioRef:
    """Canonical PCM in the store: one FLAC, 24 bits, named by its digest.

    `peak` is the largest absolute sample on the source's scale and may exceed 1.0 (lossy and float sources do).
    `size_bytes` is that of the object; 0 where it was not noted.
    """

    object_key: str
    pcm_sha256: str
    format: AudioFormat
    frame_count: int
    gain: float = 1.0
    peak: float = 0.0
    size_bytes: int = 0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frame_count / self.format.sample_rate_hz


@dataclass(frozen=True)
class SourceRef:
    """The bytes of a source file, as they came: digests in lower-case hex, the size, the name it had."""

    sha256: str
    md5: str
    size_bytes: int
    file_name: str


@dataclass(frozen=True)
class SourceFacts:
    """What decoding a source told: its container and codec, who decoded it, and what its tags say.

    `bits_per_sample` is 0 where the codec has none (MP3). `trimmed_lead_frames` is the encoder delay that the
    decoder removed (0 if none, or if the decoder does not say), `trimmed_tail_frames` the padding at the end.
    Empty `artist`, `title` or `genre`, a `bpm` of 0: the file has no such tag. `damage` says what is missing of a file
    that could be decoded only in part. `timing_note` says why other players may begin this file at another sample;
    empty where all agree.
    """

    container: str
    codec: str
    bits_per_sample: int
    decoder: str
    trimmed_lead_frames: int = 0
    artist: str = ""
    title: str = ""
    damage: str = ""
    trimmed_tail_frames: int = 0
    timing_note: str = ""
    bpm: float = 0.0
    genre: str = ""


def result_id(engine_id: str, *, sums_to_mix: bool) -> str:
    """What names an engine's stored samples: raw ones, without the rest of the mix in `other`, are others."""
    return engine_id if sums_to_mix else f"{engine_id}-raw"


@dataclass(frozen=True)
class StemRef:
    """One stored stem: FLAC, 24 bits. `peak` is on the source's scale, before the set's common gain.

    `size_bytes` is that of the object; 0 where it was not noted.
    """

    name: str
    object_key: str
    peak: float
    size_bytes: int = 0


@dataclass(frozen=True)
class StemSet:
    """An immutable result: what `results/{pcm_sha256}/{engine_id}/manifest.json` holds.

    `gain` is the common gain of all stems against the source (a power of two, <= 1).
    `null_depth_db` is 20 log10(rms(sum of stems - mix) / rms(mix)) of the stored samples, floored at -200.
    `instrumental_peak` is the peak of mix - vocals on the source's scale; 0 if there are no vocals.
    `vocal_share` is that of the half seconds that are not silent in which the vocals are clearly there, 0 to 1; None if
    there are no vocals, or nobody had counted yet when it was made.
    `cloud_minutes` is what the separation took of somebody's account.
    `batch_segments` is how many segments at once the device had memory for, at the end of the track; 0 if nobody noted.
    """

    audio: AudioRef
    engine: str
    model: str
    engine_id: str
    stems: tuple[StemRef, ...]
    gain: float
    null_depth_db: float
    instrumental_peak: float
    sums_to_mix: bool
    processing_s: float
    device: str
    versions: dict[str, str] = field(default_factory=dict)
    vocal_share: float | None = None
    cloud_minutes: float = 0.0
    batch_segments: int = 0

    def stem(self, name: str) -> StemRef | None:
        """The stem of that name, or None."""
        return next((stem for stem in self.stems if stem.name == name), None)


@dataclass(frozen=True)
class StemQuality:
    """How good one stem is: ratios in dB within [-60, 60], levels in dB of full scale; a missing one is None.

    `status` is a `QualityStatus`; `note` says why there is no number. `si_sdr_db` and `sdr_db` are measured against a
    true stem. `estimated_si_sdr_db` is what they would be as far as the stems themselves tell, give or take
    `uncertainty_db` (its mean absolute error where it was calibrated). `remix_db` is how much of the stem the verifier
    finds again in a mix of shifted stems. `level_db` is the RMS of the stem, `peak_db` its peak, `clipped_share` the
    share of its frames at full scale or above, `bleed_db` how loud it is where it should be silent, against where it
    sounds.
    """

    stem: str
    status: str
    si_sdr_db: float | None = None
    sdr_db: float | None = None
    note: str = ""
    estimated_si_sdr_db: float | None = None
    uncertainty_db: float | None = None
    remix_db: float | None = None
    level_db: float | None = None
    peak_db: float | None = None
    clipped_share: float | None = None
    bleed_db: float | None = None


@dataclass(frozen=True)
class QualityReport:
    """What is known about a result's quality, stem by stem, and the method that says so.

    `calibration_id` names the data that an estimate rests on; empty: the engine has none, and its estimate is that of
    the verifier. `verifier_id` is the engine that separated a mix of the stems once more; empty: none was asked.
    """

    method: str
    stems: tuple[StemQuality, ...] = ()
    engine_id: str = ""
    calibration_id: str = ""
    verifier_id: str = ""

    def stem(self, name: str) -> StemQuality | None:
        """The stem's scores, or None."""
        return next((stem for stem in self.stems if stem.stem == name), None)
