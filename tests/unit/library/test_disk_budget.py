"""What a run takes, worked out by hand."""

import pytest

from services.library.core.batch_ports import Volume
from services.library.core.disk_budget import (
    Places,
    Workload,
    needs_by_folder,
    output_bytes,
    shortage_of,
    volume_plans,
)
from stemhouse.batches import BatchSpec, DiskNeed
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat

WORK = Workload(
    track_count=10, audio_s=2400.0, longest_s=600.0, source_bytes=96_000_000, largest_source_bytes=24_000_000
)
SIDE = 10 * 16 * 1024


@pytest.mark.parametrize(
    ("file_format", "sample_format", "expected_bytes"),
    [
        (FileFormat.WAV, SampleFormat.PCM16, 4 * 2400 * 44_100 * 4),
        (FileFormat.WAV, SampleFormat.PCM24, 4 * 2400 * 44_100 * 6),
        (FileFormat.WAV, SampleFormat.FLOAT32, 4 * 2400 * 44_100 * 8),
        (FileFormat.AIFF, SampleFormat.PCM24, 4 * 2400 * 44_100 * 6),
        (FileFormat.MP3, SampleFormat.PCM24, 4 * 2400 * 40_000),
        (FileFormat.M4A, SampleFormat.PCM24, 4 * 2400 * 40_000),
        (FileFormat.FLAC, SampleFormat.PCM24, round(4 * 2400 * 44_100 * 6 * 0.38)),
    ],
)
def test_output_by_format(file_format: FileFormat, sample_format: SampleFormat, expected_bytes: int) -> None:
    """Ten tracks of four minutes, four stems of each."""
    assert output_bytes(WORK, DeliveryOptions(file_format, sample_format), 4, None) == expected_bytes + SIDE


def test_what_was_measured_counts_where_encoders_decide() -> None:
    """PCM is exact without."""
    flac = DeliveryOptions(FileFormat.FLAC)
    assert output_bytes(WORK, flac, 4, 100_000.0) == 240_000_000 + SIDE
    wav = DeliveryOptions(FileFormat.WAV)
    assert output_bytes(WORK, wav, 4, 100_000.0) == output_bytes(WORK, wav, 4, None)


def test_needs_of_a_run() -> None:
    """The store keeps mixes, stems, and what is left of the sources; scratch is for what runs at once."""
    spec = BatchSpec("/music", "/out", delivery=DeliveryOptions(stems=("vocals",)))
    needs = {
        need.use: (folder, need.peak_bytes)
        for folder, need in needs_by_folder(WORK, spec, Places("/store", "/scratch"), 4, output_bytes_per_s=None)
    }
    assert needs["output"] == ("/out", 2400 * 44_100 * 6 + SIDE)
    assert needs["store"] == ("/store", round(2400 * 44_100 * 6 * (0.61 + 4 * 0.38)))
    assert needs["source copies"] == ("/store", 96_000_000)
    assert needs["temporary"] == ("/scratch", 1_900_000_000 + 48_000_000)


def test_store_clears_up_behind_a_long_run() -> None:
    """A library of 100 hours: what 100 minutes leave there; all of the stems if they are to be kept."""
    work = Workload(1500, 360_000.0, 600.0, 20_000_000_000, 24_000_000)
    stored_bytes_per_s = 44_100 * 6 * (0.61 + 4 * 0.38)
    for keeps_results, audio_s in ((False, 6_000.0), (True, 360_000.0)):
        spec = BatchSpec("/music", "/out", keeps_results=keeps_results)
        needs = needs_by_folder(work, spec, Places("/store", None), 4, output_bytes_per_s=None)
        by_use = {need.use: need.peak_bytes for _folder, need in needs}
        assert by_use["store"] == round(stored_bytes_per_s * audio_s)
        assert by_use["source copies"] == 333_333_333


def test_store_of_another_machine_is_not_counted() -> None:
    """Nobody here knows its room."""
    spec = BatchSpec("/music", "/out")
    needs = needs_by_folder(WORK, spec, Places(None, None), 4, output_bytes_per_s=None)
    assert [need.use for _folder, need in needs] == ["output"]


def test_needs_of_one_volume_are_added() -> None:
    """Two folders on it share its room; a volume of unknown size is no obstacle."""
    disk, other = Volume("1", "/out", 100), Volume("2", "/store", None)
    plans = volume_plans(
        [(disk, DiskNeed("output", 60)), (other, DiskNeed("store", 10**15)), (disk, DiskNeed("temporary", 41))]
    )
    assert [(plan.folder, plan.peak_bytes, plan.fits) for plan in plans] == [
        ("/out", 101, False),
        ("/store", 10**15, True),
    ]
    assert shortage_of(plans[0]).startswith("/out has 0.00 GB free")


def test_nothing_to_do_takes_nothing() -> None:
    """Not even scratch."""
    nothing = Workload(0, 0.0, 0.0, 0, 0)
    needs = needs_by_folder(nothing, BatchSpec("/m", "/out"), Places("/s", "/t"), 4, output_bytes_per_s=None)
    assert [need.peak_bytes for _folder, need in needs] == [0, 0, 0, 0]
