"""The probe for vocals: which parts it hears, and what it makes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from services.separator.core.ports import Block, EngineSpec, Mixture, StemBlocks, TaskControl
from services.separator.core.vocal_probe import ProbeVocalsTask, probe_vocals
from stemhouse.audio import AudioFormat, AudioRef
from stemhouse.errors import Cancelled, InvalidRequest
from stemhouse.vocab import BASE_STEMS, VOCALS
from tests.fakes_separator import UNWATCHED, FakeEngine, SeparatorHouse, desk_over
from tests.signals import noise

RATE_HZ = 8_000


@dataclass
class Listener:
    """Engine that finds vocals in the left channel, and remembers how much it has heard."""

    spec = EngineSpec("fake", "left", "fake-left-1", BASE_STEMS, AudioFormat(RATE_HZ, 2))
    heard_frames: int = 0

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        for block in mixture.blocks():
            self.heard_frames += block.shape[1]
            left = block * np.array([[1.0], [0.0]], dtype=np.float32)
            yield {VOCALS: left, **{stem: block - left for stem in BASE_STEMS if stem != VOCALS}}


def track(duration_s: int, sung_from: float = 0.0, sung_to: float = 0.0) -> Block:
    """Noise on the right, and on the left within the shares of the track that are sung."""
    samples = noise(duration_s * RATE_HZ, peak=0.5)
    place = np.linspace(0.0, 1.0, samples.shape[1], endpoint=False)
    samples[0] *= (sung_from <= place) & (place < sung_to)
    return samples


def probe(folder: Path, samples: Block, engine: Listener | FakeEngine, control: TaskControl = UNWATCHED) -> float:
    """The answer for samples."""
    house = SeparatorHouse(folder)
    audio: AudioRef = house.audio(samples, RATE_HZ)
    with desk_over(house.store, folder, control) as desk:
        return probe_vocals(ProbeVocalsTask(audio, engine.spec.engine_id), engine, desk, control)


@pytest.mark.parametrize(
    ("sung_from", "sung_to", "share"), [(0.0, 0.0, 0.0), (0.0, 1.0, 1.0), (0.55, 1.0, 0.5), (0.7, 0.9, 0.25)]
)
def test_share_is_that_of_sung_half_seconds(tmp_path: Path, sung_from: float, sung_to: float, share: float) -> None:
    """Four excerpts of a long track, around 25, 45, 65 and 80 % of it, seven seconds each."""
    engine = Listener()
    assert probe(tmp_path, track(100, sung_from, sung_to), engine) == pytest.approx(share)
    assert engine.heard_frames == 28 * RATE_HZ


def test_short_track_is_heard_from_its_start(tmp_path: Path) -> None:
    """As much of it as of a long one."""
    engine = Listener()
    assert probe(tmp_path, track(5, 0.0, 1.0), engine) == 1.0
    assert engine.heard_frames == 5 * RATE_HZ


@pytest.mark.parametrize(("duration_s", "heard_s"), [(28, 28), (29, 28), (50, 28), (56, 28)])
def test_singer_of_a_short_track_may_come_late(tmp_path: Path, duration_s: int, heard_s: int) -> None:
    """Its end is heard, too."""
    engine = Listener()
    assert probe(tmp_path, track(duration_s, 0.82, 1.0), engine) > 0.0
    assert engine.heard_frames == heard_s * RATE_HZ


def test_silence_is_not_asked(tmp_path: Path) -> None:
    """Its noise would be all vocals, or none; a silent track is not sung."""
    sung = track(20, 0.0, 1.0)
    sung[:, 5 * RATE_HZ :] *= 1e-4
    assert probe(tmp_path, sung, Listener()) == 1.0
    assert probe(tmp_path, sung * np.float32(0.0), Listener()) == 0.0


def test_level_does_not_matter(tmp_path: Path) -> None:
    """A quiet track sings as much as a loud one, and one that exceeds full scale."""
    loud, quiet = track(100, 0.55, 1.0), track(100, 0.55, 1.0) * np.float32(0.05)
    assert probe(tmp_path, loud, Listener()) == probe(tmp_path, quiet, Listener())


def test_quiet_vocals_do_not_count(tmp_path: Path) -> None:
    """15 dB below the mixture is leakage."""
    shares = dict.fromkeys(BASE_STEMS, 0.2)
    for level, share in ((0.2, 1.0), (0.15, 0.0)):
        engine = FakeEngine({**shares, VOCALS: level}, AudioFormat(RATE_HZ, 2))
        assert probe(tmp_path, track(5, 0.0, 1.0), engine) == share


def test_engine_without_vocals_is_refused(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(InvalidRequest, match="fake-shares-1"):
        probe(tmp_path, track(5), FakeEngine({"drums": 1.0}, AudioFormat(RATE_HZ, 2)))


def test_probe_is_cancelled(tmp_path: Path) -> None:
    """Between blocks."""
    house = SeparatorHouse(tmp_path)
    audio = house.audio(track(5), RATE_HZ)
    gone = TaskControl(lambda: True)
    with desk_over(house.store, tmp_path) as desk, pytest.raises(Cancelled):
        probe_vocals(ProbeVocalsTask(audio, "fake"), Listener(), desk, gone)
