"""The production tools by SDK and a real channel: what is uploaded, what is read, what is written."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemhouse.analysis import AnalysisHints
from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.main import main
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.client.stem_folders import LocalStems, read_stem_folder
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import InputRejected, InvalidRequest, StemhouseError, UnreadableAudio, UnsupportedAudio
from stemhouse.production import AbletonOptions, ChopGrid, ChopOptions, StretchOptions
from stemhouse.vocab import BASE_STEMS
from tests.fakes import MemoryObjectStore
from tests.fakes_exporter import TODAY, FakeTools, serve_exporter
from tests.fakes_library import FakeLibrary
from tests.unit.exporter.results import RATE_HZ, Units, separated

TRACK = separated(70_000)


@dataclass
class House:
    """An exporter, a client of it, and a folder that it has delivered."""

    store: MemoryObjectStore
    tools: FakeTools
    address: str
    client: Stemhouse
    folder: Path

    def stems(self) -> LocalStems:
        """The folder as it is now."""
        return read_stem_folder(self.folder)

    def uploads(self) -> list[str]:
        """What was uploaded."""
        return [*self.store.list_keys("uploads/")]

    def write(self, name: str, samples: object, subtype: str = "PCM_24", rate_hz: int = RATE_HZ) -> None:
        """Put an audio file into the folder."""
        soundfile.write(self.folder / name, samples, rate_hz, subtype)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One, with the stems of TRACK."""
    scratch_dir = tmp_path / "scratch"
    scratch_dir.mkdir()
    store, tools = TRACK.store(), FakeTools()
    library = FakeLibrary()
    with serve_exporter(store, scratch_dir, tools, library) as address, Stemhouse(Endpoints(*[address] * 3)) as client:
        delivered = client.deliver(TRACK.result(), DeliveryOptions(), tmp_path / "out")
        yield House(store, tools, address, client, delivered.folder)
    assert list(scratch_dir.iterdir()) == []


def units(path: Path) -> Units:
    """The samples of a 24-bit file."""
    samples, rate_hz = soundfile.read(path, dtype="int32")
    assert (soundfile.info(path).subtype, rate_hz) == ("PCM_24", RATE_HZ)
    found: Units = samples.astype(np.int64) >> 8
    return found


def test_live_project_holds_stems_and_original_to_the_sample(house: House, tmp_path: Path) -> None:
    """From the store, without an upload; and a repeat finds the project."""
    made = house.client.production.export_ableton([house.stems()], AbletonOptions(), tmp_path / "live")
    project = tmp_path / "live" / "Björk - Jóga Project"
    assert (made.folder, made.is_reused, made.warnings) == (project, False, ())
    assert (project / "Ableton Project Info").is_dir()
    for stem in BASE_STEMS:
        assert (units(project / "Samples/Imported" / f"{stem}.wav") == TRACK.stems[stem]).all()
    assert (units(project / "Samples/Imported/original mix.wav") == TRACK.mix).all()
    [live_set] = house.tools.sets.built
    [song] = live_set.songs
    assert (live_set.bpm, [track.name for track in song.stems]) == (124.0, ["Vocals", "Drums", "Bass", "Other"])
    for track in song.stems:
        file = project / "Samples/Imported" / track.sample.file_name
        assert (track.sample.size_bytes, track.sample.frame_count) == (file.stat().st_size, 70_000)
    again = house.client.production.export_ableton([house.stems()], AbletonOptions(), tmp_path / "live")
    assert (again.folder, again.is_reused, again.files) == (project, True, made.files)
    assert (house.uploads(), len(house.tools.analyzer.heard)) == ([], 1)


@pytest.mark.parametrize("change", ["edit", "tempo"])
def test_project_that_is_there_is_never_written_to(change: str, house: House, tmp_path: Path) -> None:
    """Whether its set was edited, or something else is asked for."""
    first = house.client.production.export_ableton([house.stems()], AbletonOptions(), tmp_path)
    live_set = first.folder / "Björk - Jóga.als"
    if change == "edit":
        live_set.write_bytes(b"my work")
    before = live_set.read_bytes()
    options = AbletonOptions(None if change == "edit" else 90.0)
    second = house.client.production.export_ableton([house.stems()], options, tmp_path)
    assert second.folder == tmp_path / "Björk - Jóga Project (2)"
    assert live_set.read_bytes() == before


def test_edited_file_is_uploaded_once_and_counts(house: House, tmp_path: Path) -> None:
    """Its bytes are what the project holds; the others come from the store, and the original is their sum."""
    edited = TRACK.stems["vocals"] // 2
    house.write("vocals.wav", (edited << 8).astype(np.int32))
    stems = house.stems()
    made = house.client.production.export_ableton([stems], AbletonOptions(), tmp_path)
    imported = made.folder / "Samples/Imported"
    assert (units(imported / "vocals.wav") == edited).all()
    assert (units(imported / "original mix.wav") == TRACK.mix - TRACK.stems["vocals"] + edited).all()
    [file] = [file for file in stems.folder.files if file.stem == "vocals"]
    assert house.uploads() == [f"uploads/{TODAY}/{file.sha256}"]


def test_stems_that_the_store_has_let_go_of_are_uploaded(house: House, tmp_path: Path) -> None:
    """As after a batch."""
    for key in [*house.store.list_keys("results/"), *house.store.list_keys("audio/")]:
        house.store.delete(key)
    made = house.client.production.export_ableton([house.stems()], AbletonOptions(), tmp_path)
    assert (units(made.folder / "Samples/Imported/original mix.wav") == TRACK.mix).all()
    assert len(house.uploads()) == 4


def test_stems_beyond_full_scale_become_float(house: House, tmp_path: Path) -> None:
    """The sum of loud stems, to the sample, with a note."""
    loud = np.full((70_000, 2), 1.5, np.float32)
    house.write("drums.wav", loud, "FLOAT")
    made = house.client.production.export_ableton([house.stems()], AbletonOptions(), tmp_path)
    samples, _ = soundfile.read(made.folder / "Samples/Imported/drums.wav", dtype="float32")
    assert (samples == loud).all()
    assert "float" in made.warnings[0]


def test_track_without_a_beat_is_laid_out_all_the_same(house: House, tmp_path: Path) -> None:
    """In the tempo that is asked for, with a note."""
    house.tools.analyzer.is_beatless = True
    made = house.client.production.export_ableton([house.stems()], AbletonOptions(93.0), tmp_path)
    [live_set] = house.tools.sets.built
    assert (live_set.bpm, live_set.songs[0].grid.bpm) == (93.0, 93.0)
    assert "no beat" in made.warnings[0]


def test_set_has_the_tempo_of_the_first_song_that_has_one(house: House, tmp_path: Path) -> None:
    """What is told of a track counts where no beat is heard."""
    house.tools.analyzer.is_beatless = True
    (house.folder / "metadata.json").unlink()
    songs = [house.stems(), read_stem_folder(house.folder, AnalysisHints(bpm=93.0))]
    house.client.production.export_ableton(songs, AbletonOptions(), tmp_path)
    assert house.tools.sets.built[-1].bpm == 93.0


def test_analysis_of_a_part_is_not_taken_for_that_of_the_whole(house: House) -> None:
    """Without its drums a song may sound to be in another tempo: neither answer replaces the other."""
    (house.folder / "drums.wav").rename(house.folder / "drums.bak")
    house.client.production.analyze(house.stems())
    (house.folder / "drums.bak").rename(house.folder / "drums.wav")
    for _ in range(2):
        house.client.production.analyze(house.stems())
    assert [heard.drums is None for heard in house.tools.analyzer.heard] == [True, False]


def test_what_is_named_after_no_stem_is_left_alone(house: House) -> None:
    """A bounce of the song beside its stems is none of them; whoever put it there is told."""
    for name in ("bounce.wav", "vocals_old.wav", "Mix.aiff", "drums (2).wav"):
        shutil.copy(house.folder / "bass.wav", house.folder / name)
    stems = house.stems()
    assert set(stems.files) == {*BASE_STEMS}
    assert stems.left_alone == ("Mix.aiff", "bounce.wav", "drums (2).wav", "vocals_old.wav")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("fidelity", "frame_count", float("inf")),
        ("fidelity", "sample_rate_hz", 10**30),
        ("fidelity", "common_gain", -3),
        ("fidelity", "mix_peak", float("nan")),
        ("source", "artist", ["Björk"]),
        ("objects", "stems", 5),
    ],
)
def test_damaged_metadata_leaves_the_files(part: str, name: str, value: object, house: House) -> None:
    """They are all that is known then; nobody needs to hear of the rest."""
    metadata = json.loads((house.folder / "metadata.json").read_text())
    metadata[part][name] = value
    (house.folder / "metadata.json").write_text(json.dumps(metadata))
    folder = house.stems().folder
    assert (folder.result, len(folder.files)) == (None, 4)


def test_texts_of_metadata_are_told_as_far_as_they_can_be(house: House) -> None:
    """Controls and halves of characters are left out; a tempo that is none is no tempo."""
    metadata = json.loads((house.folder / "metadata.json").read_text())
    metadata["source"] |= {"title": "J\u0000ó\ud800ga\u00a0x", "artist": "B" * 5000, "bpm": True, "genre": 5}
    (house.folder / "metadata.json").write_text(json.dumps(metadata))
    folder = house.stems().folder
    assert (folder.title, len(folder.artist), folder.hints) == ("Jóga\u00a0x", 1024, AnalysisHints())
    (house.folder / "metadata.json").write_text("[" * 100_000)
    assert house.stems().folder.title == house.folder.name


def test_several_folders_make_one_set(house: House, tmp_path: Path) -> None:
    """A group each, with files of their own."""
    other = tmp_path / "Other Song"
    other.mkdir()
    soundfile.write(other / "Guitar.flac", np.zeros((1000, 1)), 48_000, "PCM_16")
    made = house.client.production.export_ableton([house.stems(), read_stem_folder(other)], AbletonOptions(), tmp_path)
    [live_set] = house.tools.sets.built
    assert [song.title for song in live_set.songs] == ["Jóga", "Other Song"]
    assert made.folder.name == "Björk - Jóga and 1 more Project"
    assert soundfile.info(made.folder / "Samples/Imported/2 guitar.wav").frames == 1000


def test_analysis_is_made_once_and_hints_are_honoured(house: House) -> None:
    """It hears mono at 22.05 kHz; other hints are another question."""
    first = house.client.production.analyze(house.stems())
    assert house.client.production.analyze(house.stems()) == first
    [heard] = house.tools.analyzer.heard
    assert heard.drums is not None
    assert (heard.sample_rate_hz, len(heard.mix), len(heard.drums)) == (22_050, 35_000, 35_000)
    assert [*house.store.list_keys("analysis/")] == [f"analysis/{TRACK.result().stem_set.audio.pcm_sha256}.json"]
    assert first.grid
    assert first.grid.bpm == 124.0  # by the source's tag
    hinted = read_stem_folder(house.folder, AnalysisHints(bpm=100.0))
    analysis = house.client.production.analyze(hinted)
    assert analysis.grid
    assert analysis.grid.bpm == 100.0


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("vocals.wav", b"no audio at all", UnreadableAudio),
        ("vocals.wav", b"", UnreadableAudio),
        ("vocals.mp3", b"lossy", UnsupportedAudio),
    ],
)
def test_file_that_is_no_stem_is_refused_by_name(
    name: str, content: bytes, error: type[StemhouseError], house: House
) -> None:
    """Nothing of it gets into the store."""
    (house.folder / "vocals.wav").unlink()
    (house.folder / name).write_bytes(content)
    with pytest.raises(error, match=name):
        house.client.production.analyze(house.stems())
    assert house.uploads() == []


@pytest.mark.parametrize("case", ["channels", "not finite", "no samples", "other length"])
def test_audio_that_is_no_stem_is_refused_by_name(case: str, house: House) -> None:
    """More than two channels, NaN, silence of no length, and what does not fit the others."""
    samples = {
        "channels": np.zeros((70_000, 3)),
        "not finite": np.full((70_000, 2), np.nan),
        "no samples": np.zeros((0, 2)),
        "other length": np.zeros((69_999, 2)),
    }[case]
    house.write("drums.wav", samples, "FLOAT")
    with pytest.raises((UnreadableAudio, UnsupportedAudio), match="drums"):
        house.client.production.analyze(house.stems())


def test_mix_beside_the_stems_is_no_stem(house: House) -> None:
    """It would be heard twice; nor are files of other names."""
    for name in ("mix.wav", "Mixture.wav", "my take.wav", "._vocals.wav"):
        house.write(name, np.zeros((10, 2)))
    assert [*house.stems().files] == [*BASE_STEMS]


def test_folder_without_stems_is_refused(house: House) -> None:
    """With an example of what is looked for."""
    shutil.rmtree(house.folder)
    house.folder.mkdir()
    house.write("My Song.wav", np.zeros((10, 2)))
    house.write("mix.wav", np.zeros((10, 2)))
    with pytest.raises(InvalidRequest, match=r"vocals\.wav"):
        house.stems()


def test_stretching_tells_how_far_it_is(house: House, tmp_path: Path) -> None:
    """In shares that grow up to the whole; a repeat finds what is there, and has nothing to tell."""
    shares: list[float] = []
    for _ in range(2):
        house.client.production.stretch(house.stems(), StretchOptions(1.5), tmp_path, shares.append)
    assert shares == sorted(shares)
    assert shares.count(1.0) == 1


def test_tempo_out_of_reach_is_refused(house: House, tmp_path: Path) -> None:
    """124 BPM cannot become 30, and a beatless track has no tempo to start from."""
    with pytest.raises(InvalidRequest, match="ratio"):
        house.client.production.stretch(house.stems(), StretchOptions(bpm=30.0), tmp_path)
    house.tools.analyzer.is_beatless = True
    stems = house.stems()
    untagged = replace(stems, folder=replace(stems.folder, hints=AnalysisHints()))
    with pytest.raises(InvalidRequest, match="not known"):
        house.client.production.stretch(untagged, StretchOptions(bpm=100.0), tmp_path)


def test_chops_are_the_stem_to_the_sample(house: House, tmp_path: Path) -> None:
    """Away from their ends, which are silent; the index tells where they were, the kit names them all."""
    options = ChopOptions("drums", ChopGrid.QUARTER)
    folder = house.client.production.create_chops(house.stems(), options, tmp_path).folder
    stem, index = units(house.folder / "drums.wav"), json.loads((folder / "chops.json").read_text())
    assert (index["stem"], index["sample_rate_hz"]) == ("drums", RATE_HZ)
    assert [chop["start_frame"] for chop in index["chops"]] == [round(beat * 60 / 124 * RATE_HZ) for beat in range(4)]
    for chop in index["chops"]:
        cut = units(folder / chop["file"])
        whole = stem[chop["start_frame"] :][: chop["frame_count"]]
        assert np.array_equal(cut[300:-300], whole[300:-300])
        assert not cut[[0, -1]].any()
        assert f"sample={chop['file']}\n" in (folder / "chops.sfz").read_text()
    record = json.loads((folder / "stemhouse.json").read_text())
    assert record["chops"]["grid"] == "1/4"


def test_chops_that_cannot_be_are_refused_by_name(house: House, tmp_path: Path) -> None:
    """A grid where no beat was found, and a stem that is silent."""
    house.tools.analyzer.is_beatless = True
    with pytest.raises(InvalidRequest, match="no beat was found in Jóga"):
        house.client.production.create_chops(house.stems(), ChopOptions(grid=ChopGrid.BAR), tmp_path)
    house.write("vocals.wav", np.zeros((70_000, 2)))
    with pytest.raises(InputRejected, match="no sound to cut"):
        house.client.production.create_chops(house.stems(), ChopOptions(), tmp_path)
    assert [*tmp_path.glob("*chops*")] == []


def test_record_of_a_tree_names_its_origin(house: House, tmp_path: Path) -> None:
    """And every file, with the digest by which edits are known."""
    made = house.client.production.export_ableton([house.stems()], AbletonOptions(), tmp_path)
    record = json.loads((made.folder / "stemhouse.json").read_text())
    assert record["songs"][0]["pcm_sha256"] == TRACK.result().stem_set.audio.pcm_sha256
    assert [made.folder / file["path"] for file in record["files"]] == list(made.files[:-1])


def test_cli_tells_what_was_found(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people, and as one document; a hint of the command line counts."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    assert main(["analyze", str(house.folder)]) == ExitCode.OK
    assert "124.00 BPM throughout, first downbeat at 0.000 s" in capsys.readouterr().out
    assert main(["analyze", str(house.folder), "--tag-bpm", "90", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["analysis"]["grid"]["bpm"] == 90.0


def test_cli_writes_beside_the_folder_and_passes_notes_on(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a user looks first; notes go to stderr."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    house.tools.analyzer.is_beatless = True
    assert main(["export-ableton", str(house.folder), "--bpm", "93"]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.out.startswith(str(house.folder.parent / "Björk - Jóga Project"))
    assert "note: Jóga has no beat to be trusted" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["stretch"],
        ["stretch", "--ratio", "1.5", "--bpm", "120"],
        ["stretch", "--ratio", "1.5", "--format", "flac", "--bit-depth", "32f"],
        ["chops", "--shortest", "2", "--longest", "1"],
        ["export-ableton", "--bpm", "nan"],
        ["chops", "--stem", "guitar"],
    ],
)
def test_cli_refuses_what_cannot_be(arguments: list[str], house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wrong usage; nothing is written."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    assert main([*arguments, str(house.folder)]) == ExitCode.USAGE
    assert [*house.folder.parent.iterdir()] == [house.folder]
