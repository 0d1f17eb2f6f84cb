"""How many bytes a run takes of each volume, at most.

What was not measured yet is counted as `stemhouse.footprint` has it. What the store holds at once is
what is under way, and what was let go and not cleared up yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.library.core.batch_line import Limits
from services.library.core.batch_ports import Volume
from stemhouse.batches import BatchSpec, DiskNeed, VolumePlan
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.dj import DJTarget
from stemhouse.footprint import (
    CHANNELS,
    FRAME_RATE_HZ,
    MIX_FLAC24_SHARE,
    PCM24_BYTES_PER_S,
    SCRATCH_BYTES_PER_S,
    STEM_FILE_BYTES_PER_S,
    STEM_FLAC16_SHARE,
    STEM_FLAC24_SHARE,
    stored_bytes_per_s,
)

_SAMPLE_BYTES = {SampleFormat.PCM16: 2, SampleFormat.PCM24: 3, SampleFormat.FLOAT32: 4}
_LOSSY_BYTES_PER_S = 320_000 / 8
"""What MP3 and M4A are delivered with: docs/adr/0010."""
_STEM_FLAC_SHARE = {SampleFormat.PCM16: STEM_FLAC16_SHARE, SampleFormat.PCM24: STEM_FLAC24_SHARE}
"""Of what a stem would take as PCM, until deliveries have been measured."""

_SIDE_FILE_BYTES = 16 * 1024
"""metadata.json, the heads of the audio files, and what the file system rounds up."""

_CLEARING_S = 28.0
"""Until the room of a deleted object is free: stemhouse/local/store.py has the store clear up every 15 s, which takes
one to three, and deletions reach it a few seconds late. The rest is for times at which a batch is faster than on
average: with 22 s a run of 18 s took a tenth more than was planned."""
_FASTEST_SPEED = 20.0
"""Seconds of audio a second, until an engine has been measured; a faster one has a cluster with a store of its own."""
_TRACKS_UNDER_WAY = 4
"""Of which the store holds mix or stems: one is separated, others are decoded before it and delivered behind it."""
_LARGEST_VOLUME_BYTES = 1024**3
"""Of SeaweedFS, on a large disk: it is copied when it is cleared up, without what was deleted."""
_AHEAD = Limits()

OUTPUT, DJ_FILES, SOURCES, STORE, TEMPORARY = "output", "files for DJs", "source copies", "store", "temporary"

_DJ_BYTES_PER_S = {
    DJTarget.REKORDBOX: 2.0 * PCM24_BYTES_PER_S,
    DJTarget.SERATO: (STEM_FLAC24_SHARE + MIX_FLAC24_SHARE) * PCM24_BYTES_PER_S,
    DJTarget.TRAKTOR: STEM_FILE_BYTES_PER_S,
    DJTarget.STEM_MP4: STEM_FILE_BYTES_PER_S,
}
"""Acapella and instrumental as AIFF or FLAC, or a stem file."""


@dataclass(frozen=True)
class Workload:
    """The tracks that will be worked on: how many, how long, how large; times in seconds of audio."""

    track_count: int
    audio_s: float
    longest_s: float
    source_bytes: int
    largest_source_bytes: int

    @property
    def mean_s(self) -> float:
        """Of a track."""
        return self.audio_s / max(self.track_count, 1)

    @property
    def mean_source_bytes(self) -> float:
        """Of a track."""
        return self.source_bytes / max(self.track_count, 1)


@dataclass(frozen=True)
class Measured:
    """What earlier work has shown, each for a second of audio, and the speed in such seconds a second; None: nothing.

    Output is that of deliveries of the same kind, the rest that of the engine.
    """

    output_bytes_per_s: float | None = None
    stored_bytes_per_s: float | None = None
    speed: float | None = None


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
    pcm = float(FRAME_RATE_HZ * CHANNELS * _SAMPLE_BYTES[delivery.sample_format])
    return pcm * _STEM_FLAC_SHARE[delivery.sample_format] if delivery.file_format is FileFormat.FLAC else pcm


def needs_by_folder(
    work: Workload, spec: BatchSpec, places: Places, stem_count: int, measured: Measured
) -> Sequence[tuple[str, DiskNeed]]:
    """Each use with the folder that it writes to; `stem_count` is that of the engine."""
    delivered_count = len(spec.delivery.stems) or stem_count
    delivered_bytes = output_bytes(work, spec.delivery, delivered_count, measured.output_bytes_per_s)
    needs = [(spec.output_dir, DiskNeed(OUTPUT, delivered_bytes))]
    if spec.targets:
        dj_bytes = round(work.audio_s * sum(_DJ_BYTES_PER_S[target] for target in spec.targets))
        needs.append((spec.output_dir, DiskNeed(DJ_FILES, dj_bytes)))
    if places.store_dir:
        stored_bytes = _stored_bytes(work, stem_count, measured, keeps_results=spec.keeps_results)
        needs += [
            (places.store_dir, DiskNeed(STORE, round(stored_bytes))),
            (places.store_dir, DiskNeed(SOURCES, round(_source_copy_bytes(work, measured)))),
        ]
    if places.scratch_dir:
        needs.append((places.scratch_dir, DiskNeed(TEMPORARY, _scratch_bytes(work, places))))
    return needs


def _stored_bytes(work: Workload, stem_count: int, measured: Measured, *, keeps_results: bool) -> float:
    """Of mixes and stems: all of them, if they are kept."""
    per_s = measured.stored_bytes_per_s or stored_bytes_per_s(stem_count)
    other_tracks = max(min(_TRACKS_UNDER_WAY, work.track_count) - 1, 0)
    under_way_bytes = per_s * (work.longest_s + other_tracks * work.mean_s)
    whole_bytes = per_s * work.audio_s
    return whole_bytes if keeps_results else _peak_bytes(whole_bytes, under_way_bytes, per_s * _uncleared_s(measured))


def _source_copy_bytes(work: Workload, measured: Measured) -> float:
    """Of files as they came: they are uploaded ahead, and go when they have been decoded."""
    ahead_tracks = min(_AHEAD.ahead_tracks, work.track_count)
    ahead_bytes = min(ahead_tracks * work.mean_source_bytes, max(_AHEAD.ahead_bytes, work.largest_source_bytes))
    per_s = work.source_bytes / max(work.audio_s, 1.0)
    return _peak_bytes(work.source_bytes, ahead_bytes, per_s * _uncleared_s(measured))


def _uncleared_s(measured: Measured) -> float:
    return (measured.speed or _FASTEST_SPEED) * _CLEARING_S


def _peak_bytes(whole_bytes: float, live_bytes: float, uncleared_bytes: float) -> float:
    """Of what comes and goes; where there is something to be cleared, what is alive is copied for that."""
    copied_bytes = min(live_bytes, _LARGEST_VOLUME_BYTES, max(whole_bytes - live_bytes, 0.0))
    return min(whole_bytes, live_bytes + uncleared_bytes) + copied_bytes


def _scratch_bytes(work: Workload, places: Places) -> int:
    running_count = min(places.running_tracks, work.track_count)
    spools = min(places.uploads, work.track_count) * work.largest_source_bytes
    return round(running_count * work.longest_s * SCRATCH_BYTES_PER_S) + spools


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
