"""The router's servicer over a real channel, on fakes: validation, streaming, translation."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, Timer
from typing import cast

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.router.core.plans import SeparationPlans
from services.router.core.ports import Addition, Cancellation, Intake
from services.router.servicer import RouterParts, RouterServicer, service
from stemhouse.cloud import CLOUD_STATEMENT
from stemhouse.errors import Cancelled, InvalidRequest, ModelRejected, NotFound, Unavailable
from stemhouse.jobs import SeparationRequest
from stemhouse.models import ModelState
from stemhouse.platform.channel import connect
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import router_pb2 as pb
from stemhouse.v1.router_pb2_grpc import RouterServiceStub
from stemhouse.vocab import JobState, Stage
from stemhouse.wire.audio import source_ref_to_proto
from stemhouse.wire.cache import cache_stats_from_proto
from stemhouse.wire.jobs import job_from_proto, request_to_proto
from stemhouse.wire.models import model_from_proto
from tests.fakes_router import DEMUCS, HTDEMUCS, NO_DEMUCS, STARTER, FakeSpeeds, InlineSteps, job, source
from tests.unit.router.test_submissions import Desk

REQUEST = SeparationRequest(source())


@pytest.fixture
def desk() -> Desk:
    """The core behind the servicer."""
    return Desk()


@pytest.fixture
def stub(desk: Desk) -> Iterator[RouterServiceStub]:
    """A stub to a server on a free port."""
    house = desk.house
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[RpcInterceptor()])
    intake = Intake(house.uploads, house.model_uploads)
    parts = RouterParts(
        submissions=desk.submissions,
        jobs=house.jobs,
        releases=house.releases,
        intake=intake,
        separators=house.separators,
        models=house.models,
        plans=SeparationPlans(house.pipeline, house.chooser, FakeSpeeds(), house.cloud),
        cloud=house.cloud,
        cache=house.cache,
    )
    servicer = RouterServicer(lambda: parts)
    service(servicer, lambda: None).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with connect(f"127.0.0.1:{port}") as channel:
        yield RouterServiceStub(channel)
    server.stop(0).wait()


def test_submitted_job_can_be_read_and_listed(stub: RouterServiceStub) -> None:
    """The same job through three RPCs."""
    request = pb.SubmitSeparationRequest(request_id="wish-1", request=request_to_proto(REQUEST))
    submitted = stub.SubmitSeparation(request, timeout=10).job
    assert job_from_proto(submitted).request == REQUEST
    assert stub.GetJob(pb.GetJobRequest(job_id=submitted.job_id), timeout=10).job == submitted
    assert list(stub.ListJobs(pb.ListJobsRequest(), timeout=10).jobs) == [submitted]


def test_changes_of_a_batch_can_be_followed(desk: Desk, stub: RouterServiceStub) -> None:
    """From the beginning, then from the last change seen."""
    desk.house.separators.offered = [DEMUCS]
    request = pb.SubmitSeparationRequest(request_id="wish-1", request=request_to_proto(REQUEST), batch_id="batch-1")
    submitted = stub.SubmitSeparation(request, timeout=10).job
    stub.SubmitSeparation(pb.SubmitSeparationRequest(request_id="other", request=request.request), timeout=10)
    listing = pb.ListJobsRequest(batch_id="batch-1", updated_after=Timestamp())
    assert list(stub.ListJobs(listing, timeout=10).jobs) == [submitted]
    assert submitted.batch_id == "batch-1"
    listing.updated_after.CopyFrom(submitted.update_time)
    assert not stub.ListJobs(listing, timeout=10).jobs
    desk.house.jobs.begin_stage(submitted.job_id, Stage.INGEST)
    assert [job.sequence for job in stub.ListJobs(listing, timeout=10).jobs] == [submitted.sequence + 1]


@pytest.mark.parametrize(
    ("field", "listing"),
    [
        ("batch_id", pb.ListJobsRequest(batch_id="a batch")),
        ("page_size", pb.ListJobsRequest(page_size=501)),
        ("updated_after", pb.ListJobsRequest(updated_after=Timestamp(seconds=1))),
        ("updated_after", pb.ListJobsRequest(batch_id="b", updated_after=Timestamp(seconds=10**15))),
    ],
)
def test_bad_listing_is_refused_by_field(field: str, listing: pb.ListJobsRequest, stub: RouterServiceStub) -> None:
    """Changes are followed by batch only: nothing else has an index for it."""
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        stub.ListJobs(listing, timeout=10)
    assert list(caught.value.details) == [field]


def test_unset_priority_and_sum_have_their_defaults(stub: RouterServiceStub) -> None:
    """A client that sets only what it must gets what the contract says."""
    wish = pb.SeparationRequest(source=source_ref_to_proto(source()), engine="auto")
    request = pb.SubmitSeparationRequest(request_id="wish-1", request=wish)
    submitted = job_from_proto(stub.SubmitSeparation(request, timeout=10).job)
    assert (submitted.request.priority, submitted.request.sum_to_mix) == (100, True)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("request_id", {"request_id": "not an id"}),
        ("batch_id", {"batch_id": "b" * 65}),
        ("request.engine", {"engine": ""}),
        ("request.priority", {"priority": 1001}),
        ("source.sha256", {"sha256": "A" * 64}),
        ("source.file_name", {"file_name": ""}),
    ],
)
def test_bad_field_is_named(field: str, change: dict[str, object], stub: RouterServiceStub) -> None:
    """Each rule of the contract refuses, and says which field."""
    message = pb.SubmitSeparationRequest(request_id="wish-1", request=request_to_proto(REQUEST))
    for part in (message, message.request, message.request.source):
        for name, value in change.items():
            if name in part.DESCRIPTOR.fields_by_name:
                setattr(part, name, value)
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        stub.SubmitSeparation(message, timeout=10)
    assert list(caught.value.details) == [field]


def test_upload_needs_a_name_first_and_chunks_after(desk: Desk, stub: RouterServiceStub) -> None:
    """Nothing is stored of a malformed upload."""
    named = pb.UploadTrackRequest(file_name="x.wav")
    chunk = pb.UploadTrackRequest(chunk=b"data")
    desk.house.uploads.held.clear()
    for messages in ([], [chunk], [named, named]):
        with pytest.raises(InvalidRequest), rpc_errors():
            stub.UploadTrack(iter(messages), timeout=10)
    assert not desk.house.uploads.held
    assert stub.UploadTrack(iter([named, chunk, chunk]), timeout=10).source.size_bytes == 8


def test_upload_goes_where_its_purpose_sends_it(desk: Desk, stub: RouterServiceStub) -> None:
    """A model's file is no track, and an unknown purpose is refused."""
    desk.house.uploads.held.clear()
    chunk = pb.UploadTrackRequest(chunk=b"data")
    named = pb.UploadTrackRequest(file_name="x.th", purpose=pb.UPLOAD_PURPOSE_MODEL)
    stub.UploadTrack(iter([named, chunk]), timeout=10)
    assert not desk.house.uploads.held
    assert [file.file_name for file in desk.house.model_uploads.held] == ["x.th"]
    named.purpose = cast("pb.UploadPurpose.ValueType", 7)
    with pytest.raises(InvalidRequest, match="purpose"), rpc_errors():
        stub.UploadTrack(iter([named, chunk]), timeout=10)


def test_watch_sends_changes_until_the_job_is_final(desk: Desk, stub: RouterServiceStub) -> None:
    """The first message is the job as it stands, the last one is final."""
    jobs = desk.house.jobs
    jobs.create(job(REQUEST), is_queued=True)
    stream = stub.WatchJob(pb.WatchJobRequest(job_id="job-1"), timeout=30)
    seen = [job_from_proto(next(stream).job)]
    jobs.begin_stage("job-1", Stage.INGEST)
    seen.append(job_from_proto(next(stream).job))
    Timer(0.05, lambda: jobs.finish("job-1", JobState.CANCELLED)).start()
    seen.extend(job_from_proto(message.job) for message in stream)
    assert [found.state for found in seen] == [JobState.QUEUED, JobState.RUNNING, JobState.CANCELLED]


def test_watch_resumes_after_what_was_seen(desk: Desk, stub: RouterServiceStub) -> None:
    """A client that comes back gets the next change, not the last one again."""
    jobs = desk.house.jobs
    seen = jobs.create(job(REQUEST), is_queued=True).sequence
    Timer(0.05, lambda: jobs.finish("job-1", JobState.CANCELLED)).start()
    stream = stub.WatchJob(pb.WatchJobRequest(job_id="job-1", after_sequence=seen), timeout=30)
    assert [job_from_proto(message.job).state for message in stream] == [JobState.CANCELLED]


def test_watching_nobody_is_not_found(stub: RouterServiceStub) -> None:
    """Streams carry errors like other calls."""
    with pytest.raises(NotFound), rpc_errors():
        next(stub.WatchJob(pb.WatchJobRequest(job_id="nobody"), timeout=10))


def test_times_cross_the_wire_in_utc(desk: Desk, stub: RouterServiceStub) -> None:
    """To the microsecond."""
    desk.house.jobs.create(job(REQUEST), is_queued=True)
    found = job_from_proto(stub.GetJob(pb.GetJobRequest(job_id="job-1"), timeout=10).job)
    assert found.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_models_are_listed_pulled_and_verified(stub: RouterServiceStub) -> None:
    """A pull tells progress, then the model."""
    (listed,) = stub.ListModels(pb.ListModelsRequest(), timeout=10).models
    assert model_from_proto(listed) == HTDEMUCS
    progress, installed = stub.PullModel(pb.PullModelRequest(name="htdemucs"), timeout=10)
    assert progress.progress.done_bytes == 1
    assert model_from_proto(installed.model).state is ModelState.INSTALLED
    (verified,) = stub.VerifyModels(pb.VerifyModelsRequest(names=["htdemucs"]), timeout=10).models
    assert verified == installed.model


@pytest.mark.parametrize("failure", [None, ModelRejected("no model")])
def test_files_of_an_added_model_are_dropped_whatever_comes_of_it(
    failure: ModelRejected | None, desk: Desk, stub: RouterServiceStub
) -> None:
    """The bytes have done their duty, or are of no use."""
    file = source("d", "mine.safetensors")
    desk.house.model_uploads.held.add(file)
    desk.house.models.failure = failure
    request = pb.AddModelRequest(name="mine", files=[source_ref_to_proto(file)], licence_note="free")
    if failure:
        with pytest.raises(ModelRejected), rpc_errors():
            stub.AddModel(request, timeout=10)
    else:
        assert stub.AddModel(request, timeout=10).model.name == "mine"
    assert file not in desk.house.model_uploads.held
    assert desk.house.models.added == ([] if failure else [Addition("mine", (file,), "free")])


def test_addition_leaves_a_track_of_the_same_bytes_alone(desk: Desk, stub: RouterServiceStub) -> None:
    """Somebody took a song for a model while its job waited."""
    song = source("d", "song.th")
    desk.house.uploads.held.add(song)
    desk.house.model_uploads.held.add(song)
    desk.house.models.failure = ModelRejected("no model")
    with pytest.raises(ModelRejected), rpc_errors():
        stub.AddModel(pb.AddModelRequest(name="mine", files=[source_ref_to_proto(song)]), timeout=10)
    assert song in desk.house.uploads.held


def test_addition_that_may_be_tried_again_finds_its_files(desk: Desk, stub: RouterServiceStub) -> None:
    """The channel itself repeats a call that was unavailable."""
    file = source("d", "mine.safetensors")
    desk.house.model_uploads.held.add(file)
    desk.house.models.failure = Unavailable("the separator starts")
    request = pb.AddModelRequest(name="mine", files=[source_ref_to_proto(file)])
    with pytest.raises(Unavailable, match="the separator starts"), rpc_errors():
        stub.AddModel(request, timeout=10)
    desk.house.models.failure = None
    assert stub.AddModel(request, timeout=10).model.name == "mine"
    assert file not in desk.house.model_uploads.held


def test_model_whose_files_were_not_uploaded_is_not_found(stub: RouterServiceStub) -> None:
    """Named by its file."""
    request = pb.AddModelRequest(name="mine", files=[source_ref_to_proto(source("d", "mine.th"))])
    with pytest.raises(NotFound, match=r"mine\.th"), rpc_errors():
        stub.AddModel(request, timeout=10)


def test_model_names_and_files_are_checked(stub: RouterServiceStub) -> None:
    """No name may lead out of the folder of models, and a file must look like one of a model."""
    file = source_ref_to_proto(source("d", "../mine.th"))
    with pytest.raises(InvalidRequest) as added, rpc_errors():
        stub.AddModel(pb.AddModelRequest(name="../mine", files=[file]), timeout=10)
    assert set(added.value.details) == {"name", "files[0].file_name"}
    song = source_ref_to_proto(source("d", "song.wav"))
    with pytest.raises(InvalidRequest, match=r"song\.wav, but must end in \.safetensors"), rpc_errors():
        stub.AddModel(pb.AddModelRequest(name="mine", files=[song]), timeout=10)
    with pytest.raises(InvalidRequest), rpc_errors():
        list(stub.PullModel(pb.PullModelRequest(name="../x"), timeout=10))


def test_call_whose_caller_leaves_is_cancelled(desk: Desk, stub: RouterServiceStub) -> None:
    """Whoever registers hears of it at once; whoever asks later is told, too."""
    started, stopped, asked = Event(), Event(), Event()

    def work(cancellation: Cancellation) -> None:
        cancellation.on_request(stopped.set)
        started.set()
        stopped.wait(10)
        with pytest.raises(Cancelled):
            cancellation.raise_if_requested()
        late: list[str] = []
        cancellation.on_request(lambda: late.append("at once"))
        assert late
        asked.set()

    desk.house.models.while_verifying = work
    call = stub.VerifyModels.future(pb.VerifyModelsRequest(), timeout=30)
    assert started.wait(10)
    call.cancel()
    assert stopped.wait(10)
    assert asked.wait(10)


def test_gaps_are_told_beside_the_engines(desk: Desk, stub: RouterServiceStub) -> None:
    """So that a client can say what is missing."""
    desk.house.separators.gaps = (NO_DEMUCS,)
    response = stub.ListEngines(pb.ListEnginesRequest(), timeout=10)
    assert [engine.name for engine in response.engines] == ["starter"]
    assert not response.is_partial
    desk.house.separators.is_partial = True
    assert stub.ListEngines(pb.ListEnginesRequest(), timeout=10).is_partial
    assert [gap.remedy for gap in response.gaps] == [NO_DEMUCS.remedy]


def test_cloud_account_is_allowed_over_the_wire(stub: RouterServiceStub) -> None:
    """And told from then on, with the statement; a name or a cap that none can have is refused."""
    assert not stub.DescribeCloud(pb.DescribeCloudRequest(), timeout=10).accounts
    request = pb.AllowCloudRequest(account="lalal-1234abcd", is_allowed=True, minutes_per_day=60.0)
    allowed = stub.AllowCloud(request, timeout=10).account
    told = stub.DescribeCloud(pb.DescribeCloudRequest(), timeout=10)
    assert (list(told.accounts), told.statement) == ([allowed], CLOUD_STATEMENT)
    assert (allowed.is_allowed, allowed.minutes_per_day, allowed.HasField("minutes_left")) == (True, 60.0, False)
    request = pb.AllowCloudRequest(account="a b", minutes_per_day=-1.0)
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        stub.AllowCloud(request, timeout=10)
    assert set(caught.value.details) == {"account", "minutes_per_day"}


def test_plan_is_told_over_the_wire(desk: Desk, stub: RouterServiceStub) -> None:
    """By the length that the client knows, or a guess; one that no track has is refused."""
    request = pb.PlanSeparationRequest(request=request_to_proto(REQUEST))
    guessed = stub.PlanSeparation(request, timeout=10)
    assert (guessed.decision.engine, guessed.is_duration_guessed, guessed.is_known) == ("starter", True, False)
    request.duration_s = 80.0
    told = stub.PlanSeparation(request, timeout=10)
    assert (told.duration_s, told.expected_s, told.is_duration_guessed) == (80.0, 10.0, False)
    assert not desk.house.jobs.queued
    request.duration_s = -1.0
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        stub.PlanSeparation(request, timeout=10)
    assert list(caught.value.details) == ["duration_s"]


def test_result_is_released_over_the_wire(desk: Desk, stub: RouterServiceStub) -> None:
    """Nothing of a job that is not done."""
    job = desk.submissions.submit("wish-1", REQUEST)
    with pytest.raises(InvalidRequest, match="queued"), rpc_errors():
        stub.ReleaseResult(pb.ReleaseResultRequest(job_id=job.job_id), timeout=10)
    desk.house.jobs.finish(job.job_id, JobState.DONE, result=desk.house.pipeline.run(job, InlineSteps()))
    assert stub.ReleaseResult(pb.ReleaseResultRequest(job_id=job.job_id), timeout=10).is_released


def test_vocals_are_detected_over_the_wire(stub: RouterServiceStub) -> None:
    """The share, and whose ears."""
    request = pb.DetectVocalsRequest(source=source_ref_to_proto(source()))
    found = stub.DetectVocals(request, timeout=10)
    assert (found.sung_share, found.engine_id) == (0.25, STARTER.engine_id)


def test_cache_is_told_and_cleared(desk: Desk, stub: RouterServiceStub) -> None:
    """30 days where the caller says nothing; a dry run changes nothing; every message says what has gone so far."""
    desk.house.run(REQUEST)
    desk.house.now += timedelta(days=29)
    stats = cache_stats_from_proto(stub.CacheStats(pb.CacheStatsRequest(), timeout=10))
    assert [(share.engine_id, share.entry_count) for share in stats.shares] == [("", 1), (STARTER.engine_id, 1)]
    desk.house.jobs.finish("job-1", JobState.CANCELLED)
    assert [answer.audio_count for answer in stub.ClearCache(pb.ClearCacheRequest(), timeout=10)] == [0]
    desk.house.now += timedelta(days=2)
    rehearsed = list(stub.ClearCache(pb.ClearCacheRequest(is_dry_run=True), timeout=10))
    assert (rehearsed[-1].audio_count, rehearsed[-1].result_count) == (1, 1)
    assert desk.house.entries.entries
    list(stub.ClearCache(pb.ClearCacheRequest(), timeout=10))
    assert not desk.house.entries.entries
    with pytest.raises(InvalidRequest) as caught, rpc_errors():
        list(stub.ClearCache(pb.ClearCacheRequest(older_than_days=-1.0), timeout=10))
    assert list(caught.value.details) == ["older_than_days"]
