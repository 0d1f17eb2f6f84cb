"""How many bytes a run takes of each volume, at most.

Tags tell neither rate nor channels, so every track is counted as stereo at 44.1 kHz.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.library.core.batch_ports import Volume
from stemhouse.batches import BatchSpec, DiskNeed, VolumePlan
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat

_FRAME_RATE_HZ = 44_100
_CHANNELS = 2
_SAMPLE_BYTES = {SampleFormat.PCM16: 2, SampleFormat.PCM24: 3, SampleFormat.FLOAT32: 4}
_LOSSY_BYTES_PER_S = 320_000 / 8
"""What MP3 and M4A are delivered with: docs/adr/0010."""
_STEM_FLAC_SHARE = {SampleFormat.PCM16: 0.27, SampleFormat.PCM24: 0.38}
"""Of what a stem would take as PCM, until deliveries have been measured: stems of three loud mixes on average."""

_SIDE_FILE_BYTES = 16 * 1024
"""metadata.json, the heads of the audio files, and what the file system rounds up."""

_PCM24_BYTES_PER_S = _FRAME_RATE_HZ * _CHANNELS * 3
_MIX_FLAC_SHARE = 0.61
"""Of the same three mixes; sources of 16 bits take less."""

_UNCLEARED_AUDIO_S = 20 * 5 * 60.0
"""Of what has been let go: SeaweedFS was seen to clear up within two minutes. In five, an engine that is 20 times as
fast as real time makes so much; where there is a faster one, its cluster has a store of its own."""

_SCRATCH_BYTES_PER_S = 190e6 / 60
"""Of the track that is being separated: 131 to 190 MB a minute were measured."""

OUTPUT, SOURCES, STORE, TEMPORARY = "output", "source copies", "store", "temporary"


@dataclass(frozen=True)
class Workload:
    """The tracks that will be worked on: how many, how long, how large; times in seconds of audio."""

    track_count: int
    audio_s: float
    longest_s: float
    source_bytes: int
    largest_source_bytes: int


@dataclass(frozen=True)
class Places:
    """Where what is written, on this machine; None where that is another one's business.

    `running_tracks` are separated at once, `uploads` spooled.
    """

    store_dir: str | None
    scratch_dir: str | None
    running_tracks: int = 1
    uploads: int = 2


def output_bytes(work: Workload, delivery: DeliveryOptions, stem_count: int, measured_per_s: float | None) -> int:
    """Of all delivered folders: exact for WAV and AIFF, else as measured, or as encoders usually make it."""
    is_exact = delivery.file_format in {FileFormat.WAV, FileFormat.AIFF}
    usual_per_s = stem_count * _bytes_per_s(delivery)
    per_s = usual_per_s if is_exact or measured_per_s is None else measured_per_s
    return round(work.audio_s * per_s) + work.track_count * _SIDE_FILE_BYTES


def _bytes_per_s(delivery: DeliveryOptions) -> float:
    if delivery.file_format.is_lossy:
        return _LOSSY_BYTES_PER_S
    pcm = float(_FRAME_RATE_HZ * _CHANNELS * _SAMPLE_BYTES[delivery.sample_format])
    return pcm * _STEM_FLAC_SHARE[delivery.sample_format] if delivery.file_format is FileFormat.FLAC else pcm


def needs_by_folder(
    work: Workload, spec: BatchSpec, places: Places, stem_count: int, *, output_bytes_per_s: float | None
) -> Sequence[tuple[str, DiskNeed]]:
    """Each use with the folder that it writes to; `stem_count` is that of the engine."""
    delivered_count = len(spec.delivery.stems) or stem_count
    needs = [
        (spec.output_dir, DiskNeed(OUTPUT, output_bytes(work, spec.delivery, delivered_count, output_bytes_per_s)))
    ]
    if places.store_dir:
        uncleared = min(1.0, _UNCLEARED_AUDIO_S / max(work.audio_s, 1.0))
        share = _MIX_FLAC_SHARE + stem_count * _STEM_FLAC_SHARE[SampleFormat.PCM24]
        stored_bytes = share * work.audio_s * _PCM24_BYTES_PER_S * (1.0 if spec.keeps_results else uncleared)
        needs += [
            (places.store_dir, DiskNeed(STORE, round(stored_bytes))),
            (places.store_dir, DiskNeed(SOURCES, round(work.source_bytes * uncleared))),
        ]
    if places.scratch_dir:
        needs.append((places.scratch_dir, DiskNeed(TEMPORARY, _scratch_bytes(work, places))))
    return needs


def _scratch_bytes(work: Workload, places: Places) -> int:
    running_count = min(places.running_tracks, work.track_count)
    spools = min(places.uploads, work.track_count) * work.largest_source_bytes
    return round(running_count * work.longest_s * _SCRATCH_BYTES_PER_S) + spools


def volume_plans(needs: Iterable[tuple[Volume, DiskNeed]]) -> tuple[VolumePlan, ...]:
    """The needs of each volume together, in the order in which volumes come."""
    by_identity: dict[str, VolumePlan] = {}
    for volume, need in needs:
        known = by_identity.get(volume.identity, VolumePlan(volume.folder, (), volume.free_bytes))
        by_identity[volume.identity] = VolumePlan(known.folder, (*known.needs, need), known.free_bytes)
    return tuple(by_identity.values())


def shortage_of(volume: VolumePlan) -> str:
    """Why a run does not fit, in numbers."""
    uses = ", ".join(f"{need.use} {need.peak_bytes / 1e9:.2f}" for need in volume.needs)
    free_gb = (volume.free_bytes or 0) / 1e9
    return f"{volume.folder} has {free_gb:.2f} GB free, and the run takes up to {volume.peak_bytes / 1e9:.2f} ({uses})"
