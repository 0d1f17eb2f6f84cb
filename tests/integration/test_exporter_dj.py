"""Files for DJs by SDK and a real channel: what they hold, what stays, what names them."""

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import taglib

from services.exporter.adapters.soxr_resampler import SoxrResampler
from services.exporter.core.production.ports import AudioShape
from services.library.core.serato_crates import crate_locations, parse_crate
from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.main import main
from stemhouse.client.stem_folders import read_stem_folder
from stemhouse.delivery import FileFormat
from stemhouse.dj import DJTarget, OrganizeOptions, StemChoice, StemFileOptions
from stemhouse.errors import InvalidRequest
from tests.integration.dj_house import TRACK, House, open_house
from tests.mixxx_rules import complaints
from tests.unit.exporter.results import FULL_SCALE, RATE_HZ, Units


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One, with the stems of TRACK."""
    with open_house(tmp_path) as opened:
        yield opened


def units(path: Path) -> Units:
    """The samples of a 24-bit file."""
    samples, _ = soundfile.read(path, dtype="int32", always_2d=True)
    assert soundfile.info(path).subtype == "PCM_24"
    found: Units = samples.astype(np.int64) >> 8
    return found


def tags(path: Path) -> dict[str, str]:
    """As TagLib reads them."""
    with taglib.File(str(path)) as file:
        return {name: values[0] for name, values in file.tags.items() if values}


@pytest.mark.parametrize(
    ("target", "file_format", "ending"),
    [
        (DJTarget.REKORDBOX, None, "aiff"),
        (DJTarget.REKORDBOX, FileFormat.WAV, "wav"),
        (DJTarget.SERATO, None, "flac"),
    ],
)
def test_acapella_and_instrumental_are_the_mix_to_the_sample(
    target: DJTarget, file_format: FileFormat | None, ending: str, house: House
) -> None:
    """In what the target takes, named and tagged after song and stem, with one gain for both."""
    acapella, instrumental = house.files(target, OrganizeOptions(target, file_format=file_format))
    assert (acapella.name, instrumental.name) == (f"Jóga_Acapella.{ending}", f"Jóga_Instrumental.{ending}")
    assert (units(acapella) == TRACK.stems["vocals"]).all()
    assert (units(acapella) + units(instrumental) == TRACK.mix).all()
    told = [tags(acapella), tags(instrumental)]
    assert [found["TITLE"] for found in told] == ["Jóga (Acapella)", "Jóga (Instrumental)"]
    for name, value in {"ARTIST": "Björk", "GENRE": "Pop", "BPM": "124", "INITIALKEY": "Am"}.items():
        assert [found[name] for found in told] == [value, value]
    assert told[0]["REPLAYGAIN_TRACK_GAIN"] == told[1]["REPLAYGAIN_TRACK_GAIN"]


def test_four_stems_sum_to_the_mix_whatever_else_is_there(house: House) -> None:
    """A guitar becomes part of other; all has each by itself."""
    guitar = np.full((70_000, 2), 1000, np.int64)
    soundfile.write(house.folder / "guitar.wav", (guitar << 8).astype(np.int32), RATE_HZ, "PCM_24")
    four = house.files(DJTarget.SERATO, OrganizeOptions(DJTarget.SERATO, StemChoice.FOUR))
    assert [path.stem for path in four] == ["Jóga_Vocals", "Jóga_Drums", "Jóga_Bass", "Jóga_Other"]
    assert np.array_equal(sum(units(path) for path in four), TRACK.mix + guitar)
    every = house.files(DJTarget.SERATO, OrganizeOptions(DJTarget.SERATO, StemChoice.ALL))
    assert [path.stem for path in every][:2] == ["Jóga_Acapella", "Jóga_Instrumental"]
    assert len(every) == 7
    assert (units(every[1]) == TRACK.mix - TRACK.stems["vocals"] + guitar).all()


def test_high_rates_and_levels_are_brought_into_the_profile(house: House) -> None:
    """From 96 kHz and beyond full scale: 48 kHz, 24 bits, one gain, and both together still the mix."""
    time_s = np.arange(96_000) / 96_000
    loud = np.column_stack([np.sin(2 * np.pi * 440 * time_s)] * 2) * 1.6
    for name, samples in (("vocals", loud), ("drums", 0.5 * loud)):
        soundfile.write(house.folder / f"{name}.wav", samples, 96_000, "FLOAT")
    for name in ("bass", "other"):
        (house.folder / f"{name}.wav").unlink()
    acapella, instrumental = house.files(DJTarget.REKORDBOX)
    assert {(soundfile.info(path).samplerate, soundfile.info(path).frames) for path in (acapella, instrumental)} == {
        (48_000, 48_000)
    }
    voice, rest = units(acapella) / FULL_SCALE, units(instrumental) / FULL_SCALE
    assert np.max(np.abs(voice)) == pytest.approx(1.0, abs=1e-6)
    middle = slice(2000, -2000)
    wanted = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)[middle]
    assert np.max(np.abs((voice + rest)[middle, 0] / 1.5 - wanted)) < 0.01
    assert np.max(np.abs(rest[middle] - voice[middle] / 2)) * FULL_SCALE < 1.5
    gain = json.loads((acapella.parent / "stemhouse.json").read_text())["gain"]
    mix = (1.5 * gain * loud).astype(np.float32)
    mix_at_48k = np.concatenate([*SoxrResampler().resample([mix], AudioShape(96_000, 2, 96_000), 48_000)])
    assert 20 * np.log10(np.sqrt(np.mean((voice + rest - mix_at_48k) ** 2))) <= -90.0


@pytest.mark.parametrize("options", [StemFileOptions(), StemFileOptions(is_lossless=True)])
def test_stem_file_holds_the_mix_and_its_stems(options: StemFileOptions, house: House) -> None:
    """As Mixxx and Traktor take it; ALAC to the sample, in the order of NI."""
    [file] = house.files(DJTarget.TRAKTOR, options)
    assert file.name == "Jóga.stem.mp4"
    assert complaints(file) == []
    assert tags(file)["TITLE"] == "Jóga (Stems)"
    if options.is_lossless:
        order = (TRACK.mix, *(TRACK.stems[stem] for stem in ("drums", "bass", "other", "vocals")))
        assert all(np.array_equal(decoded(file, index), wanted) for index, wanted in enumerate(order))


def decoded(path: Path, index: int) -> Units:
    """The samples of a stream of 24-bit ALAC."""
    with av.open(str(path)) as container:
        planes = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=index)], axis=1)
    found: Units = planes.T.astype(np.int64) >> 8
    return found


def test_second_run_writes_nothing_and_edits_stay(house: House) -> None:
    """A DJ program writes into tags; what it wrote is neither replaced nor made once more beside it."""
    first = house.files(DJTarget.SERATO)
    house.lists(DJTarget.SERATO)
    with taglib.File(str(first[0]), save_on_exit=True) as file:
        file.tags["COMMENT"] = ["my own"]
    before = {path: path.stat().st_mtime_ns for path in house.output.rglob("*") if path.is_file()}
    again = house.organize(DJTarget.SERATO)
    assert again.made
    assert again.made.is_reused
    after = {path: path.stat().st_mtime_ns for path in house.output.rglob("*") if path.is_file()}
    assert after == before
    assert tags(first[0])["COMMENT"] == "my own"


def test_lists_name_all_that_is_there(house: House) -> None:
    """By paths that lead to files; a list that nobody changed is replaced, one that somebody did is kept."""
    files = house.files(DJTarget.SERATO)
    lists = house.lists(DJTarget.SERATO, house.output.parent)
    relative = [str(path.relative_to(house.output)) for path in lists.files]
    assert relative == [
        "_Serato_/Subcrates/Stemhouse.crate",
        "_Serato_/Subcrates/Stemhouse%%Acapella.crate",
        "_Serato_/Subcrates/Stemhouse%%Instrumental.crate",
        "Stemhouse - Acapella.m3u8",
        "Stemhouse - Instrumental.m3u8",
    ]
    entries = [line for line in lists.files[3].read_text().splitlines() if not line.startswith("#")]
    assert [house.output / entry for entry in entries] == [files[0]]
    assert str(files[0].relative_to(house.output.parent)).encode("utf-16-be") in lists.files[0].read_bytes()
    lists.files[3].write_text("#EXTM3U\n")
    assert house.lists(DJTarget.SERATO, house.output.parent).files[3].name == "Stemhouse - Acapella (2).m3u8"
    assert lists.files[3].read_text() == "#EXTM3U\n"
    files[0].unlink()
    left = house.lists(DJTarget.SERATO, house.output.parent)
    assert [path.name for path in left.files] == [
        "Stemhouse.crate",
        "Stemhouse%%Instrumental.crate",
        "Stemhouse - Instrumental.m3u8",
    ]
    assert left.files[0] == lists.files[0]
    assert house.lists(DJTarget.SERATO, house.output.parent).is_reused


def test_names_that_a_drive_would_take_for_one_become_two(house: House, tmp_path: Path) -> None:
    """Folders that differ in case only, on a file system that tells them apart."""
    folders = []
    for place, name in (("a", "Song"), ("b", "SONG")):
        folder = tmp_path / place / name
        folder.mkdir(parents=True)
        for stem in ("vocals", "drums"):
            soundfile.write(folder / f"{stem}.wav", np.full((500, 1), 0.1), RATE_HZ, "PCM_16")
        folders.append(read_stem_folder(folder))
    organizer = house.organizer(DJTarget.REKORDBOX)
    made = [
        outcome.made for outcome in organizer.organize(folders, OrganizeOptions(DJTarget.REKORDBOX)) if outcome.made
    ]
    assert [tree.folder.name for tree in made] == ["Song", "SONG (2)"]


@pytest.mark.parametrize("template", ["{title}", "{stem} {nobody}", "{stem!r}", "{", "{stem} {title.__class__}"])
def test_template_that_cannot_name_is_refused(template: str, house: House) -> None:
    """Before anything is written, and for all folders at once; a template cannot reach into values."""
    with pytest.raises(InvalidRequest):
        house.organize(DJTarget.SERATO, OrganizeOptions(DJTarget.SERATO, name_template=template))
    assert not house.output.exists()


def test_cli_tells_files_lists_and_steps(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that cannot be made is told, the rest is done, and a beatless track has no grid."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    house.tools.analyzer.is_beatless = True
    other = house.folder.parent / "No voice"
    other.mkdir()
    soundfile.write(other / "drums.wav", np.full((500, 1), 0.1), RATE_HZ, "PCM_16")
    arguments = ["export-dj", str(house.folder), str(other), "--target", "rekordbox", "--output", str(house.output)]
    assert main([*arguments, "--json"]) == ExitCode.FAILURES
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert "acapella cannot be made of No voice" in told.err
    assert [bool(track["error"]) for track in document["tracks"]] == [False, True]
    assert document["lists"] == [str(house.output / "rekordbox.xml")]
    assert str(house.output / "rekordbox.xml") in document["steps"][0]
    assert "<TEMPO" not in (house.output / "rekordbox.xml").read_text()


def test_dry_run_tells_room_and_writes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there takes no more; a folder that cannot be read is told; the room is what files then take."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    stranger = house.folder.parent / "empty"
    stranger.mkdir()
    arguments = ["export-dj", str(house.folder), str(stranger), "--target", "rekordbox", "--output", str(house.output)]
    assert main([*arguments, "--dry-run", "--json"]) == ExitCode.FAILURES
    told = capsys.readouterr()
    plan = json.loads(told.out)
    assert "1 of 2 tracks are in no library that was scanned" in told.err
    assert [(track["is_there"], bool(track["error"])) for track in plan["tracks"]] == [(False, False), (False, True)]
    assert not house.output.exists()
    assert main([*arguments, "--json"]) == ExitCode.FAILURES
    [made, _] = json.loads(capsys.readouterr().out)["tracks"]
    taken_bytes = sum(Path(file).stat().st_size for file in made["files"][:-1])
    assert plan["needed_bytes"] == pytest.approx(taken_bytes, rel=0.05)
    assert main([*arguments, "--dry-run", "--json"]) == ExitCode.FAILURES
    again = json.loads(capsys.readouterr().out)
    assert (again["needed_bytes"], again["tracks"][0]["is_there"]) == (0, True)


def test_what_does_not_fit_is_not_begun(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the numbers; a disk of which nothing is known is tried."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    arguments = ["export-dj", str(house.folder), "--target", "stem-mp4", "--output", str(house.output)]
    monkeypatch.setattr("stemhouse.client.dj_destinations.free_bytes", lambda _: 1000)
    assert main(arguments) == ExitCode.USAGE
    assert "0.3 MB to be written, 0.0 MB free: it does not fit" in capsys.readouterr().err
    assert not [*house.output.glob("*")]
    monkeypatch.setattr("stemhouse.client.dj_destinations.free_bytes", lambda _: None)
    assert main(arguments) == ExitCode.OK


def test_lists_tell_where_another_machine_finds_files(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drive that is mounted here, and there: paths, the crates' root, and the steps; relative ones stay."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    arguments = ["export-dj", str(house.folder), "--output", str(house.output), "--target"]
    here = house.output.parent
    assert main([*arguments, "rekordbox", "--map", f"D:/={here}"]) == ExitCode.OK
    assert "choose D:/dj/rekordbox.xml" in capsys.readouterr().out
    assert 'Location="file://localhost/D:/dj/Bj%C3%B6rk' in (house.output / "rekordbox.xml").read_text()
    assert main([*arguments, "serato", "--map", f"/Volumes/USB={here}"]) == ExitCode.OK
    crate = (house.output / "_Serato_/Subcrates/Stemhouse.crate").read_bytes()
    locations, _ = crate_locations(parse_crate(crate))
    assert [location.partition("/")[0] for location in locations] == ["dj", "dj"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "traktor", "--stems", "dj"],
        ["--target", "rekordbox", "--alac"],
        ["--target", "serato", "--format", "wav"],
        ["--target", "ableton"],
        [],
    ],
)
def test_cli_refuses_what_does_not_fit(arguments: list[str], house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wrong usage; nothing is written."""
    monkeypatch.setenv("STEMHOUSE_SERVER", house.address)
    monkeypatch.chdir(house.folder.parent)
    assert main(["export-dj", str(house.folder), *arguments]) == ExitCode.USAGE
    assert [*house.folder.parent.iterdir()] == [house.folder]
