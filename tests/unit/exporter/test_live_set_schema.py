"""Our sets against what genuine sets have in common; and the judge against sets with faults."""

import gzip
import zlib
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from tests.live_sets.checker import findings, tree_findings
from tests.live_sets.models import RATE_HZ, plain_set
from tests.live_sets.mutations import mutated

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
    assert findings(built(profile), profile, project) == []


def test_faults_are_found() -> None:
    """Of faults drawn at random, one at a time: the judge sees enough to be believed when it finds nothing."""
    sets = {profile.major: built(profile) for profile in (LIVE_10, LIVE_11)}
    missed = []
    for seed, profile in zip(range(MUTATION_COUNT), cycle([LIVE_10, LIVE_11]), strict=False):
        mutation = mutated(sets[profile.major], seed)
        if not any(tree_findings(mutation.root, profile)):
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
