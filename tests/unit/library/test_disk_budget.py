"""What a run takes, worked out by hand."""

import pytest

from services.library.core.batch_ports import Volume
from services.library.core.disk_budget import (
    Measured,
    Places,
    Workload,
    needs_by_folder,
    output_bytes,
    shortage_of,
    volume_plans,
)
from stemhouse.batches import BatchSpec, DiskNeed
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.dj import DJTarget

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


def test_files_for_djs_take_room_of_their_own() -> None:
    """Of each target, in the same output folder: two AIFFs, two FLACs, or five streams of AAC."""
    spec = BatchSpec("/music", "/out", targets=(DJTarget.REKORDBOX, DJTarget.SERATO, DJTarget.TRAKTOR))
    [need] = [
        (folder, need.peak_bytes)
        for folder, need in needs_by_folder(WORK, spec, Places(None, None), 4, Measured())
        if need.use == "files for DJs"
    ]
    assert need == ("/out", round(2400 * (44_100 * 6 * (2 + 0.38 + 0.61) + 200_000)))


def test_needs_of_a_run() -> None:
    """The store holds four tracks and what is made in 28 s, and copies the four; scratch is for what runs at once."""
    spec = BatchSpec("/music", "/out", delivery=DeliveryOptions(stems=("vocals",)))
    needs = {
        need.use: (folder, need.peak_bytes)
        for folder, need in needs_by_folder(WORK, spec, Places("/store", "/scratch"), 4, Measured())
    }
    assert needs["output"] == ("/out", 2400 * 44_100 * 6 + SIDE)
    stored_bytes_per_s = 44_100 * 6 * (0.61 + 4 * 0.38)
    copied_bytes = stored_bytes_per_s * (2400 - 600 - 3 * 240)
    assert needs["store"] == ("/store", round(stored_bytes_per_s * (600 + 3 * 240 + 20 * 28) + copied_bytes))
    assert needs["source copies"] == ("/store", 96_000_000)
    assert needs["temporary"] == ("/scratch", 1_900_000_000 + 48_000_000)


LONG_WORK = Workload(1500, 360_000.0, 600.0, 30_000_000_000, 24_000_000)
"""A library of 100 hours: tracks of four minutes, and of 20 MB."""


@pytest.mark.parametrize(
    ("measured", "stored_bytes_per_s", "speed"),
    [
        (Measured(), 44_100 * 6 * (0.61 + 4 * 0.38), 20.0),
        (Measured(stored_bytes_per_s=400_000.0, speed=2.0), 400_000.0, 2.0),
    ],
)
def test_store_clears_up_behind_a_long_run(measured: Measured, stored_bytes_per_s: float, speed: float) -> None:
    """It holds the longest track and three others, what is made in 28 s, and while it clears up what lives twice."""
    needs = needs_by_folder(LONG_WORK, BatchSpec("/music", "/out"), Places("/store", None), 4, measured)
    by_use = {need.use: need.peak_bytes for _folder, need in needs}
    under_way_bytes = stored_bytes_per_s * (600.0 + 3 * 240.0)
    assert by_use["store"] == round(2 * under_way_bytes + stored_bytes_per_s * speed * 28)
    ahead_bytes, largest_volume_bytes = 64 * 20_000_000, 1024**3
    uncleared_bytes = 30_000_000_000 / 360_000.0 * speed * 28
    assert by_use["source copies"] == round(ahead_bytes + uncleared_bytes + largest_volume_bytes)


def test_results_that_are_kept_all_stay() -> None:
    """Sources are cleared up in any case."""
    spec = BatchSpec("/music", "/out", keeps_results=True)
    needs = needs_by_folder(LONG_WORK, spec, Places("/store", None), 4, Measured(stored_bytes_per_s=400_000.0))
    by_use = {need.use: need.peak_bytes for _folder, need in needs}
    assert by_use["store"] == 400_000 * 360_000
    assert by_use["source copies"] < LONG_WORK.source_bytes


def test_store_of_another_machine_is_not_counted() -> None:
    """Nobody here knows its room."""
    spec = BatchSpec("/music", "/out")
    needs = needs_by_folder(WORK, spec, Places(None, None), 4, Measured())
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
    needs = needs_by_folder(nothing, BatchSpec("/m", "/out"), Places("/s", "/t"), 4, Measured())
    assert [need.peak_bytes for _folder, need in needs] == [0, 0, 0, 0]
