"""Assessment of stored stems: gains undone, and every missing number explained."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from services.separator.core.ports import TaskControl
from stemhouse.audio import AudioRef, StemSet
from stemhouse.errors import Cancelled, NotFound
from stemhouse.vocab import OTHER, VOCALS, QualityStatus
from tests.fakes_separator import FakeEngine, SeparatorHouse
from tests.signals import noise, song

FRAMES = 3 * 44100 + 500
TRUE_VOCALS = song(FRAMES, 44100).astype(np.float64)


class AssessmentHouse(SeparatorHouse):
    """One whose vocals are the whole mixture."""

    def stem_set(self, mixture: npt.NDArray[np.floating]) -> StemSet:
        """Separate samples; `other` is silent."""
        return self.separate(self.audio(mixture, subtype="FLOAT"), FakeEngine({VOCALS: 1.0, OTHER: 0.0}))

    def reference(self, samples: npt.NDArray[np.floating], sample_rate_hz: int = 44100) -> AudioRef:
        """Ingest a true stem."""
        return self.audio(samples, sample_rate_hz, subtype="FLOAT")


@pytest.fixture
def house(tmp_path: Path) -> AssessmentHouse:
    """A store and a scratch folder."""
    return AssessmentHouse(tmp_path)


def test_scores_are_those_of_the_source_scale(house: AssessmentHouse) -> None:
    """Stems stored at a quarter, a reference stored at half: SDR, which sees levels, is what NumPy says."""
    estimate = 2.5 * TRUE_VOCALS + noise(FRAMES, peak=0.05)
    true = 1.9 * TRUE_VOCALS
    stem_set, reference = house.stem_set(estimate), house.reference(true)
    assert (stem_set.gain, reference.gain) == (0.25, 0.5)
    report = house.assess(stem_set, vocals=reference)
    vocals, other = report.stems
    assert report.method == "si-sdr-with-reference"
    assert vocals.sdr_db == pytest.approx(10 * np.log10((true**2).sum() / ((true - estimate) ** 2).sum()), abs=1e-3)
    projected = (estimate * true).sum() / (true**2).sum() * true
    si_sdr_db = 10 * np.log10((projected**2).sum() / ((estimate - projected) ** 2).sum())
    assert vocals.si_sdr_db == pytest.approx(si_sdr_db, abs=1e-3)
    assert (other.status, other.si_sdr_db, other.note) == (QualityStatus.NOT_APPLICABLE, None, "no reference")


def test_without_references_nothing_is_measured(house: AssessmentHouse) -> None:
    """The report says so for every stem, and what keeps the vocals from being judged by themselves."""
    report = house.assess(house.stem_set(TRUE_VOCALS))
    assert (report.method, report.engine_id) == ("none", "fake-shares-1")
    assert [(stem.status, stem.note) for stem in report.stems] == [
        (QualityStatus.NOT_APPLICABLE, "there is nothing but vocals"),
        (QualityStatus.NOT_APPLICABLE, "no reference"),
    ]


def test_stems_that_were_measured_have_levels_too(house: AssessmentHouse) -> None:
    """On the source's scale, and nothing of the measure is lost by what the stems say of themselves."""
    report = house.assess(house.stem_set(TRUE_VOCALS), vocals=house.reference(TRUE_VOCALS))
    vocals, other = report.stems
    assert (vocals.status, vocals.si_sdr_db, vocals.note) == (QualityStatus.MEASURED, 60.0, "")
    assert vocals.level_db == pytest.approx(10 * np.log10((TRUE_VOCALS**2).mean()), abs=0.05)
    assert vocals.peak_db == pytest.approx(20 * np.log10(np.abs(TRUE_VOCALS).max()), abs=1e-3)
    assert (other.level_db, other.peak_db, other.clipped_share) == (-120.0, -120.0, 0.0)


@pytest.mark.parametrize("excess_frames", [-4000, 4000])
def test_common_part_is_compared_where_lengths_differ_a_little(house: AssessmentHouse, excess_frames: int) -> None:
    """Another decoder pads or trims some frames; the score is that of the common part, the note tells."""
    longer = np.concatenate([TRUE_VOCALS, noise(4000)], axis=1)
    mixture, true = (TRUE_VOCALS, longer) if excess_frames > 0 else (longer, TRUE_VOCALS)
    vocals = house.assess(house.stem_set(mixture), vocals=house.reference(true)).stems[0]
    assert vocals.si_sdr_db == 60.0
    assert f"4000 frames {'longer' if excess_frames > 0 else 'shorter'}" in vocals.note


@pytest.mark.parametrize(
    ("true", "rate_hz", "told"),
    [
        (TRUE_VOCALS[:1], 44100, "the reference is mono at 44100 Hz, the track stereo at 44100 Hz"),
        (TRUE_VOCALS, 48000, "the reference is stereo at 48000 Hz"),
        (TRUE_VOCALS[:, :-4410], 44100, "the reference lasts 2.911 s, the track 3.011 s"),
        (0 * TRUE_VOCALS, 44100, "the reference is silent"),
    ],
)
def test_reference_that_does_not_fit_is_explained(
    house: AssessmentHouse, true: npt.NDArray[np.float64], rate_hz: int, told: str
) -> None:
    """No number rather than a wrong one."""
    vocals = house.assess(house.stem_set(TRUE_VOCALS), vocals=house.reference(true, rate_hz)).stems[0]
    assert (vocals.status, vocals.si_sdr_db) == (QualityStatus.NOT_APPLICABLE, None)
    assert told in vocals.note


def test_reference_of_another_track_is_asked_about(house: AssessmentHouse) -> None:
    """The number stands."""
    vocals = house.assess(house.stem_set(TRUE_VOCALS), vocals=house.reference(noise(FRAMES))).stems[0]
    assert vocals.si_sdr_db is not None
    assert vocals.si_sdr_db < -20.0
    assert "is it one of this track" in vocals.note


def test_missing_stem_is_not_found(house: AssessmentHouse) -> None:
    """A result may have been evicted."""
    stem_set, reference = house.stem_set(TRUE_VOCALS), house.reference(TRUE_VOCALS)
    house.store.delete(stem_set.stems[0].object_key)
    with pytest.raises(NotFound):
        house.assess(stem_set, vocals=reference)


def test_cancelled_assessment_stops(house: AssessmentHouse) -> None:
    """Between two blocks."""
    stem_set, reference = house.stem_set(TRUE_VOCALS), house.reference(TRUE_VOCALS)
    asked = iter([False] * 3)
    with pytest.raises(Cancelled):
        house.assess(stem_set, TaskControl(lambda: next(asked, True)), vocals=reference)
