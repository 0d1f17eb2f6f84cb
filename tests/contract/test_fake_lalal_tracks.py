"""The tracks of the fake of LALAL.AI: they sum to the mix, and their links live and die as published."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.fake_lalal.caller import FOUR_STEMS, SAMPLE_RATE_HZ, Caller, audio_file, fetch, read_audio
from tests.fake_lalal.journal import Violation
from tests.fake_lalal.media import MediaShelf
from tests.fake_lalal.server import FakeLalal
from tests.fake_lalal.tasks import Job, Source, Task


@pytest.fixture
def fake() -> Iterator[FakeLalal]:
    """With a clock that stands still."""
    with FakeLalal(minutes=1.0) as fake:
        yield fake


@pytest.fixture
def caller(fake: FakeLalal) -> Caller:
    """Of that fake."""
    return Caller(fake)


def test_tracks_that_are_rendered_again_are_the_same_files() -> None:
    """The shelf keeps one task here; a float WAV would tell when it was written, were that not taken out."""
    source = Source("s", "song.wav", audio_file(), "", 0.5, 0.0)
    tasks = [Task(name, source, Job("multistem", ("bass",), "orion"), 0, 0, 0, 0) for name in ("one", "two")]
    shelf = MediaShelf("FLOAT", size_bytes=1)

    first, _other, again = (shelf.files(task)["bass"] for task in (*tasks, tasks[0]))

    assert first is not again
    assert first == again
    assert first.content.partition(b"PEAK")[2][8:12] == bytes(4)


@pytest.mark.parametrize(
    ("kind", "presets", "labels", "back"),
    [
        ("stem_separator", {"stem": "strings"}, ["strings"], "no_strings"),
        ("stem_separator", {"stem": "vocals", "multivocal": "lead_back"}, ["vocals@0", "vocals@1"], "no_vocals"),
        ("multistem", FOUR_STEMS, ["vocals", "drum", "bass"], "no_multistem"),
        ("voice_clean", {"stem": "voice", "noise_cancelling_level": 2}, ["voice"], "no_voice"),
        ("demuser", {"stem": "music"}, ["music"], "no_music"),
    ],
)
@pytest.mark.parametrize(("container", "wav_subtype"), [("WAV", "FLOAT"), ("WAV", "PCM_24"), ("FLAC", "FLOAT")])
def test_tracks_sum_to_the_mix_exactly(
    kind: str, presets: Any, labels: list[str], back: str, container: str, wav_subtype: str
) -> None:
    """For each kind of task, in each lossless encoding, bit by bit; and no stem is empty."""
    source = audio_file(container=container)
    with FakeLalal(wav_subtype=wav_subtype) as fake:
        tracks = Caller(fake).finish({**presets, "encoder_format": None}, kind, source)
        audio = {track["label"]: read_audio(fetch(track["url"]).content) for track in tracks}

    assert {*labels, back} <= set(audio)
    assert np.array_equal(np.add.reduce([audio[label] for label in [*labels, back]]), read_audio(source))
    assert all(np.any(audio[label]) for label in labels if label != "strings")
    if "mix_no_lead" in audio:
        assert np.array_equal(audio["mix_no_lead"] + audio["vocals@0"], read_audio(source))


def test_deleting_stops_tasks_and_leaves_links_for_an_hour(fake: FakeLalal, caller: Caller) -> None:
    """A running task is cancelled, which no client should cause; what is done can be fetched one hour more."""
    source = caller.upload()
    done = caller.submit(source, {"stem_list": ["bass"]}).json["task_id"]
    fake.advance(30)
    running = caller.submit(source).json["task_id"]
    link = caller.check(done)["result"]["tracks"][0]["url"]

    assert caller.post("delete", {"source_id": source}).json == caller.post("delete", {"source_id": source}).json == {}
    states = (caller.check(done)["status"], caller.check(running)["status"], caller.submit(source).status)
    fake.advance(3_599)
    before = fetch(link).status
    fake.advance(1)

    assert states == ("success", "cancelled", 400)
    assert (before, fetch(link).status) == (200, 404)
    assert [violation for _number, violation in fake.journal.violations] == [Violation.DELETED_UNDER_A_RUNNING_TASK]


def test_links_end_with_their_source(fake: FakeLalal, caller: Caller) -> None:
    """A day after the upload, though the task is younger."""
    source = caller.upload()
    fake.advance(86_000)
    task_id = caller.submit(source, {"stem_list": ["bass"]}).json["task_id"]
    fake.advance(300)
    link = caller.check(task_id)["result"]["tracks"][0]["url"]
    before = fetch(link).status
    fake.advance(100)

    assert (before, fetch(link).status) == (200, 404)


def test_links_are_plain_files_with_ranges(caller: Caller) -> None:
    """Name, length and mark are told; a range is served while the mark holds."""
    whole = fetch(url := caller.finish()[0]["url"])
    mark = whole.headers["etag"]
    part = fetch(url, headers={"Range": "bytes=100-199", "If-Range": mark})

    assert (206, whole.content[100:200]) == (part.status, part.content)
    assert f"bytes 100-199/{len(whole.content)}" == part.headers["content-range"]
    assert fetch(url, headers={"Range": "bytes=100-", "If-Range": '"old"'}).content == whole.content
    assert fetch(url, headers={"Range": f"bytes={len(whole.content)}-"}).status == 416
    assert 'filename="song_vocals_split_by_lalalai.wav"' in whole.headers["content-disposition"]
    with FakeLalal(knows_ranges=False) as other:
        assert fetch(Caller(other).finish()[0]["url"], headers={"Range": "bytes=100-"}).status == 200


def test_the_journal_knows_where_the_key_went(fake: FakeLalal, caller: Caller) -> None:
    """On the download port and in a URL it has no business; the key itself is never written down."""
    url = caller.finish()[0]["url"]
    before = fake.journal.violations
    fetch(url, headers={"X-License-Key": fake.key})
    fetch(f"{fake.base_url}/check/?key={fake.key}", "POST")

    assert before == ()
    assert fake.download_origin != fake.control_origin
    violations = [violation for _number, violation in fake.journal.violations]
    assert violations == [Violation.KEY_ON_DOWNLOAD_PORT, Violation.KEY_IN_URL]
    assert fake.key not in json.dumps([entry.as_json() for entry in fake.journal.entries])


@pytest.mark.parametrize("encoding", ["mp3", "ogg"])
def test_lossy_tracks_can_be_decoded(caller: Caller, encoding: str) -> None:
    """They are about as long as the source, and do not null."""
    bass, _rest = caller.finish({"stem_list": ["bass"], "encoder_format": encoding}, content=audio_file(0.5))

    assert read_audio(fetch(bass["url"]).content).shape[1] == pytest.approx(0.5 * SAMPLE_RATE_HZ, rel=0.3)
