"""Our sets against what genuine sets have in common; and the judge against sets with faults."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import pytest
import soundfile

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import LiveSet
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from tests.live_sets.__main__ import main
from tests.live_sets.checker import findings, judged, tree_findings
from tests.live_sets.container import opened
from tests.live_sets.identities import is_pointee
from tests.live_sets.models import RATE_HZ, drifting_grid, own_bpm, plain_set
from tests.live_sets.mutations import mutated
from tests.live_sets.reading import child

MUTATION_COUNT = 100
FEWEST_CAUGHT = 0.95
BOTH = pytest.mark.parametrize("profile", [LIVE_10, LIVE_11])


def built(profile: LiveProfile) -> bytes:
    """A small set."""
    return AbletonProjectExporter().build(plain_set(), profile)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the samples of the small set."""
    samples = tmp_path / "Samples" / "Imported"
    samples.mkdir(parents=True)
    (tmp_path / "Ableton Project Info").mkdir()
    for track in plain_set().songs[0].tracks:
        soundfile.write(samples / track.sample.file_name, np.zeros((track.sample.frame_count, 2)), RATE_HZ, "PCM_16")
    return tmp_path


@BOTH
def test_sets_are_as_genuine_ones(profile: LiveProfile, project: Path) -> None:
    """Nothing too much, too little, or of another version; with files that are as the set says."""
    assert findings(built(profile), profile, project, own_bpm=own_bpm(plain_set())) == []


OTHER_TEMPI = [
    replace(plain_set(), bpm=125.0),
    replace(plain_set(), songs=(replace(plain_set().songs[0], grid=drifting_grid(118.0, 8, first_s=5.0)),)),
]
"""A tempo that was asked for; and a drifting song of which one marker lies in the file."""


@pytest.mark.parametrize("live_set", OTHER_TEMPI)
@BOTH
def test_sets_may_have_another_tempo_than_their_song(live_set: LiveSet, profile: LiveProfile) -> None:
    """Unless its own was asked for: then it is there to the last digit, in the set and in the clips."""
    als_bytes = AbletonProjectExporter().build(live_set, profile)
    assert findings(als_bytes, profile) == []
    assert any("tempo: " in finding for finding in findings(als_bytes, profile, own_bpm=120.0))
    assert any("tempo: " in finding for finding in findings(built(profile), profile, own_bpm=120.0001))


def saved_again(profile: LiveProfile, minor_version: str) -> Element:
    """Our set as another Live may save it: its names and members, paths of its machine, Ids given anew."""
    root, _ = opened(built(profile))
    assert root is not None
    root.attrib |= {"MinorVersion": minor_version, "Creator": "Ableton Live"}
    live_set = child(root, "LiveSet")
    SubElement(live_set, "OfAnotherVersion", Value="0")
    for element in root.iter():
        if is_pointee(element) or element.tag == "PointeeId":
            name = "Value" if element.tag == "PointeeId" else "Id"
            element.set(name, str(int(element.attrib[name]) + 20_000))
        elif element.tag == "Path":
            element.set("Value", f"/Users/somebody/{element.attrib['Value']}")
        elif minor_version.startswith("12"):
            element.tag = element.tag.replace("MasterTrack", "MainTrack")
            if element.get("Value") == "AudioOut/Master":
                element.set("Value", "AudioOut/Main")
    child(live_set, "NextPointeeId").set("Value", "50000")
    return root


@pytest.mark.parametrize(
    ("profile", "minor_version"), [(LIVE_10, "10.0_380"), (LIVE_11, "11.0_11300"), (LIVE_11, "12.0_12203")]
)
def test_sets_that_live_has_saved_are_judged_by_what_must_hold(profile: LiveProfile, minor_version: str) -> None:
    """What Live does in its own way is told apart from a fault, which is found in such a set too."""
    ours = judged(built(profile))
    assert (ours.creator, ours.wrong, ours.different) == (profile.creator, (), ())
    root = saved_again(profile, minor_version)
    again = judged(gzip.compress(tostring(root, "utf-8"), mtime=7))
    assert again.wrong == ()
    assert {"gzip: MTIME", "Ableton/LiveSet: unknown OfAnotherVersion"} <= {*again.different}
    next(root.iter("PointeeId")).set("Value", "1")
    assert any("points nowhere" in finding for finding in judged(gzip.compress(tostring(root, "utf-8"))).wrong)


def test_live_sets_are_judged_by_a_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which looks at the samples beside a set, and says what it could not open."""
    path = project / "ours.als"
    path.write_bytes(built(LIVE_11))
    assert main([str(path)]) == 0
    (project / "Samples/Imported/Drums.wav").unlink()
    assert main([str(path)]) == 1
    assert "files: no Drums.wav" in capsys.readouterr().out
    path.write_bytes(gzip.compress(b"<Nothing/>"))
    assert main([str(path)]) == 2
    assert "no set of Live" in capsys.readouterr().out


def test_faults_are_found() -> None:
    """Of faults drawn at random, one at a time: the judge sees enough to be believed when it finds nothing."""
    sets = {profile.major: built(profile) for profile in (LIVE_10, LIVE_11)}
    missed = []
    for seed, profile in zip(range(MUTATION_COUNT), cycle([LIVE_10, LIVE_11]), strict=False):
        mutation = mutated(sets[profile.major], seed)
        if not any(tree_findings(mutation.root, profile, own_bpm=own_bpm(plain_set()))):
            missed.append(f"{profile.major}, {seed}: {mutation.fault}")
    assert len(missed) <= MUTATION_COUNT * (1 - FEWEST_CAUGHT), missed


def test_versions_are_not_confused() -> None:
    """Each set is wrong for the other version, by its names."""
    assert "eras: Pointee is of another version" in findings(built(LIVE_11), LIVE_10)
    assert "eras: SceneNames is of another version" in findings(built(LIVE_10), LIVE_11)


def with_document(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Another text inside."""
    return lambda data: gzip.compress(gzip.decompress(data).replace(old, new, 1), mtime=0)


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda data: gzip.compress(gzip.decompress(data), mtime=7), "gzip: MTIME"),
        (lambda data: data[:3] + b"\x08" + data[4:10] + b"a.als\0" + data[10:], "gzip: FLG"),
        (lambda data: data + data, "gzip: not one whole member"),
        (lambda data: data[:-20], "file: "),
        (lambda data: data[:-4], "gzip: not one whole member"),
        (lambda data: zlib.compress(gzip.decompress(data)), "file: "),
        (with_document(b'encoding="UTF-8"', b'encoding="latin-1"'), "xml: declaration"),
        (with_document(b"Vocals", b"\xff"), "file: "),
        (with_document(b"Vocals", b"\x01"), "file: "),
        (with_document(b"Vocals", "\ufffe".encode()), ": "),
        (with_document(b"<LiveSet>", b"<LiveSet>text"), "Ableton/LiveSet: has a text of its own"),
        (with_document(b"</Ableton>\n", b"</Ableton>"), "xml: no line feed at the end"),
    ],
)
def test_damaged_files_are_found(damage: Callable[[bytes], bytes], finding: str) -> None:
    """Around the tree, a fault leaves bytes that Live does not write."""
    assert any(finding in found for found in findings(damage(built(LIVE_11)), LIVE_11))


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda root: (root / "Ableton Project Info").rmdir(), "no Ableton Project Info"),
        (lambda root: (root / "Samples/Imported/Drums.wav").unlink(), "no Drums.wav"),
        (lambda root: rewrite(root, 63_999, RATE_HZ, "PCM_16"), "Drums.wav is not as the set says"),
        (lambda root: rewrite(root, 64_000, 2 * RATE_HZ, "PCM_16"), "Drums.wav is not as the set says"),
        (lambda root: rewrite(root, 64_000, RATE_HZ, "PCM_32"), "Drums.wav is not as the set says"),
    ],
)
@BOTH
def test_wrong_samples_are_found(
    damage: Callable[[Path], None], finding: str, profile: LiveProfile, project: Path
) -> None:
    """A set that is right by itself misses its folder, a file, or the file that it was written for."""
    damage(project)
    assert f"files: {finding}" in findings(built(profile), profile, project)


def rewrite(root: Path, frame_count: int, sample_rate_hz: int, subtype: str) -> None:
    """Another file in place of the drums."""
    soundfile.write(root / "Samples/Imported/Drums.wav", np.zeros((frame_count, 2)), sample_rate_hz, subtype)
