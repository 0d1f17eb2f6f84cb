"""A batch of real music with a crate, where STEMHOUSE_DATA names a folder that holds `multitracks/NAME/mix.flac`.

The files are others' and not in the repository.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.e2e.conftest import Stack
from tests.e2e.libraries import digests, document, states

MIXES = sorted(Path(os.environ.get("STEMHOUSE_DATA") or os.devnull).glob("multitracks/*/mix.flac"))
pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not MIXES, reason="STEMHOUSE_DATA names no folder with multitracks/NAME/mix.flac"),
]
SET = "Friday"
QUIETEST_NULL_DB = -120.0
"""Of 24-bit files whose integers add up: there is no rest at all."""


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder for each mix, and a set that holds all but the first by name, the last one first."""
    music = tmp_path / "music"
    for mix in MIXES:
        place = music / mix.parent.name
        place.mkdir(parents=True)
        shutil.copy(mix, place / f"{mix.parent.name}.flac")
    chosen = [f"{mix.parent.name}/{mix.parent.name}.flac" for mix in reversed(MIXES[1:])]
    (music / f"{SET}.m3u8").write_text("\n".join(["#EXTM3U", *chosen, ""]), encoding="utf-8")
    return music


def test_real_music_is_worked_through(stack: Stack, music: Path, tmp_path: Path) -> None:
    """The set first, in its order; stems add up to the mix; a second run does nothing; the library is as it was."""
    before = digests(music)
    options = ("--output", tmp_path / "stems", "--engine", "starter", "--crate", SET, "--json")
    first = stack.cli("batch", music, *options)
    assert first.returncode == 0, first.stderr
    report = document(first)
    names = [mix.parent.name for mix in MIXES]
    assert [Path(item["path"]).stem for item in report["items"]] == [*reversed(names[1:]), names[0]]
    assert set(states(report).values()) == {"done"}
    for item in report["items"]:
        assert null_depth_db(Path(item["path"]), Path(item["folder"])) < QUIETEST_NULL_DB
    again = document(stack.cli("batch", music, *options))
    assert set(states(again).values()) == {"skipped"}
    assert digests(music) == before


def null_depth_db(mix_file: Path, folder: Path) -> float:
    """What the sum of the delivered stems leaves of the mix, against the mix."""
    mix, _ = soundfile.read(mix_file)
    stems = [soundfile.read(file)[0] for file in sorted(folder.glob("*.wav"))]
    assert len(stems) == 4
    rest = np.sum(stems, axis=0) - mix
    return float(10 * np.log10(max(np.mean(rest**2), 1e-30) / np.mean(mix**2)))
