"""The client against real gRPC servers with fake insides."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stemhouse.client.calls import transfer_deadline_s
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.errors import EngineUnavailable, InvalidRequest, NotFound, Unavailable, UnreadableAudio
from stemhouse.jobs import EngineSurvey, Job, SeparationRequest
from stemhouse.models import ModelState, PullProgress
from stemhouse.tracks import ScanProblem, ScanProgress, Track
from stemhouse.vocab import JobState
from tests.fakes_front import HTDEMUCS, NO_DEMUCS, STARTER, FakeFront, result_of, serve_front


@pytest.fixture
def front() -> Iterator[FakeFront]:
    """The servers."""
    with serve_front() as front:
        yield front


@pytest.fixture
def client(front: FakeFront) -> Iterator[Stemhouse]:
    """A client of them."""
    with Stemhouse(front.endpoints) as client:
        yield client


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A file of some chunks."""
    path = tmp_path / "song.mp3"
    path.write_bytes(bytes(range(251)) * 10_000)
    return path


def submitted(client: Stemhouse, song: Path) -> Job:
    """A job of the song."""
    return client.submit(SeparationRequest(client.upload(song)), "wish-1")


def test_bytes_travel_once(front: FakeFront, client: Stemhouse, song: Path) -> None:
    """The second upload of the same bytes is a question only."""
    first, second = client.upload(song), client.upload(song)
    assert first == second
    assert front.router.uploads == [("song.mp3", song.read_bytes())]


def test_empty_file_never_reaches_the_router(front: FakeFront, client: Stemhouse, tmp_path: Path) -> None:
    """It is told apart here."""
    (tmp_path / "empty.mp3").touch()
    with pytest.raises(UnreadableAudio):
        client.upload(tmp_path / "empty.mp3")
    assert not front.router.uploads


def test_wish_arrives_as_it_was_said(front: FakeFront, client: Stemhouse, song: Path) -> None:
    """Every field, and the request id."""
    source = client.upload(song)
    wish = SeparationRequest(source, "starter", 7, force=True, sum_to_mix=False, references={"vocals": source})
    job = client.submit(wish, "wish-1")
    assert job.request == wish == front.router.requests[0]
    assert front.router.request_ids == ["wish-1"]


def test_watch_gives_each_change_once_until_the_job_is_final(client: Stemhouse, song: Path) -> None:
    """Heartbeats are not shown."""
    seen = list(client.watch(submitted(client, song).job_id))
    assert [job.state for job in seen] == [JobState.QUEUED, JobState.RUNNING, JobState.DONE]
    assert seen[-1].result == result_of(seen[-1].request.source)


def test_servers_that_are_known_to_be_gone_are_not_waited_for(front: FakeFront, song: Path) -> None:
    """By no method; what is raised says what to do."""

    def require_servers() -> None:
        raise Unavailable("start them again")

    with Stemhouse(front.endpoints, require_servers) as client:
        job, result = submitted(client, song), result_of(client.upload(song))
        front.router.watch_breaks, front.router.pull_breaks, front.exporter.breaks = [1], 1, [1]
        for attempt in (
            lambda: list(client.watch(job.job_id)),
            lambda: list(client.pull_model("htdemucs")),
            lambda: client.deliver(result, DeliveryOptions(), song.parent / "stems"),
        ):
            with pytest.raises(Unavailable, match="start them again"):
                attempt()
    with (
        Stemhouse(Endpoints(*["127.0.0.1:1"] * 3), require_servers) as client,
        pytest.raises(Unavailable, match="start them again"),
    ):
        client.upload(song)


def test_watch_ends_when_the_servers_are_about_to_leave(front: FakeFront, song: Path) -> None:
    """Though they still answer: what has come by then is given."""
    asked: list[int] = []

    def require_servers() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise Unavailable("start them again")

    with Stemhouse(front.endpoints, require_servers) as client:
        jobs = client.watch(submitted(client, song).job_id)
        assert [next(jobs).state, next(jobs).state] == [JobState.QUEUED, JobState.RUNNING]
        with pytest.raises(Unavailable, match="start them again"):
            next(jobs)


def test_error_of_a_server_that_answers_is_told_as_it_is(front: FakeFront, song: Path) -> None:
    """Whatever is known about the servers."""

    def require_servers() -> None:
        raise AssertionError("contact was not lost")

    front.router.refusal = EngineUnavailable("no engine")
    with Stemhouse(front.endpoints, require_servers) as client, pytest.raises(EngineUnavailable):
        submitted(client, song)


@pytest.mark.parametrize("size_bytes", [0, 10_000_000, 1_900_000_000, 8 * 2**30])
def test_transfer_may_take_an_hour_more_than_at_250_kb_per_s(size_bytes: int) -> None:
    """Three hours of WAV included."""
    assert transfer_deadline_s(size_bytes) == 3600 + size_bytes / 250_000


def test_watch_goes_on_where_it_was_broken(front: FakeFront, client: Stemhouse, song: Path) -> None:
    """After the last sequence that was seen, twice."""
    front.router.watch_breaks = [1, 1]
    seen = list(client.watch(submitted(client, song).job_id))
    assert [job.sequence for job in seen] == [1, 2, 3]
    assert front.router.watched_after == [0, 1, 2]


def test_unknown_job_is_not_found(client: Stemhouse) -> None:
    """By each way to ask for it, without waiting."""
    for ask in (client.get_job, client.cancel, lambda job_id: list(client.watch(job_id))):
        with pytest.raises(NotFound):
            ask("nope")


def test_jobs_are_listed_over_all_pages(client: Stemhouse, tmp_path: Path) -> None:
    """Five jobs, two on a page; and only those of a state."""
    for number in range(5):
        (tmp_path / f"{number}.mp3").write_bytes(bytes([number]))
        client.submit(SeparationRequest(client.upload(tmp_path / f"{number}.mp3")), f"wish-{number}")
    client.cancel("job-2")
    assert [job.job_id for job in client.list_jobs()] == [f"job-{number}" for number in range(1, 6)]
    assert [job.job_id for job in client.list_jobs([JobState.CANCELLED])] == ["job-2"]


def test_engines_and_what_others_lack_are_told(front: FakeFront, client: Stemhouse) -> None:
    """As values; and whether somebody did not answer."""
    front.router.gaps = [NO_DEMUCS]
    assert client.survey() == EngineSurvey((STARTER,), (NO_DEMUCS,))
    front.router.is_partial = True
    assert client.survey().is_partial


def test_models_are_listed_and_verified(client: Stemhouse) -> None:
    """As values; verified are those that were named."""
    assert client.models() == [HTDEMUCS]
    assert client.verify_models() == [HTDEMUCS]
    assert client.verify_models(["other"]) == []


def test_pull_tells_progress_and_is_taken_up_when_it_breaks(front: FakeFront, client: Stemhouse) -> None:
    """The server goes on where it was, so the client only asks again."""
    front.router.pull_breaks = 2
    events = list(client.pull_model("htdemucs"))
    half = PullProgress("weights", 1, 2)
    assert events == [half, half, half, replace(HTDEMUCS, state=ModelState.INSTALLED)]
    assert front.router.pulled == ["htdemucs"] * 3


def test_pull_that_brings_nothing_more_is_given_up(
    front: FakeFront, client: Stemhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though each attempt begins with a report of what is there."""
    monkeypatch.setattr("stemhouse.client.sdk.JOB_PATIENCE_S", 0.1)
    front.router.pull_breaks = 100
    with pytest.raises(Unavailable):
        list(client.pull_model("htdemucs"))
    assert 1 < len(front.router.pulled) < 100


def test_pull_of_an_unknown_model_is_not_tried_again(front: FakeFront, client: Stemhouse) -> None:
    """It will not be known later either."""
    with pytest.raises(NotFound):
        list(client.pull_model("nosuch"))
    assert front.router.pulled == []


def test_model_of_ones_own_is_uploaded_even_if_the_router_knows_the_bytes(
    front: FakeFront, client: Stemhouse, tmp_path: Path
) -> None:
    """It may know them as a file that could not be separated, and have dropped them."""
    path = tmp_path / "mine.th"
    path.write_bytes(b"weights")
    client.upload(path)
    assert client.add_model("mine", [path], "free").name == "mine"
    assert front.router.uploads == [("mine.th", b"weights")] * 2
    assert front.router.added == [("mine", ["mine.th"], "free")]


@pytest.mark.parametrize(("name", "file_name"), [("My Model", "mine.th"), ("mine", "-mine.th"), ("mine", "song.wav")])
def test_model_of_a_wrong_name_is_refused_before_its_bytes_travel(
    name: str, file_name: str, front: FakeFront, client: Stemhouse, tmp_path: Path
) -> None:
    """Its own name, and those of its files."""
    (tmp_path / file_name).write_bytes(b"weights")
    with pytest.raises(InvalidRequest, match="name"):
        client.add_model(name, [tmp_path / file_name])
    assert not front.router.uploads


def test_scan_gives_every_report(front: FakeFront, client: Stemhouse) -> None:
    """Problems and all."""
    reports = [ScanProgress(1, problems=(ScanProblem("/m/x.mp3", "damaged"),)), ScanProgress(2, 1, is_complete=True)]
    front.library.reports = reports
    assert list(client.library.scan("/m")) == reports
    assert front.library.locations == ["/m"]


def test_tracks_are_listed_over_all_pages(front: FakeFront, client: Stemhouse) -> None:
    """Five tracks, two on a page."""
    front.library.tracks = [Track(f"/m/{number}.mp3", number, bpm=120.5) for number in range(5)]
    assert list(client.library.tracks("/m")) == front.library.tracks


def test_delivery_is_written_with_the_options(front: FakeFront, client: Stemhouse, song: Path, tmp_path: Path) -> None:
    """And found again."""
    options = DeliveryOptions(FileFormat.FLAC, SampleFormat.PCM16, ("vocals",))
    result = result_of(client.upload(song))
    first = client.deliver(result, options, tmp_path / "stems")
    second = client.deliver(result, options, tmp_path / "stems")
    assert (first.is_reused, second.is_reused) == (False, True)
    assert front.exporter.options == [options, options]
    assert (first.folder / "drums.wav").read_bytes() == front.exporter.contents["drums.wav"]


def test_broken_delivery_is_asked_for_again(front: FakeFront, client: Stemhouse, song: Path, tmp_path: Path) -> None:
    """At its plan and within a file."""
    front.exporter.breaks = [0, 4]
    delivered = client.deliver(result_of(client.upload(song)), DeliveryOptions(), tmp_path / "stems")
    assert len(delivered.files) == 5
    assert list((tmp_path / "stems").iterdir()) == [delivered.folder]
