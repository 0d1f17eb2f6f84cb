"""What a delivery will be."""

import math
from dataclasses import replace
from typing import Any

import pytest

from services.exporter.core.files import StemFileManager
from services.exporter.core.plan import PlannedDelivery, plan_delivery
from stemhouse.audio import AudioFormat, StemRef
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import SeparationResult
from stemhouse.vocab import BASE_STEMS
from tests.unit.exporter.results import separated

RESULT = separated().result()


def plan(result: SeparationResult = RESULT, **options: Any) -> PlannedDelivery:
    """The plan for a result of four stems."""
    return plan_delivery(result, DeliveryOptions(**options), StemFileManager())


def with_stems(*names: str, peak: float = 0.5, **changes: Any) -> SeparationResult:
    """A result with other stems."""
    stems = tuple(StemRef(name, f"results/{name}.flac", peak) for name in names)
    return replace(RESULT, stem_set=replace(RESULT.stem_set, stems=stems, **changes))


def test_no_wish_means_all_stored_stems() -> None:
    """In the result's order, with the format's extension."""
    planned = plan(file_format=FileFormat.FLAC)
    assert tuple(planned.files) == BASE_STEMS
    assert planned.announcement.file_names == ("vocals.flac", "drums.flac", "bass.flac", "other.flac")
    assert planned.announcement.folder == "Björk - Jóga_01234567"


def test_wished_stems_come_once_in_the_wished_order() -> None:
    """Stored and derived ones."""
    planned = plan(stems=("instrumental", "bass", "acapella", "bass"))
    assert tuple(planned.files) == ("instrumental", "bass", "acapella")
    assert planned.announcement == plan(stems=("instrumental", "bass", "acapella")).announcement


def test_unknown_stem_is_named_with_what_there_is() -> None:
    """So that the next request can be right."""
    with pytest.raises(InvalidRequest, match=r"guitar.*vocals, drums, bass, other, instrumental, acapella"):
        plan(stems=("vocals", "guitar"))


@pytest.mark.parametrize("stem", ["instrumental", "acapella"])
def test_nothing_is_derived_without_vocals(stem: str) -> None:
    """Unless the engine gave that stem itself."""
    with pytest.raises(InvalidRequest, match=r"it has drums$"):
        plan(with_stems("drums"), stems=(stem,))
    assert tuple(plan(with_stems(stem), stems=(stem,)).files) == (stem,)


def test_stored_name_that_is_no_name_is_refused() -> None:
    """A result may come from anywhere."""
    with pytest.raises(InvalidRequest):
        plan(with_stems("../vocals"))


def test_gain_is_one_where_everything_fits() -> None:
    """Whatever gain the store needed."""
    assert plan().gain == 1.0
    assert plan(with_stems("vocals", peak=0.9, gain=0.5)).gain == 1.0


@pytest.mark.parametrize("sample_format", [SampleFormat.PCM16, SampleFormat.PCM24])
def test_gain_is_that_of_the_whole_set(sample_format: SampleFormat) -> None:
    """Stems fetched one by one still fit together."""
    loud = with_stems("vocals", "drums", peak=2.0, gain=0.25)
    gains = {plan(loud, sample_format=sample_format, stems=stems).gain for stems in [(), ("vocals",), ("drums",)]}
    assert len(gains) == 1
    assert gains.pop() == pytest.approx(0.5, rel=1e-4)
    assert plan(loud, sample_format=SampleFormat.FLOAT32).gain == 1.0


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_every_format_of_integers_has_the_same_gain(file_format: FileFormat) -> None:
    """Stems of one track keep one level; nothing above full scale reaches an encoder."""
    loud = with_stems("vocals", "drums", peak=2.0, gain=0.25)
    assert plan(loud, file_format=file_format).gain == plan(loud).gain < 1.0


def test_rate_that_the_format_lacks_is_refused() -> None:
    """The plan is the last word before bytes are sent."""
    audio = replace(RESULT.stem_set.audio, format=AudioFormat(96_000, 2))
    with pytest.raises(InvalidRequest, match="96000 Hz"):
        plan(with_stems("vocals", audio=audio), file_format=FileFormat.MP3)


def test_stem_that_peaks_at_full_scale_is_delivered_as_stored() -> None:
    """-2**23 fits 24 bits, and +2**23 cannot have been stored; 16 bits and lowered sets must make room."""
    assert plan(with_stems("vocals", peak=1.0)).gain == 1.0
    assert plan(with_stems("vocals", peak=1.0), sample_format=SampleFormat.PCM16).gain < 1.0
    assert plan(with_stems("vocals", peak=1.0, gain=0.5)).gain < 1.0
    assert plan(with_stems("vocals", instrumental_peak=1.0), stems=("instrumental",)).gain < 1.0


def test_instrumental_counts_whichever_stems_are_wanted() -> None:
    """It may be louder than any stem, and may be fetched another day: the files must fit together."""
    result = with_stems("vocals", "drums", instrumental_peak=1.25)
    assert plan(result).gain == pytest.approx(0.8, rel=1e-4)
    assert plan(result, stems=("vocals", "instrumental")).gain == plan(result).gain == plan(result).announcement.gain


@pytest.mark.parametrize(
    "changes", [{"gain": 0.3}, {"peak": math.nan}, {"peak": math.inf}, {"instrumental_peak": math.nan}]
)
def test_impossible_figures_are_refused(changes: dict[str, float]) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequest):
        plan(with_stems("vocals", **changes), stems=("vocals", "instrumental"))


def test_impossible_gain_of_the_mix_is_refused() -> None:
    """The instrumental is made from it."""
    with pytest.raises(InvalidRequest):
        plan(with_stems("vocals", audio=replace(RESULT.stem_set.audio, gain=0.3)), stems=("instrumental",))


def test_equal_deliveries_have_equal_keys() -> None:
    """Tags and figures that leave the audio alone do not count."""
    other = replace(RESULT, facts=replace(RESULT.facts, artist="Other"), stem_set=replace(RESULT.stem_set, device="x"))
    assert plan(other).announcement.delivery_key == plan().announcement.delivery_key
    assert plan(stems=BASE_STEMS).announcement.delivery_key == plan().announcement.delivery_key


def test_whatever_changes_the_audio_changes_the_key() -> None:
    """Result, stems, format, gain."""
    stem_set = RESULT.stem_set
    planned = [
        plan(),
        plan(stems=("vocals",)),
        plan(file_format=FileFormat.FLAC),
        plan(sample_format=SampleFormat.PCM16),
        plan(replace(RESULT, stem_set=replace(stem_set, engine_id="other"))),
        plan(replace(RESULT, stem_set=replace(stem_set, sums_to_mix=False))),
        plan(replace(RESULT, stem_set=replace(stem_set, audio=replace(stem_set.audio, pcm_sha256="d" * 64)))),
        plan(with_stems(*BASE_STEMS, peak=2.0, gain=0.5)),
        plan(with_stems(*BASE_STEMS, peak=2.5, gain=0.5)),
    ]
    assert len({item.announcement.delivery_key for item in planned}) == len(planned)
