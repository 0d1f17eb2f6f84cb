"""Every value survives the wire, and bad messages are refused by field."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

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
from stemhouse.batches import (
    Batch,
    BatchCounts,
    BatchItem,
    BatchLayout,
    BatchPlan,
    BatchSpec,
    BatchState,
    DiskNeed,
    ItemState,
    VolumePlan,
)
from stemhouse.cloud import CloudAccount, CloudOrder, CloudTerms
from stemhouse.delivery import DeliveryOptions, DeliveryPlan, FileFormat, SampleFormat
from stemhouse.dj import DJTarget
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import (
    Attempt,
    CacheHit,
    Decision,
    EngineOffer,
    Job,
    JobError,
    Preset,
    SeparationPlan,
    SeparationRequest,
    SeparationResult,
)
from stemhouse.tracks import (
    BeatMarker,
    Crate,
    Cue,
    CueKind,
    DJFacts,
    LibraryKind,
    ProbeProgress,
    RankedPage,
    RankedTrack,
    ScanProblem,
    ScanProgress,
    Track,
    TrackPage,
)
from stemhouse.vocab import BASE_STEMS, JobState, Stage
from stemhouse.wire import (
    audio as wire_audio,
    batches as wire_batches,
    cloud as wire_cloud,
    delivery as wire_delivery,
    jobs as wire_jobs,
    tracks as wire_tracks,
)

SOURCE = SourceRef("a" * 64, "b" * 32, 123, "Björk - Jóga.mp3")
AUDIO = AudioRef("audio/x.flac", "c" * 64, AudioFormat(48_000, 1), 12_345, gain=0.5, peak=1.7, size_bytes=77)
FACTS = SourceFacts("MP3", "MPEG_LAYER_III", 16, "libsndfile", 1105, "Björk", "Jóga", "cut", 576, "why", 128.5, "Pop")
STEM_SET = StemSet(
    audio=AUDIO,
    engine="starter",
    model="tiny",
    engine_id="starter-tiny-1",
    stems=(StemRef("vocals", "results/x/vocals.flac", 0.9), StemRef("guitar", "results/x/guitar.flac", 1.2)),
    gain=0.25,
    null_depth_db=-138.5,
    instrumental_peak=1.1,
    sums_to_mix=True,
    processing_s=2.5,
    device="cuda:0",
    versions={"torch": "2"},
    vocal_share=0.25,
    cloud_minutes=3.5,
    batch_segments=2,
)
QUALITY = QualityReport(
    "si_sdr",
    (
        StemQuality("vocals", "measured", 0.0, -3.5, "note", 0.5, 2.0, -0.25, -18.5, -0.5, 0.125, -30.0),
        StemQuality("bass", "not_applicable", note="no reference"),
        StemQuality("other", "estimated", estimated_si_sdr_db=0.0),
    ),
    engine_id="id",
    calibration_id="c",
    verifier_id="v",
)
DECISION = Decision("starter", "id", ("why", "so"), ("next", "last"))
ATTEMPT = Attempt(DECISION, QUALITY, is_accepted=True, note="the better one")
RESULT = SeparationResult(SOURCE, FACTS, STEM_SET, QUALITY, DECISION, CacheHit.PCM, (ATTEMPT, ATTEMPT))
REQUEST = SeparationRequest(
    SOURCE,
    "starter",
    0,
    force=True,
    sum_to_mix=False,
    references={"vocals": SOURCE},
    model="tiny",
    preset=Preset.BEST,
    is_difficult=True,
    is_vocals_only=True,
    cloud_minutes=12.5,
)
SEPARATION = SeparationPlan(DECISION, 12.5, True, 4.0, 5, 6, 7.5, True)  # noqa: FBT003  each field, in order
ACCOUNT = CloudAccount("a1", True, 60.0, 1.0, 0.0, 2.0, 3.0)  # noqa: FBT003  likewise

JOB = Job(
    job_id="job",
    request_id="request",
    request=REQUEST,
    state=JobState.FAILED,
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
    stage=Stage.ASSESS,
    progress=0.25,
    sequence=9,
    ended_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    result=RESULT,
    error=JobError("X", "text", {"file": "y"}),
    batch_id="batch",
    updated_at=datetime(2026, 1, 2, 3, 4, 6, 1, tzinfo=UTC),
)
CUE = Cue(CueKind.LOOP, 1.5, 3.5, 0, "drop", "#ff0000", is_locked=True)
DJ_FACTS = DJFacts(
    program="rekordbox",
    artist="artist",
    title="title",
    album="album",
    genre="House",
    key="Fm",
    bpm=128.0,
    duration_s=300.5,
    color="#00ff00",
    is_grid_locked=True,
    grid=(BeatMarker(0.025, 128.0, 3), BeatMarker(48.0, 127.5)),
    cues=(CUE, Cue(CueKind.CUE, 2.0)),
)
TRACK = Track("/music/x.mp3", 5, "artist", "title", "album", "House", "8A", 124.5, 301.25, ("House/Deep",), (DJ_FACTS,))
SPEC = BatchSpec(
    location="/music",
    output_dir="/stems",
    library=LibraryKind.SERATO,
    crates=("Friday", "House/Deep"),
    is_crates_only=True,
    engine="demucs",
    model="htdemucs",
    sum_to_mix=False,
    force=True,
    delivery=DeliveryOptions(FileFormat.FLAC, SampleFormat.PCM16, BASE_STEMS),
    layout=BatchLayout.MIRROR,
    keeps_results=True,
    is_watching=True,
    probes_vocals=True,
    cloud_minutes=60.0,
    targets=(DJTarget.SERATO, DJTarget.STEM_MP4),
)
PLAN = BatchPlan(
    track_count=3,
    skipped_count=1,
    audio_s=600.5,
    work_s=120.5,
    cloud_minutes=10.5,
    volumes=(
        VolumePlan("/stems", (DiskNeed("output", 5_000_000_000), DiskNeed("temporary", 7)), 6_000_000_000),
        VolumePlan("/store", (), None),
    ),
    obstacles=("no room",),
)
ITEM = BatchItem(
    place=2,
    path="/music/x.mp3",
    reasons=("crate Friday", "126 BPM"),
    state=ItemState.FAILED,
    attempt=2,
    size_bytes=5_000_000_000,
    audio_s=301.25,
    job_id="job",
    engine_id="engine-1",
    folder="/stems/x",
    file_sizes_bytes={"vocals.wav": 5_000_000_000},
    error=JobError("X", "text", {"file": "y"}),
    remedy="do",
    work_s=2.5,
    damage="cut",
)
BATCH = Batch(
    batch_id="batch",
    request_id="request",
    spec=SPEC,
    state=BatchState.CANCELLED,
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    counts=BatchCounts(1, 2, 3, 4, 5, 6),
    sequence=9,
    ended_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    tracks_per_hour=12.5,
    remaining_s=3600.5,
    hindrance="no router",
)


_NOT_ON_THE_WIRE = {"tenant"}
"""Of a job: whose it is, whoever gets it knows, for nobody else does."""


def test_examples_leave_no_field_at_its_default() -> None:
    """So that a field forgotten in the translation cannot hide behind a default."""
    for value in (
        SOURCE,
        AUDIO,
        FACTS,
        STEM_SET,
        DECISION,
        ATTEMPT,
        RESULT,
        REQUEST,
        JOB,
        TRACK,
        CUE,
        DJ_FACTS,
        SPEC,
        PLAN,
        BATCH,
    ):
        defaults = {field.name: field.default for field in fields(value) if field.name not in _NOT_ON_THE_WIRE}
        assert [name for name, default in defaults.items() if getattr(value, name) == default] == []


def test_audio_values_survive() -> None:
    """Each value of audio.proto."""
    assert wire_audio.source_ref_from_proto(wire_audio.source_ref_to_proto(SOURCE)) == SOURCE
    assert wire_audio.audio_ref_from_proto(wire_audio.audio_ref_to_proto(AUDIO)) == AUDIO
    assert wire_audio.source_facts_from_proto(wire_audio.source_facts_to_proto(FACTS)) == FACTS
    assert wire_audio.stem_set_from_proto(wire_audio.stem_set_to_proto(STEM_SET)) == STEM_SET
    assert wire_audio.quality_from_proto(wire_audio.quality_to_proto(QUALITY)) == QUALITY
    offer = EngineOffer("starter", "tiny", "id", ("vocals",), "basic", "cpu")
    assert wire_audio.engine_from_proto(wire_audio.engine_to_proto(offer)) == offer
    for terms in (CloudTerms("a1", 3.0), CloudTerms("a1", 3.0, 0.0)):
        cloudy = replace(offer, cloud=terms)
        assert wire_audio.engine_from_proto(wire_audio.engine_to_proto(cloudy)) == cloudy
    order = CloudOrder("4b1c1c60-92b4-4c0e-8d5e-0d3a5a4f7f10", 12.5)
    assert wire_audio.cloud_order_from_proto(wire_audio.cloud_order_to_proto(order)) == order
    for account in (ACCOUNT, replace(ACCOUNT, minutes_left=None)):
        assert wire_cloud.cloud_account_from_proto(wire_cloud.cloud_account_to_proto(account)) == account
    assert wire_audio.result_from_proto(wire_audio.result_to_proto(RESULT)) == RESULT


def test_jobs_survive() -> None:
    """With everything set, and with only what a new job has."""
    assert wire_jobs.job_from_proto(wire_jobs.job_to_proto(JOB)) == JOB
    assert wire_jobs.plan_from_proto(wire_jobs.plan_to_proto(SEPARATION)) == SEPARATION
    new = Job("job", "request", SeparationRequest(SOURCE), JobState.QUEUED, JOB.created_at)
    assert wire_jobs.job_from_proto(wire_jobs.job_to_proto(new)) == new


def test_library_values_survive() -> None:
    """Each value of library.proto."""
    assert wire_tracks.track_from_proto(wire_tracks.track_to_proto(TRACK)) == TRACK
    assert wire_tracks.cue_from_proto(wire_tracks.cue_to_proto(Cue(CueKind.CUE, 0.0))) == Cue(CueKind.CUE, 0.0)
    page = TrackPage((TRACK,), "token", 7)
    assert wire_tracks.track_page_from_proto(wire_tracks.track_page_to_proto(page)) == page
    for probe in (ProbeProgress(1, 2), ProbeProgress(2, 2, ScanProblem("/x", "why"))):
        assert wire_tracks.probe_progress_from_proto(wire_tracks.probe_progress_to_proto(probe)) == probe
    progress = ScanProgress(5, 4, 3, 2, 1, 6, 7, 8, (ScanProblem("/x", "why"),), is_complete=True)
    assert wire_tracks.scan_progress_from_proto(wire_tracks.scan_progress_to_proto(progress)) == progress


def test_delivery_values_survive() -> None:
    """Each value of exporter.proto."""
    for options in (
        *(DeliveryOptions(file_format) for file_format in FileFormat),
        DeliveryOptions(FileFormat.FLAC, SampleFormat.PCM16, ("acapella",)),
        DeliveryOptions(FileFormat.WAV, SampleFormat.FLOAT32),
    ):
        message = wire_delivery.deliver_request_to_proto(RESULT, options)
        assert wire_delivery.deliver_request_from_proto(message) == (RESULT, options)
    plan = DeliveryPlan("A - B_12345678", ("vocals.wav",), "key", 0.5)
    assert wire_delivery.plan_from_proto(wire_delivery.plan_to_proto(plan)) == plan


@pytest.mark.parametrize(
    ("file_format", "sample_format"),
    [
        (FileFormat.FLAC, SampleFormat.FLOAT32),
        (FileFormat.AIFF, SampleFormat.FLOAT32),
        (FileFormat.MP3, SampleFormat.PCM16),
        (FileFormat.M4A, SampleFormat.FLOAT32),
    ],
)
def test_samples_that_a_file_format_does_not_take_are_refused(
    file_format: FileFormat, sample_format: SampleFormat
) -> None:
    """Float is for WAV, and the lossy formats are encoded from 24 bits."""
    message = wire_delivery.deliver_request_to_proto(RESULT, DeliveryOptions(file_format, sample_format))
    with pytest.raises(InvalidRequest, match=f"{file_format} takes .*, not {sample_format}"):
        wire_delivery.deliver_request_from_proto(message)


@pytest.mark.parametrize(
    ("field", "audio"),
    [
        ("audio.object_key", replace(AUDIO, object_key="../secret")),
        ("audio.object_key", replace(AUDIO, object_key="/etc/passwd")),
        ("audio.pcm_sha256", replace(AUDIO, pcm_sha256="C" * 64)),
        ("audio.format.channel_count", replace(AUDIO, format=AudioFormat(48_000, 3))),
        ("audio.frame_count", replace(AUDIO, frame_count=0)),
        ("audio.gain", replace(AUDIO, gain=float("nan"))),
        ("audio.gain", replace(AUDIO, gain=0.0)),
        ("audio.peak", replace(AUDIO, peak=float("nan"))),
    ],
)
def test_audio_that_no_ingest_wrote_is_refused(field: str, audio: AudioRef) -> None:
    """By the name of the field; keys cannot leave their bucket."""
    with pytest.raises(InvalidRequest) as caught:
        wire_audio.audio_ref_from_proto(wire_audio.audio_ref_to_proto(audio))
    assert list(caught.value.details) == [field]


@pytest.mark.parametrize(
    ("field", "stem_set"),
    [
        ("stem_set.stems[0].name", replace(STEM_SET, stems=(StemRef("../vocals", "results/x.flac", 0.5),))),
        ("stem_set.stems[0].object_key", replace(STEM_SET, stems=(StemRef("vocals", "/x.flac", 0.5),))),
        ("stem_set.stems[0].peak", replace(STEM_SET, stems=(StemRef("vocals", "x.flac", float("inf")),))),
        ("stem_set.gain", replace(STEM_SET, gain=2.0)),
        ("stem_set.instrumental_peak", replace(STEM_SET, instrumental_peak=-1.0)),
        ("stem_set.null_depth_db", replace(STEM_SET, null_depth_db=float("-inf"))),
    ],
)
def test_stems_that_no_engine_gave_are_refused(field: str, stem_set: StemSet) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        wire_audio.stem_set_from_proto(wire_audio.stem_set_to_proto(stem_set))
    assert list(caught.value.details) == [field]


def test_all_bad_fields_are_listed_at_once() -> None:
    """A caller mends them in one go."""
    bad = SourceRef("x", "y", 1, "")
    with pytest.raises(InvalidRequest) as caught:
        wire_audio.source_ref_from_proto(wire_audio.source_ref_to_proto(bad))
    assert list(caught.value.details) == ["source.sha256", "source.md5", "source.file_name"]


def test_ranked_page_and_crate_survive() -> None:
    """Place and reasons with the track; a crate with its counts."""
    page = RankedPage((RankedTrack(3, TRACK, ("crate", "BPM")),), "token", 7)
    assert wire_tracks.ranked_page_from_proto(wire_tracks.track_page_to_proto(page)) == page
    crate = Crate("House/Deep", "/music", 5, 2)
    assert wire_tracks.crate_from_proto(wire_tracks.crate_to_proto(crate)) == crate


def test_batch_values_survive() -> None:
    """Each value of stemhouse.batches; what is not known stays unknown. The time of change stays with the library."""
    assert wire_batches.batch_spec_from_proto(wire_batches.batch_spec_to_proto(SPEC)) == SPEC
    assert wire_batches.batch_plan_from_proto(wire_batches.batch_plan_to_proto(PLAN)) == PLAN
    unmeasured = replace(PLAN, work_s=None)
    assert wire_batches.batch_plan_from_proto(wire_batches.batch_plan_to_proto(unmeasured)) == unmeasured
    assert wire_batches.batch_item_from_proto(wire_batches.batch_item_to_proto(ITEM)) == ITEM
    assert wire_batches.batch_from_proto(wire_batches.batch_to_proto(BATCH)) == BATCH
    young = replace(BATCH, ended_at=None, tracks_per_hour=None, remaining_s=None)
    assert wire_batches.batch_from_proto(wire_batches.batch_to_proto(young)) == young


def test_bad_batch_spec_is_refused_by_field() -> None:
    """All at once."""
    message = wire_batches.batch_spec_to_proto(SPEC)
    message.location, message.output_dir, message.engine, message.model = "", "", "Bad Engine", "../x"
    message.ClearField("crates")
    with pytest.raises(InvalidRequest) as caught:
        wire_batches.batch_spec_from_proto(message)
    names = ("location", "output_dir", "engine", "model", "crates")
    assert set(caught.value.details) == {f"spec.{name}" for name in names}
