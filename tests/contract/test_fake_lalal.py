"""The fake of LALAL.AI keeps the published contract; the caller holds every reply here against its shape."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_lalal.api import filename_of
from tests.fake_lalal.caller import FOUR_STEMS, Caller, audio_file, fetch
from tests.fake_lalal.faults import ROUTES
from tests.fake_lalal.journal import Violation
from tests.fake_lalal.server import FakeLalal
from tests.fake_lalal.shapes import WrongShape, check_reply


@pytest.fixture
def fake() -> Iterator[FakeLalal]:
    """With a clock that stands still."""
    with FakeLalal(minutes=1.0) as fake:
        yield fake


@pytest.fixture
def caller(fake: FakeLalal) -> Caller:
    """Of that fake."""
    return Caller(fake)


def test_no_call_without_the_right_key_by_post(fake: FakeLalal) -> None:
    """GET is 405; no key, an empty one and a wrong one are 403; every reply has a request id of its own."""
    url = f"{fake.base_url}/limits/minutes_left/"
    replies = [
        fetch(url, headers={"X-License-Key": fake.key}),
        fetch(url, "POST"),
        fetch(url, "POST", headers={"X-License-Key": ""}),
        fetch(url, "POST", headers={"X-License-Key": "another"}),
        fetch(f"{fake.base_url}/nothing/", "POST"),
    ]

    assert [reply.status for reply in replies] == [405, 403, 403, 403, 404]
    assert {"detail": "Provide license key in 'X-License-Key' header"} == replies[1].json == replies[2].json
    ids = {reply.headers["x-request-id"] for reply in replies}
    assert len(ids) == 5
    assert all(len(each) == 32 and int(each, 16) for each in ids)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_upload_is_probed_and_kept_for_a_day(fake: FakeLalal, *, is_chunked: bool) -> None:
    """Size, whole seconds and the end of its life are told, of a body with a length and of one in chunks."""
    content = audio_file(1.2, "FLAC")
    headers = {"X-License-Key": fake.key, "Content-Disposition": "attachment; filename*=utf-8''Stra%C3%9Fe.flac"}
    body = iter([content[:100], content[100:]]) if is_chunked else content

    reply = fetch(f"{fake.base_url}/upload/", "POST", body, headers)

    check_reply("upload", reply.status, reply.json)
    told = reply.json
    assert (len(content), 1, "Straße.flac") == (told["size"], told["duration"], told["name"])
    assert int(fake.clock.now_s()) + 86_400 == told["expires"]
    assert is_chunked == fake.journal.of("upload")[0].body["is_chunked"]


def test_an_upload_that_cannot_be_used_is_refused() -> None:
    """No file name, nothing audible, and too many bytes."""
    with FakeLalal(max_bytes=10_000) as fake:
        disposed = Caller(fake, headers={"Content-Disposition": "attachment; filename=x.wav"})
        replies = [
            Caller(fake).post("upload", audio_file()),
            Caller(fake, headers={"Content-Disposition": "attachment"}).post("upload", audio_file()),
            disposed.post("upload", b"no audio"),
            disposed.post("upload", audio_file(2)),
        ]

    assert [reply.status for reply in replies] == [422, 400, 400, 400]
    assert replies[3].json["code"] == "exceeded_size"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a b.wav"', "a b.wav"),
        ("attachment; filename=a.wav", "a.wav"),
        ("attachment; filename=\"a.wav\"; filename*=UTF-8''%C3%A4.wav", "ä.wav"),
        ("attachment", None),
    ],
)
def test_file_names_are_read_as_rfc_6266_has_them(disposition: str, name: str | None) -> None:
    """The wide form goes first."""
    assert name == filename_of(disposition)


def test_a_task_is_queued_then_runs_then_is_done(fake: FakeLalal, caller: Caller) -> None:
    """Progress is 0 while queued and rises from 1 on; then there are the tracks, some of them without a name."""
    task_id = caller.submit(caller.upload()).json["task_id"]
    entries = [caller.check(task_id)]
    for _step in range(7):
        fake.advance(10)
        entries.append(caller.check(task_id))

    assert [entry.get("progress") for entry in entries] == [0, 1, 17, 34, 50, 67, 83, None]
    tracks = entries[-1]["result"]["tracks"]
    assert [track["label"] for track in tracks] == ["vocals", "drum", "bass", "no_multistem"]
    assert [track["type"] for track in tracks] == ["stem", "stem", "stem", "back"]
    assert {True, False} == {track["name"] is None for track in tracks}


@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        ("split/multistem", {"presets": FOUR_STEMS}, ["body", "split_input", "source_id"]),
        ("split/multistem", {"source_id": str(uuid.uuid4())}, ["body", "split_input", "presets"]),
        (
            "split/multistem",
            {"source_id": str(uuid.uuid4()), "presets": {"stem_list": ["strings"]}},
            ["body", "split_input", "presets", "stem_list"],
        ),
        (
            "split/stem_separator",
            {"source_id": str(uuid.uuid4()), "presets": {"stem": "vocals", "splitter": "auto"}},
            ["body", "split_input", "presets", "splitter"],
        ),
        (
            "split/demuser",
            {"source_id": str(uuid.uuid4()), "presets": {"stem": "music"}, "idempotency_key": str(uuid.uuid1())},
            ["body", "split_input", "idempotency_key"],
        ),
        ("split/batch/demuser", {"items": [{}]}, ["body", "items", 0, "source_id"]),
        ("split/batch/demuser", {"items": []}, ["body", "items"]),
        ("check", {"task_ids": [str(uuid.uuid4())] * 201}, ["body", "task_ids"]),
        ("cancel", {"task_ids": ["x"]}, ["body", "task_ids", 0]),
        ("delete", {}, ["body", "source_id"]),
        ("delete", b"{", ["body", 0]),
    ],
)
def test_a_malformed_body_is_refused_with_its_place(caller: Caller, route: str, body: Any, place: list[Any]) -> None:
    """422, as pydantic tells it."""
    reply = caller.post(route, body)

    assert reply.status == 422
    assert place == reply.json["detail"][0]["loc"]


def test_a_submission_that_cannot_run_is_refused_free_of_charge() -> None:
    """No such source, a splitter that does not know the stem, no minutes, too long, a source that expired."""
    with FakeLalal(minutes=0.02, max_duration_s=1) as fake:
        caller = Caller(fake)
        short, middle, long = (caller.upload(audio_file(length_s)) for length_s in (0.3, 0.5, 1.2))
        codes = [
            caller.submit(str(uuid.uuid4())).json.get("code"),
            caller.submit(short, {"stem": "wind", "splitter": "orion"}, kind="stem_separator").json.get("code"),
            caller.submit(middle).json["code"],
            caller.submit(long, {"stem": "bass"}, kind="stem_separator").json["code"],
        ]
        fake.advance(86_400)
        expired = caller.submit(short)

    assert codes == [None, None, "exceeded_duration", "max_duration"]
    assert expired.status == 400
    assert fake.minutes_left == 0.02
    assert fake.journal.charging == ()


def test_a_key_charges_once(fake: FakeLalal, caller: Caller) -> None:
    """While queued the same key finds its task, once it runs the key is used; another body is a client's mistake."""
    source, key = caller.upload(), str(uuid.uuid4())
    first, second = caller.submit(source, key=key), caller.submit(source, key=key)
    caller.submit(source, {"stem_list": ["bass"]}, key=key)
    fake.advance(10)
    third = caller.submit(source, key=key)

    assert first.json == second.json
    assert (third.status, third.json["code"]) == (400, "idempotency_key_used")
    assert fake.charges.by_task == {first.json["task_id"]: pytest.approx(0.5 / 60 * 3)}
    assert pytest.approx(1.0 - 0.025) == fake.minutes_left == caller.post("limits/minutes_left").json["minutes_left"]
    assert [entry.number for entry in fake.journal.charging] == [2]
    assert fake.journal.violations == ((4, Violation.KEY_REUSED_WITH_ANOTHER_BODY),)


def test_a_batch_answers_item_by_item(fake: FakeLalal, caller: Caller) -> None:
    """In the order of the items, 200 though one failed; and where there are no batches, the vendor's code."""
    source, nowhere = caller.upload(), str(uuid.uuid4())
    items = [{"source_id": each, "presets": {"stem": "voice"}} for each in (nowhere, source)]

    results = caller.post("split/batch/voice_clean", {"items": items}).json["results"]

    assert [("error", nowhere), ("success", source)] == [(each["status"], each["source_id"]) for each in results]
    assert [results[1]["task_id"]] == fake.journal.charging[0].task_ids == list(fake.charges.by_task)
    with FakeLalal(has_batch=False) as other:
        refused = Caller(other).post("split/batch/voice_clean", {"items": items})
    assert refused.json["code"] == "batch_not_avaliable"


def test_checks_are_limited_to_thirty_a_minute(fake: FakeLalal, caller: Caller) -> None:
    """The 31st within 60 s is 429 without Retry-After; a minute after the first there is room again."""
    replies = [caller.post("check", {"task_ids": []}) for _call in range(31)]
    fake.advance(60)
    replies.append(caller.post("check", {"task_ids": []}))

    assert [reply.status for reply in replies] == [200] * 30 + [429, 200]
    assert "retry-after" not in replies[30].headers


def test_tasks_that_cannot_be_told_of_are_server_errors(fake: FakeLalal, caller: Caller) -> None:
    """Unknown ones, those of others, and those of yesterday."""
    task_id = caller.submit(caller.upload()).json["task_id"]
    fake.advance(86_400)
    told = {caller.check(each)["error"] for each in (str(uuid.uuid4()), fake.foreign_task(), task_id)}

    assert len(told) == 3


@pytest.mark.parametrize("refunds", [False, True])
def test_a_cancelled_task_gives_minutes_back_where_the_service_does(*, refunds: bool) -> None:
    """Cancelling works while it runs, and not twice; `cancel/all` takes what is left."""
    with FakeLalal(minutes=1.0, refunds=refunds) as fake:
        caller = Caller(fake)
        source = caller.upload()
        one, two = (caller.submit(source).json["task_id"] for _task in range(2))
        told = [caller.post("cancel", {"task_ids": [one]}).json["result"][one]["status"] for _call in range(2)]
        everything = caller.post("cancel/all").json["result"]

        assert told == ["success", "server_error"]
        assert everything == {two: {"status": "success"}}
        assert caller.check(one)["status"] == caller.check(two)["status"] == "cancelled"
        assert (fake.charges.total_minutes == 0) == refunds


@pytest.mark.parametrize(
    ("route", "status", "body"),
    [
        ("upload", 200, {"id": str(uuid.uuid4()), "name": "x", "size": 1, "duration": 1.5, "expires": 1}),
        ("check", 200, {"result": {str(uuid.uuid4()): {"status": "queued"}}}),
        ("check", 200, {"result": {str(uuid.uuid4()): {"status": "cancelled"}}}),
        ("delete", 200, {"status": "success"}),
        ("delete", 429, {"detail": "x"}),
        ("cancel", 422, {"detail": [{"loc": "body", "msg": "x", "type": "y"}]}),
        ("split/multistem", 200, {"task_id": str(uuid.uuid1())}),
    ],
)
def test_shapes_refuse_what_was_not_published(route: str, status: int, body: Any) -> None:
    """A check that lets everything pass would make this whole file worthless."""
    assert route in ROUTES
    with pytest.raises(WrongShape):
        check_reply(route, status, body)
