"""The service over HTTP at its edges: links that lead astray, replies that drip, looks that say nonsense."""

import io
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from services.separator.adapters.lalal.api import LalalApi
from services.separator.adapters.lalal.bodies import chunks_of
from services.separator.adapters.lalal.downloads import TrackDownloads
from services.separator.adapters.lalal.watch import PolledTasks
from services.separator.core.ports import TaskControl
from stemhouse.errors import Cancelled, EngineUnavailable, StemhouseError, Unavailable, UnreadableAudio
from tests.file_server import FileServer, file_server

WATCHED = TaskControl(is_cancelled=lambda: False)
SUCCESS = {"status": "success", "result": {"tracks": [{"label": "bass", "url": "u"}]}}
PIECES = 400


@pytest.fixture
def served() -> Iterator[FileServer]:
    """With one file."""
    with file_server() as served:
        served.files["/stem"] = b"RIFF" * 1000
        yield served


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/stem",
        "https://elsewhere.example\\@lalal.ai/stem",
        "https://lalal.ai@elsewhere.example/stem",
        "https://notlalal.ai/stem",
        "//",
        "",
    ],
)
def test_link_that_leads_elsewhere_is_not_followed(tmp_path: Path, link: str) -> None:
    """As a connection reads it, not as a person does."""
    with pytest.raises(UnreadableAudio, match="not of the service"):
        TrackDownloads(["lalal.ai"]).fetch(link, tmp_path / "stem", 100, WATCHED)


def test_link_that_is_none_is_asked_for_again(tmp_path: Path) -> None:
    """As one that does not answer."""
    with pytest.raises(Unavailable, match="broke off"):
        TrackDownloads(["lalal.ai"]).fetch("https://[::1/stem", tmp_path / "stem", 100, WATCHED)


@pytest.mark.parametrize("target", ["https://elsewhere.example/stem", "http://[::1/stem"])
def test_redirect_is_held_against_the_same_rules(served: FileServer, tmp_path: Path, target: str) -> None:
    """And so are those that lead in a circle."""
    served.redirects |= {"/away": target, "/round": "/round"}
    downloads = TrackDownloads(["127.0.0.1"])
    for path in ("/away", "/round"):
        with pytest.raises((UnreadableAudio, Unavailable)):
            downloads.fetch(f"{served.url}{path}", tmp_path / "stem", 10_000, WATCHED)
    served.redirects["/near"] = "/stem"
    downloads.fetch(f"{served.url}/near", tmp_path / "stem", 10_000, WATCHED)
    assert (tmp_path / "stem").read_bytes() == served.files["/stem"]


def test_download_ends_at_its_limit(served: FileServer, tmp_path: Path) -> None:
    """And where the server breaks off."""
    downloads = TrackDownloads(["127.0.0.1"])
    with pytest.raises(Unavailable, match="larger"):
        downloads.fetch(f"{served.url}/stem", tmp_path / "stem", 3999, WATCHED)
    served.cuts_bytes = [2000]
    with pytest.raises(Unavailable, match="broke off"):
        downloads.fetch(f"{served.url}/stem", tmp_path / "stem", 10_000, WATCHED)


@contextmanager
def dripping() -> Iterator[tuple[str, list[int]]]:
    """The address of a server that sends one byte at a time, and how many it has sent."""
    sent: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % PIECES)
                while len(sent) < PIECES and not is_over.wait(0.002):
                    sent.append(connection.send(b" "))

        is_over = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", sent
        is_over.set()
        thread.join()


def test_caller_who_leaves_ends_a_download_that_drips(tmp_path: Path) -> None:
    """Long before it is there."""
    answers = iter([False, True])
    with dripping() as (address, sent):
        with pytest.raises(Cancelled):
            TrackDownloads(["127.0.0.1"]).fetch(
                f"{address}/stem", tmp_path / "stem", 10_000, TaskControl(is_cancelled=lambda: next(answers))
            )
        assert len(sent) < PIECES / 2


def test_body_has_a_deadline_and_a_limit() -> None:
    """Each byte in time does not make the whole."""
    body = urllib3.HTTPResponse(io.BytesIO(b"x" * 10), preload_content=False)
    with pytest.raises(Unavailable, match="too long"):
        list(chunks_of(body, most_bytes=10, longest_s=-1.0, before_each=lambda: None))
    body = urllib3.HTTPResponse(io.BytesIO(b"x" * 10), preload_content=False)
    with pytest.raises(Unavailable, match="larger"):
        list(chunks_of(body, most_bytes=9, longest_s=9.0, before_each=lambda: None))


def test_key_follows_no_redirect(served: FileServer) -> None:
    """Nor is it in what is said about it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def lead_away() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 307 Elsewhere\r\nLocation: {served.url}/stem\r\nContent-Length: 0\r\n\r\n"
                connection.sendall(head.encode())

        thread = threading.Thread(target=lead_away)
        thread.start()
        api = LalalApi(f"http://127.0.0.1:{server.getsockname()[1]}", "hunter2")
        with pytest.raises(Unavailable, match="307") as raised:
            api.minutes_left()
        thread.join()
    assert served.headers == []
    assert "hunter2" not in repr(raised.value) + repr(api)


@contextmanager
def answering(body: bytes) -> Iterator[LalalApi]:
    """The API of a server that answers one request, with status 200 and that."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        thread = threading.Thread(target=answer)
        thread.start()
        yield LalalApi(f"http://127.0.0.1:{server.getsockname()[1]}", "hunter2")
        thread.join()


@pytest.mark.parametrize("minutes", [b"NaN", b"Infinity", b"1e999", b"true", b"null", b'"many"'])
def test_minutes_that_are_no_number_are_not_known(minutes: bytes) -> None:
    """No cap could be held against them; less than none is none."""
    with answering(b'{"minutes_left": %s}' % minutes) as api, pytest.raises(Unavailable, match="how many minutes"):
        api.minutes_left()
    with answering(b'{"minutes_left": -3.5}') as api:
        assert api.minutes_left() == 0.0


@pytest.mark.parametrize(
    ("size", "duration", "expires"), [(b"1e999", b"3", b"9"), (b"4", b"NaN", b"9"), (b"4", b"3", b"NaN")]
)
def test_upload_whose_reply_holds_no_numbers_says_too_little(size: bytes, duration: bytes, expires: bytes) -> None:
    """It is asked for again like any that is missing."""
    body = b'{"id": "source-1", "size": %s, "duration": %s, "expires": %s}' % (size, duration, expires)
    with answering(body) as api, pytest.raises(Unavailable, match="says too little"):
        api.upload([b"flac"], 4, "track.flac")


class Looks:
    """What `check` says, one answer a look."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[set[str]] = []
        self._answers = list(answers)

    def __call__(self, task_ids: Sequence[str]) -> Any:
        """See LalalApi.check."""
        self.asked.append(set(task_ids))
        answer = self._answers.pop(0) if self._answers else SUCCESS
        if isinstance(answer, StemhouseError):
            raise answer
        return dict.fromkeys(task_ids, answer)


@contextmanager
def watching(looks: Looks) -> Iterator[PolledTasks]:
    """A watch in a hurry."""
    watch = PolledTasks(looks, 0.01)
    try:
        yield watch
    finally:
        watch.stop()


@pytest.mark.parametrize(
    "nonsense", [None, 5, {"status": "success", "result": {"tracks": 5}}, Unavailable("429"), {"status": "progress"}]
)
def test_look_that_tells_nothing_ends_no_other(nonsense: object) -> None:
    """Not even for a while: whoever waits is answered by the next."""
    with watching(Looks(nonsense)) as watch:
        report = watch.wait("task-1", WATCHED, 5.0)
        if not report.links:
            report = watch.refresh("task-1", WATCHED)
        assert report.links == {"bass": "u"}


def test_task_that_is_lost_three_times_is_lost() -> None:
    """Once may be a mistake."""
    with watching(Looks(None, None, {"status": "progress"}, None, None, None)) as watch:
        assert "does not know" in watch.wait("task-1", WATCHED, 5.0).failure


def test_all_tasks_are_asked_for_in_one_look() -> None:
    """And each no longer than somebody waits for it."""
    looks = Looks(*[{"status": "progress"}] * 10)
    with watching(looks) as watch:
        threads = [threading.Thread(target=watch.wait, args=(name, WATCHED, 5.0)) for name in ("task-1", "task-2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {"task-1", "task-2"} in looks.asked
        watch.wait("task-3", WATCHED, 5.0)
        assert looks.asked[-1] == {"task-3"}


def test_refused_key_reaches_whoever_waits() -> None:
    """The next one who comes asks anew: the key may have been mended."""
    with watching(Looks(EngineUnavailable("refused"))) as watch:
        with pytest.raises(EngineUnavailable, match="refused"):
            watch.wait("task-1", WATCHED, 5.0)
        assert watch.wait("task-1", WATCHED, 5.0).links
