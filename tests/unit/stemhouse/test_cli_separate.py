"""`stemhouse separate` from its arguments to its output, against real gRPC servers with fake insides."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from stemhouse.cli.main import main
from stemhouse.client.sdk import Stemhouse
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.errors import EngineUnavailable, InvalidRequest, ResultGone, UnreadableAudio
from stemhouse.jobs import EngineOffer, Job
from stemhouse.vocab import BASE_STEMS
from tests.fakes_front import STARTER, FakeFront, done, failed, serve_front


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFront]:
    """The servers that STEMHOUSE_SERVER names."""
    with serve_front() as front:
        address = front.address
        monkeypatch.setenv("STEMHOUSE_SERVER", f"router={address},library={address},exporter={address}")
        yield front


@dataclass(frozen=True)
class Run:
    """What a command left."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Stdout, which must be one JSON document."""
        return json.loads(self.stdout)


class Cli:
    """Runs commands in a folder with songs."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def song(self, name: str, content: bytes | None = None) -> str:
        """A file's path; its content is its name unless given."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() if content is None else content)
        return str(path)

    def run(self, *arguments: str) -> Run:
        """Any command."""
        code = main(arguments)
        return Run(code, *self._capsys.readouterr())

    def separate(self, *arguments: str) -> Run:
        """`separate` into the folder `stems`."""
        return self.run("separate", "--output", str(self.folder / "stems"), *arguments)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs commands."""
    return Cli(tmp_path, capsys)


@pytest.mark.usefixtures("front")
def test_result_tells_engine_reasons_speed_fidelity_quality_and_paths(cli: Cli) -> None:
    """On stdout; what happens meanwhile goes to stderr."""
    run = cli.separate(cli.song("song.mp3"))
    assert run.code == 0
    for text in ("starter-tiny-00000000", "the only engine", "5.0x real time", "-123.4 dB", "441000 frames", "8.25 dB"):
        assert text in run.stdout
    assert f"folder    {cli.folder / 'stems' / 'Artist - Title_'}" in run.stdout
    assert "song.mp3: separate 50%" in run.stderr
    assert "vocals.wav" in run.stdout
    assert [path.name for path in (cli.folder / "stems").glob("*/vocals.wav")] == ["vocals.wav"]


@pytest.mark.usefixtures("front")
def test_json_is_one_document_with_everything(cli: Cli) -> None:
    """A program needs no other output."""
    run = cli.separate(cli.song("song.mp3"), "--json")
    (track,) = run.document["tracks"]
    assert (run.code, track["status"], track["error"], track["is_reused"]) == (0, "done", None, False)
    assert (track["speed"], track["result"]["stem_set"]["null_depth_db"]) == (5.0, -123.4)
    assert [Path(file).name for file in track["files"]] == [*(f"{stem}.wav" for stem in BASE_STEMS), "metadata.json"]
    assert all(Path(file).is_file() for file in track["files"])


def test_second_run_reuses_the_files(front: FakeFront, cli: Cli) -> None:
    """And uploads nothing."""
    song = cli.song("song.mp3")
    first, second = cli.separate(song, "--json"), cli.separate(song, "--json")
    assert [run.document["tracks"][0]["is_reused"] for run in (first, second)] == [False, True]
    assert len(front.router.uploads) == 1


def test_options_reach_router_and_exporter(front: FakeFront, cli: Cli) -> None:
    """Each of them; and every job has a request id of its own."""
    for name in ("vocals.wav", "Drums.flac", "cover.jpg", "mixture.wav"):
        cli.song(f"true/{name}")
    switches = ["--engine", "starter", "--priority", "3", "--force", "--no-sum-to-mix"]
    formats = ["--stems", "Vocals, acapella,", "--format", "flac", "--bit-depth", "16"]
    cli.separate(cli.song("song.mp3"), *switches, *formats, "--reference", str(cli.folder / "true"))
    cli.separate(cli.song("other.mp3"))
    wish, default = front.router.requests
    assert (wish.engine, wish.priority, wish.force, wish.sum_to_mix) == ("starter", 3, True, False)
    assert {stem: source.file_name for stem, source in wish.references.items()} == {
        "vocals": "vocals.wav",
        "drums": "Drums.flac",
    }
    assert (default.engine, default.priority, default.force, default.sum_to_mix) == ("auto", 100, False, True)
    assert default.references == {}
    assert front.exporter.options == [
        DeliveryOptions(FileFormat.FLAC, SampleFormat.PCM16, ("vocals", "acapella")),
        DeliveryOptions(FileFormat.WAV, SampleFormat.PCM24, ()),
    ]
    assert len(set(front.router.request_ids)) == 2


@pytest.mark.parametrize("bad", ["failed.mp3", "empty.mp3"])
def test_one_bad_file_does_not_stop_the_others(front: FakeFront, cli: Cli, bad: str) -> None:
    """Whether the router or the client rejects it: exit code 5, and an outcome for each file in order."""
    front.router.ways["failed.mp3"] = failed(UnreadableAudio("no decoder takes it"))
    contents = {"failed.mp3": b"x", "empty.mp3": b""}
    songs = [cli.song("a.mp3"), cli.song(bad, contents[bad]), cli.song("c.mp3")]
    run = cli.separate(*songs, "--json")
    assert run.code == 5
    assert [track["status"] for track in run.document["tracks"]] == ["done", "failed", "done"]
    assert run.document["tracks"][1]["error"]["reason"] == "UNREADABLE_AUDIO"


def test_all_files_are_submitted_before_the_first_is_watched(front: FakeFront, cli: Cli) -> None:
    """So that separators have work while files are written."""
    submitted_before: list[int] = []
    front.exporter.on_deliver = lambda: submitted_before.append(len(front.router.requests))
    cli.separate(*(cli.song(f"{number}.mp3") for number in range(3)))
    assert submitted_before == [3, 3, 3]


@pytest.mark.parametrize(
    ("error", "code"), [(UnreadableAudio("no decoder takes it"), 3), (EngineUnavailable("no model"), 4)]
)
def test_when_all_fail_alike_the_code_says_how(front: FakeFront, cli: Cli, error: Any, code: int) -> None:
    """Rejected or unavailable; with the reason in the text."""
    front.router.ways |= {"a.mp3": failed(error), "b.mp3": failed(error)}
    run = cli.separate(cli.song("a.mp3"), cli.song("b.mp3"))
    assert run.code == code
    assert error.reason in run.stdout


@pytest.mark.usefixtures("front")
def test_empty_file_is_rejected(cli: Cli) -> None:
    """Alone: exit code 3."""
    run = cli.separate(cli.song("empty.mp3", b""))
    assert (run.code, "empty.mp3 is empty" in run.stdout) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["missing.mp3"], "missing.mp3"),
        (["."], "is a directory: `stemhouse batch DIR`"),
        ([], "FILE"),
        (["SONG", "--format", "flac", "--bit-depth", "32f"], "takes --bit-depth 16 or 24, not 32f"),
        (["SONG", "--format", "aiff", "--bit-depth", "32f"], "32f"),
        (["SONG", "--format", "mp3", "--bit-depth", "16"], "is lossy and has no bit depth: leave --bit-depth out"),
        (["SONG", "--format", "ogg"], "'ogg'"),
        (["SONG", "SONG", "--reference", "."], "one FILE"),
        (["SONG", "--reference", "."], "named after a stem"),
        (["SONG", "--priority", "1001"], "1001"),
        (["SONG", "--bit-depth", "8"], "'8'"),
        (["SONG", "--stems", "vocals,kazoo"], "kazoo"),
        (["SONG", "--engine", "Not An Engine"], "request.engine"),
        (["SONG", "--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_told_as_such(front: FakeFront, cli: Cli, arguments: list[str], text: str) -> None:
    """Exit code 2, the cause on stderr, and with --json in one document; nothing is separated."""
    song = cli.song("song.mp3")
    given = [song if argument == "SONG" else argument for argument in arguments]
    plain, told = cli.separate(*given), cli.separate(*given, "--json")
    assert (plain.code, told.code) == (2, 2)
    assert text in plain.stderr + plain.stdout
    assert text in json.dumps(told.document)
    assert not front.exporter.options


@pytest.mark.parametrize(
    "wish", [("--engine", "demucs"), ("--model", "htdemucs"), ("--engine", "demucs", "--stems", "x")]
)
def test_nothing_is_uploaded_for_an_engine_that_nobody_has(front: FakeFront, cli: Cli, wish: tuple[str, ...]) -> None:
    """Exit code 4, in the router's words, which name the command that helps."""
    front.router.refusal = EngineUnavailable("get it with: stemhouse models pull htdemucs")
    run = cli.separate(cli.song("song.mp3"), *wish)
    assert run.code == 4
    assert "stemhouse models pull htdemucs" in run.stdout
    assert not front.router.uploads


def test_known_answer_of_an_engine_that_is_gone_is_still_given(front: FakeFront, cli: Cli) -> None:
    """The router is asked, without the bytes."""
    run = cli.separate(cli.song("song.mp3"), "--engine", "demucs")
    assert (run.code, front.router.uploads) == (0, [])
    assert front.router.requests[0].engine == "demucs"


def wav_head(rate_hz: int) -> bytes:
    """The beginning of a WAV file of that rate."""
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 2, rate_hz, rate_hz * 4, 4, 16)


def test_rate_that_the_format_cannot_hold_is_refused_before_the_upload(front: FakeFront, cli: Cli) -> None:
    """Of that file alone, with the formats that can; the others go on."""
    songs = cli.song("high.wav", wav_head(96_000)), cli.song("low.wav", wav_head(44_100))
    run = cli.separate(*songs, "--format", "mp3")
    assert (run.code, [name for name, _ in front.router.uploads]) == (5, ["low.wav"])
    assert "mp3 cannot hold high.wav: its rate is 96000 Hz" in run.stdout
    assert cli.separate(songs[0], "--format", "mp3").code == 2


@pytest.mark.parametrize("place", ["file", "file/stems", "x" * 300, "gone/stems"])
def test_output_that_cannot_be_made_is_refused_before_anything_else(front: FakeFront, cli: Cli, place: str) -> None:
    """A file in its place or above it, a name that is too long, a link to nothing."""
    cli.song("file")
    (cli.folder / "gone").symlink_to(cli.folder / "nowhere")
    run = cli.separate(cli.song("song.mp3"), "--output", str(cli.folder / place))
    assert (run.code, front.router.uploads) == (2, [])
    assert place in run.stderr


@pytest.mark.usefixtures("front")
def test_output_that_could_be_made_is_not_made_for_a_file_that_fails(cli: Cli) -> None:
    """The check leaves nothing behind."""
    cli.separate(cli.song("empty.mp3", b""), "--output", str(cli.folder / "a" / "b"))
    assert [path.name for path in cli.folder.iterdir()] == ["empty.mp3"]


SUMLESS = EngineOffer("demucs", "pair", "demucs-pair-00000000", ("vocals", "drums"), "full", "cpu")


def test_model_that_cannot_sum_to_the_mix_is_refused_before_the_upload(front: FakeFront, cli: Cli) -> None:
    """By the flag that helps; with it, and for a model that can, all is well."""
    front.router.offers = [STARTER, SUMLESS]
    song = cli.song("song.mp3")
    refused = cli.separate(song, "--model", "pair")
    assert (refused.code, front.router.uploads) == (2, [])
    assert "--no-sum-to-mix" in refused.stderr
    assert cli.separate(song, "--model", "pair", "--no-sum-to-mix").code == 0
    assert cli.separate(song, "--model", STARTER.model).code == 0


def test_model_is_chosen_that_has_the_stems_and_sums(front: FakeFront, cli: Cli) -> None:
    """Though another one comes first."""
    six = EngineOffer("demucs", "six", "demucs-six-00000000", (*BASE_STEMS, "guitar"), "full", "cpu")
    front.router.offers = [STARTER, replace(SUMLESS, stems=("vocals", "guitar")), six]
    cli.separate(cli.song("song.mp3"), "--stems", "vocals,guitar")
    cli.separate(cli.song("song.mp3"), "--stems", "guitar", "--no-sum-to-mix")
    assert [request.model for request in front.router.requests] == ["six", "pair"]


def test_instrumental_needs_a_model_with_vocals(front: FakeFront, cli: Cli) -> None:
    """It is the mix without them."""
    front.router.offers = [replace(SUMLESS, stems=("drums", "other")), STARTER]
    song = cli.song("song.mp3")
    run = cli.separate(song, "--model", "pair", "--stems", "instrumental")
    assert (run.code, front.router.uploads) == (2, [])
    assert cli.separate(song, "--model", STARTER.model, "--stems", "instrumental").code == 0
    assert "no model gives instrumental; there are pair: drums, other" in run.stderr


def test_late_refusal_of_the_sum_names_the_flag(front: FakeFront, cli: Cli) -> None:
    """Where no separator answered before the job was made."""
    front.router.ways["song.mp3"] = failed(InvalidRequest("no stem other", {"sum_to_mix": "no stem other"}))
    run = cli.separate(cli.song("song.mp3"))
    assert run.code == 2
    assert "no stem other (--no-sum-to-mix)" in run.stdout


def test_server_that_is_not_there_is_unavailable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, after some patience."""
    monkeypatch.setenv("STEMHOUSE_SERVER", "127.0.0.1:1")
    monkeypatch.setattr("stemhouse.client.calls.CALL_PATIENCE_S", 0.1)
    run = cli.separate(cli.song("song.mp3"), "--json")
    assert (run.code, run.document["tracks"][0]["error"]["reason"]) == (4, "UNAVAILABLE")


def test_ctrl_c_cancels_what_is_not_done(front: FakeFront, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file is delivered, the second is being watched, the third waits; exit code 130."""
    watch = Stemhouse.watch

    def interrupted(client: Stemhouse, job_id: str) -> Iterator[Job]:
        if job_id == "job-2":
            raise KeyboardInterrupt
        return watch(client, job_id)

    monkeypatch.setattr(Stemhouse, "watch", interrupted)
    run = cli.separate(*(cli.song(f"{number}.mp3") for number in range(3)), "--json")
    assert (run.code, run.document["error"]["reason"]) == (130, "INTERRUPTED")
    assert front.router.cancelled == ["job-2", "job-3"]


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_each_format_is_delivered_as_24_bits_unless_asked_otherwise(
    front: FakeFront, cli: Cli, file_format: FileFormat
) -> None:
    """The lossy ones included, whose encoders are given that."""
    assert cli.separate(cli.song("song.mp3"), "--format", file_format.value).code == 0
    assert front.exporter.options == [DeliveryOptions(file_format, SampleFormat.PCM24)]


@pytest.mark.parametrize(("failures", "code", "jobs"), [(1, 0, 2), (2, 5, 2)])
def test_stems_that_cannot_be_delivered_are_made_again_once(
    failures: int, code: int, jobs: int, front: FakeFront, cli: Cli
) -> None:
    """They have been cleared, or damaged, since: what is left of them goes, and the file is uploaded anew."""

    def lose() -> None:
        if len(front.exporter.options) < failures:
            front.exporter.options.append(DeliveryOptions())
            raise ResultGone("results/a/vocals.flac is not what its result says")

    front.exporter.on_deliver = lose
    run = cli.separate(cli.song("song.mp3"), "--json")
    assert (run.code, front.router.released, len(front.router.jobs)) == (code, ["job-1"], jobs)
    assert len({*front.router.request_ids}) == jobs
    (track,) = run.document["tracks"]
    assert (track["error"] is None) == (code == 0)


def test_track_whose_stored_audio_was_damaged_is_uploaded_again(front: FakeFront, cli: Cli) -> None:
    """Its job has failed, so there is no result to let go."""

    def way(job: Job) -> list[Job]:
        is_first = len(front.router.requests) == 1
        return failed(ResultGone("audio/a.flac is damaged"))(job) if is_first else done(job)

    front.router.ways["song.mp3"] = way
    assert cli.separate(cli.song("song.mp3")).code == 0
    assert (front.router.released, len(front.router.uploads)) == ([], 1)


def test_stems_that_were_paid_for_are_not_made_again_by_themselves(front: FakeFront, cli: Cli) -> None:
    """That would be paid for again."""

    def paid(job: Job) -> list[Job]:
        *way, final = done(job)
        assert final.result is not None
        stems = replace(final.result.stem_set, cloud_minutes=1.0)
        return [*way, replace(final, result=replace(final.result, stem_set=stems))]

    front.router.ways["song.mp3"] = paid

    def lose() -> None:
        raise ResultGone("results/a/vocals.flac is gone")

    front.exporter.on_deliver = lose
    assert cli.separate(cli.song("song.mp3")).code == 5
    assert (front.router.released, len(front.router.jobs)) == ([], 1)
