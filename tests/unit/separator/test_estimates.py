"""What is said of vocals without a reference: signals in closed form, gates, calibrations; and only finite numbers."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.separator.adapters.calibration_files import installed_calibrations
from services.separator.adapters.starter.engine import STARTER_SPEC
from services.separator.core.assessment import AssessTask, assess_stems
from services.separator.core.calibrations import AMB, REMIX, Calibrations, calibration_from_json
from services.separator.core.estimates import UNCALIBRATED_AMB_DB, UNCALIBRATED_REMIX_DB
from services.separator.core.listening import Judges
from services.separator.core.mask_ambiguity import MaskAmbiguity
from services.separator.core.ports import Block, Mixture, StemBlocks
from services.separator.core.stem_reading import pieces, spread_spans
from stemhouse.audio import AudioFormat, AudioRef, QualityReport, StemQuality, StemSet
from stemhouse.errors import InternalFault, InvalidRequest
from stemhouse.vocab import OTHER, VOCALS, QualityStatus
from tests.fakes_separator import UNWATCHED, FakeEngine, SeparatorHouse, desk_over
from tests.signals import noise, sine, song

RATE_HZ = 8000
CALIBRATION: dict[str, Any] = {
    "calibration_id": "fake-1",
    "engine": "fake",
    "models": ["shares"],
    "engine_id": "fake-shares-1",
    "verifier_engine_id": "fake-shares-1",
    "fits": [
        {"weights": {"amb": 1.0}, "intercept_db": -5.0, "mean_abs_error_db": 2.5},
        {"weights": {"remix": 0.5}, "intercept_db": 1.0, "mean_abs_error_db": 2.0},
        {"weights": {"amb": 0.5, "remix": 0.25}, "intercept_db": -1.0, "mean_abs_error_db": 1.5},
    ],
    "ranges_db": {"amb": [-10.0, 25.0], "remix": [-20.0, 30.0]},
}


def calibration(**changes: Any) -> Calibrations:
    """The one of the fake engine, with changes."""
    return Calibrations((calibration_from_json(json.dumps(CALIBRATION | changes).encode(), "fake.json"),))


class EstimateHouse(SeparatorHouse):
    """Results with made-up stems, judged by whom the test says."""

    def result(self, samples: Block, share: float, rate_hz: int = RATE_HZ) -> StemSet:
        """One whose vocals are that share of the mixture's amplitude, all the time."""
        engine = FakeEngine({VOCALS: share, OTHER: 1 - share}, AudioFormat(rate_hz, samples.shape[0]))
        return self.separate(self.audio(samples, rate_hz, subtype="FLOAT"), engine)

    def judged(self, stem_set: StemSet, judges: Judges, **references: AudioRef) -> QualityReport:
        """The report of these judges."""
        with desk_over(self.store, self.folder) as desk:
            return assess_stems(AssessTask(stem_set, references), desk, judges, UNWATCHED)


@pytest.fixture
def house(tmp_path: Path) -> EstimateHouse:
    """An empty store."""
    return EstimateHouse(tmp_path)


def vocals_of(report: QualityReport) -> StemQuality:
    """The scores of the vocals, which must be there."""
    found = report.stem(VOCALS)
    assert found
    return found


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("rate_hz", [8000, 44_100, 96_000])
def test_ambiguity_of_a_constant_mask_is_known(share: float, rate_hz: int) -> None:
    """Vocals that are a share of everything imply one mask m, and the ratio is m / (1 - m), at any rate."""
    mixture = noise(rate_hz)
    ambiguity = MaskAmbiguity(rate_hz)
    ambiguity.add(np.float32(share) * mixture, mixture)
    assert ambiguity.db() == pytest.approx(20 * np.log10(share / (1 - share)), abs=1e-3)


def test_ambiguity_is_high_where_parts_lie_apart() -> None:
    """Two sines far from each other are no matter of doubt; silence is the floor, not an error."""
    low, high = sine(440, 44_100, 44_100), sine(3000, 44_100, 44_100)
    apart, silent = MaskAmbiguity(44_100), MaskAmbiguity(44_100)
    apart.add(low, low + high)
    silent.add(0 * low, 0 * low)
    silent.add(low[:, :100], low[:, :100])
    assert apart.db() > 40
    assert silent.db() == -60.0


@pytest.mark.parametrize(
    ("samples", "share", "told"),
    [
        (song(2 * RATE_HZ, RATE_HZ), 0.5, "shorter than 3 s"),
        (np.zeros((2, 4 * RATE_HZ), np.float32), 0.5, "the track is silent"),
        (noise(4 * RATE_HZ, peak=1e-3), 0.5, "the track is silent"),
        (song(4 * RATE_HZ, RATE_HZ), 0.01, "no vocals were found"),
        (song(4 * RATE_HZ, RATE_HZ), 0.99, "nothing but vocals"),
        (song(4 * RATE_HZ, RATE_HZ), 0.0, "no vocals were found"),
    ],
)
def test_closed_gate_gives_no_number(house: EstimateHouse, samples: Block, share: float, told: str) -> None:
    """Nothing that another engine could repair: not applicable, the reason, and finite levels."""
    report = house.judged(house.result(samples, share), Judges(calibration()))
    vocals = vocals_of(report)
    assert (vocals.status, vocals.estimated_si_sdr_db, report.method) == (QualityStatus.NOT_APPLICABLE, None, "none")
    assert told in vocals.note
    assert_finite(report)


def assert_finite(report: QualityReport) -> None:
    """No figure of any stem is NaN or infinite."""
    for stem in report.stems:
        figures = [value for value in asdict(stem).values() if isinstance(value, float)]
        assert figures
        assert all(map(isfinite, figures)), stem


def test_verifier_is_not_asked_behind_a_closed_gate(house: EstimateHouse) -> None:
    """It would take its time to find nothing in nothing; and one without vocals is refused."""
    deaf = FakeEngine({OTHER: 1.0}, AudioFormat(RATE_HZ, 2))
    stem_set = house.result(np.zeros((2, 4 * RATE_HZ), np.float32), 0.5)
    assert not house.judged(stem_set, Judges(calibration(), deaf)).verifier_id
    with pytest.raises(InvalidRequest, match="gives no vocals"):
        house.judged(house.result(song(4 * RATE_HZ, RATE_HZ), 0.5), Judges(calibration(), deaf))


@pytest.mark.parametrize("channel_count", [1, 2])
def test_calibrated_engine_is_estimated_by_the_fit(house: EstimateHouse, channel_count: int) -> None:
    """Two thirds of everything are 6.02 dB of ambiguity, and one by one less 5 is the fit."""
    stem_set = house.result(song(4 * RATE_HZ, RATE_HZ, channel_count), 2 / 3)
    report = house.judged(stem_set, Judges(calibration()))
    vocals, other = report.stems
    assert (report.method, report.engine_id, report.calibration_id, report.verifier_id) == (
        "mask-ambiguity",
        "fake-shares-1",
        "fake-1",
        "",
    )
    assert (vocals.status, vocals.note, vocals.uncertainty_db) == (QualityStatus.ESTIMATED, "", 2.5)
    assert vocals.estimated_si_sdr_db == pytest.approx(6.02 - 5.0, abs=0.01)
    assert (other.status, other.estimated_si_sdr_db, other.note) == (QualityStatus.NOT_APPLICABLE, None, "no reference")
    assert vocals.level_db == pytest.approx((other.level_db or 0.0) + 6.02, abs=0.01)


def test_verifier_adds_what_it_finds_again(house: EstimateHouse) -> None:
    """It hears the vocals before an accompaniment that comes 1.7 s later, and both signals go into the estimate."""
    samples = song(4 * RATE_HZ, RATE_HZ)
    stem_set = house.result(samples, 2 / 3)
    heard: list[Block] = []

    class Verifier(FakeEngine):
        def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
            heard.append(np.concatenate(list(mixture.blocks()), axis=1))
            yield {VOCALS: heard[0][:, :RATE_HZ], OTHER: heard[0][:, :RATE_HZ]}
            yield {VOCALS: heard[0][:, RATE_HZ:], OTHER: heard[0][:, RATE_HZ:]}

    report = house.judged(stem_set, Judges(calibration(), Verifier()))
    true = 2 / 3 * samples.astype(np.float64)
    remixed = true + np.roll(samples / 3, round(1.7 * RATE_HZ), axis=1)
    assert np.abs(heard[0] - remixed).max() < 1e-6
    alpha = (true * heard[0]).sum() / (true**2).sum()
    remix_db = 10 * np.log10((alpha * true**2 * alpha).sum() / ((heard[0] - alpha * true) ** 2).sum())
    vocals = vocals_of(report)
    assert vocals.remix_db == pytest.approx(remix_db, abs=1e-3)
    assert vocals.estimated_si_sdr_db == pytest.approx(0.5 * 6.02 + 0.25 * remix_db - 1.0, abs=0.01)
    assert (report.method, report.verifier_id) == ("mask-ambiguity+remix", "fake-shares-1")


def test_estimate_stands_beside_what_was_measured(house: EstimateHouse) -> None:
    """Which keeps its place: the vocals are exactly the reference, whatever the stems say of themselves."""
    samples = song(4 * RATE_HZ, RATE_HZ)
    report = house.judged(house.result(samples, 2 / 3), Judges(calibration()), vocals=house.audio(samples, RATE_HZ))
    vocals = vocals_of(report)
    assert (vocals.status, vocals.si_sdr_db, vocals.note) == (QualityStatus.MEASURED, 60.0, "")
    assert vocals.estimated_si_sdr_db == pytest.approx(6.02 - 5.0, abs=0.01)
    assert (report.method, report.calibration_id) == ("si-sdr-with-reference", "fake-1")


@pytest.mark.parametrize(("engine", "model"), [("demucs", "shares"), ("fake", "htdemucs")])
def test_engine_without_a_calibration_borrows_one_with_a_wider_margin(
    house: EstimateHouse, engine: str, model: str
) -> None:
    """Said in the note, with no calibration named: by the verifier's fit if there is one, roughly without."""
    stem_set = replace(house.result(song(4 * RATE_HZ, RATE_HZ), 2 / 3), engine=engine, model=model)
    alone = house.judged(stem_set, Judges(calibration()))
    verified = house.judged(stem_set, Judges(calibration(), FakeEngine(audio_format=AudioFormat(RATE_HZ, 2))))
    margins_db = [vocals_of(report).uncertainty_db for report in (alone, verified)]
    assert margins_db == [UNCALIBRATED_AMB_DB, UNCALIBRATED_REMIX_DB]
    assert (alone.calibration_id, verified.calibration_id) == ("", "")
    assert (alone.method, verified.method) == ("mask-ambiguity", "remix")
    for report in (alone, verified):
        assert f"{engine} {model} has no calibration" in vocals_of(report).note
    nobody = vocals_of(house.judged(stem_set, Judges()))
    assert (nobody.status, nobody.note) == (QualityStatus.NOT_APPLICABLE, "there is no calibration of any engine")


def test_another_verifier_than_the_calibrated_one_does_not_count(house: EstimateHouse) -> None:
    """The fit over its signal was made with another one."""
    stem_set = house.result(song(4 * RATE_HZ, RATE_HZ), 2 / 3)
    judges = Judges(calibration(verifier_engine_id="other-1"), FakeEngine(audio_format=AudioFormat(RATE_HZ, 2)))
    report = house.judged(stem_set, judges)
    assert report.method == "mask-ambiguity"
    assert "what fake-shares-1 found does not count" in vocals_of(report).note


def test_bleed_is_what_sounds_where_the_stem_does_not(house: EstimateHouse) -> None:
    """Vocals for two seconds, then a hundredth of their amplitude for two more: -40 dB; clipped frames are counted."""
    voice, rest = sine(440, 4 * RATE_HZ, RATE_HZ, peak=1.2), noise(4 * RATE_HZ, channel_count=1, peak=0.4)
    voice[:, 2 * RATE_HZ :] *= np.float32(0.01)

    class Engine(FakeEngine):
        def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
            yield {VOCALS: voice, OTHER: rest}

    engine = Engine({VOCALS: 1.0, OTHER: 1.0}, AudioFormat(RATE_HZ, 1))
    stem_set = house.separate(house.audio(voice + rest, RATE_HZ, subtype="FLOAT"), engine)
    vocals, other = house.judged(stem_set, Judges()).stems
    assert vocals.bleed_db == pytest.approx(-40.0, abs=0.05)
    assert other.bleed_db is None
    assert vocals.clipped_share == pytest.approx(np.mean(np.abs(voice) >= 1.0), abs=1e-3)
    assert vocals.peak_db == pytest.approx(20 * np.log10(1.2), abs=0.01)
    assert other.clipped_share == 0.0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fits": CALIBRATION["fits"][:2]}, "fits of each and of both"),
        ({"fits": [{**CALIBRATION["fits"][0], "intercept_db": float("nan")}, *CALIBRATION["fits"][1:]]}, "finite"),
        ({"fits": [{**CALIBRATION["fits"][0], "mean_abs_error_db": 0}, *CALIBRATION["fits"][1:]]}, "above 0"),
        ({"fits": [{**CALIBRATION["fits"][0], "weights": {"amb": -1}}, *CALIBRATION["fits"][1:]]}, "above 0"),
        ({"ranges_db": {"amb": [0, 10]}}, "needs ranges"),
        ({"ranges_db": {"amb": [10, 0], "remix": [0, 10]}}, "not a range"),
        ({"engine": ""}, "not a name"),
        ({"models": None}, "TypeError"),
    ],
)
def test_broken_calibration_is_refused(changes: dict[str, Any], told: str) -> None:
    """By its name, with what is wrong and the command that makes it anew."""
    with pytest.raises(InternalFault, match=rf"(?s)fake\.json is not a calibration.*{told}.*make calibrate"):
        calibration(**changes)
    with pytest.raises(InternalFault, match=r"fake\.json"):
        calibration_from_json(b"[" * 9000, "fake.json")


def test_shipped_calibration_is_that_of_the_starter() -> None:
    """It fits the engine that is installed, verifies itself, rises with both signals, and is finite at the ends."""
    shipped = installed_calibrations()
    of_starter = shipped.of(STARTER_SPEC.name, STARTER_SPEC.model)
    assert of_starter
    assert of_starter == shipped.of_verifier(STARTER_SPEC.engine_id)
    fit = of_starter.fit(AMB, REMIX)
    low, middle, high = (fit.estimate_db({AMB: db, REMIX: db}, of_starter.ranges_db) for db in (-60.0, 5.0, 60.0))
    assert -60.0 <= low < middle < high <= 60.0
    tops = {signal: ends[1] for signal, ends in of_starter.ranges_db.items()}
    assert high == fit.estimate_db(tops, of_starter.ranges_db)


@pytest.mark.parametrize(
    ("centres", "frame_count", "spans"),
    [
        ([5], 15, [(0, 15)]),
        ([5, 50, 95], 100, [(0, 10), (90, 100)]),
        ([0], 100, [(0, 10)]),
        ([50, 51], 100, [(45, 55), (55, 65)]),
    ],
)
def test_spans_lie_within_the_track_and_apart(
    centres: list[int], frame_count: int, spans: list[tuple[int, int]]
) -> None:
    """Two of ten frames, of places that are given; what is short is taken whole."""
    assert spread_spans(centres, 10, 2, frame_count) == spans
    assert pieces([(3, 12)], 1) == [(3, 7), (7, 11), (11, 12)]
