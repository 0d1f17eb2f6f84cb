"""Each fault of the fake does what its name says, once, where it was asked for; and none of it is random."""

import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from tests.fake_lalal.caller import Answered, Caller, fetch, read_audio
from tests.fake_lalal.clocks import RealClock
from tests.fake_lalal.dsp import separate
from tests.fake_lalal.faults import CHECK, DOWNLOAD, ROUTES_OF, UPLOAD, Fault, FaultKind, FaultPlan
from tests.fake_lalal.journal import Violation
from tests.fake_lalal.remote import fake_process
from tests.fake_lalal.server import FakeLalal
from tests.fake_lalal.shapes import WrongShape, check_reply
from tests.signals import noise

MULTISTEM = "split/multistem"


@pytest.fixture
def fake() -> Iterator[FakeLalal]:
    """With a clock that stands still."""
    with FakeLalal() as fake:
        yield fake


@pytest.fixture
def caller(fake: FakeLalal) -> Caller:
    """Of that fake; it takes every reply as it comes."""
    return Caller(fake, is_trusting=True)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE_REPLY, FaultKind.DROP_AFTER_COMMIT])
def test_a_drop_tells_nothing_and_charges_only_after_the_commit(
    fake: FakeLalal, caller: Caller, kind: FaultKind
) -> None:
    """The call after it goes well, and finds the task if there is one."""
    source, key = caller.upload(), str(uuid.uuid4())
    fake.faults.add(MULTISTEM, 1, Fault(kind))

    with pytest.raises((HTTPException, ConnectionError)):
        caller.submit(source, key=key)
    charged = len(fake.journal.charging)
    again = caller.submit(source, key=key)

    assert charged == (kind is FaultKind.DROP_AFTER_COMMIT)
    assert [again.json["task_id"]] == list(fake.charges.by_task)
    assert [entry.status for entry in fake.journal.of(MULTISTEM)] == [0, 200]


@pytest.mark.parametrize(("status", "in_json"), [(429, True), (500, True), (502, False), (503, False)])
def test_a_status_comes_in_place_of_any_work(fake: FakeLalal, caller: Caller, status: int, *, in_json: bool) -> None:
    """As often as it was asked for, from the call that was asked for."""
    source = caller.upload()
    fake.faults.add(MULTISTEM, 2, Fault(FaultKind(f"http_{status}"), calls=2))

    replies = [caller.submit(source) for _call in range(4)]

    assert [reply.status for reply in replies] == [200, status, status, 200]
    assert replies[1].headers["content-type"] == ("application/json" if in_json else "text/html")
    assert len(fake.journal.charging) == len(fake.charges.by_task) == 2


def _entry_after(fake: FakeLalal, kind: FaultKind) -> tuple[Any, Any]:
    """What a check of a finished lead_back task tells with the fault, and what it tells the next time."""
    caller = Caller(fake, is_trusting=True)
    wish = {"stem": "vocals", "multivocal": "lead_back"}
    task_id = caller.submit(caller.upload(), wish, kind="stem_separator").json["task_id"]
    fake.advance(1_000)
    fake.faults.add(CHECK, 1, Fault(kind))
    return caller.check(task_id), caller.check(task_id)


def _urls(entry: Any) -> list[str]:
    return [track["url"] for track in entry["result"]["tracks"]]


@pytest.mark.parametrize(
    ("kind", "is_spoilt"),
    [
        (FaultKind.SERVER_ERROR, lambda entry: entry["status"] == "server_error"),
        (FaultKind.MISSING_ENTRY, lambda entry: entry is None),
        (FaultKind.WRONG_DURATION, lambda entry: entry["result"]["duration"] > 5),
        (FaultKind.STEM_MISSING, lambda entry: "vocals@1" not in [each["label"] for each in entry["result"]["tracks"]]),
        (
            FaultKind.HTTP_URL,
            lambda entry: all(url.startswith("http://d.lalal.example/media/") for url in _urls(entry)),
        ),
        (FaultKind.EXPIRED_URL, lambda entry: {403} == {fetch(url).status for url in _urls(entry)}),
        (FaultKind.CAPITALISED_SPLITTER, lambda entry: entry["presets"]["splitter"] == "Andromeda"),
        (FaultKind.EXTRA_FIELDS, lambda entry: "x_new" in entry and "x_new" in entry["result"]["tracks"][0]),
    ],
)
def test_a_check_is_spoilt_once(fake: FakeLalal, kind: FaultKind, is_spoilt: Callable[[Any], bool]) -> None:
    """The next check tells the truth again."""
    first, second = _entry_after(fake, kind)

    assert is_spoilt(first)
    assert second["status"] == "success"
    assert not is_spoilt(second)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.TASK_ERROR, "error", "inference_error"),
        (FaultKind.NULL_ERROR_CODE, "error", None),
        (FaultKind.CANCELLED_BY_SERVICE, "cancelled", None),
    ],
)
def test_a_task_can_end_badly(fake: FakeLalal, caller: Caller, kind: FaultKind, status: str, code: str | None) -> None:
    """It runs for a while first, and stays what it ended as."""
    source = caller.upload()
    fake.faults.add(MULTISTEM, 1, Fault(kind))
    task_id = caller.submit(source).json["task_id"]
    fake.advance(15)
    before = caller.check(task_id)["status"]
    fake.advance(1_000)

    entry = caller.check(task_id)

    assert (before, entry["status"]) == ("progress", status)
    assert entry.get("error", {}).get("code") == code
    assert fake.charges.total_minutes > 0


def _download(fake: FakeLalal, kind: FaultKind) -> tuple[Answered, Answered]:
    """A download with the fault, and the next one."""
    url = Caller(fake, is_trusting=True).finish({"stem_list": ["bass"], "encoder_format": "flac"})[0]["url"]
    fake.faults.add(DOWNLOAD, 1, Fault(kind, pause_s=0.001))
    return fetch(url), fetch(url)


def test_a_truncated_body_is_noticed_and_a_wrong_length_is_not(fake: FakeLalal) -> None:
    """The one breaks the promise of its length, the other promises half and keeps that."""
    with pytest.raises(HTTPException):
        _download(fake, FaultKind.TRUNCATED_BODY)
    half, whole = _download(fake, FaultKind.WRONG_CONTENT_LENGTH)

    assert half.content == whole.content[: len(whole.content) // 2]
    assert int(half.headers["content-length"]) == len(half.content)


def test_a_slow_drip_is_whole_in_the_end(fake: FakeLalal) -> None:
    """Only its pieces take their time."""
    slow, fast = _download(fake, FaultKind.SLOW_DRIP)

    assert slow.content == fast.content


@pytest.mark.parametrize("kind", [FaultKind.CORRUPT_AUDIO, FaultKind.CORRUPT_MIDDLE])
def test_corrupt_audio_has_the_right_size_and_cannot_be_decoded(fake: FakeLalal, kind: FaultKind) -> None:
    """FLAC notices noise in its middle as well."""
    corrupt, sound = _download(fake, kind)

    assert len(corrupt.content) == len(sound.content)
    with pytest.raises(soundfile.LibsndfileError):
        read_audio(corrupt.content)
    read_audio(sound.content)


def test_a_wrong_duration_is_sound_and_too_short(fake: FakeLalal) -> None:
    """A quarter of the frames is not there; an upload tells too many seconds."""
    short, whole = _download(fake, FaultKind.WRONG_DURATION)
    fake.faults.add(UPLOAD, 1, Fault(FaultKind.WRONG_DURATION))
    disposed = Caller(fake, headers={"Content-Disposition": "attachment; filename=x.flac"})

    assert read_audio(short.content).shape[1] == read_audio(whole.content).shape[1] * 3 // 4
    assert disposed.post("upload", whole.content).json["duration"] == 7


def test_a_redirect_to_another_host_is_noticed_when_followed(fake: FakeLalal) -> None:
    """The other host would serve the file, so that only the journal knows."""
    elsewhere, _sound = _download(fake, FaultKind.REDIRECT_ELSEWHERE)
    before = fake.journal.violations
    followed = fetch(elsewhere.headers["location"])

    assert (elsewhere.status, followed.status, before) == (302, 200, ())
    assert [violation for _number, violation in fake.journal.violations] == [Violation.FOLLOWED_TO_ANOTHER_HOST]


@pytest.mark.parametrize("route", ["upload", "check", "split/multistem", "limits/minutes_left"])
def test_unknown_fields_are_all_that_extra_fields_bring(fake: FakeLalal, caller: Caller, route: str) -> None:
    """The shape notices them."""
    fake.faults.add(route, 1, Fault(FaultKind.EXTRA_FIELDS))

    reply = caller.post(route, {"task_ids": []} if route == "check" else None)

    assert "x_new" in reply.json
    with pytest.raises(WrongShape):
        check_reply(route, reply.status, reply.json)


def test_faults_that_mean_nothing_are_refused(fake: FakeLalal) -> None:
    """Otherwise a test would pass because nothing went wrong."""
    with pytest.raises(ValueError, match="corrupt_audio means nothing on call 1 of check"):
        fake.faults.add(CHECK, 1, Fault(FaultKind.CORRUPT_AUDIO))


def test_a_seeded_plan_is_the_same_each_time_and_has_every_kind() -> None:
    """No call fails in two ways, and all is where it means something."""
    count = len(FaultKind)
    plan = FaultPlan.seeded(7, count)

    assert plan == FaultPlan.seeded(7, count)
    assert plan != FaultPlan.seeded(8, count)
    assert {each.fault.kind for each in plan} == set(FaultKind)
    assert len({(each.route, each.nth) for each in plan}) == len(plan) == count
    assert all(each.route in ROUTES_OF[each.fault.kind] for each in plan)
    assert all(each.nth <= 4 * sum(other.route == each.route for other in plan) for each in plan)


def test_an_upload_that_breaks_off_is_no_upload(fake: FakeLalal) -> None:
    """As when a client is killed: no source, no reply, and the journal says so."""
    with socket.create_connection(("127.0.0.1", urlsplit(fake.base_url).port or 0), timeout=10) as connection:
        connection.sendall(b"POST /api/v1/upload/ HTTP/1.1\r\nContent-Length: 1000\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""

    (entry,) = fake.journal.of(UPLOAD)
    assert (entry.status, entry.body) == (0, {"is_complete": False})


def test_stems_fit_full_scale_however_loud_the_mix() -> None:
    """Bands of a square-like mix overshoot; held back, they still sum to it bit by bit."""
    mix = np.sign(noise(4_000, seed=3)) * np.float32(1 - 2**-23)
    stems = ("vocals", "drum", "bass")

    tracks = separate(mix, 44_100, stems, {"other": stems}, has_grid=True)

    assert max(float(np.abs(audio).max()) for audio in tracks.values()) <= 1
    assert np.array_equal(sum(audio.astype(np.float64) for audio in tracks.values()), mix)


def test_stopping_breaks_connections() -> None:
    """Nobody waits for a slow answer until the end of time, and what was kept alive is not served any more."""
    fake = FakeLalal(RealClock()).start()
    kept = HTTPConnection(urlsplit(fake.base_url).netloc, timeout=10)
    kept.request("POST", "/api/v1/check/")
    kept.getresponse().read()
    fake.faults.add(CHECK, 1, Fault(FaultKind.SLOW_DRIP, pause_s=3_600))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(fetch, f"{fake.base_url}/check/", "POST")
        while len(fake.journal.of(CHECK)) < 2 or not fake.journal.of(CHECK)[1].status:
            pass
        fake.stop()

        with suppress(HTTPException, OSError):
            waiting.result(timeout=10)
        kept.request("POST", "/api/v1/check/")
        with pytest.raises((HTTPException, OSError)):
            kept.getresponse()
    kept.close()


def test_a_process_of_its_own_tells_all_over_its_control_interface(tmp_path: Path) -> None:
    """Faults go in, journal and money come out, and control calls are no part of the journal."""
    with fake_process(tmp_path / "fake.json", minutes=5.0, key="k") as remote:
        remote.add_faults(FaultPlan.seeded(1, 1, ["limits/minutes_left"], [FaultKind.HTTP_503]))
        url = f"{remote.base_url}/limits/minutes_left/"
        statuses = [fetch(url, "POST", headers={"X-License-Key": "k"}).status for _call in range(3)]
        remote.advance(60)
        state, faults, journal = remote.state(), remote.faults(), remote.journal()

    assert sorted(statuses) == [200, 200, 503]
    assert (state["minutes_left"], state["total_minutes"], state["tasks"]) == (5.0, 0, {})
    assert (faults["happened"], faults["pending"]) == ([["limits/minutes_left", "http_503"]], 0)
    assert [entry["status"] for entry in journal] == statuses
